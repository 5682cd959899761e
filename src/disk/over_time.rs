//! Figures over time: each sync counts with its length, as a write meets it that arrives at any instant. A stop of 100 ms
//! is one of thousands of syncs, but a tenth of a second in which every write waits; a figure over syncs hides it, which
//! is coordinated omission.

use super::result::Sample;
use crate::measure::Hist;
use crate::measure::Offered;
use crate::measure::percentile::PercentileInterval;
use hdrhistogram::Histogram;

/// Values are recorded once for each so many ns of their length.
const STEP: u64 = 1_000;

/// The syncs of a histogram of ns, each as often as its length in µs (once at least).
pub(super) fn by_length(syncs: &Histogram<u64>) -> Hist {
    let mut all = Hist::new();
    for v in syncs.iter_recorded() {
        let (ns, n) = (v.value_iterated_to(), v.count_since_last_iteration());
        all.record_n(ns, n.saturating_mul((ns / STEP).max(1)));
    }
    all
}

/// The 95 % interval of the p99 over time. `effective`: how many independent syncs the sequence is worth. Weights that
/// differ make that fewer: (Σw)² / Σw² of n (Kish, *Survey Sampling*, 1965).
pub(super) fn sample(syncs: &Histogram<u64>, effective: f64) -> Option<Sample> {
    let weighted = by_length(syncs);
    let (mut sum, mut squares, mut n) = (0.0, 0.0, 0.0);
    for v in syncs.iter_recorded() {
        let (w, count) = (
            v.value_iterated_to() as f64,
            v.count_since_last_iteration() as f64,
        );
        sum += w * count;
        squares += w * w * count;
        n += count;
    }
    let kish = if squares > 0.0 {
        sum * sum / squares
    } else {
        n
    };
    let effective = (effective * kish / f64::max(n, 1.0)).max(1.0);
    let all = Offered {
        successes: weighted.histogram(),
        offered: weighted.len(),
        missed: 0,
    };
    let PercentileInterval { low, high } = all.interval(0.99, effective, 0.95)?;
    Some(Sample {
        effective,
        p99_low_ns: low.value()?,
        p99_high_ns: high.and_then(|h| h.value()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn of(values: &[(u64, u64)]) -> Histogram<u64> {
        let mut all = Hist::new();
        for (ns, n) in values {
            all.record_n(*ns, *n);
        }
        all.histogram().unwrap().clone()
    }

    #[test]
    fn a_stop_counts_with_its_length() {
        // A minute of the preset `stalls`: 2 ms, and two stops of 4 s. Over syncs p99 is 2 ms.
        let syncs = of(&[(2 * MS, 26_000), (4_000 * MS, 2)]);
        assert_eq!(syncs.value_at_quantile(0.99) / MS, 2);
        let weighted = by_length(&syncs);
        let p99 = weighted.histogram().unwrap().value_at_quantile(0.99);
        assert!(p99 > 3_900 * MS, "{p99}");
        // Two stops say little of how often they come.
        let sample = sample(&syncs, 26_002.0).unwrap();
        assert!(sample.effective < 300.0, "{sample:?}");
        assert_eq!(sample.p99_high_ns, None);
        assert!(sample.p99_low_ns > 10 * MS, "{sample:?}");
    }

    #[test]
    fn syncs_that_take_equally_long_are_as_over_syncs() {
        let syncs = of(&[(300_000, 50_000)]);
        let sample = sample(&syncs, 10_000.0).unwrap();
        assert!((sample.effective - 10_000.0).abs() < 1.0, "{sample:?}");
        assert!(sample.p99_low_ns.abs_diff(300_000) < 300);
    }
}
