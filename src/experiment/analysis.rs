//! How an experiment's trials become its answer.

use super::plan::ExperimentPlan;
use super::result::document::{Comparison, Table, TrialResult, TrialState};
use crate::measure::paired::MIN_BLOCKS;
use crate::report::RunResult;
use std::fmt::Debug;

/// Answers one kind of question from an experiment's trials.
pub trait Analysis: Debug + Sync {
    /// As in `analysis:` of the file.
    fn name(&self) -> &'static str;

    /// Default: a comparison with an interval.
    fn requirements(&self) -> Requirements {
        Requirements::default()
    }

    /// Whether the trials so far settle it, and those that are left need not be played.
    fn settled(&self, _: &Evidence<'_>) -> bool {
        false
    }

    /// The answer. Pure: the same evidence gives the same words.
    fn answer(&self, evidence: &Evidence<'_>) -> Findings;
}

/// What an analysis needs of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// The fewest arms.
    pub arms: usize,
    /// The fewest blocks; a smoke test runs one.
    pub blocks: u32,
    /// Every trial fills its etcd to the quota: the guards of quota and alarms are off.
    pub full_etcd: bool,
    /// It judges the metrics of `gate`, on a number of blocks that it knows itself.
    pub gate: bool,
}

impl Default for Requirements {
    fn default() -> Self {
        Requirements {
            arms: 2,
            blocks: MIN_BLOCKS as u32,
            full_etcd: false,
            gate: false,
        }
    }
}

/// All that an answer may be made of.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// What was played.
    pub plan: &'a ExperimentPlan,
    /// Each arm against the baseline.
    pub comparisons: &'a [Comparison],
    /// The trials, in the order of play, with their figures.
    pub trials: &'a [TrialResult],
    /// Their whole results, in the same order; none for a missing one.
    pub runs: &'a [Option<RunResult>],
    /// Each trial's `after.json`, in the same order.
    pub after: &'a [Option<serde_json::Value>],
}

impl Evidence<'_> {
    /// Trials are still to be played; of a smoke test, which concludes nothing, that is of no account.
    pub fn so_far(&self) -> bool {
        let to_come = |t: &TrialResult| matches!(t.state, TrialState::Missing | TrialState::Torn);
        !self.plan.smoke && self.trials.iter().any(to_come)
    }
}

/// What an analysis found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The first line: the answer with an interval, in one sentence.
    pub answer: String,
    /// Tables to print below the comparisons.
    pub tables: Vec<Table>,
    /// Remarks to print.
    pub notes: Vec<String>,
    /// What the tables were computed from, for programs.
    pub data: serde_json::Value,
    /// An arm is worse than the baseline: the exit code is 97.
    pub regression: bool,
}
