//! `experiment.json`: what an experiment found. A pure function of `plan.json`, the trials' `result.json` files and
//! what the trial hook kept beside them ([`super::reduce()`]).

use super::metric::{MetricValue, Scale, Unit};
use super::outcome::Outcome;
use crate::exit::Exit;
use crate::experiment::level::LevelName;
use crate::experiment::plan::ExperimentPlan;
use crate::measure::paired::Reading;
use crate::measure::validity::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `apiVersion` of [`ExperimentResult`].
pub const API_VERSION: &str = "etcdmark/v1alpha2";
/// `kind` of [`ExperimentResult`].
pub const KIND: &str = "ExperimentResult";

/// The result of an experiment.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentResult {
    /// `etcdmark/v1alpha2`.
    pub api_version: String,
    /// `ExperimentResult`.
    pub kind: String,
    /// Version of its format, the plan's.
    pub version: u32,
    /// What was played.
    pub plan: ExperimentPlan,
    /// Whether every trial is done.
    pub complete: bool,
    /// The answer, in a sentence.
    pub answer: String,
    /// Each arm against the baseline: per level, metric and arm, the primary metrics first.
    pub comparisons: Vec<Comparison>,
    /// What the analysis found beside them.
    pub tables: Vec<Table>,
    /// Remarks.
    pub notes: Vec<String>,
    /// What the analysis computed its tables from, in its own form.
    pub data: serde_json::Value,
    /// An arm is worse than the baseline, by the analysis `gate`.
    #[serde(default)]
    pub regression: bool,
    /// The trials, in the order of play.
    pub trials: Vec<TrialResult>,
}

/// One arm against the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The metric.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// Whether the answer is about it.
    pub primary: bool,
    /// The level.
    pub level: LevelName,
    /// The arm.
    pub arm: String,
    /// Median of the baseline's trials; none where none has a figure, or where the median is a miss.
    pub baseline_median: Option<f64>,
    /// Median of the arm's trials, likewise.
    pub arm_median: Option<f64>,
    /// Whether `estimate`, `low` and `high` are ratios (arm / baseline) or differences (arm − baseline).
    pub scale: Scale,
    /// Blocks with a figure of both arms.
    pub blocks: u64,
    /// Blocks in which the arm's figure is a miss (+∞).
    pub arm_missed: u64,
    /// Blocks in which the baseline's is.
    pub baseline_missed: u64,
    /// exp(d̄) of the logarithms of the blocks' ratios, or the mean difference.
    pub estimate: Option<f64>,
    /// Lower end of the 95 % interval, exp(d̄ − t·s/√k); none below six blocks, and beside misses.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// A departure up to this does not matter: a share for ratios, else in the metric's unit.
    pub delta: f64,
    /// What the interval says beside `delta`.
    pub reading: Reading,
    /// About how many blocks more would settle an inconclusive reading with a probability of 80 %; none where there is no
    /// interval, or above 1,000 blocks.
    pub more_blocks: Option<u64>,
    /// Exact two-sided sign-flip test.
    pub p: Option<f64>,
    /// The same, adjusted (Holm) for all comparisons of primary metrics; none for the others.
    pub p_holm: Option<f64>,
}

/// A table, as it is printed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Heads of its columns.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these heads.
    pub fn new(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Self {
        Table {
            title: title.to_owned(),
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
            rows,
        }
    }
}

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrialState {
    /// It was not begun.
    Missing,
    /// Its files have no end, or it was interrupted or failed: it is going to be played again.
    Torn,
    /// It ended, and its results are valid.
    Done,
    /// It ended, and the generator did not keep up, twice: its numbers are not used.
    Invalid,
}

/// A trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrialResult {
    /// From 1, in the order of play.
    pub trial: u32,
    /// From 1.
    pub block: u32,
    /// The level.
    pub level: LevelName,
    /// The arm.
    pub arm: String,
    /// Its files, below the experiment's directory.
    pub directory: String,
    /// What became of it.
    pub state: TrialState,
    /// How its run ended; none for a missing one.
    pub outcome: Option<Outcome>,
    /// Whether the generator kept up.
    pub validity: Option<Verdict>,
    /// It was invalid once and was played again.
    pub repeated: bool,
    /// The exit code that its result calls for.
    pub exit_code: Option<u8>,
    /// Its figures of every metric that it has.
    pub values: BTreeMap<String, MetricValue>,
}

impl ExperimentResult {
    /// The exit code that this result calls for.
    pub fn exit(&self) -> Exit {
        if !self.complete {
            return Exit::Interrupted;
        }
        let mut exit = if self.regression {
            Exit::Regression
        } else {
            Exit::Ok
        };
        for trial in &self.trials {
            exit = exit.and(match trial.exit_code {
                Some(1) => Exit::Failure,
                Some(99) => Exit::Threshold,
                _ => Exit::Ok,
            });
            if trial.state == TrialState::Invalid {
                exit = exit.and(Exit::Invalid);
            }
        }
        exit
    }

    /// `experiment.json`: pretty, with a final newline.
    ///
    /// # Errors
    /// None in practice: every field can be written as JSON.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}
