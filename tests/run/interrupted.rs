//! Ctrl-C and SIGTERM, once and twice; keys that are kept; a populate that is resumed.

use crate::common::command::{shell, until_unlocked};
use crate::common::etcd::etcd_flags;
use crate::common::results::reached;
use crate::common::{Running, Testbed, etcdmark, output};
use crate::play::{QUICK, Run, SLOW};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn once_drains_reports_and_cleans_up() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    for signal in [
        Signal::INT,
        Signal::TERM,
        Signal::HUP,
        Signal::QUIT,
        Signal::XCPU,
    ] {
        let more = ["--endpoints", &endpoints, "--duration", "300s"];
        let mut run = Run::start(&[&QUICK, &more]);
        run.until_second(1);
        run.signal(signal);
        // A terminal that closes says so more than once, and a CPU limit each second: nobody's haste.
        if signal == Signal::HUP || signal == Signal::XCPU {
            run.signal(signal);
        }
        let ended = run.finish();
        let said = &ended.said;
        assert_eq!(said.code, 130, "{said:?}");
        assert!(said.stderr.contains("draining"), "{said:?}");
        assert!(said.stdout.contains("node-lease/update"), "{said:?}");
        assert_eq!(ended.result["outcome"]["outcome"], "interrupted");
        assert_eq!(ended.result["outcome"]["exit_code"], 130);
        // What was begun was answered, and found in the store.
        ended.assert_verified();
        assert_eq!(ended.counts()["censored"], 0);
        assert!(ended.counts()["ok"].as_u64() > Some(0));
        assert!(ended.result["measured_seconds"].as_f64() < Some(290.0));
        assert!(ended.result["cleanup"]["keys"].as_u64() >= Some(180));
        testbed.assert_empty();
    }
}

#[test]
fn what_nohup_ignores_stays_ignored_and_a_file_that_may_not_grow_leaves_no_key() {
    let testbed = Testbed::new();
    let load = "node-heartbeats --nodes 60 --warmup 0s --set phases.settle=0s -q";
    let home = tempfile::tempdir().unwrap();
    let run = |before: &str, duration: &str, out: &str| {
        let (endpoints, dir) = (testbed.endpoints(), home.path().display());
        let script = format!(
            "{before}; exec \"$ETCDMARK\" run {load} --duration {duration} --endpoints {endpoints} --out {dir}/{out}"
        );
        Running::spawn(&mut shell("bash", &script))
    };
    let mut child = run("trap '' HUP", "3s", "nohup");
    let begun = child.until("it measures", || {
        reached(&home.path().join("nohup"), "measure")
    });
    assert!(begun, "{}", child.stderr());
    child.signal(Signal::HUP);
    let said = child.output();
    assert!(said.is_well(), "{said:?}");
    // Blocks of 1 KiB: the histograms of some seconds are more.
    let said = run("ulimit -f 8", "60s", "small").output();
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("File too large"), "{said:?}");
    testbed.assert_empty();
}

#[test]
fn twice_stops_now_and_says_how_to_clean_up() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let more = ["--endpoints", &endpoints, "--duration", "300s"];
    let mut run = Run::start(&[&QUICK, &more, &["--run-id", "twice"]]);
    run.until_second(1);
    // Nothing is answered any more: the drain waits, and the second Ctrl-C ends it.
    testbed.etcd.pause_member(0).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    run.signal(Signal::INT);
    run.until_phase("drain");
    run.signal(Signal::INT);
    let ended = run.finish();
    testbed.etcd.continue_member(0).unwrap();
    let said = &ended.said;
    assert_eq!(said.code, 130, "{said:?}");
    assert!(said.stderr.contains("stopping now"), "{said:?}");
    let left = ended.result["cleanup"]["left"].as_str().unwrap();
    let command = format!("etcdmark cleanup --endpoints {endpoints} --run-id twice");
    assert_eq!(left, command);
    assert!(said.words().contains(&command), "{said:?}");
    assert!(ended.counts()["censored"].as_u64() > Some(0));
    assert_eq!(ended.result["verify"], Value::Null);
    // The lock may have to end by itself: its owner could not give it back.
    let args: Vec<&str> = left.split(' ').skip(1).collect();
    assert_eq!(until_unlocked(&args).code, 0);
    testbed.assert_empty();
}

#[test]
fn kept_data_are_verified_and_deleted_later() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let more = ["--endpoints", &endpoints, "--duration", "2s", "--keep-data"];
    let ended = Run::start(&[&QUICK, &more, &["--run-id", "kept"]]).finish();
    assert!(ended.said.is_well(), "{:?}", ended.said);
    ended.assert_verified();
    let keys = testbed.keys();
    assert_eq!(
        keys.len(),
        181,
        "60 nodes, leases, CSINodes and the manifest"
    );
    assert!(
        keys.iter()
            .all(|k| k.starts_with("/registry-etcdmark/kept/"))
    );
    // The same id again is refused: its keys are no longer as populate left them.
    let again = Run::start(&[&QUICK, &more, &["--run-id", "kept"]]).finish();
    assert_eq!(again.said.code, 2, "{:?}", again.said);
    assert!(again.said.stderr.contains("cleanup --run-id kept"));
    let said = etcdmark(&["cleanup", "--endpoints", &endpoints]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stdout.starts_with("run kept: 180 keys deleted"),
        "{said:?}"
    );
    testbed.assert_empty();
}

#[test]
fn what_a_local_etcd_keeps_is_deleted_by_the_command_that_is_told() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("my data");
    std::fs::create_dir(&dir).unwrap();
    let etcd = etcd_flags();
    let etcd: Vec<&str> = etcd.iter().map(String::as_str).collect();
    let more = [
        "--data-dir",
        dir.to_str().unwrap(),
        "--keep-data",
        "--duration",
        "1s",
    ];
    let ended = Run::start(&[&QUICK, &more, &etcd]).finish();
    assert!(ended.said.is_well(), "{:?}", ended.said);
    let member = dir.join("etcd-0");
    assert!(member.exists());
    let words = ended.said.words();
    let told = words
        .split_once("cleanup none; to delete the keys: ")
        .unwrap()
        .1;
    let command = told.split_once("etcd-0'").unwrap().0.to_owned() + "etcd-0'";
    let played = output(&mut shell("sh", &command));
    assert_eq!(played.code, 0, "{command}: {played:?}");
    assert!(!member.exists(), "{command}");
}

#[test]
fn a_run_beside_another_one_says_so() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let access = [
        "--endpoints",
        &endpoints,
        "--guards",
        "none",
        "--allow-live-cluster",
    ];
    let mut first = Run::start(&[
        &QUICK,
        &access,
        &["--duration", "300s", "--run-id", "first"],
    ]);
    first.until_phase("measure");
    let second = Run::start(&[&QUICK, &access, &["--duration", "1s"]]).finish();
    let note = "first is active in this etcd as well";
    assert!(second.said.words().contains(note), "{:?}", second.said);
    first.signal(Signal::INT);
    let first = first.finish();
    assert!(
        !first.said.words().contains("is active in this etcd"),
        "{:?}",
        first.said
    );
    testbed.assert_empty();
}

#[test]
fn a_populate_that_was_interrupted_is_resumed_by_the_same_plan_only() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let access = ["--endpoints", &endpoints, "--quiet"];
    let mut run = Run::start(&[&SLOW, &access, &["--keep-data"]]);
    run.until_event("progress", |e| {
        e["type"] == "progress" && e["done"].as_u64() > Some(0)
    });
    // Ctrl-C in populate with --keep-data: what is there stays, and the lock is given back.
    run.signal(Signal::INT);
    let ended = run.finish();
    assert_eq!(ended.said.code, 130, "{:?}", ended.said);
    assert_eq!(ended.result["outcome"]["outcome"], "interrupted");
    let before = testbed.keys().len();
    assert!((2..3001).contains(&before), "{before} keys of 3000");
    let other = ["--set", "cluster.imagesPerNode=3"];
    let refused = Run::start(&[&SLOW, &access, &other]).finish();
    assert_eq!(refused.said.code, 2, "{:?}", refused.said);
    assert!(
        refused.said.stderr.contains("another plan"),
        "{:?}",
        refused.said
    );
    assert_eq!(testbed.keys().len(), before);
    let ended = Run::start(&[&SLOW, &access]).finish();
    ended.assert_went_well();
    // Only what was missing was created: the rest was found.
    let revisions = &ended.result["outcome"]["revisions"]["main"];
    let written = revisions[1].as_u64().unwrap() - revisions[0].as_u64().unwrap();
    let updates = ended.counts()["revisions"].as_u64().unwrap();
    let phases = 2;
    let missing = 3001 - u64::try_from(before).unwrap();
    assert_eq!(
        written,
        missing + updates + phases,
        "{before} keys before, {updates} updates"
    );
    testbed.assert_empty();
}
