//! `versions`: what another etcd version does to steady traffic, and to the same traffic beside large lists.
//!
//! etcd 3.4 let reads go on beside the write of a batch; 3.6 halved the memory of a store. Both are looked for by
//! name, whatever the primary metrics say first.

use crate::experiment::analysis::{Analysis, Evidence, Findings};
use crate::experiment::result::document::Comparison;
use crate::experiment::result::metric::Metric;
use crate::experiment::result::phrases;

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
            ..Findings::default()
        }
    }
}

/// The newest version against the baseline, on every level.
fn answer(evidence: &Evidence<'_>) -> String {
    let plan = evidence.plan;
    let (Some(newest), Some(metric)) = (plan.others().last(), plan.primary.first()) else {
        return "no comparison".to_owned();
    };
    let about: Vec<&Comparison> = evidence
        .comparisons
        .iter()
        .filter(|c| c.metric == *metric && c.arm == newest.name && c.blocks > 0)
        .collect();
    if about.is_empty() {
        return format!("no complete block measures {metric} yet");
    }
    let version = |arm: &str| {
        let found = plan.arm(arm).and_then(|a| a.stores.first());
        let found = found.filter(|s| !s.version.is_empty());
        found.map_or(arm.to_owned(), |s| s.version.clone())
    };
    let on = |c: &Comparison| {
        if c.level.is_empty() {
            String::new()
        } else {
            format!("{} ", c.level)
        }
    };
    let parts: Vec<String> = about
        .iter()
        .map(|c| format!("{}{}", on(c), phrases::effect(c)))
        .collect();
    format!(
        "etcd {} against {}, {}: {}{}",
        version(&newest.name),
        version(&plan.baseline),
        Metric::parse(metric).map_or(metric.clone(), |m| m.title()),
        parts.join("; "),
        phrases::basis(plan, &about)
    )
}
