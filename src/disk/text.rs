//! The result for people: the verdicts, a line per directory, then what explains them.

use super::judge;
use super::result::{DirectoryComparison, DirectoryResult, DiskResult};
use crate::human::numbers::{bytes, count, ns, percent, rate, seconds};
use crate::report::result::ThresholdVerdict;
use crate::report::text::{align, wrap};

/// The result, lines ending in newlines, without colour.
pub fn render(r: &DiskResult) -> String {
    let mut out = String::new();
    for d in &r.directories {
        out += &format!("{}\n", d.verdict);
    }
    for c in &r.comparisons {
        out += &format!("{}\n", comparison(c));
    }
    wrap(&about(r), &mut out);
    out.push('\n');
    for row in table(r) {
        out += &format!("{row}\n");
    }
    out.push('\n');
    let explained = "time    over time each sync counts with its length, as a write meets it that arrives at any instant";
    wrap(explained, &mut out);
    for d in &r.directories {
        if let Some(c) = d.commit {
            let line = format!(
                "commit  {}: {} backend commits, p50 {}, p99 {}, max {}; etcd's documentation asks for a p99 below {}",
                d.directory,
                count(c.count),
                ns(c.p50_ns),
                ns(c.p99_ns),
                ns(c.max_ns),
                ns(r.limits.commit_p99_ns)
            );
            wrap(&line, &mut out);
        }
    }
    for d in &r.directories {
        wrap(&format!("disk    {}", identity(d)), &mut out);
    }
    wrap(
        &format!(
            "limits  etcd's documentation: p99 of fdatasync below {}; {} sequential IOPS required, {} recommended for \
             heavily loaded clusters",
            ns(r.limits.p99_ns),
            rate(r.limits.syncs_required),
            rate(r.limits.syncs_recommended)
        ),
        &mut out,
    );
    if let Some(max) = r.max_p99_ns {
        let with = |verdict| {
            let all = r
                .directories
                .iter()
                .filter(|d| judge::held(d, max) == verdict);
            all.map(|d| d.directory.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (missed, open) = (
            with(ThresholdVerdict::Missed),
            with(ThresholdVerdict::Undecided),
        );
        let parts = [("missed", missed), ("undecided", open)];
        let parts = parts.into_iter().filter(|(_, which)| !which.is_empty());
        let parts: Vec<String> = parts
            .map(|(what, which)| format!("{what}: {which}"))
            .collect();
        let held = match parts.is_empty() {
            true => "held".to_owned(),
            false => parts.join("; "),
        };
        wrap(&format!("limit   --max-p99 {} {held}", ns(max)), &mut out);
    }
    for note in &r.notes {
        wrap(&format!("note    {note}"), &mut out);
    }
    out
}

fn about(r: &DiskResult) -> String {
    let p = &r.pattern;
    let what = match p.name.as_str() {
        "fio" => "as the fio job in etcd's documentation, to files",
        "etcd" => {
            "as etcd's WAL, with a backend commit every 100 ms beside it, to preallocated segments"
        }
        _ => "as etcd's WAL, to preallocated segments",
    };
    let size = match p.file_bytes {
        // etcd counts its segments in units of 1,000, fio in units of 1,024.
        b if b.is_multiple_of(1_000_000) => format!("{} MB", b / 1_000_000),
        b => bytes(b as f64),
    };
    let turns = match r.directories.len() {
        1 => "",
        _ => ", in turns",
    };
    let times: Vec<String> = r.directories.iter().map(|d| seconds(d.seconds)).collect();
    let interrupted = match r.outcome.as_str() {
        "completed" => String::new(),
        other => format!("; {other}"),
    };
    format!(
        "pattern {}: appends of {} B, fdatasync after each, {what} of {size}; {} of appends{turns}{interrupted}",
        p.name,
        count(p.record_bytes),
        times.join(" and ")
    )
}

fn comparison(c: &DirectoryComparison) -> String {
    let pairs = format!("{} pairs of turns", count(c.pairs));
    let ratio = three(c.ratio);
    match c.interval {
        Some((low, high)) if low <= 1.0 && high >= 1.0 => format!(
            "{} and {}: no significant difference (mean fdatasync {ratio} times as long; 95 %: {} to {}; {pairs})",
            c.faster,
            c.slower,
            three(low),
            three(high)
        ),
        Some((low, high)) => format!(
            "{} takes {ratio} times as long as {} (mean fdatasync; 95 %: {} to {}; {pairs})",
            c.slower,
            c.faster,
            three(low),
            three(high)
        ),
        None => format!(
            "{} takes {ratio} times as long as {} (mean fdatasync; too short for an interval: {pairs})",
            c.slower, c.faster
        ),
    }
}

/// `0.97`, `5.2`, `412`.
fn three(x: f64) -> String {
    match x {
        x if x < 9.95 => format!("{x:.2}"),
        x if x < 99.5 => format!("{x:.1}"),
        x => format!("{x:.0}"),
    }
}

fn table(r: &DiskResult) -> Vec<String> {
    let head = [
        "fdatasync",
        "syncs/s",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "over 10 ms",
        "p99 over time",
        "time over 10 ms",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for d in &r.directories {
        let mut row = vec![d.directory.clone(), rate(d.syncs_per_second)];
        match d.fdatasync {
            Some(f) => row.extend([f.p50_ns, f.p90_ns, f.p99_ns, f.p999_ns, f.max_ns].map(ns)),
            None => row.extend(["-"; 5].map(str::to_owned)),
        }
        row.push(format!(
            "{} of {}",
            count(d.over_limit.count),
            count(d.syncs)
        ));
        row.push(d.over_time.map_or("-".to_owned(), |f| ns(f.p99_ns)));
        row.push(match d.seconds > 0.0 {
            true => percent(d.over_limit.seconds / d.seconds),
            false => "-".to_owned(),
        });
        rows.push(row);
    }
    align(&rows)
}

fn identity(d: &DirectoryResult) -> String {
    let fs = &d.file_system;
    let mut text = format!("{}: {}", d.directory, fs.kind);
    if let Some(point) = &fs.mount_point {
        text += &format!(" at {point}");
    }
    match (&d.device, &fs.source) {
        (Some(device), _) => text += &format!(", device {device}"),
        (None, _) if fs.in_memory => text += ", in memory",
        (None, Some(source)) => text += &format!(", no block device ({source})"),
        (None, None) => text += ", no block device",
    }
    text + &format!(
        "; {} of {} free",
        bytes(fs.free as f64),
        bytes(fs.size as f64)
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::{Value, json};

    pub(in crate::disk) fn directory(name: &str, ms: u64, device: Value) -> Value {
        let figures = |ns: u64| {
            json!({"count": 4000, "mean_ns": ns, "min_ns": ns / 2, "p50_ns": ns, "p90_ns": 2 * ns,
                   "p99_ns": 4 * ns, "p99.9_ns": 5 * ns, "max_ns": 6 * ns})
        };
        json!({
            "directory": name, "verdict": format!("{name}: its verdict"), "standing": "within",
            "file_system": {"type": "ext4", "source": "/dev/vda1", "mount_point": "/", "in_memory": device.is_null(),
                            "size": 64u64 << 30, "free": 48u64 << 30},
            "device": device, "same_disk_as": [], "busy_before": null, "files": "unnamed", "preallocated": true,
            "syncs": 4000, "seconds": 10.0, "syncs_per_second": 400.0,
            "fdatasync": figures(ms * 1_000_000), "over_time": figures(ms * 1_500_000), "sample": null,
            "write": figures(20_000), "commit": null,
            "over_limit": {"count": 12, "seconds": 0.3}, "turns": [], "histogram": "",
        })
    }

    pub(in crate::disk) fn result(directories: Value) -> DiskResult {
        let result = json!({
            "apiVersion": "etcdmark/v1alpha2", "kind": "DiskResult", "version": "0.1.0", "started": "",
            "outcome": "completed", "exit_code": 99, "machine": {"hostname": "h", "kernel": "Linux"},
            "pattern": {"name": "wal", "record_bytes": 2300, "file_bytes": 64_000_000, "appends_per_file": 27_827},
            "limits": {"p99_ns": 10_000_000, "commit_p99_ns": 25_000_000, "syncs_required": 50.0, "syncs_recommended": 500.0, "sources": []},
            "max_p99_ns": 5_000_000,
            "directories": directories,
            "comparisons": [{"faster": "/a", "slower": "/b", "ratio": 4.0, "interval": [3.9, 4.1], "pairs": 60}],
            "notes": ["others used the disk"],
        });
        serde_json::from_value(result).unwrap()
    }

    #[test]
    fn verdicts_come_first_then_what_explains_them() {
        let device = json!({"name": "vda", "partition": "vda1", "model": "QEMU disk", "rotational": false,
                            "virtual": "virtio", "write_cache": "write back", "disks": ["vda"]});
        let result = result(json!([
            directory("/a", 1, device),
            directory("/b", 4, Value::Null)
        ]));
        expect![[r#"
            /a: its verdict
            /b: its verdict
            /b takes 4.00 times as long as /a (mean fdatasync; 95 %: 3.90 to 4.10; 60 pairs of turns)
            pattern wal: appends of 2,300 B, fdatasync after each, as etcd's WAL, to preallocated segments of 64
                    MB; 10 s and 10 s of appends, in turns

            fdatasync  syncs/s   p50   p90    p99  p99.9    max   over 10 ms  p99 over time  time over 10 ms
            /a             400  1 ms  2 ms   4 ms   5 ms   6 ms  12 of 4,000           6 ms            3.0 %
            /b             400  4 ms  8 ms  16 ms  20 ms  24 ms  12 of 4,000          24 ms            3.0 %

            time    over time each sync counts with its length, as a write meets it that arrives at any instant
            disk    /a: ext4 at /, device vda1 (QEMU disk, virtio, write back cache); 48 GiB of 64 GiB free
            disk    /b: ext4 at /, in memory; 48 GiB of 64 GiB free
            limits  etcd's documentation: p99 of fdatasync below 10 ms; 50 sequential IOPS required, 500
                    recommended for heavily loaded clusters
            limit   --max-p99 5 ms undecided: /a, /b
            note    others used the disk
        "#]].assert_eq(&render(&result));
    }

    fn between(ratio: f64, interval: Option<(f64, f64)>) -> String {
        comparison(&DirectoryComparison {
            faster: "/a".to_owned(),
            slower: "/b".to_owned(),
            ratio,
            interval,
            pairs: 60,
        })
    }

    #[test]
    fn a_difference_is_said_only_where_it_was_shown() {
        expect!["/b takes 5.20 times as long as /a (mean fdatasync; 95 %: 4.90 to 5.51; 60 pairs of turns)"].assert_eq(&between(5.204, Some((4.9, 5.51))));
        expect!["/a and /b: no significant difference (mean fdatasync 1.02 times as long; 95 %: 0.97 to 1.07; 60 pairs of turns)"].assert_eq(&between(1.02, Some((0.97, 1.07))));
        expect!["/b takes 12.3 times as long as /a (mean fdatasync; too short for an interval: 60 pairs of turns)"].assert_eq(&between(12.34, None));
    }
}
