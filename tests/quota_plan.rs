//! `etcdmark quota-plan` and the model under it, held to real etcds: what a revision costs in the file, and what the
//! command sees of traffic that is known.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and speak"
)]

mod common;
#[path = "quota_plan/window.rs"]
mod window;

use common::Output;
use common::etcd::with_flags;
use etcd_client::{Client, PutOptions, Txn, TxnOp};
use etcdmark::clock;
use etcdmark::kube::{Cluster, KubernetesVersion};
use etcdmark::kube::{Kind, ObjectRef, Objects, Write};
use etcdmark::local::LocalCluster;
use etcdmark::measure::quota_model::{Put, Share, bytes_per_revision, put_size};
use serde_json::Value;
use std::time::Duration;

/// How to write: puts per transaction (etcd takes 128), and bytes in all, so that a page more or less says nothing.
#[derive(Clone, Copy)]
struct Manner {
    ops: usize,
    enough: u64,
    /// Revisions per second to ask the model for; None = as it came out.
    rate: Option<f64>,
}

const FAST: Manner = Manner {
    ops: 100,
    enough: 12 << 20,
    rate: None,
};
/// With `--backend-batch-limit=1` each put is a commit of its own, as at ten puts a second.
const SLOW: Manner = Manner {
    ops: 1,
    enough: 2 << 20,
    rate: Some(10.0),
};

async fn in_use(client: &mut Client) -> f64 {
    // A commit of etcd's backend is at most 100 ms away.
    tokio::time::sleep(Duration::from_millis(500)).await;
    client.status().await.unwrap().raft_used_db_size() as f64
}

fn hollow() -> Objects {
    let cluster = Cluster {
        kubernetes_version: KubernetesVersion::V1_37,
        nodes: 1000,
        namespaces: 10,
        pods_per_node: 30,
        services: 100,
        endpoints_per_service: 250,
        images_per_node: 50,
        apiservers: 3,
        leader_locks: 10,
    };
    Objects::new(
        &cluster,
        1,
        1_700_000_000_000_000_000,
        1_000_000,
        "/registry-etcdmark/model",
    )
}

/// Writes keys and values in turn until there is enough; (measured, modelled) bytes per revision.
async fn measured(
    etcd: &LocalCluster,
    of: impl Fn(u64) -> (Vec<u8>, Vec<u8>),
    lease: bool,
    manner: Manner,
) -> (f64, f64) {
    let mut client = Client::connect(etcd.endpoints(), None).await.unwrap();
    let lease = match lease {
        true => client.lease_grant(3600, None).await.unwrap().id(),
        false => 0,
    };
    let before = in_use(&mut client).await;
    let first = client.status().await.unwrap().header().unwrap().revision();
    let (mut written, mut n, mut shares) = (0, 0u64, Vec::new());
    let begun = clock::now();
    while written < manner.enough {
        let (mut ops, mut bytes) = (Vec::new(), 0);
        while ops.len() < manner.ops && bytes < 1 << 20 {
            let (key, value) = of(n);
            let size = put_size(&Put {
                key: key.len() as u64,
                value: value.len() as u64,
                create_revision: first,
                mod_revision: first,
                version: 1,
                lease,
            });
            shares.push(Share { weight: 1.0, size });
            bytes += size;
            ops.push(TxnOp::put(
                key,
                value,
                Some(PutOptions::new().with_lease(lease)),
            ));
            n += 1;
        }
        client.txn(Txn::new().and_then(ops)).await.unwrap();
        written += bytes;
    }
    let seconds = (clock::now() - begun) as f64 / 1e9;
    let rate = manner.rate.unwrap_or(n as f64 / seconds);
    let grown = in_use(&mut client).await - before;
    (grown / n as f64, bytes_per_revision(&shares, rate))
}

#[tokio::test]
async fn the_model_of_bytes_per_revision_holds_for_real_objects_and_sizes() {
    let etcd = common::start(with_flags(&["--quota-backend-bytes=4294967296"])).await;
    let objects = hollow();
    let object = |kind: Kind, index: u64| {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let write = Write {
            sequence: 1,
            at: 1_700_000_100_000_000_000,
        };
        objects.key(ObjectRef { kind, index }, &mut key);
        objects.value(ObjectRef { kind, index }, write, &mut value);
        (key, value)
    };
    let mut off = Vec::new();
    let mut check = |what: &str, found| off.extend(compare(what, found));
    for (kind, lease) in [
        (Kind::NodeLease, false),
        (Kind::Event, true),
        (Kind::Node, false),
        (Kind::EndpointSlice, false),
    ] {
        let of = |n| object(kind, n % 1000);
        check(&format!("{kind:?}"), measured(&etcd, of, lease, FAST).await);
    }
    for value in [100, 300, 1024, 2000, 4096, 16_384] {
        let of = |n: u64| {
            (
                format!("/registry/model/{value}/{n:012}").into_bytes(),
                vec![b'x'; value],
            )
        };
        check(
            &format!("{value} B"),
            measured(&etcd, of, false, FAST).await,
        );
    }
    // Leases, Events and Nodes in turn, as in a cluster; no interpolation of the above.
    let of = |n: u64| match n % 10 {
        0..=5 => object(Kind::NodeLease, n % 1000),
        6..=8 => object(Kind::Event, n),
        _ => object(Kind::Node, n % 1000),
    };
    check("a mix", measured(&etcd, of, false, FAST).await);
    let slow = common::start(with_flags(&["--backend-batch-limit=1"])).await;
    let lease = |n| object(Kind::NodeLease, n % 1000);
    let slow_lease = measured(&slow, lease, false, SLOW).await;
    check("NodeLease, slowly", slow_lease);
    let put = |n: u64| {
        let key = format!("/registry/model/{n:012}");
        (key.into_bytes(), vec![b'x'; 1024])
    };
    let slow_put = measured(&slow, put, false, SLOW).await;
    check("1024 B, slowly", slow_put);
    assert_eq!(off, Vec::<String>::new(), "more than 5 % off");
}

/// Prints what was measured; gives what is more than 5 % off.
fn compare(what: &str, (measured, model): (f64, f64)) -> Option<String> {
    let off = model / measured - 1.0;
    let line = format!(
        "{what}: {measured:.0} B per revision, model {model:.0} ({:+.1} %)",
        off * 100.0
    );
    println!("{line}");
    (off.abs() > 0.05).then_some(line)
}

/// `etcdmark quota-plan` with these arguments.
fn quota_plan(args: &[&str]) -> Output {
    common::etcdmark(&[&["quota-plan"], args].concat())
}

fn json(args: &[&str]) -> Value {
    let out = quota_plan(args);
    assert_eq!(out.code, 0, "{out:?}");
    let plan: Value = serde_json::from_str(&out.stdout).unwrap();
    let schema = etcdmark::quota_plan::schema().unwrap();
    common::schema::assert_fits(&schema, &plan, "quota-plan");
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn known_traffic_is_seen_as_it_is() {
    let etcd = common::start(with_flags(&["--quota-backend-bytes=67108864"])).await;
    let endpoint = etcd.endpoints()[0].clone();
    let mut client = Client::connect([&endpoint], None).await.unwrap();
    for i in 0..100 {
        client
            .put(
                format!("/registry/leases/kube-node-lease/n{i}"),
                vec![b'x'; 500],
                None,
            )
            .await
            .unwrap();
    }
    // 20 rounds a second of: renew five Leases, create an Event, delete an older one.
    let load = tokio::spawn(async move {
        let mut i = 0u64;
        loop {
            for k in 0..5 {
                let lease = format!("/registry/leases/kube-node-lease/n{}", (i * 5 + k) % 100);
                client.put(lease, vec![b'x'; 500], None).await.unwrap();
            }
            client
                .put(format!("/registry/events/ns/e{i}"), vec![b'x'; 1000], None)
                .await
                .unwrap();
            if i >= 10 {
                client
                    .delete(format!("/registry/events/ns/e{}", i - 10), None)
                    .await
                    .unwrap();
            }
            i += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let line = [
        "--endpoints",
        &endpoint,
        "--window",
        "5s",
        "-q",
        "-o",
        "json",
    ]
    .map(str::to_owned);
    let plan = tokio::task::spawn_blocking(move || json(&line.each_ref().map(String::as_str)))
        .await
        .unwrap();
    load.abort();
    let store = &plan["stores"][0];
    println!("{store:#}");
    let row = |name: &str| {
        let rows = store["resources"].as_array().unwrap();
        rows.iter().find(|r| r["resource"] == name).unwrap().clone()
    };
    let rate = |row: &Value, field: &str| row[field].as_f64().unwrap();
    let (leases, events) = (row("leases"), row("events"));
    // As many creates as deletes, five times as many renewals; a Lease that is renewed more than once counts each time.
    let creates = rate(&events, "createsPerSecond");
    assert!(creates > 1.0);
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 0.1, "{a} is not {b}");
    near(rate(&events, "deletesPerSecond"), creates);
    near(rate(&leases, "updatesPerSecond"), 5.0 * creates);
    assert_eq!(
        (
            rate(&leases, "createsPerSecond"),
            rate(&events, "updatesPerSecond")
        ),
        (0.0, 0.0)
    );
    assert_eq!(leases["keys"], 100);
    near(rate(store, "writesPerSecond"), 7.0 * creates);
    near(rate(store, "measuredGrowth"), rate(store, "modelledGrowth"));
    assert_eq!(store["quotaBytes"], 67_108_864);
    assert_eq!(store["compactorRounds"], Value::Null);
    assert_eq!(
        store["notes"],
        serde_json::json!([]),
        "every revision was seen"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_writes_nothing_and_says_so_of_each_store() {
    let (main, events) = (common::etcd().await, common::etcd().await);
    let mut client = Client::connect(main.endpoints(), None).await.unwrap();
    client.put("/registry/pods/a/b", "x", None).await.unwrap();
    let before = client.status().await.unwrap().header().unwrap().revision();
    let (main, events) = (
        main.endpoints()[0].clone(),
        format!("/events#{}", events.endpoints()[0]),
    );
    let line = [
        "--endpoints",
        &main,
        "--overrides",
        &events,
        "--window",
        "1s",
    ]
    .map(str::to_owned);
    let out = tokio::task::spawn_blocking(move || quota_plan(&line.each_ref().map(String::as_str)))
        .await
        .unwrap();
    assert_eq!(out.code, 0, "{out:?}");
    let (stdout, stderr) = (out.stdout, out.stderr);
    assert!(stdout.starts_with("store main: "), "{stdout}");
    assert!(stdout.contains("\nstore events: "), "{stdout}");
    assert!(
        stdout.contains("nothing was written in 1 s: no forecast"),
        "{stdout}"
    );
    assert!(stderr.contains("watching 2 etcds, 0 of 1 s"), "{stderr}");
    let after = client.status().await.unwrap().header().unwrap().revision();
    assert_eq!(before, after);
}

#[test]
fn bad_input_is_named() {
    for (args, says) in [
        (
            &["--window", "5s"][..],
            "quota-plan needs an etcd: pass --endpoints",
        ),
        (
            &["--endpoints", "http://127.0.0.1:1", "--window", "5"],
            "--window \"5\" is not a duration of 1s to 24h",
        ),
        (
            &["--endpoints", "http://127.0.0.1:1", "--window", "0s"],
            "--window \"0s\"",
        ),
        (
            &[
                "--endpoints",
                "http://127.0.0.1:1",
                "--compaction-interval=-5m",
            ],
            "--compaction-interval \"-5m\"",
        ),
        (&["--endpoints", "http://127.0.0.1:1"], "127.0.0.1:1"),
    ] {
        let out = quota_plan(args);
        let refused = matches!(out.code, 1 | 2) && out.stdout.is_empty();
        assert!(refused, "{args:?}: {out:?}");
        let stderr = out.stderr;
        assert!(
            stderr.contains(says) && stderr.lines().count() == 1,
            "{args:?}: {stderr}"
        );
    }
}
