//! History → trends. Pure.

use super::entry::Entry;
use super::file::History;
use crate::experiment::result::metric::{Metric, MetricValue, Unit};
use crate::measure::change::{self, change_points};
use crate::rng::stream;
use serde::Serialize;

/// What a history says.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trend {
    /// Of this document.
    pub version: u32,
    /// Runs of one plan on one machine, in the order of their first run.
    pub groups: Vec<Group>,
    /// What was left out of the file.
    pub notes: Vec<String>,
}

/// Runs that can be compared.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    pub workload: String,
    pub plan: String,
    pub machine: String,
    /// Runs whose figures are used.
    pub runs: usize,
    /// Runs that did not end, or were invalid.
    pub left_out: usize,
    /// In alphabetical order.
    pub metrics: Vec<MetricTrend>,
}

/// One metric over a group's runs.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricTrend {
    pub metric: String,
    pub unit: Unit,
    /// Runs that have it.
    pub runs: usize,
    /// Of the last of these.
    pub latest: MetricValue,
    pub changes: Vec<Change>,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The first run after it.
    pub run: String,
    pub time: String,
    /// What that run is called.
    pub name: String,
    /// Runs with a figure since then.
    pub runs_since: usize,
    /// Median since the change before.
    pub before: MetricValue,
    /// Median until the next one.
    pub after: MetricValue,
    /// Share of permutations that split as well.
    pub p: f64,
}

/// Version of [`Trend`].
const VERSION: u32 = 1;

/// Every metric of every group; runs in the order of their time.
pub fn trend(history: &History) -> Trend {
    let mut ordered: Vec<&Entry> = history.entries.iter().collect();
    ordered.sort_by(|a, b| a.time.cmp(&b.time));
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for e in &ordered {
        let key = (e.plan.as_str(), e.machine.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let groups = keys.iter().map(|key| {
        let of = |e: &&&Entry| (e.plan.as_str(), e.machine.as_str()) == *key;
        group(&ordered.iter().filter(of).copied().collect::<Vec<_>>())
    });
    Trend {
        version: VERSION,
        groups: groups.collect(),
        notes: history.notes.clone(),
    }
}

fn group(entries: &[&Entry]) -> Group {
    let usable: Vec<&Entry> = entries.iter().copied().filter(|e| e.usable()).collect();
    let mut names: Vec<&String> = usable.iter().flat_map(|e| e.metrics.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let first = entries.first();
    let of = |field: fn(&Entry) -> &String| first.map_or(String::new(), |e| field(e).clone());
    Group {
        workload: of(|e| &e.workload),
        plan: of(|e| &e.plan),
        machine: of(|e| &e.machine),
        runs: usable.len(),
        left_out: entries.len() - usable.len(),
        metrics: names
            .iter()
            .filter_map(|name| metric(name, &usable))
            .collect(),
    }
}

/// None for what this version does not know.
fn metric(name: &str, entries: &[&Entry]) -> Option<MetricTrend> {
    let unit = Metric::parse(name).ok()?.unit();
    let having: Vec<(&Entry, MetricValue)> = entries
        .iter()
        .filter_map(|e| Some((*e, *e.metrics.get(name)?)))
        .collect();
    let figures: Vec<f64> = having.iter().map(|(_, v)| v.number()).collect();
    let value = |v: f64| match v.is_finite() {
        true => MetricValue::Value(v),
        false => MetricValue::Missed,
    };
    let found = change_points(&figures, stream(0, name)).into_iter();
    let changes = found.filter_map(|c: change::ChangePoint| {
        let (entry, _) = having.get(c.at)?;
        Some(Change {
            run: entry.run.clone(),
            time: entry.time.clone(),
            name: entry.name(),
            runs_since: having.len() - c.at,
            before: value(c.before),
            after: value(c.after),
            p: c.p,
        })
    });
    Some(MetricTrend {
        metric: name.to_owned(),
        unit,
        runs: having.len(),
        latest: having.last()?.1,
        changes: changes.collect(),
    })
}
