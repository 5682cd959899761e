//! What goes to stdout and stderr, and what `report` makes of the files.

use crate::common::command::closed_pipe;
use crate::common::etcd::etcd_flags;
use crate::common::{Running, Testbed, command, etcdmark, json};
use crate::play::{QUICK, Run};
use serde_json::Value;

#[test]
fn json_is_alone_on_stdout_and_report_repeats_what_run_printed() {
    let etcd = etcd_flags();
    let etcd: Vec<&str> = etcd.iter().map(String::as_str).collect();
    let short = ["--duration", "2s"];
    let ended = Run::start(&[&QUICK, &short, &["-o", "json"], &etcd]).finish();
    assert!(ended.said.is_well(), "{:?}", ended.said);
    assert!(ended.said.complaints().is_empty(), "{:?}", ended.said);
    let printed: Value = serde_json::from_str(&ended.said.stdout).unwrap();
    assert_eq!(printed, ended.result);
    let out = ended.out();
    let file = std::fs::read_to_string(out.join("result.json")).unwrap();
    let dir = out.to_str().unwrap();
    let report = |format| {
        let said = etcdmark(&["report", dir, "-o", format]);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{format}");
        said.stdout
    };
    assert_eq!(report("json"), file);
    assert_eq!(ended.said.stdout, file);
    let spectrum = report("hgrm");
    assert!(
        spectrum.contains("Value") && spectrum.contains("#[Mean"),
        "{spectrum}"
    );
    let total = ended.result["total"]["successes"]["count"]
        .as_u64()
        .unwrap();
    let last = spectrum
        .lines()
        .rfind(|l| !l.starts_with('#') && !l.is_empty());
    let count = last.unwrap().split_whitespace().nth(2).unwrap();
    assert_eq!(count, total.to_string(), "{spectrum}");
}

#[test]
fn text_is_what_report_prints_and_progress_goes_to_stderr() {
    let etcd = etcd_flags();
    let etcd: Vec<&str> = etcd.iter().map(String::as_str).collect();
    let loud: Vec<&str> = QUICK.into_iter().filter(|a| *a != "--quiet").collect();
    let ended = Run::start(&[&loud, &["--duration", "2s"], &etcd]).finish();
    let said = &ended.said;
    assert!(said.stderr.starts_with("etcd "), "{said:?}");
    let preflight = said.stderr.find("info: estimate: ");
    let measure = said.stderr.find("measure: ");
    assert!(preflight.is_some() && preflight < measure, "{said:?}");
    let report = etcdmark(&["report", ended.out().to_str().unwrap()]);
    assert_eq!(report.stdout, said.stdout);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let etcd = etcd_flags();
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let mut run = command(&["run"]);
    run.args(QUICK).args(["--duration", "2s", "-o", "json"]);
    run.args(&etcd).arg("--out").arg(&out);
    // The pipe is closed before a line is there.
    let said = Running::spawn_into(&mut run, Some(closed_pipe()), None).output();
    assert!(said.is_well(), "{said:?}");
    assert!(said.complaints().is_empty(), "{said:?}");
    let result = json(&out.join("result.json"));
    assert_eq!(result["outcome"]["outcome"], "completed");
}

#[test]
fn nodes_traffic_is_claimed_only_where_a_rate_follows_the_nodes() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    for (workload, first) in [
        ("leader-leases", "leader-leases: "),
        ("node-heartbeats", "300 nodes' traffic "),
    ] {
        let quick = [
            "--warmup",
            "0s",
            "--set",
            "phases.settle=0s",
            "--duration",
            "4s",
            "-q",
        ];
        let more = [workload, "--nodes", "300", "--endpoints", &endpoints];
        let ended = Run::start(&[&more, &quick]).finish();
        assert!(ended.said.is_well(), "{:?}", ended.said);
        assert!(ended.said.stdout.starts_with(first), "{:?}", ended.said);
    }
}
