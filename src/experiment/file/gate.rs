//! What the analysis `gate` judges, checked.

use super::changes::Changes;
use super::source::ExperimentSource;
use crate::experiment::analysis::Requirements;
use crate::experiment::error::ExperimentError;
use crate::experiment::plan::{Gate, GateMetric};
use crate::experiment::result::metric::Metric;
use crate::measure::gate::{FIRST, SECOND, most_metrics};

/// Blocks that are played first and not used: caches, clocks and the disk settle in them.
const DISCARDED: u32 = 1;
/// Blocks beyond those that a gate needs, for lost ones.
const SPARE: u32 = 3;
/// Figures of which more is better.
const MORE_IS_BETTER: [&str; 2] = [":achieved", ":rate"];

/// Blocks of a gate at most.
pub(super) const BLOCKS: u32 = DISCARDED + (FIRST + SECOND) as u32 + SPARE;

impl ExperimentSource {
    /// The gate, where the analysis has one.
    pub(super) fn gate(
        &self,
        changes: &Changes,
        requirements: Requirements,
    ) -> Result<Option<Gate>, ExperimentError> {
        let spec = &self.file.spec;
        let Some(gate) = &spec.gate else {
            return match requirements.gate {
                true => Err(self.wrong("gate", "is missing; the analysis gate needs its metrics")),
                false => Ok(None),
            };
        };
        if !requirements.gate {
            let message = "has an effect with `analysis: gate` only; set that, or remove it";
            return Err(self.wrong("gate", message));
        }
        if !spec.primary.is_empty() {
            let message =
                "a gate answers by gate.metrics; remove it, or list these metrics under `metrics`";
            return Err(self.wrong("primary", message));
        }
        let most = most_metrics();
        if gate.metrics.is_empty() || gate.metrics.len() > most {
            let message = format!("has {} metrics; name 1 to {most}", gate.metrics.len());
            return Err(self.wrong("gate.metrics", message));
        }
        let names: Vec<String> = gate.metrics.iter().map(|m| m.metric.clone()).collect();
        self.metrics("gate.metrics", &names)?;
        let mut metrics = Vec::new();
        for (i, metric) in gate.metrics.iter().enumerate() {
            let place = format!("gate.metrics.{i}");
            if MORE_IS_BETTER
                .iter()
                .any(|end| metric.metric.ends_with(end))
            {
                let message = format!(
                    "{:?}: more of it is better; gate {:?} instead",
                    metric.metric, "all:missed"
                );
                return Err(self.wrong(&format!("{place}.metric"), message));
            }
            let digits = metric.delta.strip_suffix('%').map(str::trim);
            let share = digits
                .and_then(|d| d.parse::<f64>().ok())
                .map(|percent| percent / 100.0);
            let delta = share.filter(|d| *d > 0.0 && *d <= 10.0).ok_or_else(|| {
                let message = format!(
                    "{:?} is not a share above 0; write a percentage, such as 5%",
                    metric.delta
                );
                self.wrong(&format!("{place}.delta"), message)
            })?;
            metrics.push(GateMetric {
                metric: metric.metric.clone(),
                delta,
            });
        }
        Ok(Some(Gate {
            metrics,
            discarded: if changes.smoke { 0 } else { DISCARDED },
            null: changes.null,
        }))
    }

    /// The metrics of the answer, checked: `primary`, or the gate's.
    pub(super) fn judged(&self, gate: Option<&Gate>) -> Result<Vec<Metric>, ExperimentError> {
        match gate {
            None => self.primary(),
            Some(gate) => {
                let names: Vec<String> = gate.metrics.iter().map(|m| m.metric.clone()).collect();
                self.metrics("gate.metrics", &names)
            }
        }
    }
}
