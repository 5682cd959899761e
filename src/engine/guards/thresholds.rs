//! Thresholds that end the load: judged once a second on the operations whose intended second is answered.

use crate::measure::Blocks;
use crate::report::threshold::has_failed;
use crate::report::{GuardEvent, IntendedRow, Phase, PhaseEvent};
use crate::workload::plan::Threshold;
use std::collections::BTreeMap;

/// What they are judged on; nothing is kept where there are none.
#[derive(Debug, Default)]
pub(super) struct AbortThresholds {
    thresholds: Vec<Threshold>,
    /// When the measure phase began.
    begun: Option<f64>,
    classes: BTreeMap<String, Blocks>,
}

impl AbortThresholds {
    pub(super) fn new(all: &[Threshold]) -> Self {
        let aborting = all.iter().filter(|t| t.abort_after.is_some());
        AbortThresholds {
            thresholds: aborting.cloned().collect(),
            ..AbortThresholds::default()
        }
    }

    pub(super) fn phase(&mut self, phase: &PhaseEvent) {
        // Once the load has ended there is nothing to end.
        self.begun = (phase.phase == Phase::Measure).then_some(phase.t);
    }

    pub(super) fn intended(&mut self, row: &IntendedRow) {
        if row.phase == Some(Phase::Measure) && !self.thresholds.is_empty() {
            row.add_to(self.classes.entry(row.class.clone()).or_default());
        }
    }

    /// The first one that has failed by now.
    pub(super) fn failed(&self, t: f64) -> Option<GuardEvent> {
        let begun = self.begun?;
        let due = |threshold: &&Threshold| {
            let grace = threshold
                .abort_after
                .map_or(f64::INFINITY, |d| d.as_secs_f64());
            t - begun >= grace
        };
        let cause = self.thresholds.iter().filter(due).find_map(|threshold| {
            let subject = threshold.rule.subject.as_str();
            let chosen = self
                .classes
                .iter()
                .filter(|(name, _)| subject == "all" || *name == subject);
            has_failed(
                &threshold.rule,
                &Blocks::sum(chosen.map(|(_, blocks)| blocks)),
            )
        })?;
        Some(GuardEvent {
            t,
            guard: "threshold".to_owned(),
            store: String::new(),
            cause,
        })
    }
}
