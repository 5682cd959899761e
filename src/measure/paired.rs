//! Comparing two arms over blocks of trials: the interval of the mean difference by Student's t, an exact
//! sign-flip test, and a reading with three values. The unit of replication is the trial, never the request.

use super::stats::{Moments, t_quantile};
use serde::{Deserialize, Serialize};

/// Below so many blocks there is no interval: with 5, the exact test cannot go below p = 0.0625.
pub const MIN_BLOCKS: usize = 6;
/// Of every interval.
pub const CONFIDENCE: f64 = 0.95;
/// Above so many blocks the exact test (2^k cases) is left out.
const EXACT_UP_TO: usize = 20;

/// The mean of paired differences and its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MeanInterval {
    /// d̄.
    pub mean: f64,
    /// Sample standard deviation of the differences.
    pub deviation: f64,
    /// d̄ − t·s/√k.
    pub low: f64,
    /// d̄ + t·s/√k.
    pub high: f64,
}

/// The interval of the mean of k differences, d̄ ± t(k−1)·s/√k. None for fewer than [`MIN_BLOCKS`], or when a
/// difference is not finite.
pub fn mean_interval(differences: &[f64], confidence: f64) -> Option<MeanInterval> {
    if differences.len() < MIN_BLOCKS || differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let mut moments = Moments::default();
    differences.iter().for_each(|d| moments.record(*d));
    let k = differences.len() as f64;
    let deviation = moments.variance().sqrt();
    let half = t_quantile(0.5 + confidence / 2.0, k - 1.0) * deviation / k.sqrt();
    let mean = moments.mean();
    Some(MeanInterval {
        mean,
        deviation,
        low: mean - half,
        high: mean + half,
    })
}

/// The exact two-sided sign-flip test: the share of the 2^k ways to sign the differences whose sum is at least as far
/// from 0 as the one that was seen. None without differences or above 20 of them. An infinite difference counts as
/// larger than all finite ones.
pub fn sign_flip(differences: &[f64]) -> Option<f64> {
    let k = differences.len();
    if k == 0 || k > EXACT_UP_TO || differences.iter().any(|d| d.is_nan()) {
        return None;
    }
    let finite: f64 = differences
        .iter()
        .filter(|d| d.is_finite())
        .map(|d| d.abs())
        .sum();
    let sizes: Vec<f64> = differences
        .iter()
        .map(|d| {
            if d.is_finite() {
                *d
            } else {
                d.signum() * (2.0 * finite + 1.0)
            }
        })
        .collect();
    let seen = sizes.iter().sum::<f64>().abs();
    // Rounding must not decide whether a sum is as large as itself.
    let enough = seen - 1e-12 * (1.0 + sizes.iter().map(|d| d.abs()).sum::<f64>());
    let extreme = (0..1_u32 << k)
        .filter(|flips| {
            let signed = |(i, d): (usize, &f64)| if flips >> i & 1 == 1 { -d } else { *d };
            sizes.iter().enumerate().map(signed).sum::<f64>().abs() >= enough
        })
        .count();
    Some(extreme as f64 / f64::from(1_u32 << k))
}

/// Holm's adjustment of several p values, in their order: with it, the chance of one false finding among all of
/// them is what it would be for one.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut running: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        running = running.max((p[index] * (p.len() - rank) as f64).min(1.0));
        adjusted[index] = running;
    }
    adjusted
}

/// What an interval says beside a difference that would matter, δ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// The whole interval lies beyond δ.
    Differs,
    /// The whole interval lies within ±δ.
    Equivalent,
    /// Neither: more blocks are needed, or there are too few for an interval.
    Inconclusive,
}

/// Reads an interval: `low`, `high` and `delta` on the same additive scale (for ratios, logarithms).
pub fn read(low: f64, high: f64, delta: f64) -> Reading {
    if low > delta || high < -delta {
        Reading::Differs
    } else if low > -delta && high < delta {
        Reading::Equivalent
    } else {
        Reading::Inconclusive
    }
}

/// About how many blocks more would make the interval's half width δ: (t·s/δ)² − k, at least 1.
pub fn more_blocks(k: usize, deviation: f64, delta: f64, confidence: f64) -> Option<u64> {
    if k < 2 || delta <= 0.0 || !deviation.is_finite() {
        return None;
    }
    let t = t_quantile(0.5 + confidence / 2.0, (k - 1) as f64);
    let needed = (t * deviation / delta).powi(2).ceil();
    let more = needed - k as f64;
    (more < 1e9).then(|| more.max(1.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    }

    /// Student's own sleep data (Biometrika 1908; R's `sleep`): extra hours with drug 1 and drug 2.
    const SLEEP: [f64; 10] = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4];

    #[test]
    fn the_interval_is_the_published_one() {
        // R: t.test(extra ~ group, paired = TRUE): mean 1.58, 95 % interval 0.7001142 to 2.4598858.
        let i = mean_interval(&SLEEP, 0.95).unwrap();
        close(i.mean, 1.58);
        close(i.low, 0.700_114_2);
        close(i.high, 2.459_885_8);
        close(i.deviation, 1.229_995_5);
    }

    #[test]
    fn five_blocks_or_a_miss_have_no_interval() {
        assert_eq!(mean_interval(&[0.1; 5], 0.95), None);
        assert_eq!(
            mean_interval(&[0.1, 0.1, 0.1, 0.1, 0.1, f64::INFINITY], 0.95),
            None
        );
        let same = mean_interval(&[0.1; 6], 0.95).unwrap();
        close(same.low, 0.1);
        close(same.high, 0.1);
    }

    #[test]
    fn sign_flips_are_counted_exactly() {
        // All of one sign: only all and none flipped are as extreme.
        close(
            sign_flip(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap(),
            2.0 / 64.0,
        );
        close(sign_flip(&[1.0; 5]).unwrap(), 2.0 / 32.0);
        // |1+1-1| = 1 is reached or exceeded by every signing of three ones.
        close(sign_flip(&[1.0, 1.0, -1.0]).unwrap(), 1.0);
        // Of the sleep data's ten differences one is 0: its sign does not matter.
        close(sign_flip(&SLEEP).unwrap(), 4.0 / 1024.0);
        close(
            sign_flip(&[f64::INFINITY, 1.0, 1.0, 1.0, 1.0, 1.0]).unwrap(),
            2.0 / 64.0,
        );
        assert_eq!(sign_flip(&[]), None);
        assert_eq!(sign_flip(&[f64::NAN]), None);
    }

    #[test]
    fn holm_steps_down() {
        // Holm 1979's scheme: 4 × 0.005, 3 × 0.01, 2 × 0.03, then no smaller than the one before.
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (a, b) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            close(*a, b);
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn readings_have_three_values() {
        assert_eq!(read(0.11, 0.2, 0.1), Reading::Differs);
        assert_eq!(read(-0.5, -0.11, 0.1), Reading::Differs);
        assert_eq!(read(-0.09, 0.05, 0.1), Reading::Equivalent);
        assert_eq!(read(-0.2, 0.05, 0.1), Reading::Inconclusive);
        assert_eq!(read(0.02, 0.2, 0.1), Reading::Inconclusive);
    }

    #[test]
    fn blocks_needed_follow_from_the_spread() {
        // t(0.975, 5) = 2.5706: (2.5706 × 0.2 / 0.1)² = 26.4 → 27, of which 6 are there.
        assert_eq!(more_blocks(6, 0.2, 0.1, 0.95), Some(21));
        assert_eq!(more_blocks(6, 0.001, 0.1, 0.95), Some(1));
        assert_eq!(more_blocks(1, 0.2, 0.1, 0.95), None);
    }
}
