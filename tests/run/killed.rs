//! etcdmark itself is killed in the middle.

use crate::common::etcd::etcd_flags;
use crate::common::{Testbed, etcdmark, events, processes};
use crate::play::{QUICK, Run};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn what_was_measured_survives_the_lock_ends_and_cleanup_empties_the_store() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let more = [
        "--endpoints",
        &endpoints,
        "--duration",
        "300s",
        "--run-id",
        "killed",
    ];
    let mut run = Run::start(&[&QUICK, &more]);
    run.until_second(3);
    let pid = run.pid();
    // While it goes on, nobody else gets its run id, and nobody deletes its keys.
    let second = Run::start(&[&QUICK, &more]).finish();
    assert_eq!(second.said.code, 2, "{:?}", second.said);
    let holder = format!("process {} on host", pid.as_raw_nonzero());
    assert!(second.said.stderr.contains(&holder), "{:?}", second.said);
    assert!(!second.out().exists());
    let cleanup = ["cleanup", "--endpoints", &endpoints];
    let refused = etcdmark(&cleanup);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains(&holder), "{refused:?}");

    run.signal(Signal::KILL);
    let ended = run.finish();
    assert_eq!(ended.result, Value::Null, "a killed run writes no result");
    let out = ended.out();
    let intervals = |all: &[Value]| -> (u64, f64) {
        let last = all
            .iter()
            .filter(|e| e["type"] == "interval" && e["phase"] == "measure");
        let end = |e: &Value| e["t"].as_f64().unwrap() + e["length"].as_f64().unwrap();
        let ok = |e: &Value| {
            let classes = e["classes"].as_object().unwrap().values();
            classes.map(|c| c["ok"].as_u64().unwrap()).sum::<u64>()
        };
        last.fold((0, 0.0), |(n, _), e| (n + ok(e), end(e)))
    };
    let (ok, until) = intervals(&events(&out));
    let report = etcdmark(&["report", out.to_str().unwrap(), "-o", "json"]);
    assert_eq!(report.code, 0, "{report:?}");
    let result: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(result["outcome"]["outcome"], "killed");
    assert!(result["outcome"]["t"].as_f64() >= Some(until), "{until}");
    let rebuilt = result["total"]["counts"]["ok"].as_u64().unwrap();
    assert!(ok >= 60, "{ok}");
    assert_eq!(rebuilt, ok, "up to the last second");
    let count = result["total"]["successes"]["count"].as_u64().unwrap();
    assert_eq!(count, rebuilt, "the histograms too");
    assert!(
        etcdmark(&["report", out.to_str().unwrap()])
            .stdout
            .contains("killed")
    );

    // The lock has 15 s to live, then the keys can go: cleanup waits for it.
    let said = etcdmark(&cleanup);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stderr.contains("has ended; its lock expires within"),
        "{said:?}"
    );
    assert!(
        said.stdout.starts_with("run killed: 180 keys deleted"),
        "{said:?}"
    );
    testbed.assert_empty();
}

#[test]
fn no_etcd_outlives_the_etcdmark_that_started_it() {
    let etcd = etcd_flags();
    let etcd: Vec<&str> = etcd.iter().map(String::as_str).collect();
    let mut run = Run::start(&[&QUICK, &["--duration", "300s"], &etcd]);
    run.until_second(1);
    let header = run.until_event("header", |e| e["type"] == "header");
    let dir = header["stores"][0]["members"][0]["data_dir"]
        .as_str()
        .unwrap();
    let found = processes::with_argument(dir);
    assert_eq!(found.len(), 1, "{found:?}");
    run.signal(Signal::KILL);
    let _ = run.finish();
    processes::until_none_with_argument(dir);
    // SIGKILL leaves nobody to remove the throwaway data.
    let parent = std::path::Path::new(dir).parent().unwrap();
    assert!(parent.starts_with(std::env::temp_dir()));
    std::fs::remove_dir_all(parent).unwrap();
}
