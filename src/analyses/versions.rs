//! `versions`: what another etcd version does to steady traffic, and to the same traffic beside large lists.
//!
//! etcd 3.4 let reads go on beside the write of a batch; 3.6 halved the memory of a store. Both are looked for by
//! name, whatever the primary metrics say first.

use crate::experiment::analysis::{Analysis, Evidence, Findings};
use crate::experiment::result::document::Comparison;
use crate::experiment::result::metric::Metric;
use crate::experiment::result::phrases;
use crate::human::numbers::bytes;

/// The analysis.
#[derive(Debug)]
pub(super) struct Versions;

impl Analysis for Versions {
    fn name(&self) -> &'static str {
        "versions"
    }

    fn answer(&self, evidence: &Evidence<'_>) -> Findings {
        Findings {
            answer: answer(evidence),
            notes: scope(evidence).into_iter().collect(),
            ..Findings::default()
        }
    }
}

/// What memory and CPU are those of, and what they do not speak of.
fn scope(evidence: &Evidence<'_>) -> Option<String> {
    let stores = evidence.runs.iter().flatten().flat_map(|r| &r.stores);
    let members = stores.flat_map(|s| &s.members);
    let largest = members.filter_map(|m| m.db_size_max).reduce(f64::max)?;
    Some(format!(
        "memory and CPU are those of a database of {} at most; watch streams, compactions and snapshots (--snapshot-count) \
         are not played",
        bytes(largest)
    ))
}

/// The newest version against the baseline: the first primary metric on every level, the others on the last one.
fn answer(evidence: &Evidence<'_>) -> String {
    let plan = evidence.plan;
    let (Some(newest), Some(first)) = (plan.others().last(), plan.primary.first()) else {
        return "no comparison".to_owned();
    };
    let of = |c: &&Comparison| c.primary && c.arm == newest.name && c.blocks > 0;
    let about: Vec<&Comparison> = evidence.comparisons.iter().filter(of).collect();
    let Some(last) = about.iter().rfind(|c| c.metric == *first).map(|c| &c.level) else {
        return format!("no complete block measures {first} yet");
    };
    let version = |arm: &str| {
        let found = plan.arm(arm).and_then(|a| a.stores.first());
        let found = found.filter(|s| !s.version.is_empty());
        found.map_or(arm.to_owned(), |s| s.version.clone())
    };
    let told: Vec<&Comparison> = (about.into_iter())
        .filter(|c| c.metric == *first || c.level == *last)
        .collect();
    let parts = plan.primary.iter().filter_map(|metric| {
        let of = told.iter().filter(|c| c.metric == *metric);
        let parts: Vec<String> = of
            .map(|c| format!("{}{}", c.level.between("", " "), phrases::effect(c)))
            .collect();
        let title = Metric::title_of(metric);
        (!parts.is_empty()).then(|| format!("{title}: {}", parts.join("; ")))
    });
    let parts: Vec<String> = parts.collect();
    format!(
        "etcd {} against {}, {}{}",
        version(&newest.name),
        version(&plan.baseline),
        parts.join("; "),
        phrases::basis(evidence.so_far(), &told)
    )
}
