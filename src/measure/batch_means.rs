//! How many independent values a correlated sequence is worth, in O(log n) memory: variances of the
//! means of batches of 2^k consecutive values.

use super::stats::Moments;
use serde::{Deserialize, Serialize};

/// Variance of the means of batches of 2^k consecutive values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BatchMeans {
    /// Values seen.
    pub count: u64,
    pub mean: f64,
    /// Per level k: (batches, variance of their means).
    pub levels: Vec<(u64, f64)>,
}

/// Takes values one by one, in completion order.
#[derive(Clone, Debug, Default)]
pub struct BatchMeansBuilder {
    levels: Vec<Level>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Level {
    moments: Moments,
    /// A batch mean that waits for its neighbour.
    waiting: Option<f64>,
}

impl BatchMeansBuilder {
    /// Empty.
    pub const fn new() -> Self {
        BatchMeansBuilder { levels: Vec::new() }
    }

    /// Takes the next value. Amortised constant time.
    pub fn record(&mut self, value: f64) {
        let mut mean = value;
        let mut k = 0;
        loop {
            if self.levels.len() == k {
                self.levels.push(Level::default());
            }
            let level = &mut self.levels[k];
            level.moments.record(mean);
            match level.waiting.take() {
                None => {
                    level.waiting = Some(mean);
                    return;
                }
                Some(first) => mean = (first + mean) / 2.0,
            }
            k += 1;
        }
    }

    /// What has been seen so far.
    pub fn finish(&self) -> BatchMeans {
        let first = self.levels.first().map(|l| l.moments).unwrap_or_default();
        BatchMeans {
            count: first.count(),
            mean: first.mean(),
            levels: self
                .levels
                .iter()
                .map(|l| (l.moments.count(), l.moments.variance()))
                .collect(),
        }
    }
}

/// Puts concurrent sequences (workers, processes, hosts) together.
///
/// Their order against each other is unknown, and a stall of etcd meets all of them at once. So they
/// count as moving in lockstep: W like sequences are worth one sequence of W times the values *per
/// unit of correlation*, which is never too many. Differences between their means are differences of
/// place, not of time, and stay out of the variances.
pub fn merge_batch_means(parts: &[BatchMeans]) -> BatchMeans {
    let count: u64 = parts.iter().map(|p| p.count).sum();
    let largest = parts.iter().map(|p| p.count).max().unwrap_or(0);
    if count == 0 {
        return BatchMeans::default();
    }
    let mean = parts.iter().map(|p| p.mean * p.count as f64).sum::<f64>() / count as f64;
    let depth = parts.iter().map(|p| p.levels.len()).max().unwrap_or(0);
    // A batch of 2^k in each of W sequences is a batch of W·2^k values.
    let shift = (count as f64 / largest as f64).log2().round() as usize;
    let pooled: Vec<(u64, f64)> = (0..depth).map(|k| pool(parts, k)).collect();
    let mut levels = Vec::with_capacity(depth + shift);
    let variance = pooled.first().map_or(0.0, |l| l.1);
    levels.extend((0..shift).map(|k| (count >> k, variance)));
    levels.extend(
        pooled
            .iter()
            .map(|&(batches, v)| ((batches >> shift).max(1), v)),
    );
    BatchMeans {
        count,
        mean,
        levels,
    }
}

/// One level of all parts: batches added, variances averaged by degrees of freedom.
fn pool(parts: &[BatchMeans], k: usize) -> (u64, f64) {
    let levels = || parts.iter().filter_map(|p| p.levels.get(k));
    let batches = levels().map(|l| l.0).sum();
    let freedom: f64 = levels().map(|l| l.0.saturating_sub(1) as f64).sum();
    let squares: f64 = levels().map(|l| l.0.saturating_sub(1) as f64 * l.1).sum();
    (
        batches,
        if freedom > 0.0 {
            squares / freedom
        } else {
            0.0
        },
    )
}

/// The number of independent values with the same information: n/τ, where the correlation time τ is
/// the largest b·Var(mean_b)/Var over the batch sizes b = 2^k for which it exceeds 0.2·b, and at least 1
/// (the estimator of latte, `src/stats/timeseries.rs`).
pub fn effective_sample_size(means: &BatchMeans) -> f64 {
    let n = means.count as f64;
    let Some(&(_, variance)) = means.levels.first() else {
        return 0.0;
    };
    if means.count < 2 || variance <= 0.0 {
        return n;
    }
    let mut tau = 1.0_f64;
    let mut batch = 1.0;
    for &(batches, v) in &means.levels {
        let time = batch * v / variance;
        if batches < 2 || time <= 0.2 * batch {
            break;
        }
        tau = tau.max(time);
        batch *= 2.0;
    }
    (n / tau).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{mix, unit};

    fn clusters(seed: u64, n: u64, length: u64) -> BatchMeans {
        let mut b = BatchMeansBuilder::new();
        for i in 0..n * length {
            b.record(unit(mix(seed, i / length, 0)));
        }
        b.finish()
    }

    #[test]
    fn independent_values_count_fully_and_clusters_once() {
        for (n, length) in [
            (10_000, 1),
            (2_000, 4),
            (500, 16),
            (200, 50),
            (200, 256),
            (100, 1000),
        ] {
            let e = effective_sample_size(&clusters(1, n, length));
            let n = n as f64;
            assert!(e > n / 2.0 && e < n * 2.0, "{n} clusters of {length}: {e}");
        }
    }

    #[test]
    fn an_autoregressive_sequence_has_its_known_size() {
        // AR(1) with ρ = 0.9 has τ = (1+ρ)/(1−ρ) = 19.
        let (mut b, mut x) = (BatchMeansBuilder::new(), 0.0);
        let n = 100_000;
        for i in 0..n {
            x = 0.9 * x + unit(mix(3, i, 0)) - 0.5;
            b.record(x);
        }
        let tau = n as f64 / effective_sample_size(&b.finish());
        assert!((12.0..30.0).contains(&tau), "{tau}");
    }

    #[test]
    fn mean_variance_and_count_are_the_plain_ones() {
        let mut b = BatchMeansBuilder::new();
        [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]
            .iter()
            .for_each(|&x| b.record(x));
        let m = b.finish();
        assert_eq!((m.count, m.mean), (8, 5.0));
        let batches: Vec<u64> = m.levels.iter().map(|l| l.0).collect();
        assert_eq!(batches, [8, 4, 2, 1]);
        assert!((m.levels[0].1 - 32.0 / 7.0).abs() < 1e-12);
        // Pairs' means 3, 4, 5, 8.
        assert!((m.levels[1].1 - 14.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_constant_or_empty_sequence_is_no_trouble() {
        let mut b = BatchMeansBuilder::new();
        assert_eq!(effective_sample_size(&b.finish()), 0.0);
        (0..100).for_each(|_| b.record(1.0));
        assert_eq!(effective_sample_size(&b.finish()), 100.0);
    }

    #[test]
    fn merged_workers_are_not_worth_more_than_their_correlation_allows() {
        // Four workers that a slow etcd moves in lockstep: the same clusters in each.
        let parts: Vec<BatchMeans> = (0..4).map(|_| clusters(9, 500, 16)).collect();
        let merged = merge_batch_means(&parts);
        assert_eq!(merged.count, 4 * 500 * 16);
        let (one, all) = (
            effective_sample_size(&parts[0]),
            effective_sample_size(&merged),
        );
        assert!((all / one - 1.0).abs() < 0.05, "{one} became {all}");
    }

    #[test]
    fn merging_one_changes_nothing_and_a_tiny_one_hardly_anything() {
        let big = clusters(2, 500, 16);
        assert_eq!(merge_batch_means(std::slice::from_ref(&big)), big);
        let merged = merge_batch_means(&[big.clone(), clusters(3, 10, 16), BatchMeans::default()]);
        assert_eq!(merged.count, big.count + 160);
        let (a, b) = (effective_sample_size(&big), effective_sample_size(&merged));
        assert!((b / a - 1.0).abs() < 0.15, "{a} became {b}");
        assert_eq!(merge_batch_means(&[]), BatchMeans::default());
    }
}
