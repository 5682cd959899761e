//! Trials' files that are no longer what they were.

use crate::common::{json, with_small_disk};
use crate::desk::{Desk, file};
use serde_json::Value;

#[test]
fn results_that_cannot_be_read_are_said_and_not_counted() {
    let desk = Desk::new(&file(""));
    let said = desk.play(&["--smoke"]);
    assert!(said.is_well(), "{said:?}");
    assert!(
        said.stdout.starts_with("smoke test, no conclusion: "),
        "{said:?}"
    );
    let trial = |n: usize| desk.out().join("trials").join(&desk.trials()[n]);
    std::fs::write(trial(0).join("result.json"), "").unwrap();
    let other = trial(1).join("result.json");
    let mut result = json(&other);
    result["apiVersion"] = "etcdmark/v9".into();
    std::fs::write(&other, result.to_string()).unwrap();
    let said = desk.etcdmark(&["report", "out"]);
    assert!(
        said.stdout.starts_with("incomplete, 0 of 2 trials done: "),
        "{said:?}"
    );
    let words = said.words();
    for message in [
        "result.json is not JSON",
        "result.json has apiVersion \"etcdmark/v9\", but this etcdmark reads only",
        "it counts as not played to its end",
    ] {
        assert!(words.contains(message), "{message}: {words}");
    }
    assert!(desk.play(&["--smoke"]).is_well());
    assert_eq!(desk.result()["complete"], true);
}

#[test]
fn room_in_memory_decides_no_plan_and_leftovers_do_not_take_it() {
    let flags = "etcd: {flags: [\"--backend-batch-limit=10\"]}";
    let media = file("").replace(flags, "etcd: {medium: gp3}");
    let desk = Desk::new(&media);
    let shown = desk.etcdmark(&["experiment", "show", "x.yaml", "--plan"]);
    let plan: Value = serde_json::from_str(&shown.stdout).unwrap();
    // A small /dev/shm of its own, in which a killed process left data.
    let script = format!(
        "mount --bind \"$DIR\" /dev/shm || exit 77\nmkdir -p /dev/shm/etcdmark-etcd-1-0-0/etcd-0\ntouch \
         /dev/shm/etcdmark-etcd-1-0-0/lock\ncd {}\n\"$ETCDMARK\" experiment show x.yaml --plan && ls /dev/shm >&2",
        desk.home.path().display()
    );
    let Some(tight) = with_small_disk("16m", &script) else {
        return;
    };
    assert_eq!(tight.code, 0, "{tight:?}");
    assert_eq!(tight.stderr, "", "what was left is gone");
    let tight: Value = serde_json::from_str(&tight.stdout).unwrap();
    let system = |plan: &Value| plan["arms"][1]["stores"][0]["fileSystem"].clone();
    assert_ne!(system(&plan), Value::Null);
    assert_eq!(tight["hash"], plan["hash"]);
    let notes = tight["notes"].to_string();
    let note = "not in memory, because /dev/shm has ";
    assert!(notes.contains(note), "{notes}");
}
