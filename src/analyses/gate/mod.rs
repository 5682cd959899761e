//! `gate`: is the head worse than the base? A screen of a few blocks, and fresh ones that confirm what it finds
//! ([`crate::measure::gate`]).

mod metric;
mod words;

use crate::experiment::analysis::{Analysis, Evidence, Findings, Requirements};
use crate::measure::gate::{FIRST, SECOND};
use metric::{Judged, judged};

/// The analysis.
#[derive(Debug)]
pub(super) struct GateAnalysis;

impl Analysis for GateAnalysis {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn requirements(&self) -> Requirements {
        Requirements {
            gate: true,
            ..Requirements::default()
        }
    }

    /// Without a candidate the second stage is not played; a null gate plays both.
    fn settled(&self, evidence: &Evidence<'_>) -> bool {
        let Some(gate) = &evidence.plan.gate else {
            return false;
        };
        if evidence.plan.smoke {
            return false;
        }
        let all = judged(evidence);
        let blocks = all.iter().map(Judged::blocks).min().unwrap_or(0);
        let open = gate.null || all.iter().any(|m| m.candidate);
        blocks >= FIRST + SECOND || blocks >= FIRST && !open
    }

    fn answer(&self, evidence: &Evidence<'_>) -> Findings {
        let all = judged(evidence);
        Findings {
            answer: words::answer(evidence, &all),
            tables: vec![words::table(evidence, &all)],
            notes: words::notes(evidence, &all),
            data: serde_json::to_value(&all).unwrap_or_default(),
            regression: all.iter().any(|m| m.verdict == metric::Verdict::Worse),
        }
    }
}
