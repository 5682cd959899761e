//! Guards, and a store that fills up in the middle.

use crate::common::{Testbed, command::until_unlocked, etcd::of_three, etcdmark};
use crate::play::{Ended, QUICK, Run, SLOW};
use rustix::process::Signal;
use serde_json::Value;

/// Guard stops are failures: the run did not do what was asked.
#[track_caller]
fn assert_guard<'a>(ended: &'a Ended, name: &str) -> &'a Value {
    let outcome = &ended.result["outcome"];
    assert_eq!(outcome["outcome"], "guard", "{:?}", ended.said);
    assert_eq!(ended.said.code, 1, "{:?}", ended.said);
    let guards = ended.result["guards"].as_array().unwrap();
    assert_eq!(guards.len(), 1, "{guards:?}");
    assert_eq!(guards[0]["guard"], name);
    let cause = guards[0]["cause"].as_str().unwrap();
    assert!(ended.said.words().contains(cause), "{:?}", ended.said);
    &guards[0]
}

#[test]
fn a_leader_change_drains_a_run_on_given_endpoints() {
    let testbed = Testbed::of(of_three());
    let endpoints = testbed.endpoints();
    let more = ["--endpoints", &endpoints, "--duration", "300s"];
    let mut run = Run::start(&[&QUICK, &more]);
    run.until_second(2);
    let leader = run.until_event("header", |e| e["type"] == "header")["stores"][0]["members"]
        .as_array()
        .unwrap()
        .iter()
        .position(|m| m["leader"] == true)
        .unwrap();
    testbed.etcd.kill_member(leader).unwrap();
    let ended = run.finish();
    let guard = assert_guard(&ended, "leader-change");
    assert!(
        guard["cause"].as_str().unwrap().contains("leader change"),
        "{guard}"
    );
    ended.assert_verified();
    assert_eq!(ended.result["cleanup"]["left"], Value::Null);
    testbed.assert_empty();
}

#[test]
fn a_leader_change_is_seen_without_metrics() {
    let testbed = Testbed::of(of_three());
    let endpoints = testbed.endpoints();
    // Nobody listens there.
    let nowhere = "http://127.0.0.1:1,http://127.0.0.1:2,http://127.0.0.1:3";
    let metrics = ["--metrics-endpoints", nowhere, "--duration", "300s"];
    let mut run = Run::start(&[&QUICK, &["--endpoints", &endpoints], &metrics]);
    // Members are asked every 2 s.
    run.until_second(5);
    let mut client = testbed.client();
    let (leader, follower) = testbed.runtime.block_on(async {
        let leader = client.status().await.unwrap().leader();
        let list = client.member_list().await.unwrap();
        let follower = list
            .members()
            .iter()
            .map(|m| m.id())
            .find(|id| *id != leader);
        (leader, follower.unwrap())
    });
    testbed.runtime.block_on(async {
        for endpoint in testbed.etcd.endpoints() {
            let mut one = etcd_client::Client::connect([endpoint], None)
                .await
                .unwrap();
            // Only the leader gives its place away.
            if one.move_leader(follower).await.is_ok() {
                return;
            }
        }
        panic!("the leader {leader:x} did not move");
    });
    let ended = run.finish();
    let guard = assert_guard(&ended, "leader-change");
    let cause = guard["cause"].as_str().unwrap();
    assert!(cause.contains(&format!("member {leader:x} led")), "{guard}");
    ended.assert_verified();
    testbed.assert_empty();
}

#[test]
fn who_interrupts_a_run_that_a_guard_has_stopped_has_interrupted_it() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let more = ["--endpoints", &endpoints, "--duration", "300s"];
    let mut run = Run::start(&[&QUICK, &more, &["--run-id", "both"]]);
    run.until_second(2);
    // Nobody answers: the guard drains after 10 s, and the drain has nothing to wait for but Ctrl-C.
    testbed.etcd.pause_member(0).unwrap();
    run.until_event("guard", |e| e["type"] == "guard");
    run.signal(Signal::INT);
    let ended = run.finish();
    testbed.etcd.continue_member(0).unwrap();
    let outcome = &ended.result["outcome"];
    assert_eq!(outcome["outcome"], "guard", "{:?}", ended.said);
    assert_eq!(ended.result["guards"][0]["guard"], "quorum");
    assert_eq!(outcome["interrupted"], true);
    assert_eq!(outcome["exit_code"], 130);
    assert_eq!(ended.said.code, 130, "{:?}", ended.said);
    let left = ended.result["cleanup"]["left"].as_str().unwrap();
    let args: Vec<&str> = left.split(' ').skip(1).collect();
    assert_eq!(until_unlocked(&args).code, 0);
    testbed.assert_empty();
}

/// Puts keys of somebody else until etcd has no space; how many were acknowledged. The one that was refused is
/// in the store too if etcd noticed only when it applied it.
fn fill(testbed: &Testbed) -> u64 {
    let mut client = testbed.client();
    let value = vec![b'x'; 256 << 10];
    testbed.runtime.block_on(async {
        for n in 0..200 {
            match client
                .put(format!("/filler/{n:03}"), value.clone(), None)
                .await
            {
                Ok(_) => {}
                Err(e) => {
                    assert!(e.to_string().contains("database space exceeded"), "{e}");
                    return n;
                }
            }
        }
        panic!("the quota of 16 MiB does not hold");
    })
}

fn full(guards: &str) -> (Testbed, Ended, u64) {
    let testbed = Testbed::with_flags(&["--quota-backend-bytes=16777216"]);
    let endpoints = testbed.endpoints();
    let more = [
        "--endpoints",
        &endpoints,
        "--duration",
        "60s",
        "--guards",
        guards,
    ];
    let mut run = Run::start(&[&QUICK, &more, &["--run-id", "full"]]);
    run.until_second(2);
    let filler = fill(&testbed);
    if guards == "none" {
        run.until_event("no-space", |e| e["error"] == "no-space");
        run.signal(Signal::INT);
    }
    let ended = run.finish();
    (testbed, ended, filler)
}

#[test]
fn a_full_store_is_an_error_class_and_leaves_no_key_unaccounted_for() {
    let (testbed, ended, filler) = full("none");
    assert_eq!(
        ended.result["outcome"]["outcome"], "interrupted",
        "{:?}",
        ended.said
    );
    ended.assert_verified();
    let counts = ended.counts();
    assert!(
        counts["errors"]["no-space"]["count"].as_u64() > Some(0),
        "{counts}"
    );
    assert_eq!(
        counts["failed"], counts["errors"]["no-space"]["count"],
        "{counts}"
    );
    assert_eq!(ended.result["outages"].as_array().unwrap().len(), 1);
    // Deleting needs no space: only the other's keys are left.
    assert_eq!(
        ended.result["cleanup"]["left"],
        Value::Null,
        "{:?}",
        ended.said
    );
    let keys = testbed.keys();
    assert!((filler..=filler + 1).contains(&(keys.len() as u64)));
    assert!(keys.iter().all(|k| k.starts_with("/filler/")));
    // The next run is refused before it writes a key, and says what to do.
    let endpoints = testbed.endpoints();
    let refused = Run::start(&[&QUICK, &["--endpoints", &endpoints]]).finish();
    assert!(matches!(refused.said.code, 1 | 2), "{:?}", refused.said);
    assert!(
        refused.said.stderr.contains("NOSPACE"),
        "{:?}",
        refused.said
    );
    assert!((filler..=filler + 1).contains(&(testbed.keys().len() as u64)));
}

#[test]
fn an_alarm_in_the_middle_stops_the_run() {
    let (testbed, ended, filler) = full("alarm");
    let guard = assert_guard(&ended, "alarm");
    assert_eq!(guard["store"], "main");
    ended.assert_verified();
    assert!((filler..=filler + 1).contains(&(testbed.keys().len() as u64)));
}

#[test]
fn cleanup_works_on_a_store_that_is_full() {
    let testbed = Testbed::with_flags(&["--quota-backend-bytes=16777216"]);
    let endpoints = testbed.endpoints();
    #[rustfmt::skip]
    let more = [
        "--endpoints", &endpoints, "--duration", "2s", "--guards", "none", "--run-id", "kept", "--keep-data",
    ];
    let ended = Run::start(&[&QUICK, &more]).finish();
    assert!(ended.said.is_well(), "{:?}", ended.said);
    let filler = fill(&testbed);
    let said = etcdmark(&["cleanup", "--endpoints", &endpoints, "--run-id", "kept"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stdout.starts_with("run kept: 180 keys deleted"),
        "{said:?}"
    );
    assert!((filler..=filler + 1).contains(&(testbed.keys().len() as u64)));
}

#[test]
fn a_store_that_fills_up_during_populate_fails_the_run_and_is_left_clean() {
    let testbed = Testbed::with_flags(&["--quota-backend-bytes=33554432"]);
    let endpoints = testbed.endpoints();
    #[rustfmt::skip]
    let more = [
        "--endpoints", &endpoints, "--guards", "none", "--quiet", "--set", "cluster.nodes=1000",
    ];
    let mut run = Run::start(&[&SLOW, &more]);
    run.until_event("progress", |e| {
        e["type"] == "progress" && e["done"].as_u64() > Some(0)
    });
    let filler = fill(&testbed);
    let ended = run.finish();
    assert_eq!(ended.said.code, 1, "{:?}", ended.said);
    let outcome = &ended.result["outcome"];
    assert_eq!(outcome["outcome"], "failed");
    let error = outcome["error"].as_str().unwrap();
    assert!(error.contains("database space exceeded"), "{error}");
    assert_eq!(
        ended.result["cleanup"]["left"],
        Value::Null,
        "{:?}",
        ended.said
    );
    let keys = testbed.keys();
    assert!(
        (filler..=filler + 1).contains(&(keys.len() as u64)),
        "{keys:?}"
    );
}

#[test]
fn an_etcd_that_never_comes_back_leaves_a_result_and_the_command_that_cleans_up() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    #[rustfmt::skip]
    let more = [
        "--endpoints", &endpoints, "--duration", "5s", "--drain", "2s", "--guards", "none", "--run-id", "gone",
        "--command-timeout", "1s",
    ];
    let mut run = Run::start(&[&QUICK, &more]);
    run.until_second(2);
    testbed.etcd.kill_member(0).unwrap();
    let ended = run.finish();
    assert_eq!(ended.said.code, 1, "{:?}", ended.said);
    // What was measured is kept, and every operation is accounted for.
    let counts = ended.counts();
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert!(count("ok") > 0 && count("failed") + count("censored") + count("skipped") > 0);
    let all = count("ok") + count("failed") + count("censored") + count("skipped");
    assert_eq!(all, count("offered"), "{counts}");
    let incomplete = &ended.result["verify"]["incomplete"];
    assert!(incomplete.is_string(), "{}", ended.result["verify"]);
    let left = ended.result["cleanup"]["left"].as_str().unwrap();
    let outages = ended.result["outages"].as_array().unwrap();
    assert!(
        outages.iter().all(|o| o["first_success"].is_null()),
        "{outages:?}"
    );
    testbed
        .runtime
        .block_on(testbed.etcd.restart_member(0))
        .unwrap();
    let args: Vec<&str> = left.split(' ').skip(1).collect();
    let said = until_unlocked(&args);
    assert!(
        said.stdout.starts_with("run gone: 180 keys deleted"),
        "{said:?}"
    );
    testbed.assert_empty();
}
