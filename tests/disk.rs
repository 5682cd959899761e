//! `etcdmark disk` by the real binary, in real directories: on the disk below the build directory and in memory.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and speak"
)]

mod common;

use common::{Output, Running, names, until, with_small_disk};
use etcdmark::disk::{DiskResult, result};
use etcdmark::local::Medium;
use etcdmark::measure::encoded::decode;
use rustix::process::Signal;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A directory on the disk.
fn on_disk() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// One in memory, or on the disk where there is no /dev/shm.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| on_disk())
}

fn path(dir: &TempDir) -> &str {
    dir.path().to_str().unwrap()
}

fn command(args: &[&str]) -> Command {
    common::command(&[&["disk"], args].concat())
}

fn disk(args: &[&str]) -> Output {
    common::output(&mut command(args))
}

fn parsed(out: &Output) -> DiskResult {
    let value: serde_json::Value =
        serde_json::from_str(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"));
    common::schema::assert_fits(&result::schema(), &value, "disk");
    serde_json::from_value(value).unwrap()
}

fn empty(dir: &TempDir) {
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

#[test]
fn every_sync_is_counted_and_nothing_is_left() {
    let dir = on_disk();
    let out = disk(&[path(&dir), "--duration", "1s", "-o", "json", "-q"]);
    assert_eq!((out.code, out.stderr.as_str()), (0, ""));
    let r = parsed(&out);
    assert_eq!((r.outcome.as_str(), r.exit_code), ("completed", 0));
    assert_eq!(
        (r.pattern.name.as_str(), r.pattern.file_bytes),
        ("wal", 64_000_000)
    );
    let d = &r.directories[0];
    let f = d.fdatasync.unwrap();
    assert!(d.syncs > 0 && f.count == d.syncs && d.write.unwrap().count == d.syncs);
    let h = decode(&d.histogram).unwrap();
    assert_eq!((h.len(), h.max()), (d.syncs, f.max_ns));
    assert_eq!(d.turns.iter().map(|t| t.syncs).sum::<u64>(), d.syncs);
    let rate = d.syncs as f64 / d.seconds;
    assert!((d.syncs_per_second / rate - 1.0).abs() < 1e-9);
    // fdatasync is most of the time, and write the rest.
    let all = (f.mean_ns + d.write.unwrap().mean_ns) * d.syncs as f64 / 1e9;
    assert!((all / d.seconds - 1.0).abs() < 0.01, "{all} {}", d.seconds);
    assert!(d.preallocated && !d.file_system.kind.is_empty() && d.file_system.size > 0);
    empty(&dir);
}

#[test]
fn a_pass_is_exactly_the_appends_of_a_file() {
    let dir = in_memory();
    let of = |args: &[&str]| {
        let all = [&[path(&dir), "-q", "-o", "json"], args].concat();
        let out = disk(&all);
        assert_eq!(out.code, 0, "{}", out.stderr);
        parsed(&out).directories[0].syncs
    };
    // What fio says it issued for its 22 MiB; and what etcd would write to a segment before it cuts.
    assert_eq!(of(&["--pattern", "fio", "--passes", "1"]), 10_029);
    assert_eq!(
        of(&["--pattern", "fio", "--passes", "3", "--named-files"]),
        3 * 10_029
    );
    assert_eq!(of(&["--passes", "2"]), 2 * 27_827);
    empty(&dir);
}

#[test]
fn several_directories_take_turns_and_are_compared() {
    let (a, b, c) = (on_disk(), on_disk(), in_memory());
    let out = disk(&[
        path(&a),
        path(&b),
        path(&c),
        "--duration",
        "2s",
        "-o",
        "json",
    ]);
    let r = parsed(&out);
    assert_eq!(out.code, 0);
    assert!(out.stderr.starts_with("disk: "), "{}", out.stderr);
    assert_eq!(r.directories.len(), 3);
    // In turns: each began once in a while, never two at the same time, and the order changes.
    let mut turns: Vec<(f64, usize)> = Vec::new();
    for (i, d) in r.directories.iter().enumerate() {
        assert!(d.turns.len() >= 6, "{} turns", d.turns.len());
        turns.extend(d.turns.iter().map(|t| (t.t, i)));
    }
    turns.sort_by(|x, y| x.0.total_cmp(&y.0));
    let order: Vec<usize> = turns.iter().take(9).map(|t| t.1).collect();
    assert_eq!(order, [0, 1, 2, 1, 2, 0, 2, 0, 1]);
    // The two on the disk are told to be on the same one.
    assert!(r.directories[0].same_disk_as.contains(&path(&b).to_owned()));
    let note = format!("{} and {} are on the same", path(&a), path(&b));
    assert!(
        r.notes.iter().any(|n| n.starts_with(&note)),
        "{:?}",
        r.notes
    );
    if r.directories[2].file_system.in_memory {
        assert!(
            r.directories[2].verdict.contains("in memory"),
            "{}",
            r.directories[2].verdict
        );
        assert_eq!(r.directories[2].device, None);
    }
    assert_eq!(r.comparisons.len(), 2);
    for c in &r.comparisons {
        let (low, high) = c.interval.unwrap();
        assert!(low < c.ratio && c.ratio < high && c.pairs >= 6, "{c:?}");
    }
    for dir in [&a, &b, &c] {
        empty(dir);
    }
}

#[test]
fn the_verdict_comes_first_and_the_threshold_decides_the_exit_code() {
    let dir = in_memory();
    let with = |max: &str| disk(&[path(&dir), "--duration", "300ms", "--max-p99", max]);
    let (held, missed) = (with("1h"), with("1ns"));
    assert_eq!(held.code, 0, "{}", held.stderr);
    assert_eq!(missed.code, 99, "{}", missed.stderr);
    let (held, missed) = (held.stdout, missed.stdout);
    let first = format!("{}: fdatasync p99 over time ", path(&dir));
    assert!(
        held.starts_with(&first) && held.contains(" sequential syncs/s"),
        "{held}"
    );
    assert!(held.contains("limit   --max-p99 "), "{held}");
    assert!(missed.contains("--max-p99 1 ns missed: "), "{missed}");
    for word in [
        "pattern wal",
        "p99.9",
        "disk  ",
        "limits  etcd's documentation",
    ] {
        assert!(held.contains(word), "no {word:?} in {held}");
    }
}

#[test]
fn a_medium_is_saved_for_each_directory_and_never_over_a_file() {
    let (dir, files) = (in_memory(), on_disk());
    let file = files.path().join("Prod disk.yaml");
    let save = [
        "--duration",
        "500ms",
        "--save-medium",
        file.to_str().unwrap(),
    ];
    let out = disk(&[&[path(&dir)], &save[..]].concat());
    assert_eq!(out.code, 0, "{}", out.stderr);
    let yaml = std::fs::read_to_string(&file).unwrap();
    assert!(
        yaml.starts_with(&format!("# Measured: {} of ", path(&dir))),
        "{yaml}"
    );
    // What `run --medium` reads is what is checked: every sync in its order.
    let medium = Medium::load(file.to_str().unwrap()).unwrap();
    assert_eq!(medium.name, "prod-disk");
    // A date is a file's name, too.
    let dated = files.path().join("2026-11-26.yaml");
    let save_dated = [
        "--duration",
        "300ms",
        "-q",
        "--save-medium",
        dated.to_str().unwrap(),
    ];
    let out = disk(&[&[path(&dir)], &save_dated[..]].concat());
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert_eq!(
        Medium::load(dated.to_str().unwrap()).unwrap().name,
        "measured-2026-11-26"
    );
    std::fs::remove_file(&dated).unwrap();
    let times = medium.spec.sync.sequence.unwrap().0;
    let comment = yaml.lines().next().unwrap().replace(',', "");
    let syncs = format!("; {} fdatasyncs in their order ", times.len());
    assert!(comment.contains(&syncs), "{comment}");

    refused(
        &[&[path(&dir)], &save[..]].concat(),
        &["--save-medium", "exists"],
    );
    let (one, other) = (files.path().join("1.yaml"), files.path().join("no/2.yaml"));
    let (one, other) = (one.to_str().unwrap(), other.to_str().unwrap());
    let two = [path(&dir), path(&files), "--save-medium", one];
    refused(
        &two,
        &["given 1 time for 2 directories", "one FILE per DIR"],
    );
    refused(
        &[&two[..], &["--save-medium", one]].concat(),
        &["given twice"],
    );
    refused(
        &[&two[..], &["--save-medium", other]].concat(),
        &["cannot write to its directory"],
    );
    assert_eq!(names(files.path()), ["Prod disk.yaml"]);
}

/// Exit code 2, nothing on stdout, one line on stderr that says all of `says`.
fn refused(args: &[&str], says: &[&str]) {
    let out = disk(args);
    let stderr = out.stderr;
    assert_eq!(out.code, 2, "{args:?}: {stderr}");
    assert!(out.stdout.is_empty());
    assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
    assert!(
        stderr.starts_with("error: ") && !stderr.contains("panicked"),
        "{stderr}"
    );
    for part in says {
        assert!(stderr.contains(part), "{args:?}: no {part:?} in {stderr}");
    }
}

#[test]
fn bad_directories_and_flags_are_refused_before_anything_is_written() {
    let dir = on_disk();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let dotted = format!("{}/.", path(&dir));
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path(), &link).unwrap();
    refused(
        &["/nonexistent/x"],
        &["/nonexistent/x: No such file", "name an existing directory"],
    );
    refused(&[file.to_str().unwrap()], &["not a directory"]);
    refused(
        &[path(&dir), &dotted],
        &["are the same directory; name it once"],
    );
    refused(
        &[path(&dir), link.to_str().unwrap()],
        &["are the same directory"],
    );
    refused(
        &["/proc"],
        &[
            "/proc: cannot create a file here",
            "name a writable directory",
        ],
    );
    refused(
        &[path(&dir), "--duration", "5"],
        &["--duration", "\"5\" is not a duration", "5m"],
    );
    refused(
        &[path(&dir), "--max-p99", "0ms"],
        &["--max-p99 0ms: must be above 0"],
    );
    refused(
        &[path(&dir), "--passes", "0"],
        &["--passes 0", "at least 1"],
    );
    assert_eq!(names(dir.path()), ["file", "link"]);
}

#[test]
fn a_disk_that_is_nearly_full_is_refused_and_one_that_fills_up_is_left_in_time() {
    let nearly = r#"$ETCDMARK disk "$DIR" --duration 1s"#;
    if let Some(out) = with_small_disk("100m", nearly) {
        let stderr = out.stderr;
        assert_eq!(out.code, 2, "{stderr}");
        for part in [
            "100 MiB of 100 MiB are free",
            "10 MiB must stay free",
            "--pattern fio",
        ] {
            assert!(stderr.contains(part), "no {part:?} in {stderr}");
        }
    }
    let read_only = r#"mount -o remount,ro "$DIR"; $ETCDMARK disk "$DIR" --duration 1s"#;
    if let Some(out) = with_small_disk("200m", read_only) {
        let stderr = out.stderr;
        assert_eq!(out.code, 2, "{stderr}");
        assert!(
            stderr.contains("cannot create a file here: Read-only file system"),
            "{stderr}"
        );
    }
    // Somebody else takes the rest while it measures.
    let fills = r#"
        $ETCDMARK disk "$DIR" --duration 100s -q & pid=$!
        sleep 1; head -c 150M /dev/zero >"$DIR/other"
        wait $pid; code=$?; echo; ls -A "$DIR"; df --output=used -k "$DIR" | tail -n 1; exit $code"#;
    if let Some(out) = with_small_disk("300m", fills) {
        let (stdout, stderr) = (out.stdout, out.stderr);
        assert_eq!(out.code, 1, "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(
            stderr.contains(": full: ") && stderr.contains("30 MiB must stay free"),
            "{stderr}"
        );
        // What was measured until then is not thrown away.
        assert!(stdout.contains("fdatasync p99 over time"), "{stdout}");
        assert!(stdout.contains("the measurement failed: "), "{stdout}");
        // What is left is what somebody else wrote.
        let mut lines = stdout.rsplit_once("\n\n").unwrap().1.lines();
        assert_eq!(lines.next(), Some("other"), "{stdout}");
        assert_eq!(lines.next().map(str::trim), Some("153600"), "{stdout}");
    }
}

#[test]
fn a_file_that_may_not_grow_is_a_full_disk_in_one_line() {
    let dir = on_disk();
    let script = r#"trap '' XFSZ; ulimit -f 1024; exec "$ETCDMARK" disk "$DIR" --duration 5s -q"#;
    let out = common::output(common::command::shell("sh", script).env("DIR", dir.path()));
    let stderr = out.stderr;
    assert_eq!(out.code, 1, "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains(": full: File too large"), "{stderr}");
    empty(&dir);
}

/// Starts a measurement that would take minutes, and waits until it appends.
fn started(args: &[&str]) -> Running {
    let mut all = command(&[args, &["--duration", "300s", "-o", "json"]].concat());
    let mut disk = Running::spawn(&mut all);
    let io = format!("/proc/{}/io", disk.pid().as_raw_nonzero());
    let writes = disk.until("writes", || {
        let counters = std::fs::read_to_string(&io).unwrap_or_default();
        let written = counters.lines().find_map(|l| l.strip_prefix("wchar: "));
        written.is_some_and(|w| w.parse::<u64>().unwrap() > 100 * 2300)
    });
    assert!(writes, "{}", disk.stderr());
    disk
}

#[test]
fn an_interrupted_measurement_tells_what_it_has_and_leaves_nothing() {
    for (signal, extra) in [(Signal::INT, "--quiet"), (Signal::TERM, "--named-files")] {
        let (dir, files) = (on_disk(), on_disk());
        let medium = files.path().join("m.yaml");
        let child = started(&[path(&dir), extra, "--save-medium", medium.to_str().unwrap()]);
        child.signal(signal);
        let out = child.output();
        assert_eq!(out.code, 130, "{}", out.stderr);
        let r = parsed(&out);
        assert_eq!((r.outcome.as_str(), r.exit_code), ("interrupted", 130));
        assert!(r.directories[0].syncs >= 100, "{}", r.directories[0].syncs);
        assert!(out.stderr.contains("not written: interrupted"));
        empty(&dir);
        empty(&files);
    }
}

#[test]
fn a_killed_measurement_leaves_nothing() {
    let (unnamed, named) = (on_disk(), on_disk());
    let child = started(&[path(&unnamed)]);
    let seen = names(unnamed.path());
    child.signal(Signal::KILL);
    assert_eq!(child.output().code, -1);
    empty(&unnamed);
    // Where the file system may do without names, none was ever seen.
    let out = disk(&[path(&unnamed), "--duration", "100ms", "-q", "-o", "json"]);
    if parsed(&out).directories[0].files == "unnamed" {
        assert_eq!(seen, Vec::<String>::new());
    }

    let child = started(&[path(&named), "--named-files"]);
    assert_eq!(names(named.path()).len(), 2, "{:?}", names(named.path()));
    child.signal(Signal::KILL);
    assert_eq!(child.output().code, -1);
    until("the janitor has cleaned up", || {
        names(named.path()).is_empty()
    });
}

/// A stop of most of a second is one of thousands of syncs, but a good part of the time: the p99 over syncs does not see
/// it, the judged one does.
#[test]
fn a_stop_is_judged_by_the_time_that_it_takes() {
    let dir = on_disk();
    let limit = ["--max-p99", "300ms"];
    let mut child = started(&[&[path(&dir), "-q"], &limit[..]].concat());
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(200));
        child.signal(Signal::STOP);
        std::thread::sleep(Duration::from_millis(700));
        child.signal(Signal::CONT);
    }
    child.until("it goes on", || true);
    child.signal(Signal::INT);
    let out = child.output();
    let r = parsed(&out);
    let d = &r.directories[0];
    let (over_syncs, over_time) = (d.fdatasync.unwrap().p99_ns, d.over_time.unwrap().p99_ns);
    // Unless all three stops came between two syncs, where the process spends a fraction of its time.
    assert!(over_time > 300_000_000, "{d:?}");
    assert!(over_syncs < over_time, "{d:?}");
    assert_eq!(r.limits.p99_ns, 10_000_000);
    let etcd = disk(&[
        path(&dir),
        "--duration",
        "1s",
        "--pattern",
        "etcd",
        "-q",
        "-o",
        "json",
    ]);
    let r = parsed(&etcd);
    assert!(r.directories[0].commit.unwrap().count >= 2, "{r:?}");
    empty(&dir);
}

#[test]
fn a_result_of_fio_is_judged_by_its_bins() {
    let dir = on_disk();
    let file = dir.path().join("fio.json");
    let fio = |bins: &str| {
        let text = format!(
            r#"{{"jobs": [{{"jobname": "wal", "sync": {{"lat_ns": {{"mean": 1.0, "N": 1001, "percentile":
            {{"99.000000": 300000}} {bins}}}}}}}]}}"#
        );
        std::fs::write(&file, text).unwrap();
        disk(&["--fio", file.to_str().unwrap(), "--max-p99", "10ms"])
    };
    let over = fio(r#", "bins": {"200000": 1000, "400000000": 1}"#);
    assert_eq!(over.code, 99, "{over:?}");
    assert!(
        over.stdout.starts_with("wal: fdatasync p99 over time 4"),
        "{over:?}"
    );
    let within = fio(r#", "bins": {"200000": 1001}"#);
    assert_eq!(within.code, 0, "{within:?}");
    let unknown = fio("");
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(
        unknown.stderr.contains("--output-format=json+"),
        "{unknown:?}"
    );
}
