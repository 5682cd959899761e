//! `media`: what the storage medium below etcd does to writes: one at a time, on the sweep, and where etcd is saturated.
//!
//! What is shown is what was measured of etcd on the medium, never what the medium would be capable of: a sync's length is
//! etcd's own, and "in parallel" is what a closed loop of many writers got from the same etcd.

mod syncs;
mod tables;
mod trials;

use self::trials::{ArmSummary, MediaTrials};
use crate::experiment::analysis::{Analysis, Evidence, Findings};
use crate::experiment::level::LevelName;
use crate::experiment::result::document::Comparison;
use crate::experiment::result::metric::Metric;
use crate::experiment::result::phrases;
use crate::human::numbers::three;

/// The analysis.
#[derive(Debug)]
pub(super) struct Media;

impl Analysis for Media {
    fn name(&self) -> &'static str {
        "media"
    }

    fn answer(&self, evidence: &Evidence<'_>) -> Findings {
        let trials = MediaTrials::of(evidence);
        let arms: Vec<ArmSummary> = (evidence.plan.arms.iter())
            .map(|a| trials.arm(&a.name))
            .collect();
        let tables = [
            tables::writers(&arms),
            trials.sweep(&arms),
            tables::syncs(&arms),
        ];
        Findings {
            answer: answer(evidence, &trials, &arms),
            tables: tables.into_iter().flatten().collect(),
            notes: vec![elections(evidence, &arms)],
            data: serde_json::to_value(&arms).unwrap_or_default(),
            regression: false,
        }
    }
}

fn elections(evidence: &Evidence<'_>, arms: &[ArmSummary]) -> String {
    let changed = arms.iter().filter(|a| a.leader_changes > 0.0);
    let changed: Vec<String> = changed
        .map(|a| {
            format!(
                "{} {} (trials: {})",
                a.arm,
                three(a.leader_changes),
                a.trials
            )
        })
        .collect();
    if !changed.is_empty() {
        return format!(
            "leader changes: {}; etcd replaces a leader that waits for its disk longer than the election \
             timeout (1 s by default)",
            changed.join(", ")
        );
    }
    let single = |a: &crate::experiment::plan::ArmPlan| a.stores.iter().all(|s| s.members == 1);
    if evidence.plan.arms.iter().all(single) {
        return "elections: none; no other member can replace a single member, however long it waits for its disk"
            .to_owned();
    }
    "elections: the leader did not change in any trial".to_owned()
}

/// Every primary metric on the lowest level, how high each arm came, and how alike the arms are where etcd is saturated.
fn answer(evidence: &Evidence<'_>, trials: &MediaTrials<'_>, arms: &[ArmSummary]) -> String {
    let plan = evidence.plan;
    let on = |level: &LevelName, metric: &str| -> Vec<&Comparison> {
        let of = |c: &&Comparison| c.level == *level && c.metric == metric && c.blocks > 0;
        evidence.comparisons.iter().filter(of).collect()
    };
    let clauses = |metric: &str, about: &[&Comparison]| {
        let title = Metric::title_of(metric);
        format!("{title}: {}", phrases::clauses(about))
    };
    let mut sentences = Vec::new();
    if let Some(level) = trials.open.first() {
        let primary = plan.primary.iter().map(|m| (m, on(level, m)));
        let primary: Vec<_> = primary.filter(|(_, about)| !about.is_empty()).collect();
        let parts: Vec<String> = primary.iter().map(|(m, about)| clauses(m, about)).collect();
        let about: Vec<&Comparison> = primary.into_iter().flat_map(|(_, about)| about).collect();
        let level = level.between(" on level ", "");
        if !parts.is_empty() {
            let basis = phrases::basis(evidence.so_far(), &about);
            let parts = parts.join("; ");
            sentences.push(format!("Against {}{level}, {parts}{basis}", plan.baseline));
        }
    }
    if trials.open.len() > 1 {
        let last = trials.open.last().copied();
        let up_to = |a: &ArmSummary| up_to(&a.arm, a.highest_level.as_ref(), last);
        let arms: Vec<String> = arms.iter().map(up_to).collect();
        let arms = arms.join(", ");
        sentences.push(format!("Highest level within the limit: {arms}"));
    }
    if let Some(level) = trials.closed
        && let Some(metric) = plan.metrics.iter().find(|m| m.ends_with(":rate"))
    {
        let about = on(level, metric);
        if !about.is_empty() {
            let clauses = clauses(metric, &about);
            sentences.push(format!("In a closed loop (level {level}), {clauses}"));
        }
    }
    if sentences.is_empty() {
        return "no block is complete".to_owned();
    }
    sentences.join(". ")
}

/// How high an arm came. Beyond the last level nothing was tried.
fn up_to(arm: &str, highest: Option<&LevelName>, last: Option<&LevelName>) -> String {
    match highest {
        None => format!("{arm} none"),
        Some(level) if highest == last => format!("{arm} at least {}", level.as_str()),
        Some(level) => format!("{arm} {}", level.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_level_that_was_tried_is_at_least_reached() {
        let (low, top) = (LevelName::new("x1"), LevelName::new("x8"));
        assert_eq!(up_to("nvme", Some(&top), Some(&top)), "nvme at least x8");
        assert_eq!(up_to("hdd", Some(&low), Some(&top)), "hdd x1");
        assert_eq!(up_to("floppy", None, Some(&top)), "floppy none");
    }
}
