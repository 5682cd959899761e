//! What `capacity.json` holds.

use super::bottleneck::Bottleneck;
use super::search::{Attempt, End, Next, Outcome, Range, next};
use super::text;
use super::verdict::{compactions, judge};
use crate::exit::Exit;
use crate::measure::percentile::Headline;
use crate::report::result::RunResult;
use serde::{Deserialize, Serialize};

/// Version of the JSON.
pub const CAPACITY_VERSION: u32 = 1;

/// What is made larger until it is not carried.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Hollow nodes (cluster.nodes), and all traffic that follows from them
    Nodes,
    /// Every open-loop rate, as a multiple of the workload's (load.rateScale)
    Rate,
    /// Events per second (actors.events.rate) beside the workload's other traffic
    Events,
}

impl Quantity {
    /// The workload's field.
    pub fn field(self) -> &'static str {
        match self {
            Quantity::Nodes => "cluster.nodes",
            Quantity::Rate => "load.rateScale",
            Quantity::Events => "actors.events.rate",
        }
    }

    /// `4,100 nodes`, `2.5 times the workload's rate`, `900 Events/s`.
    pub fn of(self, size: f64) -> String {
        let number = text::size(size);
        match self {
            Quantity::Nodes if size == 1.0 => "1 node".to_owned(),
            Quantity::Nodes => format!("{number} nodes"),
            Quantity::Rate => format!("{number} times the workload's rate"),
            Quantity::Events => format!("{number} Events/s"),
        }
    }
}

/// What is asked: two searches with the same question continue each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// Name of the workload.
    pub workload: String,
    /// Hex SHA-256 of the workload at the first size.
    pub workload_hash: String,
    pub of: Quantity,
    pub range: Range,
    /// What a trial must hold.
    pub thresholds: Vec<String>,
    /// Length of the measure phase of the first trials, seconds.
    pub seconds: f64,
    /// Flags that say which etcd.
    pub etcd: Vec<String>,
    /// Size that must be carried, or the exit code is 99.
    pub required: Option<f64>,
}

/// One trial, in the order of play.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityTrial {
    /// From 1; its files are in trials/TRIAL.
    pub trial: u32,
    pub attempt: Attempt,
    pub outcome: Outcome,
    /// What the outcome rests on.
    pub reason: String,
    /// What limited it; null = it was carried, or undecided.
    pub bottleneck: Option<Bottleneck>,
    /// Operations per second that were due.
    pub offered_rate: f64,
    /// Of these, answered.
    pub achieved_rate: f64,
    /// Of the operations, 0–1.
    pub miss_share: f64,
    /// Response time over all offered operations, ns.
    pub p50: Option<Headline>,
    /// 99 %.
    pub p99: Option<Headline>,
    /// 99.9 %.
    #[serde(rename = "p99.9")]
    pub p999: Option<Headline>,
    /// In the measure phase; null = the workload has none, or this etcd may not be compacted.
    pub compactions: Option<u64>,
    /// Acknowledged writes that are missing from the store.
    pub lost_writes: u64,
}

impl CapacityTrial {
    pub(super) fn new(trial: u32, attempt: Attempt, r: &RunResult) -> Self {
        let judged = judge(r);
        CapacityTrial {
            trial,
            attempt,
            outcome: judged.outcome,
            reason: judged.reason,
            bottleneck: judged.bottleneck,
            offered_rate: r.total.offered_rate,
            achieved_rate: r.total.achieved_rate,
            miss_share: r.total.miss_share,
            p50: r.total.headline.map(|h| h.p50),
            p99: r.total.headline.map(|h| h.p99),
            p999: r.total.headline.map(|h| h.p999),
            compactions: compactions(r),
            lost_writes: r.lost_writes(),
        }
    }
}

/// How large a cluster is carried, and every trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityResult {
    /// [`CAPACITY_VERSION`].
    pub version: u32,
    /// The answer in a sentence.
    pub summary: String,
    pub question: Question,
    /// No trial is needed any more.
    pub complete: bool,
    /// The largest size that was carried so far; null = none was.
    pub carried: Option<f64>,
    /// The smallest size above it that was not; null = the largest that may be tried was carried.
    pub not_carried: Option<f64>,
    /// Every confirmation of `carried` passed.
    pub confirmed: bool,
    /// Trials of `carried` have too few operations to confirm it.
    pub too_few: bool,
    /// What limits above it; null = nothing failed there.
    pub bottleneck: Option<Bottleneck>,
    /// The whole curve.
    pub trials: Vec<CapacityTrial>,
}

impl CapacityResult {
    /// Of the trials that were played.
    pub fn new(question: Question, trials: Vec<CapacityTrial>) -> Self {
        let (complete, end) = match needed(&question.range, &trials) {
            Next::Done(end) => (true, end),
            Next::Play(_) => (false, so_far(&trials)),
        };
        let mut result = CapacityResult {
            version: CAPACITY_VERSION,
            summary: String::new(),
            question,
            complete,
            carried: end.carried,
            not_carried: end.failed,
            confirmed: end.confirmed,
            too_few: end.too_few,
            bottleneck: None,
            trials,
        };
        let refused = result.refused();
        result.bottleneck = refused.and_then(|t| t.bottleneck.clone());
        result.summary = text::sentence(&result);
        result
    }

    /// With one more trial.
    pub(super) fn with(self, trial: CapacityTrial) -> Self {
        let mut trials = self.trials;
        trials.push(trial);
        CapacityResult::new(self.question, trials)
    }

    /// The trial that is needed next.
    pub fn next(&self) -> Next {
        needed(&self.question.range, &self.trials)
    }

    /// Its number.
    pub fn next_number(&self) -> u32 {
        u32::try_from(self.trials.len() + 1).unwrap_or(u32::MAX)
    }

    /// The last trial of the size that was not carried that says why.
    pub(super) fn refused(&self) -> Option<&CapacityTrial> {
        let size = self.not_carried?;
        let mut latest = self.trials.iter().rev();
        latest.find(|t| t.attempt.size == size && t.bottleneck.is_some())
    }

    /// Acknowledged writes that are missing from the stores of all trials.
    pub fn lost_writes(&self) -> u64 {
        self.trials.iter().map(|t| t.lost_writes).sum()
    }

    /// 0; 98 where the answer is not confirmed; 99 where less is carried than was required, or nothing; 1 where writes were lost; 130
    /// where trials are missing.
    pub fn exit(&self) -> Exit {
        let too_small = match (self.question.required, self.carried) {
            (_, None) => true,
            (Some(required), Some(carried)) => carried < required,
            (None, Some(_)) => false,
        };
        let mut exit = match (self.complete, too_small) {
            (false, _) => Exit::Interrupted,
            (true, true) => Exit::Threshold,
            (true, false) if self.confirmed => Exit::Ok,
            (true, false) => Exit::Invalid,
        };
        if self.lost_writes() > 0 {
            exit = exit.and(Exit::Failure);
        }
        exit
    }
}

fn needed(range: &Range, trials: &[CapacityTrial]) -> Next {
    let outcomes: Vec<Outcome> = trials.iter().map(|t| t.outcome).collect();
    next(range, &outcomes)
}

/// What an unfinished search has seen.
fn so_far(trials: &[CapacityTrial]) -> End {
    let sizes = |outcome: Outcome| {
        let of = trials.iter().filter(move |t| t.outcome == outcome);
        of.map(|t| t.attempt.size)
    };
    let failed = sizes(Outcome::Failed).chain(sizes(Outcome::GeneratorBound));
    let failed = failed.reduce(f64::min);
    let below = |size: &f64| failed.is_none_or(|failed| *size < failed);
    End {
        carried: sizes(Outcome::Passed).filter(below).reduce(f64::max),
        failed,
        confirmed: false,
        too_few: false,
    }
}

/// The JSON Schema (draft 2020-12) of `capacity.json`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(CapacityResult);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}
