//! What an analysis may do while a trial is played.

use super::testbed::Testbed;
use crate::control::Control;
use crate::etcd::control::ControlError;
use crate::experiment::plan::ExperimentPlan;
use crate::report::{Event, RunResult};
use crate::workload::Plan;
use std::fmt::Debug;

/// A trial that is about to begin: its etcds run, nothing is loaded yet.
#[derive(Clone, Copy, Debug)]
pub struct TrialStart<'a> {
    /// The running etcds.
    pub testbed: &'a Testbed,
    /// The experiment.
    pub experiment: &'a ExperimentPlan,
    /// What the engine is going to play.
    pub plan: &'a Plan,
    /// Drains this trial, and no other.
    pub control: &'a Control,
}

/// Makes the hook of one trial.
pub type MakeHook = fn(TrialStart<'_>) -> Result<Box<dyn TrialHook>, HookError>;

/// Follows one trial. The lines that its methods return are written into the trial's event stream, as notes.
pub trait TrialHook: Debug {
    /// Before anything is loaded (a forecast, for example).
    fn before(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// After each event of the trial, in order.
    fn event(&mut self, _testbed: &Testbed, _event: &Event) -> Vec<String> {
        Vec::new()
    }

    /// After a trial that was played to its end, before its etcds end: what it returns is kept as `after.json` in the
    /// trial's directory.
    ///
    /// # Errors
    /// What ends the experiment.
    fn after(
        self: Box<Self>,
        _testbed: &Testbed,
        _result: &RunResult,
    ) -> Result<Option<serde_json::Value>, HookError> {
        Ok(None)
    }

    /// Instead of [`TrialHook::after`], when the trial was not played to its end: repairs what must not stay in an
    /// external etcd. What it returns is printed.
    fn abort(self: Box<Self>, _testbed: &Testbed) -> Vec<String> {
        Vec::new()
    }
}

/// Why a hook ends the experiment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// The analysis cannot be made of this trial.
    #[error("{0}")]
    Unsuited(String),
    /// An etcd of the trial has ended.
    #[error("{0}")]
    EtcdEnded(String),
    /// An etcd of the trial does not answer.
    #[error(transparent)]
    Etcd(#[from] ControlError),
    /// What was found cannot be written.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The user ended the trial.
    #[error("interrupted")]
    Interrupted,
}
