//! Counts and histograms → percentiles. Misses are +∞; histograms are added before they come here.

use crate::measure::BatchMeans;
use crate::measure::stats::wilson_upper;
use crate::measure::{Hist, Offered, effective_sample_size};
use crate::report::event::{Counts, Metric};
use crate::report::result::{Figures, Headlines, Percentiles, SampleSize};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// What [`figures`] needs.
pub(super) struct Input<'a> {
    /// The histograms are of all that was counted; there are no percentiles of a part.
    pub(super) whole: bool,
    /// All operations.
    pub(super) counts: &'a Counts,
    /// Of these, succeeded within the phase.
    pub(super) ok_within: u64,
    /// Length of the phase.
    pub(super) seconds: f64,
    /// The operations that have an intended instant (none in a closed loop).
    pub(super) open: Option<&'a Counts>,
    /// By metric.
    pub(super) histograms: &'a BTreeMap<Metric, Hist>,
    /// Response times of those that were in time.
    pub(super) in_time: &'a Hist,
    /// Batch means of latency and of "missed".
    pub(super) sequence: Option<&'a (BatchMeans, BatchMeans)>,
}

/// Per second; 0 without time.
pub(super) fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

/// Operations that percentiles and shares are over.
pub(super) fn operations(c: &Counts) -> u64 {
    c.offered.max(c.ok + c.failed + c.skipped + c.censored)
}

/// Operations that were offered and whose fate the files do not tell.
fn unanswered(c: &Counts) -> u64 {
    c.offered
        .saturating_sub(c.ok + c.failed + c.skipped + c.censored)
}

pub(super) fn figures(input: &Input<'_>) -> Figures {
    let c = input.counts;
    let unanswered_now = if input.open.is_some() {
        unanswered(c)
    } else {
        0
    };
    let misses = c.misses() + unanswered_now;
    let base = operations(c);
    let get = |m: Metric| {
        let histogram = input.histograms.get(&m).filter(|_| input.whole);
        histogram.and_then(Hist::histogram)
    };
    let successes = if input.open.is_some() {
        get(Metric::Response)
    } else {
        None
    };
    let open = input.open.filter(|_| input.whole);
    let of = open.map(|open| offered(open, input.in_time));
    Figures {
        counts: c.clone(),
        unanswered: unanswered_now,
        misses,
        miss_share: if base > 0 {
            misses as f64 / base as f64
        } else {
            0.0
        },
        offered_rate: rate(c.offered, input.seconds),
        achieved_rate: rate(input.ok_within, input.seconds),
        headline: of.as_ref().and_then(headlines),
        successes: successes.and_then(percentiles),
        service: get(Metric::Service).and_then(percentiles),
        wait: get(Metric::Wait).and_then(percentiles),
        schedule_lag: input
            .open
            .and_then(|_| get(Metric::ScheduleLag))
            .and_then(percentiles),
        errors: get(Metric::Error).and_then(percentiles),
        sample: input.sequence.zip(of).and_then(|(s, of)| sample(s, &of)),
    }
}

/// Percentiles of a histogram of ns; none if it is empty.
pub(crate) fn percentiles(h: &Histogram<u64>) -> Option<Percentiles> {
    if h.is_empty() {
        return None;
    }
    let of = Offered {
        successes: Some(h),
        offered: h.len(),
        missed: 0,
    };
    let at = |q| of.of_successes(q).unwrap_or(0);
    Some(Percentiles {
        count: h.len(),
        mean_ns: h.mean(),
        min_ns: h.min(),
        p50_ns: at(0.5),
        p90_ns: at(0.9),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        max_ns: at(1.0),
    })
}

/// The operations of which headline percentiles are taken.
pub(super) fn offered<'a>(open: &Counts, in_time: &'a Hist) -> Offered<'a> {
    Offered {
        successes: in_time.histogram(),
        offered: operations(open),
        missed: open.misses() + unanswered(open),
    }
}

fn headlines(of: &Offered<'_>) -> Option<Headlines> {
    Some(Headlines {
        p50: of.percentile(0.5)?,
        p90: of.percentile(0.9)?,
        p99: of.percentile(0.99)?,
        p999: of.percentile(0.999)?,
        max: of.percentile(1.0)?,
    })
}

/// z of a two-sided 95 % interval.
const Z: f64 = 1.96;

fn sample((latency, miss): &(BatchMeans, BatchMeans), of: &Offered<'_>) -> Option<SampleSize> {
    let effective = effective_sample_size(latency);
    let p99 = of.interval(0.99, effective, 0.95)?;
    let share = of.missed as f64 / of.offered as f64;
    Some(SampleSize {
        n: of.offered,
        effective,
        p99_low: Some(p99.low),
        p99_high: p99.high,
        miss_share_high: wilson_upper(share, effective_sample_size(miss), Z),
    })
}
