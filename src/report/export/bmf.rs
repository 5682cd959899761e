//! Bencher Metric Format: benchmark → measure → value, with the ends of its interval where there is one. Times are
//! nanoseconds and rates per second, as Bencher's own measures are. JSON has no +∞: a percentile that is a miss is left out,
//! and `missed` tells it.

use super::{Headline, Quantile, operations, response, service};
use crate::report::result::{Figures, MemberFigures, RunResult};
use serde::Serialize;
use std::collections::BTreeMap;

/// A benchmark's measures, by name.
type Measures = BTreeMap<String, Measure>;

#[derive(Debug, Serialize)]
struct Measure {
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

impl From<f64> for Measure {
    fn from(value: f64) -> Self {
        Measure {
            value,
            lower_value: None,
            upper_value: None,
        }
    }
}

/// A benchmark per op class and per member of etcd.
///
/// # Errors
/// None in practice: every field can be written as JSON.
pub fn render(r: &RunResult) -> Result<String, serde_json::Error> {
    let classes = r
        .classes
        .iter()
        .map(|c| (c.class.name.clone(), class(&c.figures)));
    let members = r.stores.iter().flat_map(|s| {
        let named = |m: &MemberFigures| (format!("etcd/{}/{}", s.name, m.member), member(m));
        s.members.iter().map(named)
    });
    let all: BTreeMap<String, Measures> = classes
        .chain(members)
        .filter(|(_, measures)| !measures.is_empty())
        .collect();
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

fn class(f: &Figures) -> Measures {
    let mut measures = Measures::new();
    if operations(f) == 0 {
        return measures;
    }
    for (kind, all) in [("response", response(f)), ("service", service(f))] {
        for (name, _, quantile) in all {
            if let Some(s) = quantile.finite() {
                measures.insert(format!("{kind}-{name}"), (s * 1e9).round().into());
            }
        }
    }
    let interval = f.precision.and_then(|p| p.p99);
    if let (Some(p99), Some(interval)) = (measures.get_mut("response-p99"), interval) {
        p99.lower_value = ns(interval.low);
        p99.upper_value = interval.high.and_then(ns);
    }
    let mut missed = Measure::from(f.miss_share);
    if let Some([low, high]) = f.precision.and_then(|p| p.miss_share) {
        (missed.lower_value, missed.upper_value) = (Some(low), Some(high));
    }
    measures.insert("missed".to_owned(), missed);
    measures.insert("throughput".to_owned(), f.achieved_rate.into());
    measures
}

/// A whole number; none for a miss.
fn ns(end: Headline) -> Option<f64> {
    Quantile::of(end).finite().map(|s| (s * 1e9).round())
}

fn member(m: &MemberFigures) -> Measures {
    let all = [
        ("fsync-mean", m.fsync_mean.map(|s| s * 1e9)),
        ("commit-mean", m.commit_mean.map(|s| s * 1e9)),
        ("rss", m.rss_max),
        ("db-size", m.db_size_max),
        ("cpu", m.cpu_cores),
    ];
    let known = all.into_iter().filter_map(|(name, v)| Some((name, v?)));
    known.map(|(name, v)| (name.to_owned(), v.into())).collect()
}
