//! Loads that end before their time, and those of a local etcd.

use rustix::process::Signal;

use crate::common::command::{command, until_unlocked};
use crate::common::etcd::etcd_flags;
use crate::common::{Running, Testbed, etcdmark};

#[test]
fn an_interruption_ends_reports_and_cleans_up() {
    let testbed = Testbed::new();
    for place in ["--run-id=x", "--raw-keys --yes-this-etcd-is-mine"] {
        let endpoints = testbed.endpoints();
        let mut args = vec!["compat", "go-benchmark", "put", "--total", "1000000"];
        args.extend([
            "--key-space-size",
            "1000",
            "--clients",
            "4",
            "--rate",
            "2000",
        ]);
        args.extend(["-q", "--endpoints", &endpoints]);
        args.extend(place.split(' '));
        let mut running = Running::spawn(&mut command(&args));
        let wrote = running.until("keys", || testbed.keys().len() > 50);
        assert!(wrote, "{}", running.stderr());
        running.signal(Signal::INT);
        let out = running.output();
        assert_eq!(out.code, 130, "{out:?}");
        assert!(out.stderr.starts_with("stopping: "), "{}", out.stderr);
        assert!(out.stdout.contains("Requests/sec:"), "{}", out.stdout);
        assert!(out.stdout.contains(" deleted since"), "{}", out.stdout);
        testbed.assert_empty();
    }
}

#[test]
fn a_killed_load_leaves_keys_that_cleanup_finds() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let mut args = vec!["compat", "go-benchmark", "put", "--total", "1000000"];
    args.extend(["--key-space-size", "1000", "--rate", "2000", "-q"]);
    args.extend(["--endpoints", &endpoints, "--run-id", "killed"]);
    let mut running = Running::spawn(&mut command(&args));
    let wrote = running.until("keys", || testbed.keys().len() > 50);
    assert!(wrote, "{}", running.stderr());
    running.signal(Signal::KILL);
    running.output();
    // The same run again is refused, whether the lock has expired or not.
    let out = etcdmark(&args);
    assert_eq!(out.code, 2, "{out:?}");
    let out = until_unlocked(&["cleanup", "--endpoints", &endpoints, "--all"]);
    assert_eq!(out.code, 0, "{out:?}");
    testbed.assert_empty();
}

#[test]
fn a_raw_key_that_somebody_wrote_since_stays() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let mut args = vec!["compat", "go-benchmark", "put", "--total", "400"];
    args.extend([
        "--sequential-keys",
        "--key-space-size",
        "400",
        "--rate",
        "200",
    ]);
    args.extend(["--raw-keys", "--yes-this-etcd-is-mine", "-q", "-o", "json"]);
    args.extend(["--endpoints", &endpoints]);
    let mut running = Running::spawn(&mut command(&args));
    let first = "\0".repeat(8);
    let wrote = running.until("the first key", || testbed.keys().contains(&first));
    assert!(wrote, "{}", running.stderr());
    let mut kv = testbed.client().kv_client();
    let theirs = kv.put(first.as_str(), "theirs", None);
    testbed.runtime.block_on(theirs).unwrap();
    let out = running.output();
    assert_eq!(out.code, 0, "{out:?}");
    let result: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(result["keys"]["deleted"], 399);
    assert_eq!(testbed.keys(), [first]);
}

#[test]
fn a_local_etcd_is_the_usual_case() {
    let mut args = vec!["compat", "go-benchmark", "--clients=8", "--conns=2", "put"];
    args.extend(["--total=400", "--sequential-keys", "--key-space-size=400"]);
    let etcd = etcd_flags();
    args.extend(etcd.iter().map(String::as_str));
    let out = etcdmark(&args);
    assert_eq!((out.code, out.stderr.as_str()), (0, ""), "{out:?}");
    let lines: Vec<&str> = out.stdout.lines().collect();
    assert!(
        lines[0].starts_with("go-benchmark put on etcd 3."),
        "{}",
        lines[0]
    );
    assert!(
        lines[0].ends_with(": 400 requests, 8 clients, 2 connections"),
        "{}",
        lines[0]
    );
    assert_eq!(
        lines[1],
        "keys of 8 B from 400 numbers in order, one value of 8 B"
    );
    for line in [
        "            Go tool's rule  nearest rank",
        "Keys: 400 in the store after the load",
    ] {
        assert!(lines.contains(&line), "{}", out.stdout);
    }
    // By the Go tool's rule, 400 requests have no 99.9 %.
    let last = lines.iter().find(|l| l.starts_with("  99.9% in")).unwrap();
    assert!(last.contains("none"), "{last}");
}

#[test]
fn keys_of_a_data_directory_go() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("etcd").display().to_string();
    let etcd = etcd_flags();
    let play = |more: &[&str]| {
        let mut args = vec!["compat", "go-benchmark", "put", "--total=100", "-q"];
        args.extend(["--key-space-size=50", "--data-dir", &data]);
        args.extend(etcd.iter().map(String::as_str));
        args.extend(more);
        etcdmark(&args)
    };
    let out = play(&[]);
    assert_eq!(out.code, 0, "{out:?}");
    assert!(out.stdout.contains(" deleted since"), "{}", out.stdout);
    // An etcd of ours begins empty: what is at its root is the load's.
    let out = play(&["--keep-data"]);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("needs a fresh store"), "{}", out.stderr);
}
