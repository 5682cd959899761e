//! What a trial measured of a metric.

use super::metric::MetricValue;
use crate::measure::percentile::Headline;
use crate::report::{Figures, MemberFigures, RunResult, Series};

/// Of an op class, or of all.
pub(super) fn of_figures(figure: &str, f: &Figures) -> Option<MetricValue> {
    if f.counts.offered == 0 && f.counts.ok == 0 {
        return None;
    }
    let seconds = |ns: f64| MetricValue::Value(ns / 1e9);
    let headline = |h: Headline| {
        // Blocks of trials show how far one trial's observation can be relied on, however few operations are above it.
        h.observed()
            .map_or(MetricValue::Missed, |ns| seconds(ns as f64))
    };
    let offered = f.counts.offered.max(1) as f64;
    Some(match figure {
        "p50" => headline(f.headline?.p50),
        "p90" => headline(f.headline?.p90),
        "p99" => headline(f.headline?.p99),
        "p99.9" => headline(f.headline?.p999),
        "max" => headline(f.headline?.max),
        "mean" => seconds(f.successes?.mean_ns),
        "service-p50" => seconds(f.service?.p50_ns as f64),
        "service-p99" => seconds(f.service?.p99_ns as f64),
        "service-mean" => seconds(f.service?.mean_ns),
        "missed" => MetricValue::Value(f.miss_share),
        "errors" => MetricValue::Value(f.counts.failed as f64 / offered),
        "achieved" if f.offered_rate > 0.0 => MetricValue::Value(f.achieved_rate / f.offered_rate),
        "rate" => MetricValue::Value(f.achieved_rate),
        _ => return None,
    })
}

/// Over all members of all stores: sums, and means weighted by their counts.
pub(super) fn of_etcd(figure: &str, r: &RunResult) -> Option<f64> {
    let members = || r.stores.iter().flat_map(|s| &s.members);
    let sum = |f: fn(&MemberFigures) -> Option<f64>| -> Option<f64> { members().map(f).sum() };
    let mean = |count: fn(&MemberFigures) -> Option<f64>,
                mean: fn(&MemberFigures) -> Option<f64>| {
        let n: f64 = members().map(count).sum::<Option<f64>>()?;
        let total: f64 = members()
            .map(|m| Some(count(m)? * mean(m)?))
            .sum::<Option<f64>>()?;
        (n > 0.0).then_some(total / n)
    };
    match figure {
        "cpu" => sum(|m| m.cpu_cores),
        "rss" => sum(|m| m.rss_max),
        "db-size" => sum(|m| m.db_size_end),
        "fsync" => mean(|m| m.fsyncs, |m| m.fsync_mean),
        "commit" => mean(|m| m.commits, |m| m.commit_mean),
        "cpu-per-op" => per_op(sum(|m| m.cpu_cores)?, r),
        "fsyncs-per-op" => per_op(sum(|m| per_second(m.series.get("wal_fsync.count")?))?, r),
        "commits-per-op" => per_op(sum(|m| per_second(m.series.get("commit.count")?))?, r),
        "written-per-op" => per_op(written(r)?, r),
        "leader-changes" => r.stores.iter().map(|s| s.leader_changes).sum(),
        _ => None,
    }
}

fn per_second(s: &Series) -> Option<f64> {
    (s.seconds > 0.0).then(|| s.increase / s.seconds)
}

/// Per operation that succeeded, all op classes together.
fn per_op(per_second: f64, r: &RunResult) -> Option<f64> {
    let rate = r.total.achieved_rate;
    (rate > 0.0).then(|| per_second / rate)
}

/// Bytes per second that the etcds' processes had written to disks (`/proc/PID/io`); none of external ones, and of data in
/// memory.
fn written(r: &RunResult) -> Option<f64> {
    let of_etcd = r
        .host
        .iter()
        .filter(|(name, _)| name.starts_with("etcd.") && name.ends_with(".write_bytes"));
    let all: Option<Vec<f64>> = of_etcd.map(|(_, s)| per_second(s)).collect();
    let sum: f64 = all?.into_iter().sum();
    (sum > 0.0).then_some(sum)
}
