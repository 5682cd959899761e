//! Whether one arm is worse than another, in two stages: blocks that screen, then fresh blocks that confirm.
//!
//! Per block d = ln(head / base), or head − base for shares, oriented so that more is worse. Stage 1 has few blocks: a metric is a
//! *candidate* when the exact one-sided sign-flip test gives p ≤ [`SCREEN`] and the Hodges–Lehmann estimate is δ or more. Only then
//! is stage 2 played: it is *worse* when, on the fresh blocks alone, p ≤ α / (m · [`SCREEN`]) for m gating metrics, and the estimate
//! is δ or more again. A false alarm needs both, so that at most α of the gates without a difference give one: Bonferroni over m,
//! and over the share of metrics that the screen lets through. Sources: Fisher 1935 (randomization test), Hodges and Lehmann 1963.

use super::paired::{EXACT_UP_TO, rounding, signed_sums};
use super::stats::{Moments, t_quantile};
use serde::{Deserialize, Serialize};

/// p of the screen.
pub const SCREEN: f64 = 0.25;
/// Share of gates without a difference that may alarm.
pub const ALPHA: f64 = 0.05;
/// Blocks of the screen.
pub const FIRST: usize = 8;
/// Fresh blocks of the confirmation.
pub const SECOND: usize = 12;

/// What a stage's blocks say of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Blocks.
    pub blocks: usize,
    /// Hodges–Lehmann estimate of d.
    pub estimate: f64,
    /// Sample standard deviation of d.
    pub deviation: f64,
    /// One-sided p that d is not above 0.
    pub worse: f64,
    /// One-sided p that d is not below 0.
    pub better: f64,
}

/// The median of all means of two (and of one) of the values; NaN of none.
pub fn hodges_lehmann(d: &[f64]) -> f64 {
    let pairs = (0..d.len()).flat_map(|i| (i..d.len()).map(move |j| (d[i] + d[j]) / 2.0));
    let mut means: Vec<f64> = pairs.collect();
    means.sort_by(f64::total_cmp);
    match means.len() {
        0 => f64::NAN,
        n => (means[(n - 1) / 2] + means[n / 2]) / 2.0,
    }
}

/// The exact one-sided sign-flip test of a mean above 0: the share of the 2^k ways to sign the differences whose sum is at least
/// the one that was seen. 1 without differences, NaN above 20 of them.
pub fn sign_flip_above(d: &[f64]) -> f64 {
    let k = d.len();
    if k > EXACT_UP_TO {
        return f64::NAN;
    }
    let enough = d.iter().sum::<f64>() - rounding(d);
    let extreme = signed_sums(d).filter(|sum| *sum >= enough).count();
    extreme as f64 / f64::from(1_u32 << k)
}

/// Of one stage's blocks. None where a difference is not finite, or there are none.
pub fn stage(d: &[f64]) -> Option<Stage> {
    if d.is_empty() || d.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let mut moments = Moments::default();
    d.iter().for_each(|d| moments.record(*d));
    let turned: Vec<f64> = d.iter().map(|d| -d).collect();
    Some(Stage {
        blocks: d.len(),
        estimate: hodges_lehmann(d),
        deviation: moments.variance().sqrt(),
        worse: sign_flip_above(d),
        better: sign_flip_above(&turned),
    })
}

/// Stage 1 found a metric that may be worse; `delta` on the scale of d.
pub fn candidate(first: &Stage, delta: f64) -> bool {
    first.worse <= SCREEN && first.estimate >= delta
}

/// Stage 2 confirms it, as one of `metrics`.
pub fn confirmed(second: &Stage, delta: f64, metrics: usize) -> bool {
    second.worse <= ALPHA / (metrics.max(1) as f64 * SCREEN) && second.estimate >= delta
}

/// A metric is better, for the reader: by the first stage alone, corrected for `metrics`.
pub fn better(first: &Stage, delta: f64, metrics: usize) -> bool {
    first.better <= ALPHA / metrics.max(1) as f64 && first.estimate <= -delta
}

/// The smallest effect that the confirmation finds in four of five cases, on the scale of d: (t.95 + t.80)(n−1) · s / √n, for
/// n = `blocks`.
pub fn detectable(deviation: f64, blocks: usize) -> f64 {
    let freedom = (blocks.max(2) - 1) as f64;
    (t_quantile(0.95, freedom) + t_quantile(0.8, freedom)) * deviation
        / (blocks.max(1) as f64).sqrt()
}

/// Not more metrics than this can gate: beyond it no result of the confirmation is extreme enough.
pub fn most_metrics() -> usize {
    let least = 1.0 / f64::from(1_u32 << SECOND);
    (ALPHA / (SCREEN * least)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_the_median_of_walsh_averages() {
        // R: wilcox.test(c(1.2, 2.4, 1.3, 1.3, 0, 1, 1.8, 0.8, 4.6, 1.4), conf.int = TRUE, exact = FALSE): about 1.35;
        // by hand of three: 1, 2, 3, 1.5, 2, 2.5 → 2.
        assert_eq!(hodges_lehmann(&[1.0, 2.0, 3.0]), 2.0);
        assert_eq!(hodges_lehmann(&[5.0]), 5.0);
        let robust = hodges_lehmann(&[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 50.0]);
        assert!((robust - 0.1).abs() < 1e-12, "{robust}");
        assert!(hodges_lehmann(&[]).is_nan());
    }

    #[test]
    fn sign_flips_are_counted_on_one_side() {
        assert_eq!(sign_flip_above(&[1.0; 8]), 1.0 / 256.0);
        assert_eq!(sign_flip_above(&[-1.0; 8]), 1.0);
        assert_eq!(sign_flip_above(&[0.0; 8]), 1.0);
        // 1 + 1 − 1: one (all up) and the three with one down.
        assert_eq!(sign_flip_above(&[1.0, 1.0, -1.0]), 4.0 / 8.0);
        assert_eq!(sign_flip_above(&[]), 1.0);
    }

    #[test]
    fn both_stages_are_needed_and_both_sizes() {
        let clear = |by: f64, n: usize| {
            stage(
                &(0..n)
                    .map(|i| by + 0.001 * (i % 3) as f64)
                    .collect::<Vec<_>>(),
            )
            .unwrap()
        };
        let delta = 1.05_f64.ln();
        assert!(candidate(&clear(0.1, FIRST), delta));
        assert!(confirmed(&clear(0.1, SECOND), delta, 8));
        // As certain as it may be, 1 % is not δ.
        assert!(!candidate(&clear(0.01, FIRST), delta));
        assert!(!confirmed(&clear(0.01, SECOND), delta, 8));
        assert!(better(&clear(-0.1, FIRST), delta, 8));
        assert!(!better(&clear(0.1, FIRST), delta, 8));
        assert_eq!(stage(&[f64::INFINITY]), None);
    }

    #[test]
    fn what_can_be_detected_is_the_published_formula() {
        // (1.7959 + 0.8755) × 0.05 / √12.
        assert!((detectable(0.05, 12) - 0.038_56).abs() < 1e-4);
        // ((1.645 + 0.842) × 0.2 / 0.05)² = 98.9.
        // 0.05 / (0.25 m) ≥ 1/4096.
        assert_eq!(most_metrics(), 819);
    }
}
