//! What reads an experiment's trials: one file per analysis. A new one is such a file and a line in [`ALL`].

use super::bed::Bed;
use super::compare::Compare;
use super::plan::{ExperimentPlan, TrialPlan};
use super::result::{Comparison, Table, TrialResult};
use super::versions::Versions;
use crate::report::{Event, RunResult};
use std::fmt::Debug;

/// All of them.
pub const ALL: &[&dyn Analysis] = &[&Compare, &Versions];

/// The analysis of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Analysis> {
    ALL.iter().copied().find(|a| a.name() == name)
}

/// Reads an experiment's trials, and may act before and after each of them, while its etcds are running.
pub trait Analysis: Debug + Sync {
    /// As in `analysis:` of the file.
    fn name(&self) -> &'static str;

    /// Before a trial's load: what it returns is written to the trial's event stream, as notes, before anything is
    /// loaded (a prediction, for example).
    ///
    /// # Errors
    /// What ends the experiment, in words.
    fn before(&self, _bed: &Bed, _trial: &TrialPlan) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    /// Follows a trial's events and may remark on them as they come (a second prediction at a quarter of the way).
    fn follow(&self, _bed: &Bed, _trial: &TrialPlan) -> Option<Box<dyn Follow>> {
        None
    }

    /// After a trial that was played to its end: what it returns is kept as `after.json` in the trial's directory.
    ///
    /// # Errors
    /// What ends the experiment, in words.
    fn after(
        &self,
        _bed: &Bed,
        _trial: &TrialPlan,
        _result: &RunResult,
    ) -> Result<Option<serde_json::Value>, String> {
        Ok(None)
    }

    /// The answer. Pure: the same evidence gives the same words.
    fn answer(&self, evidence: &Evidence<'_>) -> Findings;
}

/// Sees every event of a trial, in order.
pub trait Follow: Debug {
    /// What it returns is written into the trial's event stream, as notes, right after the event.
    fn event(&mut self, event: &Event) -> Vec<String>;
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
    /// What [`Analysis::after`] returned, in the same order.
    pub after: &'a [Option<serde_json::Value>],
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
}
