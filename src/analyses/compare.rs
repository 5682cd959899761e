//! `compare`: every arm against the baseline, by the first primary metric.

use crate::experiment::analysis::{Analysis, Evidence, Findings};
use crate::experiment::result::document::Comparison;
use crate::experiment::result::metric::Metric;
use crate::experiment::result::phrases;

/// The generic analysis.
#[derive(Debug)]
pub(super) struct Compare;

impl Analysis for Compare {
    fn name(&self) -> &'static str {
        "compare"
    }

    fn answer(&self, evidence: &Evidence<'_>) -> Findings {
        Findings {
            answer: answer(evidence),
            ..Findings::default()
        }
    }
}

/// The first primary metric, of every arm on the last level that was played: the sentence that fits most experiments.
pub(super) fn answer(evidence: &Evidence<'_>) -> String {
    let first = evidence.comparisons.iter().filter(|c| c.primary);
    let Some(metric) = evidence.plan.primary.first() else {
        return "no metric to compare".to_owned();
    };
    let about: Vec<&Comparison> = first
        .filter(|c| c.metric == *metric && c.arm_median.is_some() | (c.blocks > 0))
        .collect();
    let Some(level) = about.last().map(|c| c.level.clone()) else {
        return format!("no complete block measures {metric} yet");
    };
    let parts: Vec<String> = about
        .iter()
        .filter(|c| c.level == level)
        .map(|c| phrases::clause(c))
        .collect();
    let title = Metric::parse(metric).map_or(metric.clone(), |m| m.title());
    let on = if level.is_empty() {
        String::new()
    } else {
        format!(" on level {level}")
    };
    format!(
        "{title}{on}, against {}: {}{}",
        evidence.plan.baseline,
        parts.join("; "),
        phrases::basis(evidence.plan, &about)
    )
}
