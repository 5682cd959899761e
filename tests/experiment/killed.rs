//! Every built-in experiment is killed (SIGKILL) while it measures: no etcd stays, what was measured is readable, and the
//! same command goes on to the end. That is also how CI plays the smoke forms.
#![expect(clippy::print_stderr, reason = "says what is not tested here")]

use crate::common::{Output, events, json, processes};
use crate::desk::Desk;
use etcdmark::experiment::BUILTINS;
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;

/// Those that a test of their own plays, to look closer at what came out.
const ELSEWHERE: [&str; 5] = ["versions", "split-events", "media", "slow-member", "defrag"];

/// The data directories of a trial's etcds.
fn data_dirs(trial: &Path) -> Vec<String> {
    let header = &events(trial)[0];
    let stores = header["stores"].as_array().unwrap().iter();
    let members = stores.flat_map(|s| s["members"].as_array().unwrap());
    let dirs = members.filter_map(|m| m["data_dir"].as_str());
    dirs.map(str::to_owned).collect()
}

/// Plays the smoke form of a built-in, kills it in the second trial (in the first where there is one), looks at what is
/// left, and plays on. None where it cannot be played here.
pub(crate) fn killed_and_gone_on_with(name: &str) -> Option<(Desk, Output)> {
    let desk = Desk::new("");
    let args = ["experiment", name, "--smoke", "--out", "out"];
    let plan = desk.etcdmark(&["experiment", "show", name, "--plan", "--smoke"]);
    if plan.code == 2 && plan.stderr.contains("needs at least") {
        eprintln!("{name} is not played: {}", plan.stderr);
        return None;
    }
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let trials = plan["trials"].as_array().unwrap().len();
    let mut playing = desk.start(&args);
    let nth = trials.min(2);
    let Ok(trial) = playing.until_measuring(nth) else {
        let said = playing.finish();
        assert!(said.stderr.contains("seccomp"), "{name}: {said:?}");
        eprintln!("{name} is not played: {}", said.stderr);
        return None;
    };
    let dirs = data_dirs(&trial);
    assert!(!dirs.is_empty(), "{name}");
    playing.signal(Signal::KILL);
    let _ = playing.finish();
    for dir in &dirs {
        processes::until_none_with_argument(dir);
    }
    let shown = desk.etcdmark(&["report", "out"]);
    assert_eq!(shown.code, 0, "{name}: {shown:?}");
    let unfinished = format!("incomplete, {} of {trials} trials done: ", nth - 1);
    assert!(shown.stdout.starts_with(&unfinished), "{name}: {shown:?}");
    let of_trial = desk.etcdmark(&["report", trial.to_str().unwrap()]);
    assert!(
        of_trial.code == 0 && of_trial.stdout.starts_with("killed: "),
        "{name}: {of_trial:?}"
    );
    let said = desk.etcdmark(&args);
    assert!(said.is_well(), "{name}: {said:?}");
    assert_eq!(desk.result()["complete"], true, "{name}");
    if nth > 1 {
        let there = format!("{} of {trials} trials are already complete", nth - 1);
        assert!(said.stderr.contains(&there), "{name}: {said:?}");
    }
    // SIGKILL leaves nobody to remove the throwaway data; the next start has swept them.
    for dir in &dirs {
        assert!(!Path::new(dir).exists(), "{name}: {dir}");
    }
    Some((desk, said))
}

/// The results of all trials of a desk's experiment, each with its plan.
pub(crate) fn results(desk: &Desk) -> Vec<(Value, Value)> {
    let plan = json(&desk.out().join("plan.json"));
    let trials = plan["trials"].as_array().unwrap().iter();
    let read = |t: &Value| {
        let directory = desk.out().join(t["directory"].as_str().unwrap());
        (t.clone(), json(&directory.join("result.json")))
    };
    trials.map(read).collect()
}

/// Every second one, so that two are played at the same time.
fn every_second_from(first: usize) {
    let here = BUILTINS.iter().filter(|b| !ELSEWHERE.contains(&b.name));
    for builtin in here.skip(first).step_by(2) {
        let Some((desk, _)) = killed_and_gone_on_with(builtin.name) else {
            continue;
        };
        for (trial, result) in results(&desk) {
            assert_eq!(result["verify"]["lost"], 0, "{}: {trial}", builtin.name);
        }
    }
}

#[test]
fn every_builtin_leaves_no_etcd_and_goes_on() {
    every_second_from(0);
}

#[test]
fn every_other_builtin_leaves_no_etcd_and_goes_on() {
    every_second_from(1);
}
