//! Percentiles that failing fast cannot improve: over all offered operations, a miss counting as +∞.

use crate::clock::Nanos;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// A percentile over all offered operations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Headline {
    /// The response time, ns.
    Value(Nanos),
    /// So many operations missed that the percentile is one of them.
    Missed {
        /// Missed / offered, 0–1.
        share: f64,
    },
    /// Fewer than [`ABOVE`] operations are slower: one observation, and no estimate of the percentile.
    Few {
        /// What stands at its rank, ns: for p99.9 of fewer than 1,000 operations the slowest.
        value: Nanos,
        /// Operations slower than that, by rank.
        above: u64,
    },
}

/// A percentile is estimated where at least so many operations are above it.
pub const ABOVE: u64 = 10;

impl Headline {
    /// The value in ns; none if missed, and where there are too few operations for it.
    pub fn value(self) -> Option<Nanos> {
        match self {
            Headline::Value(ns) => Some(ns),
            Headline::Missed { .. } | Headline::Few { .. } => None,
        }
    }

    /// What was observed at its rank, however few are above; none if missed.
    pub fn observed(self) -> Option<Nanos> {
        match self {
            Headline::Value(value) | Headline::Few { value, .. } => Some(value),
            Headline::Missed { .. } => None,
        }
    }
}

/// The operations of one op class and phase.
#[derive(Clone, Copy, Debug)]
pub struct Offered<'a> {
    /// Response times of those that succeeded. Late ones are misses: they may be in it only if they are its
    /// largest values, which holds under one limit and not for classes with several. None if none did.
    pub successes: Option<&'a Histogram<u64>>,
    /// How many were offered.
    pub offered: u64,
    /// How many of these missed: late, failed, skipped, censored.
    pub missed: u64,
}

/// The 95 % interval of a percentile, from the differences between blocks of the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PercentileInterval {
    /// Lower end.
    pub low: Headline,
    /// Upper end; none where less than one operation lies above it.
    pub high: Option<Headline>,
    /// Blocks that it was computed from.
    pub blocks: usize,
    /// Their length, seconds.
    pub block_seconds: f64,
    /// Half the width of the interval of the share of operations above the percentile.
    pub share_half: f64,
}

impl Offered<'_> {
    /// The headline percentile, 0 < q ≤ 1: the ⌈q·offered⌉-th smallest response, misses being +∞. None if
    /// nothing was offered.
    pub fn percentile(&self, q: f64) -> Option<Headline> {
        let r = rank(q, self.offered)?;
        let missed = Headline::Missed {
            share: self.missed as f64 / self.offered as f64,
        };
        if r > self.offered.saturating_sub(self.missed) {
            return Some(missed);
        }
        // If the histogram holds fewer than were answered in time, the rest must not look good.
        let value = self.successes.and_then(|h| value_at_rank(h, r));
        Some(value.map_or(missed, Headline::Value))
    }

    /// The same as an estimate: [`Headline::Few`] where fewer than [`ABOVE`] operations are above it.
    pub fn estimate(&self, q: f64) -> Option<Headline> {
        let found = self.percentile(q)?;
        let above = self.offered - rank(q, self.offered)?;
        Some(match found {
            Headline::Value(value) if above < ABOVE => Headline::Few { value, above },
            found => found,
        })
    }

    /// Percentile of the successes alone, ns: stands beside the headline, labelled so.
    pub fn of_successes(&self, q: f64) -> Option<Nanos> {
        let h = self.successes?;
        value_at_rank(h, rank(q, h.len())?)
    }
}

/// ⌈q·n⌉ within 1..=n; none if n is 0.
pub(super) fn rank(q: f64, n: u64) -> Option<u64> {
    // A product such as 0.07 × 100 = 7.000000000000001 must not become 8.
    let exact = q * n as f64 * (1.0 - 4.0 * f64::EPSILON);
    (n > 0).then(|| (exact.ceil() as u64).clamp(1, n))
}

/// The r-th smallest value, 1 ≤ r ≤ len (the highest of its bucket, as all HdrHistogram tools say).
pub fn value_at_rank(h: &Histogram<u64>, r: u64) -> Option<Nanos> {
    let mut seen = 0;
    for v in h.iter_recorded() {
        seen += v.count_since_last_iteration();
        if seen >= r {
            return Some(h.highest_equivalent(v.value_iterated_to()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::hist::Hist;
    use proptest::prelude::*;

    fn hist(values: impl IntoIterator<Item = u64>) -> Hist {
        let mut h = Hist::new();
        values.into_iter().for_each(|v| h.record(v));
        h
    }

    #[test]
    fn one_percent_missed_is_a_value_and_more_is_not() {
        let h = hist((0..1000).map(|i| 1000 + i / 10));
        let at = |missed| Offered {
            successes: h.histogram(),
            offered: 1000,
            missed,
        };
        assert!(matches!(at(10).percentile(0.99), Some(Headline::Value(_))));
        assert_eq!(
            at(11).percentile(0.99),
            Some(Headline::Missed { share: 0.011 })
        );
        assert!(matches!(at(11).percentile(0.5), Some(Headline::Value(_))));
        assert_eq!(
            at(1000).percentile(0.5),
            Some(Headline::Missed { share: 1.0 })
        );
    }

    #[test]
    fn ten_above_are_an_estimate_and_nine_are_not() {
        let h = hist((0..1000).map(|i| 1000 + i / 10));
        let of = Offered {
            successes: h.histogram(),
            offered: 1000,
            missed: 0,
        };
        assert!(matches!(of.estimate(0.99), Some(Headline::Value(_))));
        let few = of.estimate(0.991).unwrap();
        assert!(matches!(few, Headline::Few { above: 9, .. }), "{few:?}");
        assert_eq!(
            (few.value(), few.observed()),
            (None, of.percentile(0.991).unwrap().value())
        );
        // A miss is a miss, however few.
        let of = Offered {
            offered: 50,
            missed: 2,
            ..of
        };
        assert_eq!(of.estimate(0.99), Some(Headline::Missed { share: 0.04 }));
    }

    #[test]
    fn failing_fast_never_looks_good() {
        // A thousand at 50 ms; then 30 % of them fail at once, in 0.1 ms.
        let slow = hist(std::iter::repeat_n(50_000_000, 1000));
        let all = Offered {
            successes: slow.histogram(),
            offered: 1000,
            missed: 0,
        };
        let some = hist(std::iter::repeat_n(50_000_000, 700));
        let failing = Offered {
            successes: some.histogram(),
            offered: 1000,
            missed: 300,
        };
        assert_eq!(failing.percentile(0.5), all.percentile(0.5));
        assert_eq!(
            failing.percentile(0.99),
            Some(Headline::Missed { share: 0.3 })
        );
        assert_eq!(failing.of_successes(0.99), all.of_successes(0.99));
    }

    #[test]
    fn nothing_offered_has_no_percentile_and_a_lost_record_is_a_miss() {
        let none = Offered {
            successes: None,
            offered: 0,
            missed: 0,
        };
        assert_eq!(none.percentile(0.5), None);
        let lost = Offered {
            successes: None,
            offered: 10,
            missed: 0,
        };
        assert_eq!(lost.percentile(0.5), Some(Headline::Missed { share: 0.0 }));
    }

    #[test]
    fn late_ones_are_in_the_histogram_and_still_missed() {
        // 90 in time at 1 ms, 10 late at 2 s.
        let h =
            hist(std::iter::repeat_n(1_000_000, 90).chain(std::iter::repeat_n(2_000_000_000, 10)));
        let o = Offered {
            successes: h.histogram(),
            offered: 100,
            missed: 10,
        };
        assert!(
            o.percentile(0.9)
                .and_then(Headline::value)
                .is_some_and(|v| v < 1_010_000)
        );
        assert_eq!(o.percentile(0.91), Some(Headline::Missed { share: 0.1 }));
    }

    proptest! {
        #[test]
        fn ranks_are_those_of_the_sorted_values(
            mut values in proptest::collection::vec(1..2000_u64, 1..200), permille in 1..=1000_u32,
        ) {
            // Below 2,048 every value has its own bucket.
            let h = hist(values.iter().copied());
            values.sort_unstable();
            let n = values.len();
            let index = (permille as usize * n).div_ceil(1000) - 1;
            let o = Offered { successes: h.histogram(), offered: n as u64, missed: 0 };
            prop_assert_eq!(o.of_successes(f64::from(permille) / 1000.0), Some(values[index]));
        }
    }
}
