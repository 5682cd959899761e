//! What goes wrong with a run: its directory, its store in the middle, its end.

use super::*;
use etcd_client::{AlarmAction, AlarmType};
use etcdmark::local::LocalOptions;

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
    let mut shell = Command::new("bash");
    shell
        .args(["-c", script])
        .current_dir(here)
        .stdin(Stdio::null());
    shell.env("ETCDMARK", assert_cmd::cargo::cargo_bin!("etcdmark"));
    shell.output().unwrap()
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
    refused_in(here.path(), &case(&gone, 1, &["cannot reach"]));
    assert!(!here.path().join("new").exists());
}

#[test]
fn an_object_over_the_request_limit() {
    let runtime = runtime();
    let small = LocalOptions {
        flags: vec!["--max-request-bytes=20000".to_owned()],
        ..common::options()
    };
    let etcd = runtime.block_on(common::start(small));
    let url = etcd.endpoints().remove(0);
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
        let stderr = text(&out.stderr);
        no_panic(&line, &stderr);
        assert_eq!(
            out.status.code(),
            Some(1),
            "{line}\n{stderr}{}",
            text(&out.stdout)
        );
        let said: Vec<&str> = stderr
            .lines()
            .filter(|l| l.starts_with("error: "))
            .collect();
        assert_eq!(said.len(), 1, "{stderr}");
        for part in ["minions/", "bytes", "--max-request-bytes", says] {
            assert!(said[0].contains(part), "{line}: no {part:?} in {}", said[0]);
        }
        assert!(runtime.block_on(keys(&url)).is_empty());
    }
    // What is too large together is sent in smaller transactions, and that is said.
    let out = undisturbed(|n| {
        let line = format!("{} --set cluster.nodes=60 --out c-{n}", short(&url));
        run_in(here.path(), &line)
    });
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}{}",
        text(&out.stderr),
        text(&out.stdout)
    );
    let events = std::fs::read_to_string(here.path().join("c-0/events.jsonl")).unwrap();
    assert!(events.contains("populate continues with"), "{events}");
}

#[test]
fn alarms_in_the_middle() {
    let runtime = runtime();
    let etcd = runtime.block_on(common::etcd());
    let url = etcd.endpoints().remove(0);
    let here = tempfile::tempdir().unwrap();
    for (name, alarm) in [
        ("nospace", AlarmType::Nospace),
        ("corrupt", AlarmType::Corrupt),
    ] {
        let line = format!(
            "{} {OFTEN} --out {name} --run-id {name}",
            lasting(&url, "10m")
        );
        let run = Running::start(here.path(), &line);
        until("the load is measured", || {
            reached(&here.path().join(name), "measure")
        });
        runtime.block_on(faults::raise(&url, AlarmAction::Activate, alarm));
        let out = run.output();
        let (stderr, stdout) = (text(&out.stderr), text(&out.stdout));
        no_panic(name, &stderr);
        assert_eq!(out.status.code(), Some(1), "{stderr}{stdout}");
        let alarm_name = name.to_uppercase();
        assert!(stderr.contains(&alarm_name), "{stderr}{stdout}");
        // What was measured is there.
        let result = std::fs::read_to_string(here.path().join(name).join("result.json")).unwrap();
        let result: serde_json::Value = serde_json::from_str(&result).unwrap();
        assert_eq!(result["outcome"]["outcome"], "guard", "{stdout}");
        runtime.block_on(faults::raise(&url, AlarmAction::Deactivate, alarm));
        // A full etcd can still delete; one that is corrupt cannot, and then the command to clean up is said.
        let left = runtime.block_on(keys(&url));
        if !left.is_empty() {
            let command = format!("etcdmark cleanup --endpoints {url} --run-id {name}");
            let words: Vec<&str> = stdout.split_whitespace().collect();
            assert!(
                words.join(" ").contains(&command),
                "{left:?}\n{stdout}{stderr}"
            );
            let line = command.strip_prefix("etcdmark ").unwrap();
            let mut cleaned = run_in(here.path(), line);
            // The lock of the run that ended may have its last seconds.
            for _ in 0..60 {
                if cleaned.status.success() {
                    break;
                }
                std::thread::sleep(Duration::from_secs(1));
                cleaned = run_in(here.path(), line);
            }
            assert!(cleaned.status.success(), "{}", text(&cleaned.stderr));
        }
        assert!(runtime.block_on(keys(&url)).is_empty());
    }
}

#[test]
fn two_runs_on_one_run_id_and_ctrl_c() {
    let runtime = runtime();
    let etcd = runtime.block_on(common::etcd());
    let url = etcd.endpoints().remove(0);
    let here = tempfile::tempdir().unwrap();
    // Its threshold is missed, too: interrupted is stronger.
    let line = format!("{} {OFTEN} --run-id mine --out a", lasting(&url, "forever"));
    let first = with_threshold(here.path(), &line);
    until("the load is measured", || {
        reached(&here.path().join("a"), "measure")
    });
    let before = runtime.block_on(keys(&url));
    let second = format!("{} --run-id mine --out b", short(&url));
    refused_in(here.path(), &case(&second, 2, &["mine", "--run-id"]));
    assert!(!here.path().join("b").exists());
    assert_eq!(
        runtime.block_on(keys(&url)),
        before,
        "the second run touched the first one's keys"
    );
    // Refusing takes less than the time between two renewals.
    until("something was measured", || {
        let events = std::fs::read_to_string(here.path().join("a/events.jsonl"));
        let events = events.unwrap_or_default();
        let measured = |l: &str| l.contains(r#""type":"interval""#) && l.contains(r#""measure""#);
        events.lines().any(measured)
    });
    first.interrupt();
    let out = first.output();
    let (stderr, stdout) = (text(&out.stderr), text(&out.stdout));
    no_panic("Ctrl-C", &stderr);
    assert_eq!(out.status.code(), Some(130), "{stderr}{stdout}");
    assert!(stderr.contains("draining"), "{stderr}");
    assert!(stdout.contains("node-lease/update"), "{stdout}");
    assert!(runtime.block_on(keys(&url)).is_empty());
    assert_eq!(runtime.block_on(leases(&url)), 0);
}

/// With a threshold that nothing meets.
pub(super) fn with_threshold(here: &Path, line: &str) -> Running {
    Running::start(here, &format!("{line} --set thresholds=[\"all:p50<1us\"]"))
}

#[test]
fn thresholds_and_precedence() {
    let runtime = runtime();
    let etcd = runtime.block_on(common::etcd());
    let url = etcd.endpoints().remove(0);
    let here = tempfile::tempdir().unwrap();
    let out = undisturbed(|n| {
        let line = format!("{} {OFTEN} --out missed-{n}", short(&url));
        with_threshold(here.path(), &line).output()
    });
    let (stderr, stdout) = (text(&out.stderr), text(&out.stdout));
    no_panic("threshold", &stderr);
    assert_eq!(out.status.code(), Some(99), "{stderr}{stdout}");
    let said: String = stderr.lines().filter(|l| l.starts_with("error")).collect();
    assert_eq!(said, "error: threshold missed: all:p50<1us");
    // t counts from the monotonic clock: it never goes back, whatever the wall clock does.
    let events = std::fs::read_to_string(here.path().join("missed-0/events.jsonl")).unwrap();
    let mut before = f64::MIN;
    for line in events.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let (t, kind) = (event["t"].as_f64(), event["type"].as_str());
        if let (Some(t), Some("phase")) = (t, kind) {
            assert!(t >= before, "{line}");
            before = t;
        }
    }
    assert!(before > 0.0);
    let out = undisturbed(|n| {
        let threshold = "--set thresholds=[\"node-lease/update:missed<=100%\"]";
        let line = format!("{} {OFTEN} --out kept-{n} {threshold}", short(&url));
        run_in(here.path(), &line)
    });
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}{}",
        text(&out.stderr),
        text(&out.stdout)
    );
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
        let mut child = Running::start(here.path(), line);
        drop(child.child.as_mut().unwrap().stdout.take());
        let out = child.output();
        let stderr = text(&out.stderr);
        assert_eq!(
            (out.status.code(), stderr.as_str()),
            (Some(0), ""),
            "{line}"
        );
    }
    let runtime = runtime();
    let etcd = runtime.block_on(common::etcd());
    let url = etcd.endpoints().remove(0);
    // Both ends are gone: the run goes on, and its files are whole.
    let out = undisturbed(|n| {
        let line = format!("{} -v --out out-{n}", short(&url));
        let mut run = Running::start(here.path(), &line);
        drop(run.child.as_mut().unwrap().stdout.take());
        drop(run.child.as_mut().unwrap().stderr.take());
        run.output()
    });
    assert_eq!(out.status.code(), Some(0));
    assert!(here.path().join("out-0/result.json").is_file());
    assert!(runtime.block_on(keys(&url)).is_empty());
    // A reader of progress and result that goes away in the middle, by way of a real pipe.
    let out = shell(
        here.path(),
        "$ETCDMARK show cluster | head -n 1 >/dev/null; exit ${PIPESTATUS[0]}",
    );
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
}
