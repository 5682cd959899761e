//! The fillings of an experiment's trials.

use super::record::Record;
use crate::experiment::analysis::Evidence;
use crate::experiment::plan::ArmPlan;
use crate::experiment::result::document::TrialState;
use crate::report::RunResult;

/// One filling with where it comes from.
pub(super) struct Filling<'a> {
    pub(super) name: String,
    pub(super) record: Record,
    pub(super) run: &'a RunResult,
}

/// What there is, in the order of levels and arms; and what there is that cannot be read.
pub(super) fn fillings<'a>(evidence: &'a Evidence<'_>) -> (Vec<Filling<'a>>, Vec<String>) {
    let mut unreadable = Vec::new();
    let plan = evidence.plan;
    let mut all: Vec<(usize, Filling<'a>)> = Vec::new();
    let of_trials = evidence
        .trials
        .iter()
        .zip(evidence.runs)
        .zip(evidence.after);
    for ((trial, run), after) in of_trials {
        let (Some(run), Some(after), TrialState::Done) = (run, after, trial.state) else {
            continue;
        };
        let record = match serde_json::from_value::<Record>(after.clone()) {
            Ok(record) => record,
            Err(e) => {
                unreadable.push(format!(
                    "cannot parse {}/after.json; another version of etcdmark may have written it: {e}",
                    trial.directory
                ));
                continue;
            }
        };
        let mut name = format!("etcd {}", record.etcd);
        let like = |a: &&ArmPlan| a.stores.first().map(|s| &s.version) == Some(&record.etcd);
        // Versions tell arms apart, unless they do not.
        if plan.arms.iter().filter(like).count() > 1 {
            name = trial.arm.clone();
        }
        if plan.levels.len() > 1 {
            name = format!("{name}, {}", trial.level);
        }
        if plan.blocks > 1 {
            name = format!("{name}, {}", trial.block);
        }
        let level = plan
            .levels
            .iter()
            .position(|r| *r == trial.level)
            .unwrap_or(0);
        let arm = plan
            .arms
            .iter()
            .position(|a| a.name == trial.arm)
            .unwrap_or(0);
        let place = (level * plan.arms.len() + arm) * plan.blocks as usize + trial.block as usize;
        all.push((place, Filling { name, record, run }));
    }
    all.sort_by_key(|(place, _)| *place);
    (all.into_iter().map(|(_, f)| f).collect(), unreadable)
}

impl Filling<'_> {
    /// By which share of the true time the forecast of that number was late (above 0: it came later than said).
    pub(super) fn off(&self, forecast: usize) -> Option<f64> {
        let said = self.record.forecasts.get(forecast)?.full_at?;
        Some(self.record.full_at? / said - 1.0)
    }

    /// Seconds from the first step of the recovery to the end of the last.
    pub(super) fn down(&self) -> f64 {
        let last = self.record.recovery.last().map(|s| s.at + s.took);
        let first = self.record.recovery.first().map(|s| s.at);
        last.zip(first).map_or(0.0, |(l, f)| l - f)
    }
}
