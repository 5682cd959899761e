//! What reads an experiment's trials: one file per analysis. A new one is such a file and a line in [`ALL`].

use super::bed::Bed;
use super::compare::Compare;
use super::defrag::Defrag;
use super::media::Media;
use super::plan::ExperimentPlan;
use super::quota::Quota;
use super::result::{Comparison, Table, TrialResult};
use super::split::Split;
use super::versions::Versions;
use crate::control::Control;
use crate::measure::paired::MIN_BLOCKS;
use crate::report::{Event, RunResult};
use crate::workload::Plan;
use std::fmt::Debug;

/// All of them.
pub const ALL: &[&dyn Analysis] = &[&Compare, &Versions, &Quota, &Media, &Defrag, &Split];

/// The analysis of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Analysis> {
    ALL.iter().copied().find(|a| a.name() == name)
}

/// Reads an experiment's trials, and may have each of them attended, while its etcds are running.
pub trait Analysis: Debug + Sync {
    /// As in `analysis:` of the file.
    fn name(&self) -> &'static str;

    /// What its answer takes at least. Default: a comparison with an interval.
    fn least(&self) -> Least {
        Least {
            arms: 2,
            blocks: MIN_BLOCKS as u32,
        }
    }

    /// Whether it fills etcds until they refuse to write.
    fn fills(&self) -> bool {
        false
    }

    /// Who sees to a trial while it is played, if anybody; `plan` is what the engine is going to play, and
    /// `control` drains or stops it.
    ///
    /// # Errors
    /// What ends the experiment, in words.
    fn attend(
        &self,
        _bed: &Bed,
        _experiment: &ExperimentPlan,
        _plan: &Plan,
        _control: &Control,
    ) -> Result<Option<Box<dyn Attendant>>, String> {
        Ok(None)
    }

    /// The answer. Pure: the same evidence gives the same words.
    fn answer(&self, evidence: &Evidence<'_>) -> Findings;
}

/// The fewest arms and blocks that an answer can be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Least {
    /// Arms.
    pub arms: usize,
    /// Blocks; the smoke form takes one.
    pub blocks: u32,
}

/// Sees to one trial: what it remarks is written into the trial's event stream, as notes.
pub trait Attendant: Debug {
    /// Before anything is loaded (a prediction, for example).
    fn before(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// After each event of the trial, in order.
    fn event(&mut self, _bed: &Bed, _event: &Event) -> Vec<String> {
        Vec::new()
    }

    /// After a trial that was played to its end, before its etcds end: what it returns is kept as `after.json` in the
    /// trial's directory.
    ///
    /// # Errors
    /// What ends the experiment, in words.
    fn after(
        self: Box<Self>,
        _bed: &Bed,
        _result: &RunResult,
    ) -> Result<Option<serde_json::Value>, String> {
        Ok(None)
    }

    /// Instead of [`Attendant::after`], when the trial was not played to its end: puts right what must not stay so in an
    /// etcd that stays. What it returns is said.
    fn leave(self: Box<Self>, _bed: &Bed) -> Vec<String> {
        Vec::new()
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
    /// What [`Attendant::after`] returned, in the same order.
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
