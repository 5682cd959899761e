//! Counts and histograms → percentiles. Misses are +∞; histograms are added before they come here.

use crate::report::event::{BatchMeans, Counts, Metric};
use crate::report::result::{Figure, Figures, Headlines, Percentiles, SampleSize};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// What [`figures`] needs.
pub(super) struct Input<'a> {
    /// All operations.
    pub(super) counts: &'a Counts,
    /// Of these, succeeded within the phase.
    pub(super) ok_within: u64,
    /// Length of the phase.
    pub(super) seconds: f64,
    /// The operations that have an intended instant (none in a closed loop).
    pub(super) open: Option<&'a Counts>,
    /// By metric.
    pub(super) histograms: &'a BTreeMap<Metric, Histogram<u64>>,
    /// Batch means of latency and of "missed".
    pub(super) sequence: Option<&'a (BatchMeans, BatchMeans)>,
}

/// An empty histogram of ns at 3 digits that grows as needed.
pub(crate) fn empty() -> Histogram<u64> {
    Histogram::new(3).unwrap_or_else(|_| unreachable!("3 digits are within 0 to 5"))
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
    let get = |m: Metric| input.histograms.get(&m);
    let successes = if input.open.is_some() {
        get(Metric::Response)
    } else {
        None
    };
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
        headline: input.open.map(|open| headlines(open, successes)),
        successes: successes.and_then(percentiles),
        service: get(Metric::Service).and_then(percentiles),
        wait: get(Metric::Wait).and_then(percentiles),
        lag: get(Metric::Lag).and_then(percentiles),
        errors: get(Metric::Error).and_then(percentiles),
        sample: input
            .sequence
            .and_then(|s| sample(s, successes, misses, base)),
    }
}

fn percentiles(h: &Histogram<u64>) -> Option<Percentiles> {
    if h.is_empty() {
        return None;
    }
    Some(Percentiles {
        count: h.len(),
        mean_ns: h.mean(),
        min_ns: h.min(),
        p50_ns: h.value_at_quantile(0.5),
        p90_ns: h.value_at_quantile(0.9),
        p99_ns: h.value_at_quantile(0.99),
        p999_ns: h.value_at_quantile(0.999),
        max_ns: h.max(),
    })
}

fn headlines(open: &Counts, successes: Option<&Histogram<u64>>) -> Headlines {
    let n = operations(open);
    let misses = open.misses() + unanswered(open);
    let at = |q: f64| headline(q, n, misses, successes);
    Headlines {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: at(1.0),
    }
}

/// The q-quantile of n operations of which `misses` took for ever. The late ones are at the upper
/// end of the histogram of successes, so that its first n − misses values are the hits.
pub(crate) fn headline(q: f64, n: u64, misses: u64, successes: Option<&Histogram<u64>>) -> Figure {
    let share = if n > 0 { misses as f64 / n as f64 } else { 0.0 };
    let rank = ((q * n as f64).ceil() as u64).max(1);
    match successes {
        Some(h) if rank <= n.saturating_sub(misses) && rank <= h.len() => {
            if rank == h.len() {
                return Figure::Value(h.max());
            }
            // The middle of the rank's own step, so that rounding cannot reach a neighbour.
            Figure::Value(h.value_at_quantile((rank as f64 - 0.5) / h.len() as f64))
        }
        _ => Figure::Missed(share),
    }
}

/// Independent values that say as much as these: n/τ, where τ is the largest b·Var(mean of b)/Var
/// over the batch sizes b = 2^k while that exceeds 0.2·b (after latte's time-series statistics).
pub(crate) fn effective(means: &BatchMeans) -> f64 {
    let n = means.count as f64;
    let Some(&(_, variance)) = means.levels.first() else {
        return n;
    };
    // Not "variance <= 0.0": NaN must not pass either.
    if !(variance > 0.0) {
        return n;
    }
    let mut tau: f64 = 1.0;
    for (k, &(batches, of_means)) in means.levels.iter().enumerate() {
        let b = (1u64 << k.min(62)) as f64;
        let ratio = b * of_means / variance;
        if batches < 2 || ratio <= 0.2 * b {
            break;
        }
        tau = tau.max(ratio);
    }
    n / tau
}

/// z of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

fn sample(
    (latency, miss): &(BatchMeans, BatchMeans),
    successes: Option<&Histogram<u64>>,
    misses: u64,
    n: u64,
) -> Option<SampleSize> {
    if n == 0 {
        return None;
    }
    let n_eff = effective(latency);
    // An upper bound exists from ln 0.05 / ln p effective samples on: 299 for p99.
    let enough = n_eff >= 0.05f64.ln() / 0.99f64.ln();
    let half = Z * (0.99 * 0.01 / n_eff.max(1.0)).sqrt();
    let at = |q: f64| {
        successes
            .filter(|_| enough)
            .map(|h| h.value_at_quantile(q.clamp(0.0, 1.0)))
    };
    let miss_n = effective(miss).max(1.0);
    Some(SampleSize {
        n,
        effective: n_eff,
        p99_low_ns: at(0.99 - half),
        p99_high_ns: at(0.99 + half),
        miss_share_high: wilson_high(misses as f64 / n as f64, miss_n),
    })
}

/// Upper end of the Wilson score interval of a share p seen in n independent trials.
fn wilson_high(p: f64, n: f64) -> f64 {
    let z2 = Z * Z;
    let centre = p + z2 / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((centre + spread) / (1.0 + z2 / n)).min(1.0)
}
