//! Comparing two arms over blocks of trials: the interval of the mean difference by Student's t, an exact
//! sign-flip test, and a reading with three values. The unit of replication is the trial, never the request.

use super::stats::{Moments, normal_quantile, t_quantile};
use serde::{Deserialize, Serialize};

/// Below so many blocks there is no interval: with 5, the exact test cannot go below p = 0.0625.
pub const MIN_BLOCKS: usize = 6;
/// More are never asked for.
const MAX_BLOCKS: f64 = 1000.0;
/// Of every interval.
pub const CONFIDENCE: f64 = 0.95;
/// Above so many blocks the exact test (2^k cases) is left out.
pub(super) const EXACT_UP_TO: usize = 20;

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
    let enough = seen - rounding(&sizes);
    let extreme = signed_sums(&sizes)
        .filter(|sum| sum.abs() >= enough)
        .count();
    Some(extreme as f64 / f64::from(1_u32 << k))
}

/// The sums of the 2^k ways to sign the differences.
pub(super) fn signed_sums(d: &[f64]) -> impl Iterator<Item = f64> + '_ {
    (0..1_u32 << d.len()).map(move |flips| {
        let signed = |(i, d): (usize, &f64)| if flips >> i & 1 == 1 { -d } else { *d };
        d.iter().enumerate().map(signed).sum()
    })
}

/// Rounding must not decide whether a sum is as large as itself.
pub(super) fn rounding(d: &[f64]) -> f64 {
    1e-12 * (1.0 + d.iter().map(|d| d.abs()).sum::<f64>())
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

/// About how many blocks more would settle what k blocks with this interval left open, if the mean is what it seems: for a
/// mean beyond δ, n such that *differs* is read with a probability of 80 %, ((z.975 + z.8)·s / (|d̄| − δ))²; for one within,
/// *equivalent* with 80 % (both ends have to hold: 90 % each), ((z.975 + z.9)·s / (δ − |d̄|))². None where it would take more
/// than [`MAX_BLOCKS`]: so close to δ it is hardly ever settled.
pub fn more_blocks(k: usize, interval: &MeanInterval, delta: f64) -> Option<u64> {
    let (beyond, s) = (interval.mean.abs() - delta, interval.deviation);
    let power = if beyond > 0.0 { 0.8 } else { 0.9 };
    let z = normal_quantile(0.5 + CONFIDENCE / 2.0) + normal_quantile(power);
    let needed = (z * s / beyond).powi(2).ceil();
    (needed <= MAX_BLOCKS).then(|| (needed - k as f64).max(1.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{mix, unit};

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
    fn blocks_needed_follow_from_the_spread_and_from_the_effect() {
        let of = |mean: f64, deviation: f64| MeanInterval {
            mean,
            deviation,
            low: 0.0,
            high: 0.0,
        };
        // ×0.6 with δ = 10 %: ((1.95996 + 0.84162) × 0.8 / (0.51083 − 0.09531))² = 29.09 → 30, of which 6 are there.
        let delta = 1.1_f64.ln();
        assert_eq!(more_blocks(6, &of(0.6_f64.ln(), 0.8), delta), Some(24));
        // ((1.95996 + 1.28155) × 0.2 / 0.1)² = 42.03 → 43.
        assert_eq!(more_blocks(6, &of(0.0, 0.2), 0.1), Some(37));
        assert_eq!(more_blocks(60, &of(0.0, 0.2), 0.1), Some(1));
        assert_eq!(more_blocks(6, &of(0.1, 0.2), 0.1), None);
        assert_eq!(more_blocks(6, &of(0.101, 0.2), 0.1), None);
    }

    /// What is promised, by simulation: normal differences, seeded.
    #[test]
    fn so_many_blocks_settle_it_in_four_of_five_cases() {
        let normal = |seed, i| normal_quantile(unit(mix(7, seed, i)).clamp(1e-12, 1.0 - 1e-12));
        for (mean, want) in [(0.5, Reading::Differs), (0.0, Reading::Equivalent)] {
            let (s, delta) = (0.4, 0.2);
            let seems = MeanInterval {
                mean,
                deviation: s,
                low: 0.0,
                high: 0.0,
            };
            let n = more_blocks(0, &seems, delta).unwrap();
            let settled = (0..500).filter(|case| {
                let d: Vec<f64> = (0..n).map(|i| mean + s * normal(*case, i)).collect();
                let i = mean_interval(&d, CONFIDENCE).unwrap();
                read(i.low, i.high, delta) == want
            });
            let share = settled.count() as f64 / 500.0;
            // t instead of z takes a little of it away.
            assert!(
                (0.7..0.92).contains(&share),
                "{want:?}: {share} with {n} blocks"
            );
        }
    }
}
