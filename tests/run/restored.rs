//! An etcd that comes back with less than it had acknowledged.

use crate::common::Testbed;
use crate::common::etcd::of_three;
use crate::play::{Ended, QUICK, Run};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp")
        .args(["-a", "--"])
        .args([from, to])
        .status()
        .unwrap();
    assert!(status.success());
}

/// The member's data as they are now; it stands still meanwhile.
fn snapshot(testbed: &Testbed, member: usize, to: &Path) {
    testbed.etcd.pause_member(member).unwrap();
    copy(testbed.etcd.members()[member].data_dir(), to);
    testbed.etcd.continue_member(member).unwrap();
}

/// Kills the member and starts it on that copy; without one, on nothing.
fn restore(testbed: &Testbed, member: usize, from: Option<&Path>) {
    testbed.etcd.kill_member(member).unwrap();
    let dir = testbed.etcd.members()[member].data_dir();
    std::fs::remove_dir_all(dir).unwrap();
    if let Some(from) = from {
        copy(from, dir);
    }
    testbed
        .runtime
        .block_on(testbed.etcd.restart_member(member))
        .unwrap();
}

/// Without guards, as a run on an etcd that etcdmark started: it goes on until all objects were written again.
fn start(endpoints: &str) -> Run {
    let more = ["--endpoints", endpoints, "--guards", "none"];
    Run::start(&[&QUICK, &more, &["--duration", "14s"]])
}

#[test]
fn a_member_that_restarts_is_named_in_the_first_line() {
    let testbed = Testbed::new();
    let mut run = start(&testbed.endpoints());
    run.until_second(4);
    testbed.etcd.kill_member(0).unwrap();
    let again = testbed.etcd.restart_member(0);
    testbed.runtime.block_on(again).unwrap();
    let ended = run.finish();
    ended.assert_verified();
    let first = ended.said.stdout.lines().next().unwrap();
    assert!(
        first.contains(" restarted while measuring"),
        "{:?}",
        ended.said
    );
    assert_eq!(ended.result["losses"], serde_json::json!([]));
}

/// Lost writes fail a run, and its first line and its verify line say how many.
#[track_caller]
fn assert_lost<'a>(ended: &'a Ended, kinds: &[&str]) -> &'a Value {
    let (said, verify) = (&ended.said, &ended.result["verify"]);
    assert_eq!(said.code, 1, "{said:?}");
    let lost = verify["lost"].as_u64().unwrap();
    assert!(lost > 0, "{said:?}");
    let first = said.stdout.lines().next().unwrap();
    let failed = "acknowledged writes are missing from the store (";
    assert!(
        first.starts_with("failed: ") && first.contains(failed),
        "{said:?}"
    );
    assert!(said.words().contains(&format!(", {lost} lost")), "{said:?}");
    assert!(!said.stdout.contains("none lost"), "{said:?}");
    let losses = ended.result["losses"].as_array().unwrap();
    for kind in kinds {
        let of_kind = losses.iter().find(|l| l["kind"] == *kind);
        let loss = of_kind.unwrap_or_else(|| panic!("no {kind}: {losses:?}"));
        assert!(loss["t"].as_f64() > Some(0.0), "{loss}");
    }
    verify
}

#[test]
fn an_old_copy_of_the_data_is_noticed_at_once() {
    let testbed = Testbed::new();
    let home = tempfile::tempdir().unwrap();
    let mut run = start(&testbed.endpoints());
    run.until_second(2);
    let old = home.path().join("old");
    snapshot(&testbed, 0, &old);
    run.until_second(6);
    restore(&testbed, 0, Some(&old));
    // While the run goes on.
    let told = run.until_event("loss", |e| e["type"] == "loss" && e["kind"] == "revision");
    let example = told["example"].as_str().unwrap().to_owned();
    assert!(example.starts_with("the revision went back from"), "{told}");
    let ended = run.finish();
    let verify = assert_lost(&ended, &["revision", "older"]);
    // 60 nodes renewed about four times.
    let lost = verify["lost"].as_u64().unwrap();
    assert!((100..600).contains(&lost), "{verify}");
    assert!(verify["lost_before"].as_u64() > Some(0), "{verify}");
    assert!(ended.said.stdout.lines().next().unwrap().contains(&example));
}

#[test]
fn what_somebody_deleted_is_lost_and_created_again_without_a_failure() {
    let testbed = Testbed::new();
    let mut run = start(&testbed.endpoints());
    run.until_second(4);
    let leases = testbed
        .keys()
        .into_iter()
        .filter(|k| k.contains("/leases/"));
    let leases: Vec<String> = leases.collect();
    assert_eq!(leases.len(), 60, "{leases:?}");
    let mut client = testbed.client();
    for key in leases {
        let deleted = testbed.runtime.block_on(client.delete(key, None)).unwrap();
        assert_eq!(deleted.deleted(), 1);
    }
    let ended = run.finish();
    let (said, verify) = (&ended.said, &ended.result["verify"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(verify["lost"].as_u64() >= Some(60), "{verify}");
    assert_eq!(ended.result["losses"][0]["kind"], "vanished", "{said:?}");
    // client-go's lease controller creates what it does not find; only the loss is held against etcd.
    let classes = ended.result["classes"].as_array().unwrap();
    let renewals = classes
        .iter()
        .find(|c| c["class"]["name"] == "node-lease/update");
    let renewals = &renewals.unwrap()["figures"]["counts"];
    assert!(renewals["ok"].as_u64() > Some(600), "{renewals}");
    assert_eq!(renewals["failed"], 0, "{renewals}");
}

#[test]
fn an_empty_data_directory_is_noticed_at_once() {
    let testbed = Testbed::new();
    let mut run = start(&testbed.endpoints());
    run.until_second(4);
    restore(&testbed, 0, None);
    let ended = run.finish();
    let verify = assert_lost(&ended, &["revision", "vanished"]);
    // Populate's and four seconds' of 60 nodes at least.
    assert!(verify["acknowledged"].as_u64() >= Some(180), "{verify}");
    assert!(verify["lost"].as_u64() >= Some(180), "{verify}");
}

#[test]
fn of_two_stores_the_one_that_lost_writes_is_named() {
    let (main, events) = (Testbed::new(), Testbed::new());
    let home = tempfile::tempdir().unwrap();
    let (endpoints, overrides) = (main.endpoints(), format!("/events#{}", events.endpoints()));
    let access = ["--endpoints", &endpoints, "--overrides", &overrides];
    let load = ["cluster", "--nodes", "60", "--set", "actors.events.rate=40"];
    let quick = ["--set", "phases.settle=0s", "--warmup", "0s", "--quiet"];
    let times = ["--duration", "12s", "--guards", "none"];
    let mut run = Run::start(&[&load, &quick, &access, &times]);
    run.until_second(2);
    let old = home.path().join("old");
    snapshot(&events, 0, &old);
    run.until_second(6);
    restore(&events, 0, Some(&old));
    let ended = run.finish();
    let verify = assert_lost(&ended, &["revision"]);
    // At least two of the four seconds.
    assert!(verify["lost"].as_u64() >= Some(80), "{verify}");
    for loss in ended.result["losses"].as_array().unwrap() {
        assert_eq!(loss["store"], "events", "{loss}");
    }
}

#[test]
fn a_member_of_three_that_is_restored_loses_nothing() {
    let testbed = Testbed::of(of_three());
    let home = tempfile::tempdir().unwrap();
    let mut run = start(&testbed.endpoints());
    run.until_second(1);
    let header = run.until_event("header", |e| e["type"] == "header");
    let members = header["stores"][0]["members"].as_array().unwrap();
    let leader = members.iter().position(|m| m["leader"] == true).unwrap();
    let old = home.path().join("old");
    snapshot(&testbed, leader, &old);
    run.until_second(3);
    testbed.etcd.kill_member(leader).unwrap();
    // The others have elected another: one that comes back without its log has no vote to lose writes with.
    run.until_second(7);
    restore(&testbed, leader, Some(&old));
    let ended = run.finish();
    ended.assert_verified();
    assert_eq!(ended.result["losses"], serde_json::json!([]));
}
