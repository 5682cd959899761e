//! A coarse, small histogram for one intended second: what a stall is drawn from.

use crate::clock::Nanos;

/// Two significant digits (buckets of at most 1/128 of their value, as HdrHistogram's with two
/// digits), and memory for the buckets that are used only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseHist {
    /// (lower bound ns, count), sorted.
    buckets: Vec<(Nanos, u64)>,
    max: Nanos,
}

/// The lower bound of the bucket of a value, ns.
#[inline]
pub fn lower_bound(ns: Nanos) -> Nanos {
    // Eight bits stay: 128 buckets per power of two, and every integer below 256 its own.
    let drop = (u64::BITS - ns.leading_zeros()).saturating_sub(8);
    ns >> drop << drop
}

/// The largest value of the bucket with a lower bound, ns.
pub fn upper_bound(lower: Nanos) -> Nanos {
    let drop = (u64::BITS - lower.leading_zeros()).saturating_sub(8);
    lower | ((1 << drop) - 1)
}

impl SparseHist {
    /// Empty.
    pub const fn new() -> Self {
        SparseHist {
            buckets: Vec::new(),
            max: 0,
        }
    }

    /// Records a value in ns.
    pub fn record(&mut self, ns: Nanos) {
        self.record_n(ns, 1);
    }

    /// Records it `n` times.
    pub fn record_n(&mut self, ns: Nanos, n: u64) {
        self.max = self.max.max(ns);
        self.put(lower_bound(ns), n);
    }

    /// Adds another one.
    pub fn add(&mut self, other: &SparseHist) {
        self.max = self.max.max(other.max);
        self.add_buckets(&other.buckets);
    }

    /// Adds (lower bound, count) pairs as a row of `events.jsonl` has them.
    pub fn add_buckets(&mut self, buckets: &[(Nanos, u64)]) {
        for &(lower, count) in buckets {
            if count > 0 {
                self.max = self.max.max(lower);
                self.put(lower_bound(lower), count);
            }
        }
    }

    /// (lower bound ns, count), sorted, without empty ones.
    pub fn buckets(&self) -> &[(Nanos, u64)] {
        &self.buckets
    }

    /// The buckets, by value.
    pub fn into_buckets(self) -> Vec<(Nanos, u64)> {
        self.buckets
    }

    /// The largest value: exact for recorded ones, a lower bound for added buckets.
    pub fn max(&self) -> Nanos {
        self.max
    }

    /// Values recorded.
    pub fn len(&self) -> u64 {
        self.buckets.iter().map(|b| b.1).sum()
    }

    /// Values that are at most `ns`, to the bucket: one that reaches above `ns` is not counted.
    pub fn count_to(&self, ns: Nanos) -> u64 {
        let within = self.buckets.iter().take_while(|b| upper_bound(b.0) <= ns);
        within.map(|b| b.1).sum()
    }

    /// The `n` smallest values.
    #[must_use]
    pub fn smallest(&self, n: u64) -> SparseHist {
        let mut kept = SparseHist::new();
        let mut left = n;
        for &(lower, count) in &self.buckets {
            let count = count.min(left);
            kept.add_buckets(&[(lower, count)]);
            left -= count;
        }
        kept
    }

    /// Nothing recorded.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The highest value (ns) of the bucket of the ⌈q·n⌉-th smallest value, 0 < q ≤ 1, never above the
    /// largest value if that is known exactly.
    pub fn quantile(&self, q: f64) -> Option<Nanos> {
        let rank = super::percentile::rank(q, self.len())?;
        let mut seen = 0;
        for &(lower, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return Some(upper_bound(lower));
            }
        }
        None
    }

    fn put(&mut self, lower: Nanos, count: u64) {
        match self.buckets.binary_search_by_key(&lower, |b| b.0) {
            Ok(i) => self.buckets[i].1 += count,
            Err(i) => self.buckets.insert(i, (lower, count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn buckets_are_those_of_hdrhistogram_with_two_digits(ns in 0..3_600_000_000_000_u64) {
            let hdr = Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 2).unwrap();
            prop_assert_eq!(lower_bound(ns), hdr.lowest_equivalent(ns));
            prop_assert_eq!(upper_bound(lower_bound(ns)), hdr.highest_equivalent(ns));
        }

        #[test]
        fn sums_are_the_same_in_any_order(values in proptest::collection::vec(0..u64::MAX, 0..80), cut in 0..80_usize) {
            let of = |v: &[u64]| {
                let mut h = SparseHist::new();
                v.iter().for_each(|&x| h.record(x));
                h
            };
            let cut = cut.min(values.len());
            let mut b = of(&values[cut..]);
            b.add(&of(&values[..cut]));
            prop_assert_eq!(&b, &of(&values));
            prop_assert_eq!(b.len(), values.len() as u64);
            prop_assert!(b.buckets().windows(2).all(|w| w[0].0 < w[1].0));
            prop_assert_eq!(b.max(), values.iter().copied().max().unwrap_or(0));
        }
    }

    #[test]
    fn the_smallest_are_cut_at_a_count_and_counted_to_a_value() {
        let mut h = SparseHist::new();
        [5, 5, 7, 900, 100_000].iter().for_each(|v| h.record(*v));
        assert_eq!(h.smallest(3).buckets(), [(5, 2), (7, 1)]);
        assert_eq!(h.smallest(1).buckets(), [(5, 1)]);
        assert_eq!(h.smallest(9), {
            let mut all = SparseHist::new();
            all.add_buckets(h.buckets());
            all
        });
        assert_eq!(
            [4, 5, 6, 899, 1000, 200_000].map(|ns| h.count_to(ns)),
            [0, 2, 2, 3, 4, 5]
        );
    }

    #[test]
    fn quantiles_count_ranks() {
        let mut h = SparseHist::new();
        assert_eq!(h.quantile(0.5), None);
        (1..=100).for_each(|v| h.record(v));
        assert_eq!(h.quantile(0.5), Some(50));
        assert_eq!(h.quantile(0.99), Some(99));
        assert_eq!(h.quantile(1.0), Some(100));
    }
}
