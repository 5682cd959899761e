//! What went wrong in trials, for the answer: it stands beside the effects, which it may explain or void.

use super::reduce::StoredTrial;
use crate::experiment::plan::{ExperimentPlan, TrialPlan};
use crate::experiment::result::document::TrialState;
use crate::human::numbers::rate;
use crate::report::RunResult;
use crate::report::result::ThresholdVerdict;

/// An etcd that lost what it acknowledged is worse than any effect.
pub(super) fn lost(plan: &ExperimentPlan, stored: &[StoredTrial]) -> Option<String> {
    let lost = |r: &RunResult| {
        let lost = r.lost_writes() > 0 || r.lost_by_store().next().is_some();
        lost.then(String::new)
    };
    told(plan, stored, "acknowledged writes were lost", lost)
}

/// A guard ended the load before its time: the trial's figures are of a shorter load.
pub(super) fn guards(plan: &ExperimentPlan, stored: &[StoredTrial]) -> Option<String> {
    let guarded = |r: &RunResult| {
        let guard = r.guards.first()?;
        Some(format!("{}: {}", guard.guard, guard.cause))
    };
    told(plan, stored, "a guard ended the load", guarded)
}

/// The generator did not keep up twice: the figures are of fewer trials.
pub(super) fn invalid(plan: &ExperimentPlan, stored: &[StoredTrial]) -> Option<String> {
    let invalid = stored
        .iter()
        .filter(|t| t.state() == TrialState::Invalid && t.settled())
        .count();
    let excluded = format!(
        "{invalid} of {} trials were invalid twice and are not used",
        plan.trials.len()
    );
    (invalid > 0).then_some(excluded)
}

/// The workload's own thresholds.
pub(super) fn thresholds(plan: &ExperimentPlan, stored: &[StoredTrial]) -> Option<String> {
    let missed = |r: &RunResult| {
        let missed = r.thresholds_with(ThresholdVerdict::Missed).next()?;
        Some(missed.expression.clone())
    };
    told(plan, stored, "a threshold was missed", missed)
}

/// Less was answered than offered: response times are those of a queue.
pub(super) fn saturated(plan: &ExperimentPlan, stored: &[StoredTrial]) -> Option<String> {
    let saturated = |r: &RunResult| {
        let (offered, achieved) = (rate(r.total.offered_rate), rate(r.total.achieved_rate));
        let text = format!("offered {offered}/s, achieved {achieved}/s");
        r.validity.saturated.then_some(text)
    };
    told(plan, stored, "etcd was saturated", saturated)
}

/// `etcd was saturated in 2 of 8 trials (the first one: trial 3, arm hdd, level x8: offered 900/s, achieved 420/s)`.
fn told(
    plan: &ExperimentPlan,
    stored: &[StoredTrial],
    what: &str,
    found: impl Fn(&RunResult) -> Option<String>,
) -> Option<String> {
    let found = |(trial, stored): (&TrialPlan, &StoredTrial)| {
        let why = found(stored.result.as_ref()?)?;
        let level = trial.level.between(", level ", "");
        let why = if why.is_empty() {
            why
        } else {
            format!(": {why}")
        };
        Some(format!(
            "trial {}, arm {}{level}{why}",
            trial.trial, trial.arm
        ))
    };
    let all: Vec<String> = plan.trials.iter().zip(stored).filter_map(found).collect();
    let played = stored.iter().filter(|t| t.result.is_some()).count();
    let first = all.first()?;
    Some(format!(
        "{what} in {} of {played} trials (the first one: {first})",
        all.len(),
    ))
}
