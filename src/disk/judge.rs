//! What was measured against the limits in etcd's documentation, in words.

use super::result::{DirectoryResult, DiskLimits, Sample, Turn};
use crate::clock::{Nanos, SECOND};
use crate::human::numbers::{ns, percent, rate, seconds};
use crate::report::Percentiles;
use crate::report::result::ThresholdVerdict;
use serde::{Deserialize, Serialize};

/// etcd FAQ: "p99 duration should be less than 10ms" (`wal_fsync_duration_seconds`), ns.
pub const LIMIT_P99: Nanos = 10_000_000;
/// etcd FAQ: "p99 duration should be less than 25ms" (`backend_commit_duration_seconds`), ns.
pub const LIMIT_COMMIT_P99: Nanos = 25_000_000;
/// etcd hardware recommendations: "Typically 50 sequential IOPS … is required."
pub const SYNCS_REQUIRED: f64 = 50.0;
/// The same page: "For heavily loaded clusters, 500 sequential IOPS … is recommended."
pub const SYNCS_RECOMMENDED: f64 = 500.0;
/// etcd's default `--election-timeout`, ns: a member that does nothing for so long loses its leadership.
const ELECTION_TIMEOUT: Nanos = SECOND;
/// From here on others' use of the disk is told, 0–1.
const BUSY: f64 = 0.05;
/// From here on the last quarter is told to differ from the first.
const DRIFT: f64 = 1.5;

/// Where a directory stands against [`LIMIT_P99`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LimitVerdict {
    /// The p99 and its whole interval are below the limit.
    Within,
    /// The p99 and its whole interval are not.
    Above,
    /// The interval holds the limit, or the sample is too small for one.
    Unclear,
    /// Nothing was measured.
    None,
}

/// The limits as the result has them.
pub(super) fn limits() -> DiskLimits {
    DiskLimits {
        p99_ns: LIMIT_P99,
        commit_p99_ns: LIMIT_COMMIT_P99,
        syncs_required: SYNCS_REQUIRED,
        syncs_recommended: SYNCS_RECOMMENDED,
        sources: vec![
            "https://etcd.io/docs/latest/faq/".to_owned(),
            "https://etcd.io/docs/latest/op-guide/hardware/".to_owned(),
        ],
    }
}

/// So many syncs, none of them beyond a bound, show that less than 1 % are: ln 0.05 / ln 0.99.
const ENOUGH: u64 = 299;

/// Whether a directory keeps to `--max-p99`: undecided where the interval holds it or there is none. One without a sync does not.
pub(super) fn held(d: &DirectoryResult, max: Nanos) -> ThresholdVerdict {
    match d.over_time.map(|f| (f.p99_ns, d.sample)) {
        None => ThresholdVerdict::Missed,
        Some((p99, Some(s))) if p99 > max && s.p99_low_ns > max => ThresholdVerdict::Missed,
        Some((p99, Some(s))) if p99 <= max && s.p99_high_ns.is_some_and(|high| high <= max) => {
            ThresholdVerdict::Passed
        }
        // Too short for an interval; where all syncs are on one side, that is the p99's.
        Some((_, None)) => match d.over_time {
            Some(f) if f.min_ns > max => ThresholdVerdict::Missed,
            Some(f) if f.max_ns <= max && d.syncs >= ENOUGH => ThresholdVerdict::Passed,
            _ => ThresholdVerdict::Undecided,
        },
        Some(_) => ThresholdVerdict::Undecided,
    }
}

/// Where a p99 with its interval stands.
pub(super) fn standing(p99: Option<Nanos>, sample: Option<Sample>) -> LimitVerdict {
    let Some(p99) = p99 else {
        return LimitVerdict::None;
    };
    let Some(sample) = sample else {
        return LimitVerdict::Unclear;
    };
    if p99 < LIMIT_P99 && sample.p99_high_ns.is_some_and(|high| high < LIMIT_P99) {
        LimitVerdict::Within
    } else if p99 >= LIMIT_P99 && sample.p99_low_ns >= LIMIT_P99 {
        LimitVerdict::Above
    } else {
        LimitVerdict::Unclear
    }
}

/// The verdict on a directory, by the figures over time: `/mnt/x: fdatasync p99 over time 0.9 ms, within etcd's 10 ms; 1,900 sequential syncs/s`.
pub(super) fn sentence(
    directory: &str,
    over_time: Option<Percentiles>,
    sample: Option<Sample>,
    per_second: f64,
    in_memory: bool,
) -> String {
    let Some(f) = over_time else {
        return format!("{directory}: nothing was measured");
    };
    let interval = sample.map(|s| match s.p99_high_ns {
        Some(high) => format!(" (95 %: {} to {})", ns(s.p99_low_ns), ns(high)),
        None => format!(" (95 %: {} or more)", ns(s.p99_low_ns)),
    });
    let limit = ns(LIMIT_P99);
    let side = if f.p99_ns < LIMIT_P99 {
        "within"
    } else {
        "above"
    };
    let open = match standing(Some(f.p99_ns), sample) {
        LimitVerdict::Within | LimitVerdict::Above => "",
        _ if sample.is_none() => ", but measured too shortly for an interval",
        _ => ", but the interval crosses it",
    };
    let stands = format!("{side} etcd's {limit}{open}");
    let interval = interval.unwrap_or_default();
    let speed = match per_second {
        r if r < SYNCS_REQUIRED => ", fewer than the 50 that etcd requires",
        r if r < SYNCS_RECOMMENDED => ", fewer than the 500 recommended under heavy load",
        _ => "",
    };
    let memory = match in_memory {
        true => " (in memory, not a disk)",
        false => "",
    };
    format!(
        "{directory}: fdatasync p99 over time {}{interval}, {stands}; {} sequential syncs/s{speed}{memory}",
        ns(f.p99_ns),
        rate(per_second)
    )
}

/// Remarks on the directories, each with what it was computed from.
pub(super) fn notes(directories: &[DirectoryResult]) -> Vec<String> {
    let mut notes = Vec::new();
    for (i, d) in directories.iter().enumerate() {
        let earlier: Vec<&str> = directories[..i]
            .iter()
            .filter(|e| d.same_disk_as.contains(&e.directory))
            .map(|e| e.directory.as_str())
            .collect();
        if !earlier.is_empty() {
            let disk = d.device.as_ref().map_or("file system", |_| "disk");
            notes.push(format!(
                "{} and {} are on the same {disk}: the disk does not explain a difference between them",
                earlier.join(", "),
                d.directory
            ));
        }
        notes.extend(
            of_one(d)
                .into_iter()
                .map(|n| format!("{}: {n}", d.directory)),
        );
    }
    notes
}

fn of_one(d: &DirectoryResult) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(busy) = d.busy_before.filter(|b| *b >= BUSY) {
        notes.push(format!(
            "other processes kept the device busy for {} of the half second before the measurement; the figures \
             include their effect",
            percent(busy)
        ));
    }
    if let Some((first, last)) = drift(&d.turns) {
        notes.push(format!(
            "mean fdatasync went from {} in the first quarter to {} in the last: a cloud disk without burst credits, \
             or other processes that use it; measure longer (--duration)",
            ns(first as u64),
            ns(last as u64)
        ));
    }
    if let Some(f) = d.fdatasync.filter(|f| f.max_ns >= ELECTION_TIMEOUT) {
        notes.push(format!(
            "the longest fdatasync took {}; etcd replaces a leader that stalls for the election timeout ({} by \
             default)",
            ns(f.max_ns),
            ns(ELECTION_TIMEOUT)
        ));
    }
    match d.sample {
        _ if d.syncs == 0 => {}
        None => notes.push(format!(
            "{} in appends are too short for an interval: measure longer (--duration)",
            seconds(d.seconds)
        )),
        Some(s) if s.p99_high_ns.is_none() => notes.push(format!(
            "{} blocks of {} differ so much that p99 has no upper bound: measure longer (--duration)",
            s.blocks,
            seconds(s.block_seconds)
        )),
        Some(_) => {}
    }
    if !d.preallocated {
        notes.push(
            "the file system does not support preallocation (fallocate); etcd would also write without it"
                .to_owned(),
        );
    }
    notes
}

/// Means of the first and the last quarter of the turns, ns, if they differ.
fn drift(turns: &[Turn]) -> Option<(f64, f64)> {
    let quarter = turns.len() / 4;
    // Fewer turns than that tell noise.
    if quarter < 4 {
        return None;
    }
    let mean = |part: &[Turn]| {
        let syncs: u64 = part.iter().map(|t| t.syncs).sum();
        part.iter().map(|t| t.mean_ns * t.syncs as f64).sum::<f64>() / syncs as f64
    };
    let (first, last) = (
        mean(&turns[..quarter]),
        mean(&turns[turns.len() - quarter..]),
    );
    let ratio = last / first;
    (!(1.0 / DRIFT..=DRIFT).contains(&ratio)).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn sample(low: u64, high: Option<u64>) -> Option<Sample> {
        Some(Sample {
            blocks: 60,
            block_seconds: 1.0,
            p99_low_ns: low,
            p99_high_ns: high,
        })
    }

    fn figures(p99: u64) -> Option<Percentiles> {
        Some(Percentiles {
            count: 1000,
            mean_ns: 5e5,
            min_ns: 1,
            p50_ns: 1,
            p90_ns: 1,
            p99_ns: p99,
            p999_ns: p99,
            max_ns: p99,
        })
    }

    #[test]
    fn the_interval_decides_and_its_lack_does_not() {
        let at = |p99, low, high| standing(Some(p99), sample(low, high));
        assert_eq!(at(9 * MS, 8 * MS, Some(10 * MS - 1)), LimitVerdict::Within);
        assert_eq!(at(9 * MS, 8 * MS, Some(10 * MS)), LimitVerdict::Unclear);
        assert_eq!(at(9 * MS, 8 * MS, None), LimitVerdict::Unclear);
        assert_eq!(at(10 * MS, 9 * MS, Some(12 * MS)), LimitVerdict::Unclear);
        assert_eq!(at(11 * MS, 10 * MS, None), LimitVerdict::Above);
        assert_eq!(standing(None, None), LimitVerdict::None);
        assert_eq!(standing(Some(MS), None), LimitVerdict::Unclear);
    }

    #[test]
    fn verdicts_read_as_an_operator_would_say_them() {
        let say =
            |p99, low, high, rate| sentence("/mnt/x", figures(p99), sample(low, high), rate, false);
        assert_eq!(
            say(900_000, 870_000, Some(950_000), 1900.0),
            "/mnt/x: fdatasync p99 over time 900 µs (95 %: 870 µs to 950 µs), within etcd's 10 ms; 1,900 sequential syncs/s"
        );
        assert_eq!(
            say(25 * MS, 24 * MS, Some(26 * MS), 41.0),
            "/mnt/x: fdatasync p99 over time 25 ms (95 %: 24 ms to 26 ms), above etcd's 10 ms; 41 sequential syncs/s, fewer than \
             the 50 that etcd requires"
        );
        assert_eq!(
            say(9 * MS, 8 * MS, None, 200.0),
            "/mnt/x: fdatasync p99 over time 9 ms (95 %: 8 ms or more), within etcd's 10 ms, but the interval crosses it; 200 sequential \
             syncs/s, fewer than the 500 recommended under heavy load"
        );
        assert_eq!(
            sentence("/x", None, None, 0.0, false),
            "/x: nothing was measured"
        );
    }

    #[test]
    fn a_disk_that_gets_slower_is_told_and_noise_is_not() {
        let turns = |f: &dyn Fn(usize) -> f64| -> Vec<Turn> {
            let turn = |i| Turn {
                t: i as f64,
                syncs: 10,
                mean_ns: f(i),
                max_ns: 0,
            };
            (0..40).map(turn).collect()
        };
        let credits = turns(&|i| if i < 30 { 100.0 } else { 1000.0 });
        assert_eq!(drift(&credits), Some((100.0, 1000.0)));
        assert_eq!(drift(&turns(&|i| 100.0 + (i % 7) as f64)), None);
        assert_eq!(drift(&credits[22..34]), None);
    }
}
