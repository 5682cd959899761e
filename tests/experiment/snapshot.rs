//! Trials that begin from the same bytes.

use crate::common::json;
use crate::desk::{Desk, file};
use std::path::Path;

#[test]
fn every_trial_of_an_arm_begins_from_a_copy_of_the_same_bytes() {
    let wal = tempfile::tempdir().unwrap();
    let flags = "etcd: {flags: [\"--backend-batch-limit=10\"]";
    let text = file("  snapshot: true\n  smoke: {blocks: 2}\n");
    let desk = Desk::new(&text.replace(
        flags,
        &format!("{flags}, walDir: {:?}", wal.path().display().to_string()),
    ));
    let said = desk.play(&["--smoke"]);
    assert!(said.is_well(), "{said:?}");
    for arm in ["plain", "small-batch"] {
        let line = format!("arm {arm}: filling the store once for all its trials");
        assert_eq!(said.stderr.matches(&line).count(), 1, "{said:?}");
    }
    let plan = json(&desk.out().join("plan.json"));
    for arm in ["plain", "small-batch"] {
        let results: Vec<_> = plan["trials"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|t| t["arm"] == arm)
            .map(|t| {
                json(
                    &desk
                        .out()
                        .join(t["directory"].as_str().unwrap())
                        .join("result.json"),
                )
            })
            .collect();
        let begins = |i: usize| &results[i]["outcome"]["revisions"]["main"][0];
        let cluster = |i: usize| &results[i]["header"]["stores"][0]["cluster_id"];
        assert_eq!((begins(0), cluster(0)), (begins(1), cluster(1)));
        for result in &results {
            // 20 nodes, Leases and CSINodes were there before the trial wrote anything, and the sweep missed none.
            assert!(begins(0).as_u64() > Some(1), "{result}");
            assert_eq!(result["verify"]["lost"], 0);
            let verified = result["verify"]["keys"].as_u64();
            assert_eq!(verified, Some(60), "{}", result["verify"]);
            let (first, last) = (
                begins(0).as_i64().unwrap(),
                result["outcome"]["revisions"]["main"][1].as_i64().unwrap(),
            );
            let written = result["total"]["counts"]["revisions"].as_i64().unwrap();
            // Nothing was populated again: the load's writes and the manifest's two.
            assert_eq!(last - first, written + 2, "{}", result["total"]["counts"]);
        }
    }
    // Temporary directories and snapshots are gone.
    assert_eq!(std::fs::read_dir(wal.path()).unwrap().count(), 0);
    assert!(!desk.out().join("snapshots").exists());
    assert!(Path::new(&desk.out().join("experiment.json")).exists());
}

#[test]
fn a_snapshot_of_three_members_is_refused() {
    let desk =
        Desk::new(&file("  snapshot: true\n").replace("etcd: {flags", "etcd: {members: 3, flags"));
    let said = desk.play(&[]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr
            .contains("snapshot: snapshot works only with one member"),
        "{said:?}"
    );
}
