//! What must hold on every etcd from 3.4 on (`scripts/test.sh` runs this file on each): the run's counts are exactly
//! etcd's own, every revision is accounted for, nothing is lost.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(
    clippy::print_stdout,
    reason = "the counts, for the log of each version"
)]

mod common;
#[path = "versions/medium.rs"]
mod medium;

use etcdmark::clock;
use etcdmark::engine;
use etcdmark::etcd::preflight;
use etcdmark::report::{Accounts, Collector, Event, Phase, RunResult, ServerSample};
use etcdmark::server::metrics;
use etcdmark::workload::{Overrides, RunSettings, Source};
use std::collections::BTreeMap;

/// Plays a built-in workload, a little changed, against an etcd of its own.
fn play(workload: &str, members: usize, changes: &[(&str, &str)]) -> (RunResult, Vec<Event>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let etcd = runtime.block_on(common::start(etcdmark::local::LocalOptions {
        members,
        ..common::options()
    }));
    let mut overrides = Overrides::new();
    for (path, value) in changes {
        overrides.set(path, value);
    }
    let resolved = Source::load(workload).unwrap().resolve(&overrides).unwrap();
    let settings = RunSettings {
        run_id: "counts".to_owned(),
        epoch: clock::unix_now(),
        prefix: "/registry-etcdmark/counts".to_owned(),
        keep_data: false,
        verify: true,
        guards: Vec::new(),
        allow_live_cluster: false,
        control: engine::Control::default(),
    };
    let plan = resolved.into_plan(vec![etcd.target()], settings).unwrap();
    let mut sink = Collector::default();
    let result = engine::run(plan, &mut sink).unwrap();
    runtime.block_on(etcd.stop());
    assert_eq!(result.outcome.outcome, "completed", "{:?}", result.outcome);
    (result, sink.events)
}

/// RPCs of a method that all members counted during the load, from the samples themselves: the last ones before
/// load and sweep.
fn handled(events: &[Event], method: &str) -> u64 {
    let mut latest: BTreeMap<&str, &ServerSample> = BTreeMap::new();
    let sum = |all: &BTreeMap<&str, &ServerSample>| -> f64 {
        all.values().map(|s| metrics::rpcs(&s.values, method)).sum()
    };
    let mut before = None;
    for event in events {
        match event {
            Event::Server(sample) => {
                latest.insert(&sample.member, sample);
            }
            Event::Phase(p)
                if before.is_none() && matches!(p.phase, Phase::Warmup | Phase::Measure) =>
            {
                before = Some(sum(&latest));
            }
            Event::Phase(p) if p.phase == Phase::Verify => {
                return (sum(&latest) - before.unwrap()) as u64;
            }
            _ => {}
        }
    }
    panic!("no load, or no sweep");
}

/// Holds the result's accounts to the samples, and etcd to the run.
fn counts_agree(result: &RunResult, events: &[Event], methods: &[&str]) -> Accounts {
    let accounts = result.stores[0].accounts.clone().unwrap();
    println!(
        "etcd {}: {accounts:?}",
        result.header.stores[0].members[0].version
    );
    let found: Vec<&str> = accounts.rpcs.iter().map(|r| r.method.as_str()).collect();
    assert_eq!(found, methods);
    for rpc in &accounts.rpcs {
        assert!(rpc.attempts > 0, "{rpc:?}");
        assert_eq!(
            (rpc.attempts, rpc.answered),
            (rpc.handled, rpc.handled),
            "{rpc:?}"
        );
        assert_eq!(handled(events, &rpc.method), rpc.handled, "{rpc:?}");
    }
    let revisions = accounts.revisions.as_ref().unwrap();
    assert_eq!(
        revisions.store,
        revisions.attempts + revisions.manifest + revisions.expired_leases,
        "{revisions:?}"
    );
    assert!(accounts.agree);
    let verify = result.verify.as_ref().unwrap();
    assert_eq!(
        (verify.lost, verify.foreign, &verify.incomplete),
        (0, 0, &None),
        "{:?}",
        verify.examples
    );
    accounts
}

#[test]
fn counts_of_a_whole_cluster_agree() {
    // Enough of everything that each kind of request is sent in a few seconds.
    let (result, events) = play(
        "cluster",
        1,
        &[
            ("cluster.nodes", "200"),
            ("load.rateScale", "5"),
            ("actors.compactor.period", "2s"),
            ("phases.settle", "0s"),
            ("phases.warmup", "1s"),
            ("phases.duration", "6s"),
        ],
    );
    // kube-apiserver 1.37 streams its lists where etcd can.
    let version = preflight::version(&result.header.stores[0].members[0].version).unwrap();
    let streams = version >= (3, 7);
    let methods = ["Range", "RangeStream", "Txn", "Compact", "LeaseGrant"];
    let sent = methods
        .into_iter()
        .filter(|m| streams || *m != "RangeStream");
    counts_agree(&result, &events, &sent.collect::<Vec<_>>());
    let lists = result
        .header
        .classes
        .iter()
        .find(|c| c.name == "master-lease/list");
    assert_eq!(lists.unwrap().rpc == "RangeStream", streams);
}

#[test]
fn an_older_kubernetes_streams_nothing() {
    let (result, events) = play(
        "leader-leases",
        1,
        &[
            ("kubernetesVersion", "1.36"),
            ("actors.apiserver-leases.period", "1s"),
            ("phases.settle", "0s"),
            ("phases.warmup", "0s"),
            ("phases.duration", "3s"),
        ],
    );
    counts_agree(&result, &events, &["Range", "Txn", "LeaseGrant"]);
}

#[test]
fn revisions_of_leases_that_expire_are_accounted_for() {
    // Each lease is shared for a twentieth of its 20 s, so that many end within the run.
    let (result, events) = play(
        "events",
        1,
        &[
            ("cluster.nodes", "2000"),
            ("actors.events.ttl", "20s"),
            ("phases.settle", "0s"),
            ("phases.warmup", "1s"),
            ("phases.duration", "26s"),
        ],
    );
    let accounts = counts_agree(&result, &events, &["Range", "Txn", "LeaseGrant"]);
    let verify = result.verify.unwrap();
    assert!(verify.expired > 0, "{verify:?}");
    assert!(accounts.revisions.unwrap().expired_leases > 0);
}

#[test]
fn counts_of_three_members_are_summed() {
    let (result, events) = play(
        "node-heartbeats",
        3,
        &[
            ("cluster.nodes", "500"),
            ("load.rateScale", "4"),
            ("phases.settle", "0s"),
            ("phases.warmup", "1s"),
            ("phases.duration", "4s"),
        ],
    );
    counts_agree(&result, &events, &["Txn"]);
    assert_eq!(result.header.stores[0].members.len(), 3);
}
