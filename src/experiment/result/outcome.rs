//! How a trial's run ended.

use crate::report::RunResult;
use serde::{Deserialize, Serialize};

/// As in the run's own result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was played to its end.
    Completed,
    /// A guard, or the analysis, ended the load.
    Guard,
    /// The user ended it.
    Interrupted,
    /// It failed on its way.
    Failed,
    /// Its files have no end.
    Killed,
}

impl Outcome {
    /// Of a run.
    pub fn of(run: &RunResult) -> Self {
        match run.outcome.outcome.as_str() {
            "completed" => Outcome::Completed,
            "guard" => Outcome::Guard,
            "interrupted" => Outcome::Interrupted,
            "killed" => Outcome::Killed,
            _ => Outcome::Failed,
        }
    }

    /// Whether the trial is whole. A guard ends a trial as the experiment wants it.
    pub fn is_whole(self) -> bool {
        matches!(self, Outcome::Completed | Outcome::Guard)
    }
}
