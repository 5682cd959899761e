//! Percentiles of a result, and what they are known to.

use crate::measure::percentile::{ABOVE, PercentileInterval};
use serde::{Deserialize, Serialize};

/// Percentiles of what a histogram holds, nanoseconds. With fewer than ten values above it a percentile is no estimate, but an
/// observation: p99.9 of fewer than 1,000 values is the largest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Percentiles {
    /// Values.
    pub count: u64,
    pub mean_ns: f64,
    /// Smallest.
    pub min_ns: u64,
    /// Median.
    pub p50_ns: u64,
    /// 90 %.
    pub p90_ns: u64,
    /// 99 %.
    pub p99_ns: u64,
    /// 99.9 %.
    #[serde(rename = "p99.9_ns")]
    pub p999_ns: u64,
    /// Largest.
    pub max_ns: u64,
}

impl Percentiles {
    /// p50, p90, p99 or p99.9; none with fewer than [`ABOVE`] values above it.
    pub fn estimate(&self, q: f64) -> Option<u64> {
        let found = [
            (0.5, self.p50_ns),
            (0.9, self.p90_ns),
            (0.99, self.p99_ns),
            (0.999, self.p999_ns),
        ];
        let above = self.count as f64 * (1.0 - q);
        let (_, ns) = found.into_iter().find(|(known, _)| *known == q)?;
        (above > ABOVE as f64 - 1e-6).then_some(ns)
    }
}

/// What the percentiles of this run are known to ([`crate::measure::blocks`]). They speak of this run's time: what changes
/// more slowly is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Precision {
    /// 95 % interval of the headline p50; null below six blocks.
    pub p50: Option<PercentileInterval>,
    /// 95 % interval of the headline p99; null below six blocks, and where fewer than ten operations are above it.
    pub p99: Option<PercentileInterval>,
    /// 95 % interval of the share of misses; null below six blocks.
    pub miss_share: Option<[f64; 2]>,
    /// Seconds of measuring after which p99 would have an interval with two ends; null = it has one.
    pub seconds_needed: Option<f64>,
}
