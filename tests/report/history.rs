//! The history of runs and its trend.

use super::{LEASE, MS, Script};
use crate::common::{self, command, schema::assert_fits};
use etcdmark::experiment::MetricValue;
use etcdmark::experiment::history::{self, Entry, History};
use std::fs;
use std::path::Path;

/// Run `i` of a series: one a day, in which a Lease renewal took `ms` milliseconds and a bit.
fn entry(i: u64, ms: f64, cpu: &str) -> Entry {
    let mut script = Script::new();
    script.header.run_id = format!("r{i}");
    script.header.plan_hash = "0123456789abcdef".to_owned();
    script.header.environment.cpu_model = cpu.to_owned();
    script.header.t0_unix_ns = (1_800_000_000 + i * 86_400) * 1_000_000_000;
    let mut entry = Entry::of(&script.result(), Some(format!("commit-{i}")));
    // A bit of its own, without a trend.
    let bit = 1.0 + 0.01 * (i * 7 % 5) as f64;
    let p50 = MetricValue::Value(ms * bit / 1e3);
    entry.metrics.insert(format!("{LEASE}:p50"), p50);
    entry
}

fn written(dir: &Path, entries: &[Entry]) -> std::path::PathBuf {
    let file = dir.join("history.jsonl");
    for one in entries {
        assert!(History::append(&file, one).unwrap().0);
    }
    file
}

#[test]
fn a_run_is_a_line_with_its_figures_and_where_they_come_from() {
    let one = entry(1, 3.0, "Xeon");
    assert_eq!(
        (&*one.time, &*one.machine),
        (
            "2027-01-16T08:00:00Z",
            "Xeon, 2 cores; etcd at http://127.0.0.1:2379"
        )
    );
    assert_eq!((&*one.etcd, &*one.workload), ("3.6.15", "cluster"));
    assert_eq!(
        one.metrics[&format!("{LEASE}:p99")],
        MetricValue::Value(0.003_981_311)
    );
    assert_eq!(
        one.metrics[&format!("{LEASE}:missed")],
        MetricValue::Value(0.0)
    );
    assert!(one.usable());
    let mut script = Script::new();
    script.header.stores[0].local = true;
    script.header.stores[0].members[0].data_dir =
        Some("/mnt/nvme/etcdmark-etcd-1/etcd-0".to_owned());
    let local = Entry::of(&script.result(), None);
    assert_eq!(local.machine, ", 2 cores; data in /mnt/nvme");
    let schema = etcdmark::experiment::schema::history_schema();
    assert_fits(&schema, &serde_json::to_value(&one).unwrap(), "a line");
    // A miss is told as such and not as a figure.
    let mut script = Script::new();
    script.response = |_, _| vec![2000 * MS; 20];
    let missed = Entry::of(&script.result(), None);
    assert_eq!(missed.metrics[&format!("{LEASE}:p99")], MetricValue::Missed);
    let line = serde_json::to_string(&missed).unwrap();
    assert!(
        line.contains(&format!("\"{LEASE}:p99\":\"missed\"")),
        "{line}"
    );
}

#[test]
fn a_step_is_told_with_the_run_since_which_it_is_there() {
    let step = |i: u64| if i < 20 { 3.0 } else { 4.5 };
    let dir = tempfile::tempdir().unwrap();
    let entries: Vec<Entry> = (0..30).map(|i| entry(i, step(i), "Xeon")).collect();
    let file = written(dir.path(), &entries);
    let trend = history::trend(&History::read(&file).unwrap());
    let schema = etcdmark::experiment::schema::trend_schema();
    assert_fits(&schema, &serde_json::to_value(&trend).unwrap(), "the trend");
    let [group] = &trend.groups[..] else {
        panic!("{trend:?}")
    };
    let changed: Vec<_> = group
        .metrics
        .iter()
        .filter(|m| !m.changes.is_empty())
        .collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    let change = &changed[0].changes[0];
    assert_eq!((&*change.run, change.runs_since), ("r20", 10));
    let text = history::text(&trend);
    let first = text.lines().next().unwrap();
    assert_eq!(
        first,
        "1 change in 30 runs; the newest: Lease renewals p50 ×1.5 since commit-20"
    );
    assert!(text.contains("commit-20 (2027-02-04)"), "{text}");
    // The order of lines is of no account.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut turned = entries;
    turned.reverse();
    let turned = History::read(&written(elsewhere.path(), &turned)).unwrap();
    assert_eq!(history::trend(&turned), trend);
}

#[test]
fn other_machines_and_plans_are_apart_and_unusable_runs_left_out() {
    let mut entries: Vec<Entry> = (0..20).map(|i| entry(i, 3.0, "Xeon")).collect();
    // Three times as slow, but elsewhere.
    entries.extend((20..40).map(|i| entry(i, 9.0, "EPYC")));
    let mut killed = entry(40, 90.0, "Xeon");
    killed.outcome = etcdmark::experiment::Outcome::Killed;
    entries.push(killed);
    let dir = tempfile::tempdir().unwrap();
    let trend = history::trend(&History::read(&written(dir.path(), &entries)).unwrap());
    let groups: Vec<_> = trend.groups.iter().map(|g| (g.runs, g.left_out)).collect();
    assert_eq!(groups, [(20, 1), (20, 0)]);
    let text = history::text(&trend);
    let first =
        "no change in 40 runs of 2 combinations of workload and machine, which are not compared\n";
    assert!(text.starts_with(first), "{text}");
    assert!(
        text.contains(": 20 runs, and 1 left\n        out: not ended, or invalid"),
        "{text}"
    );
}

#[test]
fn what_can_be_read_of_a_damaged_history_is_used_and_the_rest_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(dir.path(), &[entry(0, 3.0, "Xeon"), entry(1, 3.0, "Xeon")]);
    let mut newer = serde_json::to_value(entry(2, 3.0, "Xeon")).unwrap();
    newer["version"] = 9.into();
    let whole = fs::read_to_string(&file).unwrap();
    let torn = &serde_json::to_string(&entry(3, 3.0, "Xeon")).unwrap()[..100];
    fs::write(&file, format!("{whole}{newer}\n{{}}\n{torn}")).unwrap();
    let read = History::read(&file).unwrap();
    assert_eq!(read.entries.len(), 2);
    assert_eq!(
        read.notes[0],
        "line 3 has version 9, and this etcdmark reads 1; it is left out"
    );
    assert!(
        read.notes[1].starts_with("line 4 makes no sense (missing field `version`"),
        "{read:?}"
    );
    assert_eq!(read.notes[2], "line 5 is cut off; it is left out");
    // The next run begins a line of its own, and is appended once.
    let next = entry(4, 3.0, "Xeon");
    assert!(History::append(&file, &next).unwrap().0);
    assert!(!History::append(&file, &next).unwrap().0);
    assert_eq!(History::read(&file).unwrap().entries.last(), Some(&next));
    let text = history::text(&history::trend(&History::read(&file).unwrap()));
    assert!(
        text.starts_with("too few runs for a change to be seen: 3 runs; it takes at least 12\n")
    );
    assert!(text.contains("warning line 3 has version 9"), "{text}");
}

#[test]
fn the_command_advises_and_refuses_what_is_no_history() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut etcdmark = std::process::Command::new(command::BINARY);
        common::output(etcdmark.args(args).current_dir(dir.path()))
    };
    let results = dir.path().join("run");
    let files = etcdmark::report::RunDirectory::create(&results).unwrap();
    Script::new().play(&mut files.sink().unwrap());
    let append = [
        "report",
        "run",
        "-o",
        "csv",
        "--history",
        "h.jsonl",
        "--label",
        "a1b2c3",
    ];
    assert_eq!(run(&append).code, 0);
    let again = run(&append);
    assert!(
        again.stderr.contains("note: h.jsonl has run r1 already"),
        "{again:?}"
    );
    let said = run(&["trend", "h.jsonl"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.starts_with("too few runs"), "{said:?}");
    let json = run(&["trend", "h.jsonl", "-o", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["groups"][0]["runs"], 1);
    for (file, message) in [
        (
            "no.jsonl",
            "no.jsonl: cannot read the history: No such file",
        ),
        (
            "run/events.jsonl",
            "run/events.jsonl: no history: none of its lines is one that",
        ),
    ] {
        let said = run(&["trend", file]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains(message), "{said:?}");
    }
    // Nothing is appended to a file that is something else.
    let before = fs::read(results.join("events.jsonl")).unwrap();
    let wrong = run(&["report", "run", "--history", "run/events.jsonl"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert_eq!(fs::read(results.join("events.jsonl")).unwrap(), before);
}
