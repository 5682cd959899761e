//! What a window does not show is not said: an etcd that goes, comes back or is full, a user who has seen enough.

use crate::common::command::command;
use crate::common::running::Running;
use crate::common::{Output, Testbed, etcd::of_three};
use rustix::process::Signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Writes until it is dropped, about a hundred keys a second.
struct Writer {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writer {
    fn start(testbed: &Testbed) -> Writer {
        let (stop, written) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut client = testbed.client();
        let (ends, counts) = (Arc::clone(&stop), Arc::clone(&written));
        let thread = std::thread::spawn(move || {
            let runtime = crate::common::testbed::runtime();
            runtime.block_on(async {
                while !ends.load(Ordering::Relaxed) {
                    let put = client.put("/registry/leases/a/b", "x", None);
                    if put.await.is_ok() {
                        counts.fetch_add(1, Ordering::Relaxed);
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            });
        });
        Writer {
            stop,
            written,
            thread: Some(thread),
        }
    }

    fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `quota-plan`, as soon as it watches.
fn watching(testbed: &Testbed, window: &str) -> Running {
    let endpoints = testbed.endpoints();
    let args = ["quota-plan", "--endpoints", &endpoints, "--window", window];
    let mut plan = Running::spawn(&mut command(&args));
    let watches = |p: &mut Running| p.stderr().contains("watching, ");
    let until = crate::common::patience::Stopwatch::start();
    while !watches(&mut plan) {
        until.check(crate::common::patience::PATIENCE, "quota-plan watches");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    plan
}

/// Waits until so many more writes were acknowledged.
fn more(writer: &Writer, writes: u64) {
    let begin = writer.written();
    crate::common::patience::until("writes", || writer.written() >= begin + writes);
}

fn first(said: &Output) -> &str {
    said.stdout.lines().next().unwrap_or_default()
}

#[test]
fn an_etcd_that_is_lost_in_the_window_has_no_forecast() {
    let testbed = Testbed::new();
    let writer = Writer::start(&testbed);
    let plan = watching(&testbed, "6s");
    more(&writer, 50);
    testbed.etcd.kill_member(0).unwrap();
    let said = plan.output();
    assert_eq!(said.code, 1, "{said:?}");
    let start = "incomplete: etcd was lost after ";
    assert!(first(&said).starts_with(start), "{said:?}");
    for word in ["keep the quota", "never full", "hyper", "h2"] {
        assert!(!said.stdout.contains(word), "{word}: {said:?}");
    }
}

#[test]
fn an_etcd_that_restarts_in_the_window_is_watched_on() {
    let testbed = Testbed::new();
    let writer = Writer::start(&testbed);
    let plan = watching(&testbed, "8s");
    more(&writer, 20);
    testbed.etcd.kill_member(0).unwrap();
    let again = testbed.etcd.restart_member(0);
    testbed.runtime.block_on(again).unwrap();
    more(&writer, 50);
    let said = plan.output();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.words().contains("went on from the same revision"),
        "{said:?}"
    );
    assert!(!said.stdout.contains("nothing was written"), "{said:?}");
}

#[test]
fn another_member_goes_on_with_the_watch() {
    let testbed = Testbed::of(of_three());
    let writer = Writer::start(&testbed);
    let plan = watching(&testbed, "8s");
    more(&writer, 20);
    // The one that is watched is the first that answers.
    testbed.etcd.kill_member(0).unwrap();
    let said = plan.output();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.words().contains("went on from the same revision"),
        "{said:?}"
    );
}

#[test]
fn an_interrupted_plan_is_of_what_was_seen() {
    let testbed = Testbed::new();
    let writer = Writer::start(&testbed);
    let plan = watching(&testbed, "10m");
    more(&writer, 100);
    plan.signal(Signal::INT);
    let said = plan.output();
    assert_eq!(said.code, 130, "{said:?}");
    assert!(first(&said).starts_with("interrupted after "), "{said:?}");
    assert!(
        first(&said).contains("nothing has ever compacted this etcd"),
        "{said:?}"
    );
    assert!(said.stdout.contains("leases"), "{said:?}");
}

#[test]
fn a_full_etcd_is_not_planned_from_the_writes_that_it_refuses() {
    let testbed = Testbed::with_flags(&["--quota-backend-bytes=8388608"]);
    let mut client = testbed.client();
    testbed.runtime.block_on(async {
        for i in 0..64 {
            if client
                .put(format!("k{i}"), vec![b'x'; 1 << 20], None)
                .await
                .is_err()
            {
                return;
            }
        }
        panic!("not full");
    });
    let said = watching(&testbed, "1s").output();
    assert_eq!(said.code, 2, "{said:?}");
    assert!(first(&said).starts_with("this etcd is full"), "{said:?}");
    for word in ["keep the quota", "never full"] {
        assert!(!said.stdout.contains(word), "{word}: {said:?}");
    }
}

/// An auto-compaction of etcd's own leaves no key: a read of an old revision shows it.
#[test]
fn a_compaction_by_others_is_seen() {
    let testbed = Testbed::new();
    let writer = Writer::start(&testbed);
    more(&writer, 50);
    let mut client = testbed.client();
    testbed
        .runtime
        .block_on(async { client.compact(40, None).await.unwrap() });
    let endpoints = testbed.endpoints();
    let args = [
        "quota-plan",
        "--endpoints",
        &endpoints,
        "--window",
        "1s",
        "-o",
        "json",
    ];
    let said = Running::spawn(&mut command(&args)).output();
    let plan: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(plan["stores"][0]["compactedRevision"], 40, "{said:?}");
    let summary = plan["stores"][0]["summary"].as_str().unwrap();
    assert!(
        summary.contains("something other than kube-apiserver has"),
        "{summary}"
    );
}
