//! Several stores: external ones by kube-apiserver's own `--etcd-servers-overrides`, local ones by `--split`.

use crate::common::{self, Stopwatch, Testbed, etcdmark, events as events_of};
use crate::play::{Ended, QUICK, Run, SLOW};
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;

/// Some of everything, compaction twice a second included.
const SOME: [&str; 14] = [
    "cluster",
    "--nodes",
    "60",
    "--set",
    "actors.node-leases.period=1s",
    "--set",
    "actors.events.rate=40",
    "--set",
    "actors.compactor.period=500ms",
    "--set",
    "phases.settle=0s",
    "--warmup",
    "1s",
    "--quiet",
];

fn store<'a>(ended: &'a Ended, name: &str) -> &'a Value {
    let stores = ended.result["stores"].as_array().unwrap();
    stores.iter().find(|s| s["name"] == name).unwrap()
}

fn class<'a>(ended: &'a Ended, name: &str) -> &'a Value {
    let classes = ended.result["classes"].as_array().unwrap();
    classes.iter().find(|c| c["class"]["name"] == name).unwrap()
}

/// Whether history before the first write of this etcd's run has been compacted.
fn compacted(testbed: &Testbed) -> bool {
    let old = etcd_client::GetOptions::new().with_revision(1);
    let mut client = testbed.client();
    testbed
        .runtime
        .block_on(client.get("a", Some(old)))
        .is_err()
}

#[test]
fn each_resource_lies_in_the_etcd_that_its_override_names() {
    let (main, events) = (Testbed::new(), Testbed::new());
    let (endpoints, overrides) = (main.endpoints(), format!("/events#{}", events.endpoints()));
    let access = ["--endpoints", &endpoints, "--overrides", &overrides];
    let kept = [
        "--duration",
        "4s",
        "--keep-data",
        "--run-id",
        "two",
        "--yes-this-etcd-is-mine",
    ];
    let ended = Run::start(&[&SOME, &access, &kept]).finish();
    let said = &ended.said;
    assert!(said.is_well(), "{said:?}");
    assert_eq!(ended.result["outcome"]["outcome"], "completed", "{said:?}");
    ended.assert_verified();
    // Where the keys lie.
    let tails = |testbed: &Testbed| -> Vec<String> {
        let keys = testbed.keys().into_iter();
        let tails =
            keys.filter_map(|k| k.strip_prefix("/registry-etcdmark/two/").map(str::to_owned));
        tails.collect()
    };
    let ours = |k: &String| k.starts_with(".etcdmark") || k.starts_with("etcdmark/");
    let (in_main, in_events) = (tails(&main), tails(&events));
    assert!(
        in_main
            .iter()
            .any(|k| k.starts_with("leases/kube-node-lease/"))
    );
    assert!(!in_main.iter().any(|k| k.starts_with("events/")));
    assert!(in_events.iter().any(|k| k.starts_with("events/")));
    assert!(
        in_events
            .iter()
            .all(|k| ours(k) || k.starts_with("events/")),
        "{in_events:?}"
    );
    assert!(
        in_events.contains(&".etcdmark".to_owned()),
        "a manifest in each"
    );
    // Each etcd cluster has a compactor of its own.
    assert!(compacted(&main) && compacted(&events));
    let all = events_of(&ended.out());
    for name in ["main", "events"] {
        let turn = |e: &&Value| e["type"] == "compactor" && e["store"] == name;
        assert!(
            all.iter()
                .filter(turn)
                .any(|e| e["revision"].as_i64() > Some(0)),
            "{name}"
        );
    }
    // Preflight, timeline and sweep of each.
    for name in ["main", "events"] {
        assert!(
            store(&ended, name)["members"][0]["samples"].as_u64() > Some(0),
            "{name}"
        );
        let notes = ended.result["notes"].to_string();
        assert!(notes.contains(&format!("store {name}: ")), "{notes}");
        let sweeps = ended.result["verify"]["sweeps"].as_array().unwrap();
        assert!(sweeps.iter().any(|s| s["store"] == name));
    }
    // One command looks at both, one cleans up both, and it is the one that the run printed.
    let inspected = etcdmark(&[
        "inspect", "-o", "json", access[0], access[1], access[2], access[3],
    ]);
    let seen: Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert_eq!(
        (&seen["store"], &seen["overrides"][0]["store"]),
        (&"main".into(), &"events".into())
    );
    assert!(
        seen["runs"]["two"].as_u64() > Some(0)
            && seen["overrides"][0]["runs"]["two"].as_u64() > Some(0)
    );
    let left = ended.result["cleanup"]["left"].as_str().unwrap();
    assert_eq!(
        left,
        format!("etcdmark cleanup --endpoints {endpoints} --overrides '{overrides}' --run-id two")
    );
    let cleaned = etcdmark(&[
        "cleanup", access[0], access[1], access[2], access[3], "--run-id", "two",
    ]);
    assert_eq!(cleaned.code, 0, "{cleaned:?}");
    assert!(
        cleaned.stdout.contains("store main:\nrun two: ")
            && cleaned.stdout.contains("store events:\nrun two: ")
    );
    main.assert_empty();
    events.assert_empty();
}

#[test]
fn split_starts_an_etcd_per_resource_and_all_counts_agree_in_each() {
    let flags = ["--split", "events,leases+nodes", "--duration", "4s"];
    let mut local: Vec<&str> = flags.to_vec();
    let etcd = common::etcd::etcd_flags();
    local.extend(etcd.iter().map(String::as_str));
    let ended = Run::start(&[&SOME, &local]).finish();
    ended.assert_went_well();
    let names: Vec<&str> = ended.result["stores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["main", "events", "leases-nodes"]);
    for name in names {
        let accounts = &store(&ended, name)["accounts"];
        assert_eq!(accounts["agree"], true, "{name}: {accounts}");
        let rpcs = accounts["rpcs"].as_array().unwrap();
        let handled = |method: &str| {
            rpcs.iter()
                .find(|r| r["method"] == method)
                .map(|r| &r["handled"])
        };
        assert!(
            handled("Compact").unwrap().as_u64() > Some(0),
            "{name}: its compactor compacts it: {accounts}"
        );
        assert!(
            accounts["revisions"]["attempts"].as_u64() > Some(0),
            "{accounts}"
        );
    }
}

#[test]
fn one_etcd_under_two_names_is_refused_and_left_as_it_was() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let overrides = format!("/events#{}", endpoints.replace("127.0.0.1", "localhost"));
    let access = ["--endpoints", &endpoints, "--overrides", &overrides];
    let ended = Run::start(&[&QUICK, &access]).finish();
    let said = &ended.said;
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr
            .contains("stores main and events are the same etcd"),
        "{said:?}"
    );
    testbed.assert_empty();
    // The same text is no store of its own: said, and the run goes on with one.
    let overrides = format!("/events#{endpoints}");
    let access = [
        "--endpoints",
        &endpoints,
        "--overrides",
        &overrides,
        "--duration",
        "2s",
    ];
    let ended = Run::start(&[&QUICK, &access]).finish();
    ended.assert_went_well();
    assert!(
        ended
            .said
            .stderr
            .contains("these are the servers of --endpoints"),
        "{:?}",
        ended.said
    );
    assert_eq!(ended.result["stores"].as_array().unwrap().len(), 1);
}

#[test]
fn an_override_that_is_not_there_keeps_the_run_from_beginning() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let access = [
        "--endpoints",
        &endpoints,
        "--overrides",
        "/events#http://127.0.0.1:1",
    ];
    let ended = Run::start(&[&QUICK, &access]).finish();
    let said = &ended.said;
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains("store events: ") && said.stderr.contains("127.0.0.1:1"),
        "{said:?}"
    );
    testbed.assert_empty();
}

#[test]
fn a_store_that_is_down_orphans_no_keys_of_an_interrupted_populate() {
    let (main, events) = (Testbed::new(), Testbed::new());
    let (endpoints, overrides) = (main.endpoints(), format!("/events#{}", events.endpoints()));
    let access = [
        "--endpoints",
        &endpoints,
        "--overrides",
        &overrides,
        "--quiet",
    ];
    let mut run = Run::start(&[&SLOW, &access, &["--keep-data"]]);
    run.until_event("progress", |e| {
        e["type"] == "progress" && e["done"].as_u64() > Some(0)
    });
    run.signal(Signal::INT);
    assert_eq!(run.finish().said.code, 130);
    let keys = main.keys();
    assert!((2..3001).contains(&keys.len()), "{} keys", keys.len());
    events.etcd.kill_member(0).unwrap();
    let said = Run::start(&[&SLOW, &access]).finish().said;
    assert_eq!(said.code, 2, "{said:?}");
    let kept = "store main keeps the keys of the interrupted run \"resumed\"";
    assert!(said.stderr.contains(kept), "{said:?}");
    assert_eq!(main.keys(), keys, "the manifest among them");
    let cleaned = etcdmark(&["cleanup", "--endpoints", &endpoints]);
    assert_eq!(cleaned.code, 0, "{cleaned:?}");
    let deleted = format!("run resumed: {} keys deleted", keys.len() - 1);
    assert!(
        cleaned.words().replace(',', "").starts_with(&deleted),
        "{cleaned:?}"
    );
    main.assert_empty();
}

#[test]
fn a_dead_events_etcd_stops_the_run_and_harms_no_lease() {
    let (main, events) = (Testbed::new(), Testbed::new());
    let (endpoints, overrides) = (main.endpoints(), format!("/events#{}", events.endpoints()));
    let access = [
        "--endpoints",
        &endpoints,
        "--overrides",
        &overrides,
        "--duration",
        "60s",
    ];
    let mut run = Run::start(&[
        &SOME,
        &access,
        &["--guards", "quorum", "--set", "phases.drain=2s"],
    ]);
    run.until_second(2);
    events.etcd.kill_member(0).unwrap();
    let killed = Stopwatch::start();
    let ended = run.finish();
    assert!(
        killed.elapsed() < Duration::from_secs(55),
        "the guard ended it"
    );
    let guards = ended.result["guards"].as_array().unwrap();
    assert_eq!(
        (&guards[0]["guard"], &guards[0]["store"]),
        (&"quorum".into(), &"events".into()),
        "{guards:?}"
    );
    assert_eq!(ended.said.code, 1, "{:?}", ended.said);
    let leases = &class(&ended, "node-lease/update")["figures"]["counts"];
    assert_eq!(leases["failed"], 0, "{leases}");
    let events = &class(&ended, "event/create")["figures"];
    assert!(events["misses"].as_u64() > Some(0), "{events}");
}

#[test]
fn overrides_are_reached_with_the_certificates_of_the_main_etcd() {
    let tls = common::tls();
    let secure = || Testbed::of(common::etcd::with_tls(&tls));
    let (main, leases) = (secure(), secure());
    let (endpoints, overrides) = (
        main.endpoints(),
        format!("coordination.k8s.io/leases#{}", leases.endpoints()),
    );
    let path = |file| tls.path(file).to_str().unwrap().to_owned();
    let (ca, cert, key) = (path("ca.crt"), path("client.crt"), path("client.key"));
    #[rustfmt::skip]
    let access = [
        "--endpoints", &endpoints, "--overrides", &overrides, "--cacert", &ca, "--cert", &cert, "--key", &key,
        "--duration", "2s",
    ];
    let ended = Run::start(&[&QUICK, &access]).finish();
    ended.assert_went_well();
    assert_eq!(
        class(&ended, "node-lease/update")["class"]["store"],
        "leases"
    );
    assert!(store(&ended, "leases")["members"][0]["samples"].as_u64() > Some(0));
}

const TWO_STORES: &str = "\
apiVersion: etcdmark/v1alpha2
kind: Workload
metadata:
  name: two
spec:
  stores:
    - name: main
    - name: events
      resources: [events]
  actors:
    - {name: node-leases, kind: nodeLease, period: 1s}
    - {name: events, kind: event, rate: 20}
  phases: {settle: 0s, warmup: 0s, duration: 2s}
";

#[test]
fn a_workloads_own_stores_can_be_given_etcds() {
    let (main, events) = (Testbed::new(), Testbed::new());
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("two.yaml");
    std::fs::write(&file, TWO_STORES).unwrap();
    let (file, endpoints) = (file.to_str().unwrap(), main.endpoints());
    let said = etcdmark(&["run", file, "--nodes", "20", "--endpoints", &endpoints]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("2 stores (main, events)"), "{said:?}");
    assert!(
        said.stderr.contains("--overrides '/events#URL'"),
        "{said:?}"
    );
    let overrides = format!("/events#{}", events.endpoints());
    let access = [
        "--nodes",
        "20",
        "--endpoints",
        &endpoints,
        "--overrides",
        &overrides,
        "--quiet",
    ];
    let ended = Run::start(&[&[file], &access]).finish();
    ended.assert_went_well();
    assert!(
        ended
            .said
            .stderr
            .contains("--overrides moves events out of the workload's store \"events\"")
    );
    assert_eq!(class(&ended, "event/create")["class"]["store"], "events");
}

#[test]
fn bad_overrides_and_splits_are_named_before_anything_starts() {
    let main = ["--endpoints", "http://127.0.0.1:1"];
    for (args, says) in [
        (
            ["--overrides", "/events#http://a:1"].as_slice(),
            "--overrides needs an external etcd",
        ),
        (
            &[
                main[0],
                main[1],
                "--overrides",
                "/registry/events#http://a:1",
            ],
            "write /events",
        ),
        (
            &[
                main[0],
                main[1],
                "--overrides",
                "/events#http://a:1,http://b:1",
            ],
            "separate the servers of one override with semicolons",
        ),
        (
            &[main[0], main[1], "--overrides", "/zebras#http://a:1"],
            "known: coordination.k8s.io/leases, /nodes",
        ),
        (
            &[main[0], main[1], "--overrides", "/events#http://a"],
            "is not http://HOST:PORT",
        ),
        (
            &[main[0], main[1], "--split", "events"],
            "--split applies only to a local etcd, but --endpoints names an external one",
        ),
        (
            &["--split", "event"],
            "--split \"event\" is not a resource; did you mean \"events\"?",
        ),
        (
            &["--split", "events", "--split", "leases,events"],
            "--split names events twice",
        ),
        (&["--split", "leases+"], "--split \"\" is not a resource"),
    ] {
        for name in ["run", "inspect", "cleanup"] {
            if args.contains(&"--split") && name != "run" {
                continue;
            }
            let said = etcdmark(&[&[name], args].concat());
            let stderr = said.stderr;
            assert_eq!(said.code, 2, "{name} {args:?}: {stderr}");
            assert!(
                stderr.contains(says) && stderr.lines().count() == 1,
                "{name} {args:?}: {stderr}"
            );
        }
    }
}
