//! Plan and trials → the experiment's result. Pure.

use super::comparison::comparisons;
use super::document::{API_VERSION, Comparison, ExperimentResult, KIND, TrialResult, TrialState};
use super::faults;
use super::leadership;
use super::metric::Metric;
use super::outcome::{Outcome, is_invalid};
use crate::experiment::analysis::{Analysis, Evidence};
use crate::experiment::plan::{ExperimentPlan, PLAN_VERSION, TrialPlan};
use crate::report::RunResult;

/// What its files say of a trial.
#[derive(Clone, Debug, Default)]
pub struct StoredTrial {
    /// Its result, whole or rebuilt.
    pub result: Option<RunResult>,
    /// Whether it was written at the trial's end, rather than rebuilt.
    pub ended: bool,
    /// What the trial hook kept of it.
    pub after: Option<serde_json::Value>,
    /// A first try was invalid.
    pub repeated: bool,
    /// Why its result cannot be read, though there is one: it counts as not written.
    pub unreadable: Option<String>,
}

impl StoredTrial {
    /// What became of the trial.
    pub fn state(&self) -> TrialState {
        let Some(result) = &self.result else {
            return TrialState::Missing;
        };
        if !self.ended || !Outcome::of(result).is_whole() {
            return TrialState::Torn;
        }
        match is_invalid(&result.validity) {
            true => TrialState::Invalid,
            false => TrialState::Done,
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

/// The result; `stored` is in the order of the plan's trials.
pub fn reduce(
    plan: &ExperimentPlan,
    stored: &[StoredTrial],
    analysis: &dyn Analysis,
) -> ExperimentResult {
    let trials: Vec<TrialResult> = plan
        .trials
        .iter()
        .zip(stored)
        .map(|(t, f)| trial(plan, t, f))
        .collect();
    let comparisons = comparisons(plan, &trials);
    let runs: Vec<_> = stored.iter().map(|f| f.result.clone()).collect();
    let after: Vec<_> = stored.iter().map(|f| f.after.clone()).collect();
    let evidence = Evidence {
        plan,
        comparisons: &comparisons,
        trials: &trials,
        runs: &runs,
        after: &after,
    };
    let findings = analysis.answer(&evidence);
    let complete = stored.iter().all(StoredTrial::settled) || analysis.settled(&evidence);
    let mut found = match plan.smoke {
        true => format!("smoke test, no conclusion: {}", findings.answer),
        false => findings.answer,
    };
    for first in [faults::guards(plan, stored), faults::lost(plan, stored)] {
        found = first.map_or(found.clone(), |first| format!("{first}; {found}"));
    }
    let last = [
        unmeasured(plan, &comparisons),
        faults::saturated(plan, stored),
        faults::thresholds(plan, stored),
        faults::invalid(plan, stored),
    ];
    for told in last.into_iter().flatten() {
        found = format!("{found}; {told}");
    }
    let answer = if complete {
        found
    } else {
        let done = stored.iter().filter(|f| f.settled()).count();
        format!(
            "incomplete, {done} of {} trials done: {found}",
            trials.len()
        )
    };
    ExperimentResult {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        version: PLAN_VERSION,
        plan: plan.clone(),
        complete,
        answer,
        comparisons,
        tables: findings.tables,
        notes: [
            plan.notes.clone(),
            unreadable(plan, stored),
            leadership::all_moved(plan, stored),
            findings.notes,
        ]
        .concat(),
        data: findings.data,
        regression: findings.regression,
        trials,
    }
}

/// Primary metrics of which no block has a figure, though others have one: a question without an answer is said to be one.
fn unmeasured(plan: &ExperimentPlan, comparisons: &[Comparison]) -> Option<String> {
    let measured = |metric: &String| {
        comparisons
            .iter()
            .any(|c| c.metric == *metric && c.blocks > 0)
    };
    if plan.gate.is_some() || !plan.primary.iter().any(measured) {
        return None;
    }
    let without = plan.primary.iter().filter(|m| !measured(m));
    let titles: Vec<String> = without.map(|m| Metric::title_of(m)).collect();
    (!titles.is_empty()).then(|| format!("not measured: {}", titles.join(", ")))
}

fn unreadable(plan: &ExperimentPlan, stored: &[StoredTrial]) -> Vec<String> {
    let note = |(trial, stored): (&TrialPlan, &StoredTrial)| {
        let why = stored.unreadable.as_ref()?;
        Some(format!(
            "trial {}: {why}; it counts as not played to its end",
            trial.trial
        ))
    };
    plan.trials.iter().zip(stored).filter_map(note).collect()
}

fn trial(plan: &ExperimentPlan, trial: &TrialPlan, stored: &StoredTrial) -> TrialResult {
    let result = stored.result.as_ref();
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
        state: stored.state(),
        outcome: result.map(Outcome::of),
        validity: result.map(|r| r.validity.verdict),
        repeated: stored.repeated,
        exit_code: result.map(|r| r.exit().code()),
        values: names.filter_map(value).collect(),
    }
}
