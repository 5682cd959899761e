//! An etcdmark that stands still for longer than its lock lives.

use crate::common::Testbed;
use crate::common::command::{etcdmark, until_unlocked};
use crate::common::etcd::etcd_flags;
use crate::play::{QUICK, Run};
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;

/// Longer than the lock and a masterlease live (15 s, and etcd looks every half second).
const STALL: Duration = Duration::from_secs(18);

#[test]
fn keys_that_another_process_cleaned_up_meanwhile_are_not_held_against_etcd() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let more = [
        "--endpoints",
        &endpoints,
        "--duration",
        "300s",
        "--guards",
        "none",
    ];
    let mut run = Run::start(&[&QUICK, &more, &["--run-id", "stalled"]]);
    run.until_second(2);
    run.signal(Signal::STOP);
    // The process will go on writing: nobody deletes its keys without --force.
    let cleanup = ["cleanup", "--endpoints", &endpoints];
    let refused = until_unlocked(&cleanup);
    assert_eq!(refused.code, 2, "{refused:?}");
    let why = format!(
        "may still write, although its lock has expired: process {} on host",
        run.pid().as_raw_nonzero()
    );
    assert!(refused.stderr.contains(&why), "{refused:?}");
    let said = etcdmark(&[&cleanup[..], &["--force"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    run.signal(Signal::CONT);
    // It drains by itself.
    let ended = run.finish();
    let (said, result) = (&ended.said, &ended.result);
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(result["outcome"]["outcome"], "guard", "{said:?}");
    assert_eq!(result["guards"][0]["guard"], "lock", "{said:?}");
    let first = said.stdout.lines().next().unwrap();
    let why = "stopped by the lock guard: this run lost its lock: its manifest is gone";
    assert!(
        first.starts_with(why) && first.contains("; not verified;"),
        "{said:?}"
    );
    assert!(!said.stdout.contains("missing from the store"), "{said:?}");
    assert!(!said.stdout.contains("LOST"), "{said:?}");
    assert_eq!(result["verify"]["lost"], 0);
    testbed.assert_empty();
}

#[test]
fn a_lock_that_expired_in_a_stall_is_taken_again_and_all_counts_agree() {
    let etcd = etcd_flags();
    let etcd: Vec<&str> = etcd.iter().map(String::as_str).collect();
    let cluster = ["cluster", "--nodes", "20", "--quiet", "--duration", "32s"];
    let more = ["--warmup", "0s", "--set", "phases.settle=0s"];
    let mut run = Run::start(&[&cluster, &more, &etcd]);
    // Every masterlease has been written.
    run.until_second(12);
    run.signal(Signal::STOP);
    std::thread::sleep(STALL);
    run.signal(Signal::CONT);
    let ended = run.finish();
    ended.assert_verified();
    let accounts = &ended.result["stores"][0]["accounts"];
    let revisions = &accounts["revisions"];
    assert_eq!(accounts["agree"], true, "{accounts}; {:?}", ended.said);
    assert_eq!(revisions["lock"], 2, "{accounts}");
    assert!(
        revisions["expired_leases"].as_u64() >= Some(1),
        "{accounts}"
    );
    assert_eq!(ended.result["verify"]["withdrawn"], Value::Null);
}
