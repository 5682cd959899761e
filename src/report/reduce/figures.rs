//! Counts and histograms → percentiles. Misses are +∞; histograms are added before they come here.

use crate::measure::blocks::MIN_BLOCKS;
use crate::measure::percentile::{ABOVE, Headline, PercentileInterval};
use crate::measure::{Blocks, Hist, Offered};
use crate::report::event::{Counts, Metric};
use crate::report::result::{Figures, Headlines, Percentiles, Precision};
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
    /// The same operations by when they were intended.
    pub(super) blocks: &'a Blocks,
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
        precision: of.and_then(|of| precision(input, &of)),
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
        p50: of.estimate(0.5)?,
        p90: of.estimate(0.9)?,
        p99: of.estimate(0.99)?,
        p999: of.estimate(0.999)?,
        max: of.percentile(1.0)?,
    })
}

/// Of one side of an interval of 95 %.
const ONE_SIDE: f64 = 0.975;

/// None where the rows of intended seconds are not those of the operations that are counted: files of a killed run, or cut.
fn precision(input: &Input<'_>, of: &Offered<'_>) -> Option<Precision> {
    let blocks = input.blocks;
    if blocks.offered() != of.offered {
        return None;
    }
    let few = matches!(of.estimate(0.99)?, Headline::Few { .. });
    let p99 = blocks.percentile(0.99, of).filter(|_| !few);
    let settled = p99.is_some_and(|interval| interval.high.is_some());
    Some(Precision {
        p50: blocks.percentile(0.5, of),
        p99,
        miss_share: blocks
            .share_beyond(None, ONE_SIDE)
            .map(|share| [share.low(), share.high()]),
        seconds_needed: (!settled).then(|| seconds_needed(input.seconds, of.offered, p99)),
    })
}

/// After so many seconds of the same load, p99 would have ten operations above it, enough blocks, and an interval that ends:
/// its width shrinks with the square root of the time.
fn seconds_needed(seconds: f64, offered: u64, p99: Option<PercentileInterval>) -> f64 {
    // One in a hundred is above p99.
    let for_rank = seconds * (ABOVE * 100) as f64 / offered.max(1) as f64;
    let for_width = p99.map_or(0.0, |i| seconds * (i.share_half / (1.0 - 0.99)).powi(2));
    for_rank.max(for_width).max(MIN_BLOCKS as f64).max(seconds)
}
