//! Directories against each other, from turns next to each other in time.

use super::result::{DirectoryComparison, DirectoryResult, Turn};
use crate::measure::stats::{Moments, t_quantile};

/// Pairs without which there is no interval.
const PAIRS: u64 = 6;

/// The fastest directory (by mean) against each other one.
pub(super) fn compare(directories: &[DirectoryResult]) -> Vec<DirectoryComparison> {
    let mean = |d: &DirectoryResult| d.fdatasync.map_or(f64::INFINITY, |f| f.mean_ns);
    let Some(fastest) = directories
        .iter()
        .min_by(|a, b| mean(a).total_cmp(&mean(b)))
    else {
        return Vec::new();
    };
    let others = directories
        .iter()
        .filter(|d| d.directory != fastest.directory);
    others
        .filter_map(|d| {
            let (ratio, interval, pairs) = ratio(&fastest.turns, &d.turns)?;
            Some(DirectoryComparison {
                faster: fastest.directory.clone(),
                slower: d.directory.clone(),
                ratio,
                interval,
                pairs,
            })
        })
        .collect()
}

/// Ratio, its 95 % interval, pairs.
type Ratio = (f64, Option<(f64, f64)>, u64);

/// Geometric mean of the second's turns over the first's. None without a pair.
fn ratio(first: &[Turn], second: &[Turn]) -> Option<Ratio> {
    let mut logs = Moments::default();
    for (a, b) in first.iter().zip(second) {
        if a.mean_ns > 0.0 && b.mean_ns > 0.0 {
            logs.record((b.mean_ns / a.mean_ns).ln());
        }
    }
    let n = logs.count();
    let half = || t_quantile(0.975, n as f64 - 1.0) * (logs.variance() / n as f64).sqrt();
    let interval = (n >= PAIRS).then(|| {
        let half = half();
        ((logs.mean() - half).exp(), (logs.mean() + half).exp())
    });
    (n > 0).then(|| (logs.mean().exp(), interval, n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(means: &[f64]) -> Vec<Turn> {
        let turn = |(i, &mean_ns): (usize, &f64)| Turn {
            t: i as f64,
            syncs: 100,
            mean_ns,
            max_ns: 0,
        };
        means.iter().enumerate().map(turn).collect()
    }

    #[test]
    fn what_slows_both_is_no_difference() {
        // The machine gets ten times slower in the middle; the second is twice as slow throughout.
        let a = turns(&[1.0, 1.1, 1.0, 10.0, 11.0, 10.0, 1.0, 0.9]);
        let b = turns(&[2.1, 2.2, 1.9, 20.0, 23.0, 19.0, 2.0, 1.8]);
        let (ratio, interval, pairs) = ratio(&a, &b).unwrap();
        let (low, high) = interval.unwrap();
        assert_eq!(pairs, 8);
        assert!((ratio - 2.0).abs() < 0.05, "{ratio}");
        assert!(
            low > 1.9 && high < 2.1 && low < ratio && ratio < high,
            "{low} {high}"
        );
    }

    #[test]
    fn few_pairs_have_no_interval_and_none_no_ratio() {
        let a = turns(&[1.0; 5]);
        assert_eq!(ratio(&a, &turns(&[3.0; 9])).unwrap().1, None);
        assert!(ratio(&a, &[]).is_none());
    }
}
