//! One of three members dies.

use crate::common::{self, Stopwatch, Testbed, until};
use crate::play::{Ended, QUICK, Run};
use serde_json::Value;
use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Listens where a dead member did, hangs up on whoever comes, and counts who they were.
struct Grave {
    http2: Arc<AtomicU64>,
    scrapes: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    since: Stopwatch,
}

impl Grave {
    fn dig(endpoint: &str) -> Grave {
        let address = endpoint.strip_prefix("http://").unwrap().to_owned();
        let (http2, scrapes) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let over = Arc::new(AtomicBool::new(false));
        let mut bound = None;
        until("the dead member's port is free", || {
            bound = TcpListener::bind(&address).ok();
            bound.is_some()
        });
        let listener = bound.unwrap();
        listener.set_nonblocking(true).unwrap();
        let (a, b, o) = (http2.clone(), scrapes.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            while !o.load(Ordering::Relaxed) {
                let Ok((mut caller, from)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                // The other members look for it at its peer port, not here: `from` is ours.
                assert!(from.ip().is_loopback());
                let _ = caller.set_nonblocking(false);
                let _ = caller.set_read_timeout(Some(Duration::from_millis(500)));
                let mut first = [0; 3];
                match caller.read_exact(&mut first) {
                    Ok(()) if &first == b"GET" => b.fetch_add(1, Ordering::Relaxed),
                    _ => a.fetch_add(1, Ordering::Relaxed),
                };
            }
        });
        Grave {
            http2,
            scrapes,
            over,
            thread: Some(thread),
            since: Stopwatch::start(),
        }
    }

    /// (HTTP/2 connections, scrapes, seconds).
    fn close(mut self) -> (u64, u64, f64) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        (
            self.http2.load(Ordering::Relaxed),
            self.scrapes.load(Ordering::Relaxed),
            self.since.elapsed().as_secs_f64(),
        )
    }
}

fn three() -> Testbed {
    Testbed::of(common::etcd::of_three())
}

/// Index of the leader.
pub(crate) fn leader(testbed: &Testbed) -> usize {
    let status = |endpoint: String| {
        testbed.runtime.block_on(async {
            let mut client = etcd_client::Client::connect([endpoint], None)
                .await
                .unwrap();
            client.status().await.unwrap()
        })
    };
    let all: Vec<_> = testbed.etcd.endpoints().into_iter().map(status).collect();
    let of = all[0].leader();
    all.iter()
        .position(|s| s.header().unwrap().member_id() == of)
        .unwrap()
}

/// Kills a member in the middle of 12 s of load on all three, with the guards off.
fn play(testbed: &Testbed, member: usize, wire: &str) -> Ended {
    let run = begin(testbed, member, wire);
    run.finish()
}

fn begin(testbed: &Testbed, member: usize, wire: &str) -> Run {
    let endpoints = testbed.endpoints();
    #[rustfmt::skip]
    let more = [
        "--endpoints", &endpoints, "--target", "all", "--guards", "none", "--duration", "12s", "--connections", "6",
        "--wire", wire, "--set", "cluster.nodes=300",
    ];
    let mut run = Run::start(&[&QUICK, &more]);
    run.until_second(2);
    testbed.etcd.kill_member(member).unwrap();
    run
}

fn judge(testbed: &Testbed, member: usize, ended: &Ended) {
    ended.assert_went_well();
    let dead = &testbed.etcd.endpoints()[member];
    let members = ended.result["members"].as_array().unwrap();
    let down = |m: &&Value| m["endpoint"] == dead.as_str() && m["up"] == false;
    assert_eq!(members.iter().filter(down).count(), 1, "{members:?}");
    let verify = &ended.result["verify"];
    let indeterminate = ended.counts()["errors"]
        .as_object()
        .unwrap()
        .values()
        .filter(|e| e["effect"] == "indeterminate")
        .map(|e| e["count"].as_u64().unwrap())
        .sum::<u64>();
    // What was still open at the drain deadline is indeterminate too.
    let open = ended.counts()["censored"].as_u64().unwrap();
    let found = verify["indeterminate"].as_u64().unwrap();
    assert!(
        (indeterminate..=indeterminate + open).contains(&found),
        "{verify}"
    );
    testbed.assert_empty();
}

#[test]
fn a_leader_that_is_killed_is_an_outage_with_a_length() {
    let testbed = three();
    let member = leader(&testbed);
    let ended = play(&testbed, member, "h2");
    judge(&testbed, member, &ended);
    let errors = ended.counts()["errors"].as_object().unwrap();
    // What was in flight on its connections broke; what the others had sent on to it, etcd gives up on 7 s later.
    assert!(!errors.is_empty());
    let known = [
        "connection-broken",
        "no-leader",
        "leader-changed",
        "etcd-timed-out",
        "unavailable",
    ];
    for name in errors.keys() {
        assert!(known.contains(&name.as_str()), "{errors:?}");
    }
    let outages = ended.result["outages"].as_array().unwrap();
    assert!(!outages.is_empty());
    let mut told = 0;
    for outage in outages {
        assert!(outage["length"].as_f64() > Some(0.0), "{outage}");
        let errors = outage["errors"].as_object().unwrap().values();
        told += errors.map(|n| n.as_u64().unwrap()).sum::<u64>();
    }
    // Every failed attempt belongs to an outage.
    let failed = errors.values().map(|e| e["count"].as_u64().unwrap());
    assert_eq!(told, failed.sum::<u64>(), "{outages:?}");
    assert!(
        ended.result["stores"][0]["leader_changes"].as_f64() > Some(0.0),
        "{}",
        ended.result["stores"][0]
    );
}

#[test]
fn a_dead_member_is_not_hammered() {
    let testbed = three();
    let member = (leader(&testbed) + 1) % 3;
    let run = begin(&testbed, member, "h2");
    let grave = Grave::dig(&testbed.etcd.endpoints()[member]);
    let ended = run.finish();
    let (http2, scrapes, seconds) = grave.close();
    judge(&testbed, member, &ended);
    // Each of its 2 connections pauses 100 ms … 5 s between attempts: 6 attempts in the first 6.3 s at the
    // most, then one in 5 s. Control (the lock every 5 s, alarms every 2 s, phases) comes on top, each once or,
    // where its channel looks again by itself, twice.
    let bound = 2.0 * (6.0 + seconds / 5.0) + 16.0 + seconds * (1.0 / 5.0 + 1.0 / 2.0);
    assert!(http2 > 0, "nobody looks whether it is back");
    assert!(
        (http2 as f64) < bound,
        "{http2} connections in {seconds:.1} s, more than {bound:.0}"
    );
    assert!((scrapes as f64) < seconds + 3.0, "{scrapes} in {seconds} s");
    println!("{http2} connections (at most {bound:.0}), {scrapes} scrapes in {seconds:.1} s");
}

#[test]
fn the_tonic_wire_lets_a_dead_member_go_too() {
    let testbed = three();
    let member = (leader(&testbed) + 1) % 3;
    let ended = play(&testbed, member, "tonic");
    judge(&testbed, member, &ended);
}
