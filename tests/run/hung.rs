//! Members that answer nothing though their connections stand, and what looks like it.

use crate::common::etcd::of_three;
use crate::common::proxy::Proxy;
use crate::common::{PATIENCE, Stopwatch, Testbed};
use crate::members::leader;
use crate::play::{Ended, QUICK, Run};
use rustix::process::Signal;
use serde_json::Value;

/// Without guards: a leader that hangs is a leader change too.
#[rustfmt::skip]
const MORE: [&str; 10] = [
    "--target", "all", "--guards", "none", "--duration", "300s", "--drain", "10s", "--set", "cluster.nodes=200",
];

fn down(endpoint: &str) -> impl Fn(&Value) -> bool {
    move |e| e["type"] == "member" && e["endpoint"] == endpoint && e["up"] == false
}

/// Operations that succeeded so far.
fn ok(run: &Run) -> u64 {
    let events = crate::common::events(&run.out());
    let classes = events.iter().filter_map(|e| e["classes"].as_object());
    let all = classes.flat_map(|c| c.values());
    all.filter_map(|c| c["ok"].as_u64()).sum()
}

/// A member was left out, the run went on without it, and is not told to be too fast.
fn assert_left_out(ended: &Ended) {
    let (said, result) = (&ended.said, &ended.result);
    ended.assert_verified();
    let first = said.stdout.lines().next().unwrap();
    assert!(first.contains(" hung "), "{said:?}");
    assert!(!first.contains("saturated"), "{said:?}");
    let reasons = result["validity"]["reasons"].as_array().unwrap();
    let saturation = ["achieved-rate", "backlog"];
    let found = reasons
        .iter()
        .any(|r| saturation.contains(&r["check"].as_str().unwrap()));
    assert!(!found, "{reasons:?}");
    assert!(
        said.words().contains("keepalive ping unanswered"),
        "{said:?}"
    );
}

/// Freezes a member until it was left out, plays on without it for a while, and goes on with it.
fn frozen(of: impl Fn(&Testbed) -> usize) {
    let testbed = Testbed::of(of_three());
    let endpoints = testbed.endpoints();
    let member = of(&testbed);
    let mut run = Run::start(&[&QUICK, &["--endpoints", &endpoints], &MORE]);
    run.until_second(3);
    testbed.etcd.pause_member(member).unwrap();
    let frozen = testbed.etcd.endpoints()[member].clone();
    let event = run.until_event("member down", down(&frozen));
    assert!(
        event["reason"].as_str().unwrap().contains("hangs"),
        "{event}"
    );
    // The others carry all of it.
    let (since, began) = (ok(&run), Stopwatch::start());
    while ok(&run) < since + 400 {
        began.check(PATIENCE, "the others carry the load");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    testbed.etcd.continue_member(member).unwrap();
    let back = |e: &Value| e["up"] == true && e["t"].as_f64() > event["t"].as_f64();
    run.until_event("member up", |e| e["endpoint"] == frozen.as_str() && back(e));
    run.signal(Signal::INT);
    let ended = run.finish();
    assert_left_out(&ended);
    // What had been sent to it, and no more: a third of the requests of some seconds.
    let errors = ended.counts()["errors"].as_object().unwrap();
    assert!(errors.contains_key("connection-broken"), "{errors:?}");
    testbed.assert_empty();
}

#[test]
fn a_follower_that_is_frozen_is_left_out_until_it_is_back() {
    frozen(|testbed| (leader(testbed) + 1) % 3);
}

#[test]
fn a_leader_that_is_frozen_is_left_out_until_it_is_back() {
    frozen(leader);
}

#[test]
fn an_etcd_that_was_frozen_is_told_from_the_moment_on_at_which_it_fell_silent() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let mut run = Run::start(&[&QUICK, &["--endpoints", &endpoints], &MORE]);
    run.until_second(3);
    testbed.etcd.pause_member(0).unwrap();
    // It is noticed after five of these seconds at the earliest.
    std::thread::sleep(std::time::Duration::from_secs(10));
    testbed.etcd.continue_member(0).unwrap();
    let back = |e: &Value| e["type"] == "member" && e["up"] == true && e["t"].as_f64() > Some(8.0);
    run.until_event("member up", back);
    run.signal(Signal::INT);
    let ended = run.finish();
    let first = ended.said.stdout.lines().next().unwrap();
    let hung = first.split_once(" hung for ").unwrap().1;
    let hung: f64 = hung.split_once(" s").unwrap().0.parse().unwrap();
    assert!(hung >= 9.0, "{:?}", ended.said);
    let outages = ended.result["outages"].as_array().unwrap();
    let silent = outages[0]["silent_seconds"].as_f64();
    assert!(silent >= Some(8.0), "{outages:?}");
    testbed.assert_empty();
}

/// Endpoints of three members, that of a follower behind a proxy.
fn behind_proxy(testbed: &Testbed) -> (Proxy, String) {
    let mut endpoints = testbed.etcd.endpoints();
    let member = (leader(testbed) + 1) % 3;
    let proxy = Proxy::before(&endpoints[member]);
    endpoints[member] = proxy.endpoint.clone();
    (proxy, endpoints.join(","))
}

#[test]
fn a_member_behind_a_network_that_drops_everything_is_left_out() {
    let testbed = Testbed::of(of_three());
    let (proxy, endpoints) = behind_proxy(&testbed);
    let mut run = Run::start(&[&QUICK, &["--endpoints", &endpoints], &MORE]);
    run.until_second(3);
    proxy.mute(true);
    run.until_event("member down", down(&proxy.endpoint));
    proxy.mute(false);
    run.signal(Signal::INT);
    assert_left_out(&run.finish());
    testbed.assert_empty();
}

#[test]
fn a_member_that_is_slow_is_not_left_out() {
    let testbed = Testbed::of(of_three());
    let (proxy, endpoints) = behind_proxy(&testbed);
    let mut run = Run::start(&[&QUICK, &["--endpoints", &endpoints], &MORE]);
    run.until_second(3);
    // Each way and each piece; requests that take milliseconds take more than ten times as long.
    proxy.delay(300);
    run.until_second(16);
    proxy.delay(0);
    run.signal(Signal::INT);
    let ended = run.finish();
    let members = ended.result["members"].as_array().unwrap();
    assert!(members.iter().all(|m| m["up"] == true), "{members:?}");
    ended.assert_verified();
    testbed.assert_empty();
}

#[test]
fn an_etcdmark_that_stood_still_holds_nothing_against_etcd() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let more = [
        "--endpoints",
        &endpoints,
        "--duration",
        "300s",
        "--guards",
        "all",
    ];
    let mut run = Run::start(&[&QUICK, &more]);
    run.until_second(3);
    // Longer than the quorum guard waits, and than a ping; shorter than the lock lives.
    run.signal(Signal::STOP);
    std::thread::sleep(std::time::Duration::from_secs(13));
    run.signal(Signal::CONT);
    run.until_second(20);
    run.signal(Signal::INT);
    let ended = run.finish();
    assert_eq!(
        ended.result["outcome"]["outcome"], "interrupted",
        "{:?}",
        ended.said
    );
    assert_eq!(ended.result["guards"], serde_json::json!([]));
    let members = ended.result["members"].as_array().unwrap();
    assert!(members.iter().all(|m| m["up"] == true), "{members:?}");
    ended.assert_verified();
    testbed.assert_empty();
}
