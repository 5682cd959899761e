//! How uncertain a share or a percentile of one run is: the cluster-robust variance of a ratio over blocks of intended time.
//!
//! Neighbouring operations resemble each other, so n of them say less than n independent ones. Blocks that are long
//! beside that resemblance are independent of each other, and their differences show how much less. How long is long
//! enough is not known beforehand: of all block lengths that leave [`MIN_BLOCKS`] blocks, the one with the widest
//! interval counts. By simulation (`tests/method/intervals.rs`, docs/method/intervals.md) a nominal 95 % interval then holds in
//! more than 90 % of runs whose slowest component has a correlation time of up to a thirtieth of the run. What is slower than that
//! is not in the run: the interval speaks of this minute, not of the next hour.

use super::SparseHist;
use super::percentile::{Headline, Offered, PercentileInterval};
use super::sparse::{lower_bound, upper_bound};
use super::stats::{normal_quantile, t_quantile, wilson_lower, wilson_upper};
use std::collections::BTreeMap;

/// Below so many blocks there is no interval.
pub const MIN_BLOCKS: usize = 6;
/// So many are kept; then each two become one. A run of any length takes bounded memory.
const KEPT: usize = 128;

/// The operations of one op class that were intended within one block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Intended in it.
    pub offered: u64,
    /// Response times of those that succeeded in time; the rest of `offered` are misses.
    pub in_time: SparseHist,
}

impl Block {
    fn add(&mut self, other: &Block) {
        self.offered += other.offered;
        self.in_time.add(&other.in_time);
    }

    /// Missed, or slower than `ns`; None counts the misses only.
    fn beyond(&self, ns: Option<u64>) -> u64 {
        let within = match ns {
            None => self.in_time.len(),
            Some(ns) => self.in_time.count_to(ns),
        };
        self.offered.saturating_sub(within)
    }
}

/// A run's operations in equally long blocks of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocks {
    /// Length of a unit of time, seconds.
    unit: f64,
    /// Length of a block, units: a power of two.
    length: u64,
    blocks: BTreeMap<u64, Block>,
}

impl Default for Blocks {
    fn default() -> Self {
        Blocks::of_units(1.0)
    }
}

/// A share of operations with what it is known to: `share` ± `half`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShareInterval {
    /// Of all operations, 0–1.
    pub share: f64,
    /// Half the width of the interval.
    pub half: f64,
    /// Blocks that it was computed from.
    pub blocks: usize,
    /// Their length, seconds.
    pub seconds: f64,
}

impl ShareInterval {
    /// Lower end.
    pub fn low(&self) -> f64 {
        (self.share - self.half).max(0.0)
    }

    /// Upper end.
    pub fn high(&self) -> f64 {
        (self.share + self.half).min(1.0)
    }
}

impl Blocks {
    /// Empty; time is counted in units of so many seconds.
    pub const fn of_units(unit: f64) -> Self {
        Blocks {
            unit,
            length: 1,
            blocks: BTreeMap::new(),
        }
    }

    /// Adds what was intended in a unit of time, which is the n-th since t0.
    pub fn add(&mut self, n: u64, block: &Block) {
        let at = self.blocks.entry(n / self.length).or_default();
        at.add(block);
        while self.blocks.len() > KEPT {
            self.double();
        }
    }

    /// Adds a row of `events.jsonl`: operations of one class, and so of one limit, of which the late ones are the largest in `answered`,
    /// (lower bound ns, count).
    pub fn add_row(&mut self, n: u64, offered: u64, missed: u64, answered: &[(u64, u64)]) {
        let mut all = SparseHist::new();
        all.add_buckets(answered);
        let in_time = all.smallest(offered.saturating_sub(missed));
        self.add(n, &Block { offered, in_time });
    }

    fn double(&mut self) {
        self.length *= 2;
        for (index, block) in std::mem::take(&mut self.blocks) {
            self.blocks.entry(index / 2).or_default().add(&block);
        }
    }

    /// Those of several op classes together, in the same units.
    pub fn sum<'a>(parts: impl Iterator<Item = &'a Blocks>) -> Blocks {
        let mut sum = Blocks::default();
        for part in parts {
            let mut part = part.clone();
            while part.length < sum.length {
                part.double();
            }
            while sum.length < part.length {
                sum.double();
            }
            for (index, block) in part.blocks {
                sum.blocks.entry(index).or_default().add(&block);
            }
        }
        while sum.blocks.len() > KEPT {
            sum.double();
        }
        sum
    }

    /// Operations in all of them.
    pub fn offered(&self) -> u64 {
        self.blocks.values().map(|b| b.offered).sum()
    }

    /// Blocks with an operation.
    pub fn len(&self) -> usize {
        self.blocks.values().filter(|b| b.offered > 0).count()
    }

    /// No operation at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The share of operations that missed or were slower than `ns` (None: that missed), with the half-width t(p, B−1) · se
    /// where se² = B/(B−1) · Σ (k_b − r·n_b)² / N² (the ratio estimator of cluster sampling: Cochran, *Sampling Techniques*,
    /// 3rd ed., 9A.3), `probability` being that of one side: 0.975 for an interval of 95 %. Durations to two digits. None below
    /// [`MIN_BLOCKS`] blocks.
    pub fn share_beyond(&self, ns: Option<u64>, probability: f64) -> Option<ShareInterval> {
        let of = |b: &Block| (b.beyond(ns) as f64, b.offered as f64);
        let all: Vec<(u64, (f64, f64))> = self.blocks.iter().map(|(i, b)| (*i, of(b))).collect();
        let mut widest: Option<ShareInterval> = None;
        for group in 1_u64.. {
            let mut grouped: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
            for (index, (part, whole)) in all.iter().filter(|(_, (_, whole))| *whole > 0.0) {
                let at = grouped.entry(index / group).or_default();
                *at = (at.0 + part, at.1 + whole);
            }
            if grouped.len() < MIN_BLOCKS {
                break;
            }
            let pairs: Vec<(f64, f64)> = grouped.into_values().collect();
            let (share, error) = ratio(&pairs);
            let one = ShareInterval {
                share,
                half: t_quantile(probability, pairs.len() as f64 - 1.0) * error,
                blocks: pairs.len(),
                seconds: self.unit * (self.length * group) as f64,
            };
            if widest.is_none_or(|w| one.half > w.half) {
                widest = Some(one);
            }
        }
        widest
    }

    /// Operations that missed or were slower than `ns`.
    pub fn beyond(&self, ns: Option<u64>) -> u64 {
        self.blocks.values().map(|b| b.beyond(ns)).sum()
    }

    /// Upper end for that share at one-sided `probability`: never below Wilson's, which holds where no operation was beyond. 1
    /// without operations.
    pub fn share_at_most(&self, ns: Option<u64>, probability: f64) -> f64 {
        let n = self.offered() as f64;
        let beyond = self.beyond(ns);
        let wilson = wilson_upper(beyond as f64 / n.max(1.0), n, normal_quantile(probability));
        if beyond == 0 {
            return wilson;
        }
        match self.share_beyond(ns, probability) {
            Some(interval) => interval.high().max(wilson),
            None => 1.0,
        }
    }

    /// Lower end for that share at one-sided `probability`: Wilson's where every operation was beyond. Below [`MIN_BLOCKS`] blocks
    /// each counts as one operation, since nothing is known of how alike those in it are.
    pub fn share_at_least(&self, ns: Option<u64>, probability: f64) -> f64 {
        let (beyond, n) = (self.beyond(ns), self.offered());
        let z = normal_quantile(probability);
        if beyond == n {
            return wilson_lower(1.0, n as f64, z);
        }
        match self.share_beyond(ns, probability) {
            Some(interval) => interval.low(),
            None => wilson_lower(beyond as f64 / n as f64, self.len() as f64, z),
        }
    }

    /// The 95 % interval of a headline percentile: the share beyond it has an interval, and what lies at its ends is the
    /// percentile's (Woodruff 1952, *Confidence intervals for medians and other position measures*). `of` has the same
    /// operations, in full resolution.
    pub fn percentile(&self, q: f64, of: &Offered<'_>) -> Option<PercentileInterval> {
        let at = of.percentile(q)?;
        // Many values may be alike: what is above them, and what is not below them, may differ from block to block unlike each
        // other. The wider one counts.
        let bucket = at.value().map(lower_bound);
        let above = self.share_beyond(bucket.map(upper_bound), 0.975)?;
        let from = bucket.and_then(|lower| self.share_beyond(Some(lower.saturating_sub(1)), 0.975));
        let share = from.filter(|from| from.half > above.half).unwrap_or(above);
        let (low, high) = (q - share.half, q + share.half);
        // Where less than one operation is above, there is no upper end.
        let reaches = (1.0 - high) * of.offered as f64 >= 1.0;
        let upper = reaches.then(|| of.percentile(high)).flatten();
        Some(PercentileInterval {
            low: of.percentile(low.max(f64::MIN_POSITIVE))?,
            high: upper.or_else(|| missed(at)),
            blocks: share.blocks,
            block_seconds: share.seconds,
            share_half: share.half,
        })
    }
}

/// What is missed has no value above it.
fn missed(at: Headline) -> Option<Headline> {
    at.value().is_none().then_some(at)
}

/// Σk/Σn and its standard error.
fn ratio(pairs: &[(f64, f64)]) -> (f64, f64) {
    let (part, whole) = pairs
        .iter()
        .fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    let share = part / whole;
    let squares: f64 = pairs.iter().map(|(k, n)| (k - share * n).powi(2)).sum();
    let b = pairs.len() as f64;
    (share, (b / (b - 1.0) * squares).sqrt() / whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Hist;
    use crate::rng::{mix, unit};

    /// `n` operations, of which those for which `slow` holds take 100 ms instead of 1 ms, `per` in a second.
    fn blocks(n: u64, per: u64, slow: impl Fn(u64) -> bool) -> (Blocks, Hist) {
        let (mut blocks, mut all) = (Blocks::default(), Hist::new());
        for i in 0..n {
            let ns = if slow(i) { 100_000_000 } else { 1_000_000 };
            let mut in_time = SparseHist::new();
            in_time.record(ns);
            all.record(ns);
            blocks.add(
                i / per,
                &Block {
                    offered: 1,
                    in_time,
                },
            );
        }
        (blocks, all)
    }

    #[test]
    fn a_share_has_the_error_of_independent_operations_when_they_are() {
        let (blocks, _) = blocks(60_000, 1000, |i| unit(mix(5, i, 0)) < 0.1);
        let found = blocks.share_beyond(Some(10_000_000), 0.975).unwrap();
        // √(0.1 × 0.9 / 60,000) = 0.00122; the widest of four lengths, by t, is up to twice 1.96 of it.
        assert!((found.share - 0.1).abs() < 0.004, "{found:?}");
        assert!((0.0020..0.0055).contains(&found.half), "{found:?}");
    }

    #[test]
    fn a_bad_quarter_of_the_run_widens_it() {
        let (even, _) = blocks(60_000, 1000, |i| i % 100 == 0);
        let (odd, _) = blocks(60_000, 1000, |i| i < 15_000 && i % 25 == 0);
        let of = |b: &Blocks| b.share_beyond(Some(10_000_000), 0.975).unwrap();
        assert_eq!(of(&even).share, of(&odd).share);
        assert!(of(&even).half < 1e-9, "{:?}", of(&even));
        assert!(of(&odd).half > 0.01, "{:?}", of(&odd));
    }

    #[test]
    fn five_blocks_have_no_interval_and_none_missed_has_wilsons_bound() {
        let (few, _) = blocks(500, 100, |_| false);
        assert_eq!(few.share_beyond(None, 0.95), None);
        // 1.645² / (500 + 1.645²).
        assert!((few.share_at_most(None, 0.95) - 0.005_382).abs() < 1e-5);
        assert_eq!(few.share_at_most(Some(0), 0.95), 1.0, "all are beyond 0 ns");
        assert!((few.share_at_least(Some(0), 0.95) - 0.994_6).abs() < 1e-3);
        assert_eq!(few.share_at_least(None, 0.95), 0.0);
        // Four of five blocks are slow: Wilson's bound of 4 in 5, not of 400 in 500.
        let (most, _) = blocks(500, 100, |i| i >= 100);
        let least = most.share_at_least(Some(10_000_000), 0.95);
        assert!(
            (least - wilson_lower(0.8, 5.0, 1.644_854)).abs() < 1e-6,
            "{least}"
        );
        assert_eq!(Blocks::default().share_at_most(None, 0.95), 1.0);
    }

    #[test]
    fn a_percentile_lies_within_its_interval_and_misses_are_infinite() {
        let (blocks, all) = blocks(60_000, 1000, |i| unit(mix(9, i, 0)) < 0.02);
        let of = Offered {
            successes: all.histogram(),
            offered: 60_000,
            missed: 0,
        };
        let p50 = blocks.percentile(0.5, &of).unwrap();
        assert_eq!(p50.low, p50.high.unwrap());
        let p99 = blocks.percentile(0.99, &of).unwrap();
        assert!(p99.low.value().unwrap() > 90_000_000, "{p99:?}");
        // The share of the slow ones, about 2 %, is where the value jumps: the interval may hold both.
        let seen = 1.0 - blocks.share_beyond(Some(10_000_000), 0.975).unwrap().share;
        let edge = blocks.percentile(seen, &of).unwrap();
        let (low, high) = (edge.low.value(), edge.high.and_then(Headline::value));
        assert!(
            low.unwrap() < 2_000_000 && high.unwrap() > 90_000_000,
            "{edge:?}"
        );
        let mut missing = Blocks::default();
        for second in 0..60 {
            missing.add(
                second,
                &Block {
                    offered: 10,
                    in_time: SparseHist::new(),
                },
            );
        }
        let none = Offered {
            successes: None,
            offered: 600,
            missed: 600,
        };
        let p99 = missing.percentile(0.99, &none).unwrap();
        assert_eq!(
            (p99.low, p99.high),
            (
                Headline::Missed { share: 1.0 },
                Some(Headline::Missed { share: 1.0 })
            )
        );
    }

    #[test]
    fn a_day_takes_the_memory_of_two_minutes_and_sums_need_one_length() {
        let mut long = Blocks::default();
        let mut in_time = SparseHist::new();
        in_time.record(1000);
        let one = Block {
            offered: 2,
            in_time,
        };
        for second in 0..86_400 {
            long.add(second, &one);
        }
        assert!(
            long.len() <= KEPT && long.len() > KEPT / 2,
            "{}",
            long.len()
        );
        assert_eq!(long.offered(), 2 * 86_400);
        let mut short = Blocks::default();
        short.add(7, &one);
        let sum = Blocks::sum([&short, &long].into_iter());
        assert_eq!((sum.offered(), sum.length), (2 * 86_401, long.length));
        assert_eq!(Blocks::sum([&long, &short].into_iter()), sum);
    }
}
