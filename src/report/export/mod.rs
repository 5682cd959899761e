//! A result in the formats of other programs, one file each: CI systems, trackers of benchmarks, Prometheus, spreadsheets.
//!
//! What was not measured is left out or empty, and a miss is +∞ where the format has a word for it; neither is ever 0.

pub mod benchstat;
pub mod bmf;
pub mod checks;
pub mod csv;
pub mod github;
pub mod junit;
pub mod markdown;
pub mod openmetrics;
pub mod perfdash;

use super::result::{Figures, RunResult};
use crate::measure::percentile::Headline;

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {format}: {cause}")]
pub struct ExportError {
    format: &'static str,
    cause: String,
}

impl ExportError {
    pub(crate) fn of(format: &'static str) -> impl Fn(&dyn std::fmt::Display) -> ExportError {
        move |cause| ExportError {
            format,
            cause: cause.to_string(),
        }
    }
}

/// What stands at a percentile's rank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quantile {
    Seconds(f64),
    /// So many operations missed that the percentile is one of them: +∞.
    Missed,
    /// Nothing, or too few operations for an estimate.
    Unknown,
}

impl Quantile {
    fn of(headline: Headline) -> Self {
        match headline {
            Headline::Value(ns) => Quantile::Seconds(ns as f64 / 1e9),
            Headline::Missed { .. } => Quantile::Missed,
            Headline::Few { .. } => Quantile::Unknown,
        }
    }

    /// +∞ if missed, none if unknown.
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Quantile::Seconds(s) => Some(s),
            Quantile::Missed => Some(f64::INFINITY),
            Quantile::Unknown => None,
        }
    }

    /// For formats that have no word for +∞.
    pub(crate) fn finite(self) -> Option<f64> {
        self.number().filter(|s| s.is_finite())
    }
}

/// A percentile: its name, its share, what stands there.
pub(crate) type Named = (&'static str, f64, Quantile);

/// The percentiles of the response time over all offered operations; of a closed loop, which has none, nothing.
pub(crate) fn response(f: &Figures) -> Vec<Named> {
    let Some(h) = f.headline else {
        return Vec::new();
    };
    [
        ("p50", 0.5, h.p50),
        ("p90", 0.9, h.p90),
        ("p99", 0.99, h.p99),
        ("p99.9", 0.999, h.p999),
    ]
    .map(|(name, q, headline)| (name, q, Quantile::of(headline)))
    .to_vec()
}

/// The percentiles of the service time of attempts that succeeded.
pub(crate) fn service(f: &Figures) -> Vec<Named> {
    let Some(s) = f.service else {
        return Vec::new();
    };
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)]
        .map(|(name, q)| {
            let ns = s.estimate(q).map(|ns| ns as f64 / 1e9);
            (name, q, ns.map_or(Quantile::Unknown, Quantile::Seconds))
        })
        .to_vec()
}

/// Operations that were offered; in a closed loop, those that succeeded. Of none, nothing is known.
pub(crate) fn operations(f: &Figures) -> u64 {
    f.counts.offered.max(f.counts.ok)
}

/// etcd's versions, each once.
pub(crate) fn versions(r: &RunResult) -> String {
    let members = r.header.stores.iter().flat_map(|s| &s.members);
    let mut all: Vec<&str> = members.map(|m| m.version.as_str()).collect();
    all.sort_unstable();
    all.dedup();
    all.retain(|version| !version.is_empty());
    match all.is_empty() {
        true => "unknown".to_owned(),
        false => all.join(", "),
    }
}
