//! A run in one line.

use crate::experiment::result::metric::{Metric, MetricValue};
use crate::experiment::result::outcome::Outcome;
use crate::measure::validity::Verdict;
use crate::report::RunResult;
use crate::report::export::versions;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Version of the history's lines.
pub const HISTORY_VERSION: u32 = 1;

/// Figures of an op class.
const OF_CLASS: [&str; 7] = [
    "p50",
    "p90",
    "p99",
    "missed",
    "rate",
    "service-p50",
    "service-p99",
];
/// Figures of all etcds together.
const OF_ETCD: [&str; 9] = [
    "cpu",
    "rss",
    "db-size",
    "fsync",
    "commit",
    "cpu-per-op",
    "fsyncs-per-op",
    "commits-per-op",
    "written-per-op",
];

/// A line of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// [`HISTORY_VERSION`].
    pub version: u32,
    /// When the load began, RFC 3339.
    pub time: String,
    /// Run id.
    pub run: String,
    /// What its user called it: a commit, a build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    pub workload: String,
    /// Hash of the plan: only runs of the same plan are compared.
    pub plan: String,
    /// Where it was measured: processor, cores, the directory, medium or endpoints of etcd. Runs of different machines are not compared.
    pub machine: String,
    /// etcd's version.
    pub etcd: String,
    /// etcdmark's version.
    pub etcdmark: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the generator kept up.
    pub validity: Verdict,
    pub exit_code: u8,
    /// What was measured, by the names of experiments' metrics.
    pub metrics: BTreeMap<String, MetricValue>,
}

impl Entry {
    /// Of a run.
    pub fn of(r: &RunResult, label: Option<String>) -> Self {
        let h = &r.header;
        let began = jiff::Timestamp::from_nanosecond(i128::from(h.t0_unix_ns));
        let classes = r.classes.iter().flat_map(|c| {
            let figures = OF_CLASS.iter();
            figures.map(|figure| format!("{}:{figure}", c.class.name))
        });
        let etcd = OF_ETCD.iter().map(|figure| format!("etcd:{figure}"));
        let value = |name: String| {
            let value = Metric::parse(&name).ok()?.of(r)?;
            // JSON has no word for what a broken counter may give.
            let fits = !matches!(value, MetricValue::Value(v) if !v.is_finite());
            fits.then_some((name, value))
        };
        Entry {
            version: HISTORY_VERSION,
            time: began.map_or(String::new(), |t| {
                t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
            }),
            run: h.run_id.clone(),
            label,
            workload: h.workload.clone(),
            plan: h.plan_hash.clone(),
            machine: machine(r),
            etcd: versions(r),
            etcdmark: h.etcdmark.clone(),
            outcome: Outcome::of(r),
            validity: r.validity.verdict,
            exit_code: r.exit().code(),
            metrics: classes.chain(etcd).filter_map(value).collect(),
        }
    }

    /// Whether its figures speak of etcd: it ran to its end, and the generator kept up.
    pub fn usable(&self) -> bool {
        self.outcome.is_whole() && self.validity != Verdict::Invalid && !self.metrics.is_empty()
    }

    /// The label, else the etcd and the run.
    pub(super) fn name(&self) -> String {
        match &self.label {
            Some(label) => label.clone(),
            None => format!("etcd {}, run {}", self.etcd, self.run),
        }
    }
}

/// A host's name would not do: hosted runners are alike, and each has its own.
fn machine(r: &RunResult) -> String {
    let e = &r.header.environment;
    let mut parts = vec![format!("{}, {} cores", e.cpu_model, e.cpus)];
    for store in &r.header.stores {
        for m in &store.members {
            // A member has a directory of its own in one of the run's own.
            let dir = m
                .data_dir
                .as_ref()
                .and_then(|dir| Path::new(dir).ancestors().nth(2));
            let place = match (store.local, &m.medium, dir) {
                (false, _, _) => format!("etcd at {}", m.endpoint),
                (true, Some(medium), _) => format!("emulating {}", medium.name),
                (true, None, Some(dir)) => format!("data in {}", dir.display()),
                (true, None, None) => continue,
            };
            if !parts.contains(&place) {
                parts.push(place);
            }
        }
    }
    parts.join("; ")
}
