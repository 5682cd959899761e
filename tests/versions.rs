//! What must hold on every etcd from 3.4 on (`scripts/test.sh` runs this file on each): the run's counts are exactly
//! etcd's own, every revision is accounted for, nothing is lost.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(
    clippy::print_stdout,
    reason = "the counts, for the log of each version"
)]

mod common;
#[path = "versions/defragmenter.rs"]
mod defragmenter;
#[path = "versions/idle.rs"]
mod idle;
#[path = "versions/medium.rs"]
mod medium;
#[path = "versions/sessions.rs"]
mod sessions;

use etcdmark::clock;
use etcdmark::control::Control;
use etcdmark::engine;
use etcdmark::report::{Accounts, Collector, Event, Phase, RunResult, ServerSample};
use etcdmark::store::preflight;
use etcdmark::workload::{Overrides, RunSettings, Source};
use std::collections::BTreeMap;

/// Plays a built-in workload, a little changed, against an etcd of its own.
fn play(workload: &str, members: usize, changes: &[(&str, &str)]) -> (RunResult, Vec<Event>) {
    play_on(Source::load(workload).unwrap(), 1, members, changes)
}

/// Plays a workload against as many etcds as it has stores.
fn play_on(
    source: Source,
    stores: usize,
    members: usize,
    changes: &[(&str, &str)],
) -> (RunResult, Vec<Event>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let start = |_| {
        runtime.block_on(common::start(etcdmark::local::LocalOptions {
            members,
            ..common::options()
        }))
    };
    let etcds: Vec<_> = (0..stores).map(start).collect();
    let mut overrides = Overrides::new();
    for (path, value) in changes {
        overrides.set(path, value);
    }
    let resolved = source.resolve(&overrides).unwrap();
    let settings = RunSettings {
        run_id: "counts".to_owned(),
        epoch: clock::unix_now(),
        prefix: "/registry-etcdmark/counts".to_owned(),
        keep_data: false,
        verify: true,
        guards: Vec::new(),
        allow_live_cluster: false,
    };
    let targets = etcds.iter().map(|etcd| etcd.target()).collect();
    let plan = resolved.into_plan(targets, settings).unwrap();
    let mut sink = Collector::default();
    let result = engine::run(plan, &Control::default(), &mut sink).unwrap();
    for etcd in etcds {
        runtime.block_on(etcd.stop());
    }
    assert_eq!(result.outcome.outcome, "completed", "{:?}", result.outcome);
    (result, sink.events)
}

/// RPCs of a method that all members counted during the load, from the samples themselves: the last ones before
/// load and sweep.
fn handled(events: &[Event], method: &str) -> u64 {
    let mut latest: BTreeMap<&str, &ServerSample> = BTreeMap::new();
    let sum = |all: &BTreeMap<&str, &ServerSample>| -> f64 {
        all.values()
            .map(|s| etcdmark::report::rpcs(&s.values, method))
            .sum()
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
    assert_eq!(accounts.agree, Some(true));
    let verify = result.verify.as_ref().unwrap();
    assert_eq!(
        (verify.lost, verify.foreign, &verify.incomplete),
        (0, 0, &None),
        "{:?}",
        verify.examples
    );
    accounts
}

/// Everything that a cluster's load sends. kube-apiserver 1.37 streams its lists where etcd can.
fn methods(result: &RunResult, lists: bool) -> Vec<&'static str> {
    let version = preflight::version(&result.header.stores[0].members[0].version);
    let all = ["Range", "RangeStream", "Txn", "Compact", "LeaseGrant"];
    let streams = lists && version >= Some((3, 7));
    let sent = all.into_iter().filter(|m| streams || *m != "RangeStream");
    sent.collect()
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
    let all = methods(&result, true);
    counts_agree(&result, &events, &all);
    let lists = result
        .header
        .classes
        .iter()
        .find(|c| c.name == "master-lease/list");
    assert_eq!(
        lists.unwrap().rpc == "RangeStream",
        all.contains(&"RangeStream")
    );
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

#[test]
fn every_store_has_its_compactor_and_its_own_counts() {
    let stores = "spec:\n  stores:\n    - name: main\n    - {name: events, resources: [events]}\n";
    let text = include_str!("../workloads/cluster.yaml").replacen("spec:\n", stores, 1);
    let source = Source::parse("split.yaml".to_owned(), text).unwrap();
    let changes = [
        ("cluster.nodes", "200"),
        ("load.rateScale", "5"),
        ("load.workers", "2"),
        ("actors.compactor.period", "2s"),
        ("phases.settle", "0s"),
        ("phases.warmup", "500ms"),
        ("phases.duration", "6s"),
    ];
    let (result, events) = play_on(source, 2, 1, &changes);
    let compacted = |store: &str| {
        let turns = events.iter().filter_map(|e| match e {
            Event::Compactor(c) if c.store == store => Some(c),
            _ => None,
        });
        let turns: Vec<_> = turns.collect();
        // Of three apiservers one wins a round; from the second round on it compacts what it saw in the one before.
        let lost = turns.iter().filter(|c| !c.won).count();
        let up_to: Vec<i64> = turns
            .iter()
            .filter(|c| c.class == "compactor/compact" && c.answered)
            .map(|c| c.revision)
            .collect();
        assert!(lost > 0, "{turns:?}");
        assert!(!up_to.is_empty(), "{turns:?}");
        assert!(
            up_to.windows(2).all(|w| w[0] < w[1]) && up_to[0] > 0,
            "{up_to:?}"
        );
        *up_to.last().unwrap()
    };
    let methods = [
        ("main", methods(&result, true)),
        ("events", methods(&result, false)),
    ];
    for (store, methods) in methods {
        let found = result.stores.iter().find(|s| s.name == store).unwrap();
        let accounts = found.accounts.as_ref().unwrap();
        println!("{store}: {accounts:?}");
        let rpcs: Vec<&str> = accounts.rpcs.iter().map(|r| r.method.as_str()).collect();
        assert_eq!(rpcs, methods, "{store}");
        assert!(
            accounts.agree == Some(true) && accounts.revisions.is_some(),
            "{store}: {accounts:?}"
        );
        for rpc in &accounts.rpcs {
            assert_eq!(
                (rpc.attempts, rpc.answered),
                (rpc.handled, rpc.handled),
                "{store}: {rpc:?}"
            );
        }
        // etcd has dropped what the compactor says.
        let series = &found.members[0].series;
        if let Some(revision) = series.get("mvcc.compact_revision") {
            assert!(
                revision.end as i64 <= compacted(store),
                "{store}: {revision:?}"
            );
        }
        assert!(compacted(store) > 0);
    }
    let compactor = result
        .header
        .classes
        .iter()
        .find(|c| c.name == "compactor/txn");
    assert_eq!(compactor.unwrap().store, "*");
}
