//! etcdmark itself is killed in the middle.

use crate::harness::{Bed, QUICK, Running, Since, etcdmark, events, until_unlocked};
use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::Value;
use std::time::Duration;

#[test]
fn what_was_measured_survives_the_lock_ends_and_cleanup_empties_the_store() {
    let bed = Bed::new();
    let endpoints = bed.endpoints();
    let more = [
        "--endpoints",
        &endpoints,
        "--duration",
        "300s",
        "--run-id",
        "killed",
    ];
    let mut run = Running::start(&[&QUICK, &more]);
    run.until_second(3);
    let pid = run.pid();
    // While it goes on, nobody else gets its run id, and nobody deletes its keys.
    let second = Running::start(&[&QUICK, &more]).finish();
    assert_eq!(second.said.code, 2, "{:?}", second.said);
    let holder = format!("process {pid} on host");
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

    // The lock has 15 s to live, then the keys can go.
    let said = until_unlocked(&cleanup);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stdout.starts_with("run killed: 180 keys deleted"),
        "{said:?}"
    );
    bed.assert_empty();
}

#[test]
fn no_etcd_outlives_the_etcdmark_that_started_it() {
    let binary = crate::common::etcd_binary();
    let path = binary.path.map(|p| p.to_str().unwrap().to_owned());
    let etcd: Vec<&str> = path.iter().flat_map(|p| ["--etcd", p.as_str()]).collect();
    let mut run = Running::start(&[&QUICK, &["--duration", "300s"], &etcd]);
    run.until_second(1);
    let header = run.until_event("header", |e| e["type"] == "header");
    let dir = header["stores"][0]["members"][0]["data_dir"]
        .as_str()
        .unwrap();
    let found = processes_with(dir);
    assert_eq!(found.len(), 1, "{found:?}");
    run.signal(Signal::KILL);
    let _ = run.finish();
    until_gone(dir, found[0]);
    // SIGKILL leaves nobody to remove the throwaway data.
    let parent = std::path::Path::new(dir).parent().unwrap();
    assert!(parent.starts_with(std::env::temp_dir()));
    std::fs::remove_dir_all(parent).unwrap();
}

/// Waits for the end of an etcd whose parent was killed.
pub(crate) fn until_gone(dir: &str, etcd: Pid) {
    let began = Since::now();
    while test_kill_process(etcd).is_ok() && !processes_with(dir).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "etcd lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes with this text in an argument (a zombie has none).
pub(crate) fn processes_with(text: &str) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let fits = |pid: &i32| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|c| String::from_utf8_lossy(&c).contains(text))
    };
    pids.filter(fits).filter_map(Pid::from_raw).collect()
}
