//! Plan and trials → the experiment's result. Pure.

use super::analysis::{self, Evidence};
use super::compare::{Compare, comparisons};
use super::leader;
use super::metric::Metric;
use super::plan::{ExperimentPlan, TrialPlan};
use super::result::{API_VERSION, ExperimentResult, KIND, State, TrialResult};
use crate::measure::validity::Verdict;
use crate::report::RunResult;

/// What is there of a trial.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Its result, whole or rebuilt.
    pub result: Option<RunResult>,
    /// Whether it was written at the trial's end, rather than rebuilt.
    pub ended: bool,
    /// What the analysis noted of it.
    pub after: Option<serde_json::Value>,
    /// A first try was invalid.
    pub repeated: bool,
}

impl Found {
    /// What became of the trial.
    pub fn state(&self) -> State {
        let Some(result) = &self.result else {
            return State::Missing;
        };
        // A guard ends a trial as the experiment wants it.
        let whole = matches!(result.outcome.outcome.as_str(), "completed" | "guard");
        match result.validity.verdict {
            _ if !self.ended || !whole => State::Torn,
            Verdict::Invalid => State::Invalid,
            _ => State::Done,
        }
    }

    /// Whether it need not be played (again).
    pub fn settled(&self) -> bool {
        match self.state() {
            State::Done => true,
            State::Invalid => self.repeated,
            State::Missing | State::Torn => false,
        }
    }
}

/// The result; `found` is in the order of the plan's trials.
pub fn reduce(plan: &ExperimentPlan, found: &[Found]) -> ExperimentResult {
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
    // A later version's analysis may be unknown here; its trials can be compared all the same.
    let findings = analysis::by_name(&plan.analysis)
        .unwrap_or(&Compare)
        .answer(&evidence);
    let complete = found.iter().all(Found::settled);
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
            leader::all_moved(plan, found),
            findings.notes,
        ]
        .concat(),
        data: findings.data,
        trials,
    }
}

fn trial(plan: &ExperimentPlan, trial: &TrialPlan, found: &Found) -> TrialResult {
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
