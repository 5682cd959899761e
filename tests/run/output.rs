//! What goes to stdout and stderr, and what `report` makes of the files.

use crate::harness::{QUICK, Running, command, etcdmark};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

pub(crate) fn etcd() -> Vec<String> {
    let path = crate::common::etcd_binary().path;
    path.iter()
        .flat_map(|p| ["--etcd".to_owned(), p.to_str().unwrap().to_owned()])
        .collect()
}

#[test]
fn json_is_alone_on_stdout_and_report_repeats_what_run_printed() {
    let etcd = etcd();
    let etcd: Vec<&str> = etcd.iter().map(String::as_str).collect();
    let short = ["--duration", "2s"];
    let ended = Running::start(&[&QUICK, &short, &["-o", "json"], &etcd]).finish();
    assert!(matches!(ended.said.code, 0 | 98), "{:?}", ended.said);
    assert_eq!(ended.said.stderr, "", "--quiet");
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
    let etcd = etcd();
    let etcd: Vec<&str> = etcd.iter().map(String::as_str).collect();
    let loud: Vec<&str> = QUICK.into_iter().filter(|a| *a != "--quiet").collect();
    let ended = Running::start(&[&loud, &["--duration", "2s"], &etcd]).finish();
    let said = &ended.said;
    assert!(said.stderr.contains("store main: etcd "), "{said:?}");
    let preflight = said.stderr.find("info: will write ");
    let measure = said.stderr.find("measure: ");
    assert!(preflight.is_some() && preflight < measure, "{said:?}");
    let report = etcdmark(&["report", ended.out().to_str().unwrap()]);
    assert_eq!(report.stdout, said.stdout);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let etcd = etcd();
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let mut run = command(&["run"]);
    run.args(QUICK).args(["--duration", "2s", "-o", "json"]);
    run.args(&etcd).arg("--out").arg(&out);
    let mut child = run
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The pipe is closed before a line is there.
    drop(child.stdout.take());
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let lines: Vec<String> = stderr.lines().map(Result::unwrap).collect();
    let code = child.wait().unwrap().code();
    assert!(matches!(code, Some(0 | 98)), "{code:?} {lines:?}");
    assert_eq!(lines, Vec::<String>::new());
    let result = std::fs::read(out.join("result.json")).unwrap();
    let result: Value = serde_json::from_slice(&result).unwrap();
    assert_eq!(result["outcome"]["outcome"], "completed");
}
