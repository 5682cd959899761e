//! What goes wrong with a run: its directory, its store in the middle, its end.

use super::*;
use crate::common::command::{self, closed_pipe, until_unlocked};
use crate::common::results::measured_seconds;
use etcd_client::{AlarmAction, AlarmType};
use rustix::process::Signal;

/// A short run of few nodes against `url`.
fn short(url: &str) -> String {
    lasting(url, "1s")
}

pub(super) fn lasting(url: &str, duration: &str) -> String {
    format!("run node-heartbeats --nodes 20 --warmup 0s --duration {duration} --endpoints {url}")
}

/// Heartbeats often enough that each second has some.
pub(super) const OFTEN: &str = "--set actors.node-leases.period=100ms";

pub(super) fn shell(here: &Path, script: &str) -> Output {
    output(command::shell("bash", script).current_dir(here))
}

#[test]
fn result_directories() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path().display();
    std::fs::create_dir(here.path().join("full")).unwrap();
    std::fs::write(here.path().join("full/notes.txt"), "mine").unwrap();
    refused_in(
        here.path(),
        &case(
            "run --out full",
            2,
            &["--out full", "not empty", "notes.txt", "new or empty"],
        ),
    );
    refused_in(
        here.path(),
        &case(
            "run --out full/notes.txt",
            2,
            &["full/notes.txt", "not a directory"],
        ),
    );
    refused_in(
        here.path(),
        &case(
            "run --out full/notes.txt/deeper",
            2,
            &["full/notes.txt/deeper"],
        ),
    );
    // Even root makes no directory there.
    refused_in(
        here.path(),
        &case(
            "run --out /proc/etcdmark",
            2,
            &["--out /proc/etcdmark", "cannot create"],
        ),
    );
    assert_eq!(
        std::fs::read_to_string(here.path().join("full/notes.txt")).unwrap(),
        "mine"
    );
    // A refusal after the directory was made takes it away again, the parents that it made included.
    let gone = format!("run --endpoints http://127.0.0.1:1 --out {path}/new/run");
    refused_in(here.path(), &case(&gone, 2, &["cannot reach"]));
    assert!(!here.path().join("new").exists());
}

#[test]
fn an_object_over_the_request_limit() {
    let testbed = Testbed::with_flags(&["--max-request-bytes=20000"]);
    let url = testbed.endpoints();
    let here = tempfile::tempdir().unwrap();
    for (line, says) in [
        (
            format!("{} --set cluster.imagesPerNode=500 --out a", short(&url)),
            "imagesPerNode",
        ),
        (
            format!(
                "{} --populate single --set cluster.imagesPerNode=500 --out b",
                short(&url)
            ),
            "imagesPerNode",
        ),
    ] {
        let out = run_in(here.path(), &line);
        let stderr = out.stderr;
        no_panic(&line, &stderr);
        assert_eq!(out.code, 1, "{line}\n{stderr}{}", out.stdout);
        let said: Vec<&str> = stderr
            .lines()
            .filter(|l| l.starts_with("error: "))
            .collect();
        assert_eq!(said.len(), 1, "{stderr}");
        for part in ["minions/", "bytes", "--max-request-bytes", says] {
            assert!(said[0].contains(part), "{line}: no {part:?} in {}", said[0]);
        }
        assert_eq!(testbed.keys(), Vec::<String>::new());
    }
    // What is too large together is sent in smaller transactions, and that is said.
    let out = undisturbed(|n| {
        let line = format!("{} --set cluster.nodes=60 --out c-{n}", short(&url));
        run_in(here.path(), &line)
    });
    assert_eq!(out.code, 0, "{}{}", out.stderr, out.stdout);
    let events = std::fs::read_to_string(here.path().join("c-0/events.jsonl")).unwrap();
    assert!(events.contains("populate continues with"), "{events}");
}

#[test]
fn alarms_in_the_middle() {
    let testbed = Testbed::new();
    let url = testbed.endpoints();
    let here = tempfile::tempdir().unwrap();
    for (name, alarm) in [
        ("nospace", AlarmType::Nospace),
        ("corrupt", AlarmType::Corrupt),
    ] {
        let line = format!(
            "{} {OFTEN} --out {name} --run-id {name}",
            lasting(&url, "10m")
        );
        let run = begun_in(here.path(), &line);
        until("the load is measured", || {
            reached(&here.path().join(name), "measure")
        });
        faults::raise(&testbed, AlarmAction::Activate, alarm);
        let out = run.output();
        let words = out.words();
        let (stderr, stdout) = (out.stderr, out.stdout);
        no_panic(name, &stderr);
        assert_eq!(out.code, 1, "{stderr}{stdout}");
        let alarm_name = name.to_uppercase();
        assert!(stderr.contains(&alarm_name), "{stderr}{stdout}");
        // What was measured is there.
        let result = json(&here.path().join(name).join("result.json"));
        assert_eq!(result["outcome"]["outcome"], "guard", "{stdout}");
        faults::raise(&testbed, AlarmAction::Deactivate, alarm);
        // A full etcd can still delete; one that is corrupt cannot, and then the command to clean up is said.
        let left = testbed.keys();
        if !left.is_empty() {
            let command = format!("etcdmark cleanup --endpoints {url} --run-id {name}");
            assert!(words.contains(&command), "{left:?}\n{stdout}{stderr}");
            let args: Vec<&str> = command.split(' ').skip(1).collect();
            let cleaned = until_unlocked(&args);
            assert_eq!(cleaned.code, 0, "{}", cleaned.stderr);
        }
        assert_eq!(testbed.keys(), Vec::<String>::new());
    }
}

#[test]
fn two_runs_on_one_run_id_and_ctrl_c() {
    let testbed = Testbed::new();
    let url = testbed.endpoints();
    let here = tempfile::tempdir().unwrap();
    // Its threshold is missed, too: interrupted is stronger.
    let line = format!("{} {OFTEN} --run-id mine --out a", lasting(&url, "forever"));
    let first = with_threshold(here.path(), &line);
    until("the load is measured", || {
        reached(&here.path().join("a"), "measure")
    });
    let before = testbed.keys();
    let second = format!("{} --run-id mine --out b", short(&url));
    refused_in(here.path(), &case(&second, 2, &["mine", "--run-id"]));
    assert!(!here.path().join("b").exists());
    assert_eq!(
        testbed.keys(),
        before,
        "the second run touched the first one's keys"
    );
    // Refusing takes less than the time between two renewals.
    until("something was measured", || {
        measured_seconds(&events(&here.path().join("a"))) > 0
    });
    first.signal(Signal::INT);
    let out = first.output();
    let (stderr, stdout) = (out.stderr, out.stdout);
    no_panic("Ctrl-C", &stderr);
    assert_eq!(out.code, 130, "{stderr}{stdout}");
    assert!(stderr.contains("draining"), "{stderr}");
    assert!(stdout.contains("node-lease/update"), "{stdout}");
    testbed.assert_empty();
}

/// With a threshold that nothing meets.
pub(super) fn with_threshold(here: &Path, line: &str) -> Running {
    begun_in(here, &format!("{line} --set thresholds=[\"all:p50<1us\"]"))
}

#[test]
fn thresholds_and_precedence() {
    let testbed = Testbed::new();
    let url = testbed.endpoints();
    let here = tempfile::tempdir().unwrap();
    let out = undisturbed(|n| {
        let line = format!("{} {OFTEN} --out missed-{n}", short(&url));
        with_threshold(here.path(), &line).output()
    });
    let (stderr, stdout) = (out.stderr, out.stdout);
    no_panic("threshold", &stderr);
    assert_eq!(out.code, 99, "{stderr}{stdout}");
    let said: String = stderr.lines().filter(|l| l.starts_with("error")).collect();
    assert_eq!(said, "error: threshold missed: all:p50<1us");
    // t counts from the monotonic clock: it never goes back, whatever the wall clock does.
    let mut before = f64::MIN;
    for event in events(&here.path().join("missed-0")) {
        let (t, kind) = (event["t"].as_f64(), event["type"].as_str());
        if let (Some(t), Some("phase")) = (t, kind) {
            assert!(t >= before, "{event}");
            before = t;
        }
    }
    assert!(before > 0.0);
    let out = undisturbed(|n| {
        let threshold = "--set thresholds=[\"node-lease/update:missed<=100%\"]";
        let line = format!("{} {OFTEN} --out kept-{n} {threshold}", short(&url));
        run_in(here.path(), &line)
    });
    assert_eq!(out.code, 0, "{}{}", out.stderr, out.stdout);
    // A usage error is found before anything is run.
    let wrong = "run --set thresholds=[\"node-lease/updat:p50<1us\"]";
    refused(&[case(wrong, 2, &["node-lease/updat", "node-lease/update"])]);
}

#[test]
fn a_broken_pipe_is_no_error() {
    let here = tempfile::tempdir().unwrap();
    for line in [
        "show cluster",
        "list",
        "--help",
        "run --help",
        "validate cluster",
    ] {
        let mut command = command_of(line);
        let out = Running::spawn_into(&mut command, Some(closed_pipe()), None).output();
        assert_eq!((out.code, out.stderr.as_str()), (0, ""), "{line}");
    }
    let testbed = Testbed::new();
    let url = testbed.endpoints();
    // Both ends are gone: the run goes on, and its files are whole.
    let out = undisturbed(|n| {
        let line = format!("{} -v --out out-{n}", short(&url));
        let mut command = command_of(&line);
        command.current_dir(here.path());
        Running::spawn_into(&mut command, Some(closed_pipe()), Some(closed_pipe())).output()
    });
    assert_eq!(out.code, 0);
    assert!(here.path().join("out-0/result.json").is_file());
    assert_eq!(testbed.keys(), Vec::<String>::new());
    // A reader of progress and result that goes away in the middle, by way of a real pipe.
    let out = shell(
        here.path(),
        "$ETCDMARK show cluster | head -n 1 >/dev/null; exit ${PIPESTATUS[0]}",
    );
    assert_eq!(out.code, 0, "{}", out.stderr);
}
