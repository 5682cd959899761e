//! Etcds that are killed, seldom asked, and what is said of them.

use crate::common::etcd::etcd_flags;
use crate::common::{Testbed, command::until_unlocked, processes};
use crate::play::{Ended, QUICK, Run, SLOW};
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;

/// Kills a member of the etcd that a run has started.
fn kill_local(run: &mut Run, member: usize) {
    let header = run.until_event("header", |e| e["type"] == "header");
    let dir = header["stores"][0]["members"][member]["data_dir"]
        .as_str()
        .unwrap();
    let found = processes::with_argument(dir);
    assert_eq!(found.len(), 1, "{found:?}");
    rustix::process::kill_process(found[0], Signal::KILL).unwrap();
}

fn local(more: &[&str]) -> Run {
    let etcd = etcd_flags();
    let etcd: Vec<&str> = etcd.iter().map(String::as_str).collect();
    Run::start(&[more, &etcd])
}

/// Whoever is to blame is named first, and nobody is told to lower the rate for it.
#[track_caller]
fn assert_first(ended: &Ended, words: &str) {
    let said = &ended.said;
    let first = said.stdout.lines().next().unwrap();
    assert!(first.contains(words), "{said:?}");
    assert!(!said.words().contains("saturated:"), "{said:?}");
    assert!(!said.words().contains("find the rate"), "{said:?}");
    assert!(!said.stdout.contains("DISAGREES"), "{said:?}");
}

#[test]
fn a_local_etcd_that_is_killed_is_named() {
    let more: Vec<&str> = QUICK
        .iter()
        .copied()
        .chain(["--duration", "9s", "--drain", "2s"])
        .collect();
    let mut run = local(&more);
    run.until_second(3);
    kill_local(&mut run, 0);
    let ended = run.finish();
    assert_eq!(ended.said.code, 1, "{:?}", ended.said);
    assert_first(&ended, "etcd-0 was killed by signal 9 at ");
    assert_first(&ended, "nothing succeeded for ");
    let outages = ended.result["outages"].as_array().unwrap();
    assert_eq!(outages.len(), 1, "{outages:?}");
    assert!(outages[0]["unreachable"].is_string(), "{outages:?}");
    // The share beside the verdict is that of the rate.
    let inputs = &ended.result["validity"]["inputs"];
    let ok = ended.counts()["ok"].as_u64().unwrap();
    let achieved = inputs["achieved"].as_u64().unwrap();
    assert!(achieved <= ok + ok / 50 + 1, "{inputs}, {ok} ok");
}

#[test]
fn one_of_three_local_members_that_is_killed_is_named_and_no_count_is_claimed() {
    let more = ["--members", "3", "--duration", "8s"];
    let more: Vec<&str> = QUICK.iter().copied().chain(more).collect();
    let mut run = local(&more);
    run.until_second(3);
    kill_local(&mut run, 1);
    let ended = run.finish();
    ended.assert_verified();
    assert_first(&ended, "etcd-1 was killed by signal 9 at ");
    let accounts = &ended.result["stores"][0]["accounts"];
    assert_eq!(accounts["agree"], Value::Null, "{accounts}");
    let why = accounts["not_comparable"].as_str().unwrap();
    assert!(why.contains("etcd-1's counters could not be read"), "{why}");
    assert!(
        ended.said.words().contains("counts main not comparable: "),
        "{:?}",
        ended.said
    );
}

#[test]
fn a_local_etcd_that_is_killed_in_populate_ends_the_run() {
    let more: Vec<&str> = SLOW.iter().copied().chain(["--quiet"]).collect();
    let mut run = local(&more);
    run.until_event("progress", |e| {
        e["type"] == "progress" && e["done"].as_u64() > Some(0)
    });
    kill_local(&mut run, 0);
    let ended = run.finish();
    assert_eq!(ended.said.code, 1, "{:?}", ended.said);
    assert_first(&ended, "etcd-0 was killed by signal 9 at ");
    let words = ended.said.words();
    assert!(
        words.contains("populate did not finish"),
        "{:?}",
        ended.said
    );
    assert!(!words.contains("keys/s"), "{:?}", ended.said);
}

#[test]
fn counts_after_an_interrupted_populate_agree() {
    let more: Vec<&str> = SLOW.iter().copied().chain(["--quiet"]).collect();
    let mut run = local(&more);
    run.until_event("progress", |e| {
        e["type"] == "progress" && e["done"].as_u64() > Some(0)
    });
    run.signal(Signal::INT);
    let ended = run.finish();
    assert_eq!(ended.said.code, 130, "{:?}", ended.said);
    let accounts = &ended.result["stores"][0]["accounts"];
    assert_eq!(accounts["agree"], true, "{accounts}, {:?}", ended.said);
    assert_eq!(accounts["revisions"]["manifest"], 0, "{accounts}");
}

#[test]
fn a_given_etcd_that_hangs_in_populate_ends_the_run() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let more = ["--quiet", "--endpoints", &endpoints, "--guards", "none"];
    let mut run = Run::start(&[&SLOW, &more, &["--command-timeout", "1s"]]);
    run.until_event("progress", |e| {
        e["type"] == "progress" && e["done"].as_u64() > Some(0)
    });
    testbed.etcd.pause_member(0).unwrap();
    let ended = run.finish();
    testbed.etcd.continue_member(0).unwrap();
    assert_eq!(ended.said.code, 1, "{:?}", ended.said);
    // Either its member is known to hang by then, or the keepalive has ended the connection.
    let first = ended.said.stdout.lines().next().unwrap_or_default();
    assert!(
        first.contains(" hung from ") || first.contains("connection broken"),
        "{:?}",
        ended.said
    );
    let left = ended.result["cleanup"]["left"].as_str().unwrap();
    let args: Vec<&str> = left.split(' ').skip(1).collect();
    assert_eq!(until_unlocked(&args).code, 0);
    testbed.assert_empty();
}

/// 10 requests a second: some second or other has none in flight when etcd goes.
const SELDOM: [&str; 4] = ["--set", "cluster.nodes=10", "--duration", "300s"];

#[test]
fn an_outage_in_which_requests_only_waited_is_told() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let mut run = Run::start(&[
        &QUICK,
        &["--endpoints", &endpoints, "--guards", "none"],
        &SELDOM,
    ]);
    run.until_second(3);
    testbed.etcd.kill_member(0).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    testbed
        .runtime
        .block_on(testbed.etcd.restart_member(0))
        .unwrap();
    let up = |e: &Value| e["type"] == "member" && e["up"] == true && e["t"].as_f64() > Some(3.0);
    run.until_event("member up", up);
    run.until_second(14);
    run.signal(Signal::INT);
    let ended = run.finish();
    ended.assert_verified();
    let outages = ended.result["outages"].as_array().unwrap();
    assert_eq!(outages.len(), 1, "{outages:?}");
    assert!(outages[0]["unreachable"].is_string(), "{outages:?}");
    assert!(outages[0]["first_success"].is_number(), "{outages:?}");
    assert!(
        outages[0]["silent_seconds"].as_f64() > Some(2.0),
        "{outages:?}"
    );
    assert_first(&ended, " was down for ");
    testbed.assert_empty();
}

#[test]
fn a_given_etcd_that_restarts_ends_the_run_as_the_guide_says() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let mut run = Run::start(&[&QUICK, &["--endpoints", &endpoints], &SELDOM]);
    run.until_second(5);
    testbed.etcd.kill_member(0).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    testbed
        .runtime
        .block_on(testbed.etcd.restart_member(0))
        .unwrap();
    let ended = run.finish();
    assert_eq!(ended.said.code, 1, "{:?}", ended.said);
    assert_eq!(
        ended.result["guards"][0]["guard"], "leader-change",
        "{:?}",
        ended.said
    );
    assert_first(&ended, " was down for ");
    ended.assert_verified();
    testbed.assert_empty();
}
