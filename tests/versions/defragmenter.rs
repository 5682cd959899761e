//! The defragmenter: every member in turn, the leader last, each counted once by etcd too.

use super::{counts_agree, play_on};
use etcdmark::report::{DefragmentationEvent, Event, RunResult};
use etcdmark::workload::Source;

/// A cluster whose every member is defragmented each two seconds.
fn source(stores: &str) -> Source {
    let text = format!(
        "apiVersion: etcdmark/v1alpha2\nkind: Workload\nmetadata: {{name: defragmented}}\nspec:\n{stores}  cluster: \
         {{nodes: 300}}\n  actors:\n    - {{name: leases, kind: nodeLease, period: 3s}}\n    - {{name: defrag, kind: \
         defragmenter, period: 2s}}\n  phases: {{settle: 0s, warmup: 500ms, duration: 5s}}\n"
    );
    Source::parse("defragmented.yaml".to_owned(), text).unwrap()
}

/// All turns, as the stream and as the result have them.
fn turns(result: &RunResult, events: &[Event]) -> Vec<DefragmentationEvent> {
    let told = events.iter().filter_map(|e| match e {
        Event::Defragmentation(d) => Some(d.clone()),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, result.defragmentations);
    for d in &told {
        assert!(d.error.is_none() && d.seconds > 0.0, "{d:?}");
        assert!(d.size_before > Some(0) && d.size_after > Some(0), "{d:?}");
    }
    let counts = &result.class("defragmenter/defragment").unwrap().figures;
    let counts = &counts.counts;
    assert_eq!(counts.ok + counts.skipped, counts.offered, "{counts:?}");
    assert_eq!((counts.late, counts.censored), (0, 0));
    told
}

#[test]
fn every_member_is_defragmented_in_turn_and_the_leader_last() {
    let (result, events) = play_on(source(""), 1, 3, &[]);
    let turns = turns(&result, &events);
    // The first after one period, so none before; a turn is whole even where the load ends in it.
    assert!(
        turns.len() >= 3 && turns.len().is_multiple_of(3),
        "{turns:?}"
    );
    for turn in turns.chunks(3) {
        let mut members: Vec<&str> = turn.iter().map(|d| d.member.as_str()).collect();
        members.sort_unstable();
        assert_eq!(members, ["etcd-0", "etcd-1", "etcd-2"]);
        assert_eq!(turn.iter().position(|d| d.leader), Some(2), "{turn:?}");
    }
    counts_agree(&result, &events, &["Txn", "Defragment"]);
}

#[test]
fn every_store_is_defragmented_and_has_its_own_counts() {
    let stores = "  stores:\n    - name: main\n    - {name: leases, resources: [leases]}\n";
    let (result, events) = play_on(source(stores), 2, 1, &[]);
    let turns = turns(&result, &events);
    for store in &result.stores {
        let mine = turns.iter().filter(|d| d.store == store.name).count() as u64;
        let accounts = store.accounts.as_ref().unwrap();
        let rpcs = accounts.rpcs.iter().filter(|r| r.method == "Defragment");
        let counts: Vec<_> = rpcs.map(|r| (r.attempts, r.answered, r.handled)).collect();
        assert!(
            accounts.agree == Some(true) && mine > 0,
            "{}: {accounts:?}",
            store.name
        );
        assert_eq!(counts, [(mine, mine, mine)], "{}", store.name);
    }
}
