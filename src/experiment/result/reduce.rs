//! Plan and trials → the experiment's result. Pure.

use super::comparison::comparisons;
use super::document::{API_VERSION, ExperimentResult, KIND, TrialResult, TrialState};
use super::leadership;
use super::metric::Metric;
use crate::experiment::analysis::{Analysis, Evidence};
use crate::experiment::plan::{ExperimentPlan, TrialPlan};
use crate::measure::validity::Verdict;
use crate::report::RunResult;

/// What is there of a trial.
#[derive(Clone, Debug, Default)]
pub struct StoredTrial {
    /// Its result, whole or rebuilt.
    pub result: Option<RunResult>,
    /// Whether it was written at the trial's end, rather than rebuilt.
    pub ended: bool,
    /// What the analysis noted of it.
    pub after: Option<serde_json::Value>,
    /// A first try was invalid.
    pub repeated: bool,
}

impl StoredTrial {
    /// What became of the trial.
    pub fn state(&self) -> TrialState {
        let Some(result) = &self.result else {
            return TrialState::Missing;
        };
        // A guard ends a trial as the experiment wants it.
        let whole = matches!(result.outcome.outcome.as_str(), "completed" | "guard");
        match result.validity.verdict {
            _ if !self.ended || !whole => TrialState::Torn,
            Verdict::Invalid => TrialState::Invalid,
            _ => TrialState::Done,
        }
    }

    /// Whether it need not be played (again).
    pub fn settled(&self) -> bool {
        match self.state() {
            TrialState::Done => true,
            TrialState::Invalid => self.repeated,
            TrialState::Missing | TrialState::Torn => false,
        }
    }
}

/// The result; `found` is in the order of the plan's trials.
pub fn reduce(
    plan: &ExperimentPlan,
    found: &[StoredTrial],
    analysis: &dyn Analysis,
) -> ExperimentResult {
    let trials: Vec<TrialResult> = plan
        .trials
        .iter()
        .zip(found)
        .map(|(t, f)| trial(plan, t, f))
        .collect();
    let comparisons = comparisons(plan, &trials);
    let runs: Vec<_> = found.iter().map(|f| f.result.clone()).collect();
    let after: Vec<_> = found.iter().map(|f| f.after.clone()).collect();
    let evidence = Evidence {
        plan,
        comparisons: &comparisons,
        trials: &trials,
        runs: &runs,
        after: &after,
    };
    let findings = analysis.answer(&evidence);
    let complete = found.iter().all(StoredTrial::settled);
    let answer = if complete {
        findings.answer
    } else {
        let done = found.iter().filter(|f| f.settled()).count();
        format!(
            "incomplete, {done} of {} trials done: {}",
            trials.len(),
            findings.answer
        )
    };
    ExperimentResult {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        plan: plan.clone(),
        complete,
        answer,
        comparisons,
        tables: findings.tables,
        notes: [
            plan.notes.clone(),
            leadership::all_moved(plan, found),
            findings.notes,
        ]
        .concat(),
        data: findings.data,
        trials,
    }
}

fn trial(plan: &ExperimentPlan, trial: &TrialPlan, found: &StoredTrial) -> TrialResult {
    let result = found.result.as_ref();
    let names = plan.primary.iter().chain(&plan.metrics);
    let value = |name: &String| {
        let value = Metric::parse(name).ok()?.of(result?)?;
        Some((name.clone(), value))
    };
    TrialResult {
        trial: trial.trial,
        block: trial.block,
        level: trial.level.clone(),
        arm: trial.arm.clone(),
        directory: trial.directory.clone(),
        state: found.state(),
        outcome: result.map(|r| r.outcome.outcome.clone()),
        validity: result.map(|r| r.validity.verdict),
        repeated: found.repeated,
        exit_code: result.map(|r| r.exit().code()),
        values: names.filter_map(value).collect(),
    }
}
