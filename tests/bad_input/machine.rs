//! What the machine does to a run: too few file descriptors, a full disk, a wall clock that is stepped, a rate that
//! is too much for it.

use super::running::{OFTEN, lasting, shell, with_threshold};
use super::*;
use crate::common::processes::peak_rss;

#[test]
fn too_few_file_descriptors() {
    let here = tempfile::tempdir().unwrap();
    let out = shell(
        here.path(),
        "ulimit -n 64; exec $ETCDMARK run node-heartbeats --connections 500",
    );
    let stderr = out.stderr;
    assert_eq!(out.code, 2, "{stderr}");
    let message = one_message("ulimit -n 64", &stderr);
    for part in [
        "--connections 500",
        "limit is 64",
        "ulimit -n",
        "fewer connections",
    ] {
        assert!(message.contains(part), "{message}");
    }
    // A soft limit is raised without a word.
    let enough = "ulimit -Sn 64; exec $ETCDMARK run node-heartbeats --nodes 2 --connections 500 --endpoints http://127.0.0.1:1";
    let out = shell(here.path(), enough);
    assert!(out.stderr.contains("cannot reach"), "{}", out.stderr);
}

/// A run that cannot write on, and what a user finds afterwards.
fn cut_short(here: &Path, script: &str, testbed: &Testbed) {
    let out = shell(here, script);
    let (stderr, stdout) = (out.stderr, out.stdout);
    no_panic(script, &stderr);
    assert_eq!(out.code, 1, "{stderr}{stdout}");
    let said: Vec<&str> = stderr
        .lines()
        .filter(|l| l.contains("cannot write"))
        .collect();
    assert_eq!(said.len(), 1, "{stderr}");
    for part in [
        "error: cannot write out/",
        "disk is full",
        "--out",
        "are kept",
    ] {
        assert!(said[0].contains(part), "no {part:?} in {}", said[0]);
    }
    // What was measured is kept and can be reported; the store is clean.
    let events = std::fs::metadata(here.join("kept/events.jsonl")).unwrap();
    assert!(events.len() > 1000);
    let report = run_in(here, "report kept");
    no_panic("report kept", &report.stderr);
    let said = report.stdout + &report.stderr;
    assert!(said.contains("node-lease/update"), "{said}");
    testbed.assert_empty();
}

#[test]
fn a_disk_that_is_full_while_results_are_written() {
    let testbed = Testbed::new();
    let url = testbed.endpoints();
    let here = tempfile::tempdir().unwrap();
    let run = format!("$ETCDMARK {} {OFTEN} --out out", lasting(&url, "60s"));
    // Files may have 32 KiB: the write that would pass it fails with EFBIG.
    let limited = format!("trap '' XFSZ; ulimit -f 32; {run}; code=$?; mv out kept; exit $code");
    cut_short(here.path(), &limited, &testbed);
    // A file system of 64 KiB of its own: ENOSPC. Where no user may have one, the limit above has to do.
    let mount = "mkdir -p out && mount -t tmpfs -o size=64k none out";
    let allowed = shell(here.path(), &format!("unshare -Urm sh -c '{mount}'"));
    if allowed.code != 0 {
        println!("no file system of our own: {}", allowed.stderr);
        return;
    }
    std::fs::remove_dir_all(here.path().join("kept")).unwrap();
    let full = format!("{mount} && {run}; code=$?; cp -r out kept; exit $code");
    cut_short(
        here.path(),
        &format!("exec unshare -Urm bash -c '{full}'"),
        &testbed,
    );
}

/// libc's wall clock, by `STEP` seconds ahead from when the file `STEPPED` exists: what a user of etcdmark gets when
/// NTP or an operator sets the time, without setting this machine's.
const STEPPED_CLOCK: &str = r#"
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *t) {
    long failed = syscall(SYS_clock_gettime, clock, t);
    if (!failed && clock == CLOCK_REALTIME && access(getenv("STEPPED"), F_OK) == 0)
        t->tv_sec += atol(getenv("STEP"));
    return failed ? -1 : 0;
}
"#;

#[test]
fn a_wall_clock_that_is_stepped_in_the_middle() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("clock.c"), STEPPED_CLOCK).unwrap();
    let built = shell(here.path(), "cc -shared -fPIC -o clock.so clock.c");
    assert_eq!(built.code, 0, "{built:?}");
    let testbed = Testbed::new();
    let url = testbed.endpoints();
    for step in ["3600", "-3600"] {
        let (out, stepped) = (here.path().join(step), here.path().join("stepped"));
        let mut command = command_of(&format!("{} {OFTEN} --out", lasting(&url, "4s")));
        command
            .current_dir(here.path())
            .env("LD_PRELOAD", here.path().join("clock.so"))
            .env("STEPPED", &stepped)
            .env("STEP", step)
            .arg(&out);
        let run = Running::spawn(&mut command);
        until("the load is measured", || reached(&out, "measure"));
        std::fs::write(&stepped, "").unwrap();
        let ended = run.output();
        std::fs::remove_file(&stepped).unwrap();
        no_panic(step, &ended.stderr);
        // Doubtful, which is no failure; a loaded machine may make it invalid for a reason of its own.
        assert!(ended.is_well(), "{ended:?}");
        let words = "doubtful: the wall clock jumped by";
        assert!(ended.words().contains(words), "no {words:?} in {ended:?}");
        // The schedule, latencies and times of the run know nothing of it.
        let result = json(&out.join("result.json"));
        let jump = result["client"]["wall_jump"].as_f64().unwrap();
        assert!((jump - step.parse::<f64>().unwrap()).abs() < 1.0, "{jump}");
        let measured = result["measured_seconds"].as_f64().unwrap();
        assert!((3.0..600.0).contains(&measured), "{measured}");
        let slowest = result["total"]["successes"]["max_ns"].as_u64().unwrap();
        assert!(slowest < 600_000_000_000, "{slowest}");
        // 20 nodes renew each 100 to 104 ms for 4 s; an hour more of them would be 700,000.
        let offered = result["total"]["counts"]["offered"].as_u64().unwrap();
        assert!((600..=1000).contains(&offered), "{offered}");
        let mut before = 0.0;
        for event in events(&out) {
            if let (Some(t), Some("interval")) = (event["t"].as_f64(), event["type"].as_str()) {
                assert!(
                    (before..before + 600.0).contains(&t) || before == 0.0,
                    "{event}"
                );
                before = t;
            }
        }
        testbed.assert_empty();
    }
}

#[test]
fn a_rate_that_the_machine_cannot_offer() {
    let testbed = Testbed::with_flags(&["--quota-backend-bytes=1000000000000"]);
    let url = testbed.endpoints();
    let here = tempfile::tempdir().unwrap();
    let line = format!(
        "run events --endpoints {url} --set actors.events.rate=5000000 --connections 1 --warmup 0s --duration 3s \
         --drain 2s --out out -q"
    );
    let mut run = with_threshold(here.path(), &line);
    let mut peak = 0;
    until("the run ends in time", || {
        peak = peak.max(peak_rss(run.pid()));
        run.ended()
    });
    let out = run.output();
    let (stderr, stdout) = (out.stderr, out.stdout);
    no_panic(&line, &stderr);
    // Invalid is stronger than the threshold that was missed as well.
    assert_eq!(out.code, 98, "{stderr}{stdout}");
    let message = one_message(&line, &stderr);
    for part in [
        "the run is invalid",
        "the generator was late",
        "lower the rate",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let first = stdout.lines().next().unwrap();
    assert!(
        first.starts_with("invalid: the generator was late"),
        "{first}"
    );
    assert!(first.contains("saturated: offered"), "{first}");
    assert!(peak > 0 && peak < 1000, "{peak} MiB");
    testbed.assert_empty();
}
