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

/// Every primary metric, of every arm on the last level that was played: the sentence that fits most experiments.
pub(super) fn answer(evidence: &Evidence<'_>) -> String {
    let plan = evidence.plan;
    let Some(first) = plan.primary.first() else {
        return "no metric to compare".to_owned();
    };
    let of = |c: &&Comparison| c.primary && c.blocks > 0;
    let primary = || evidence.comparisons.iter().filter(of);
    let Some(level) = primary().rfind(|c| c.metric == *first) else {
        return format!("no complete block measures {first} yet");
    };
    let about: Vec<&Comparison> = primary().filter(|c| c.level == level.level).collect();
    let parts = plan.primary.iter().filter_map(|metric| {
        let of: Vec<&Comparison> = about
            .iter()
            .filter(|c| c.metric == *metric)
            .copied()
            .collect();
        let title = Metric::title_of(metric);
        (!of.is_empty()).then(|| format!("{title}: {}", phrases::clauses(&of)))
    });
    let parts: Vec<String> = parts.collect();
    format!(
        "Against {}{}, {}{}",
        plan.baseline,
        level.level.between(" on level ", ""),
        parts.join("; "),
        phrases::basis(evidence.so_far(), &about)
    )
}
