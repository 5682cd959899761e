//! The plan of an experiment with nothing left to decide: what `plan.json` holds. With the trials' results beside it,
//! it is all that the answer is computed from.

use super::level::LevelName;
use crate::local::medium::{Medium, MediumSpec};
use crate::measure::BinaryInfo;
use crate::target::MemberChoice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of an experiment's files: `plan.json`, `after.json` and `experiment.json`. 2: blocks and levels instead of
/// pairs and rungs, `skippedArms`.
pub const PLAN_VERSION: u32 = 2;

/// An experiment, as it is going to be played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentPlan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// Hex SHA-256 over all that decides a trial: the file after every flag, seed, etcd versions; not the number of blocks.
    pub hash: String,
    /// The experiment's name.
    pub name: String,
    /// What it asks.
    pub question: String,
    /// Who reads the trials.
    pub analysis: String,
    /// Smoke form: it shows that the experiment works, and answers nothing.
    pub smoke: bool,
    /// Seed of the order and of the first block's workloads.
    pub seed: u64,
    /// Trials of each arm on each level.
    pub blocks: u32,
    /// Each trial began from a copy of its arm's bytes.
    pub snapshot: bool,
    /// The arms, in the file's order.
    pub arms: Vec<ArmPlan>,
    /// The arm that the others are compared with.
    pub baseline: String,
    /// Arms that were left out, and why.
    pub skipped_arms: Vec<SkippedArm>,
    /// The levels' names; one, empty, where there is no sweep.
    pub levels: Vec<LevelName>,
    /// etcd's own flags on those levels that have some.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub level_flags: BTreeMap<LevelName, Vec<String>>,
    /// What the answer is about.
    pub primary: Vec<String>,
    /// What is shown beside it.
    pub metrics: Vec<String>,
    /// What the analysis `gate` judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// How the analysis `quota` goes on once the etcd is full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<Fill>,
    /// What is to be known of it beforehand, such as arms on one disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The trials in the order of play.
    pub trials: Vec<TrialPlan>,
}

/// An arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArmPlan {
    pub name: String,
    /// What it is, in a few words.
    pub description: String,
    /// Its etcd clusters, one per store.
    pub stores: Vec<StorePlan>,
}

/// An etcd cluster of an arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorePlan {
    /// The store's name.
    pub store: String,
    /// The kind cluster that an etcd is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Of an etcd that runs already; none = it is started for each trial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// etcd's exact version; empty where it runs already, each trial's result has it.
    pub version: String,
    /// The binary that is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<BinaryInfo>,
    /// Members.
    pub members: usize,
    /// etcd's own flags.
    pub flags: Vec<String>,
    /// Where the data lie; none = the system's temporary directory.
    pub data_dir: Option<String>,
    /// The file system there, in words.
    pub file_system: String,
    /// Where the write-ahead log lies; none = with the data.
    pub wal_dir: Option<String>,
    /// The emulated storage medium; none = the disk as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<PlannedMedium>,
    /// Other media of single members, by their number from 0.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub member_media: BTreeMap<usize, PlannedMedium>,
    /// The number of the member that is to lead; none = whoever was elected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<usize>,
    /// Which members get the load; none = all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<MemberChoice>,
    /// Whether it and the client get cores of their own; none = where it gets two or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<bool>,
}

impl StorePlan {
    /// Its data lie in memory where there is room, and else on a disk.
    pub(crate) fn goes_where_there_is_room(&self) -> bool {
        let emulates = self.medium.is_some() || !self.member_media.is_empty();
        emulates && self.data_dir.is_none()
    }
}

impl From<&Medium> for PlannedMedium {
    fn from(medium: &Medium) -> Self {
        PlannedMedium {
            name: medium.name.clone(),
            spec: medium.spec.clone(),
        }
    }
}

/// An emulated storage medium of an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedMedium {
    pub name: String,
    /// What it was when the experiment began: a file may change before it goes on.
    pub spec: MediumSpec,
}

/// What the analysis `gate` judges, and on how many blocks at most: `discarded`, then those of two stages, then spare ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// The gating metrics.
    pub metrics: Vec<GateMetric>,
    /// First blocks that are played and not used.
    pub discarded: u32,
    /// Base and head are one etcd: the noise is measured, and nothing is judged.
    pub null: bool,
}

/// A gating metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateMetric {
    pub metric: String,
    /// A departure up to this does not matter: a share for ratios, else in the metric's unit.
    pub delta: f64,
}

/// What the analysis `quota` does with a full etcd; seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fill {
    /// How long it is left full before the way back begins.
    pub hold: f64,
    /// How long the load goes on once writes are answered again.
    pub after: f64,
}

/// An arm that was left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkippedArm {
    pub arm: String,
    pub reason: String,
}

/// A trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrialPlan {
    /// From 1, in the order of play.
    pub trial: u32,
    /// From 1.
    pub block: u32,
    /// The level's name.
    pub level: LevelName,
    /// The arm's name.
    pub arm: String,
    /// Place among the arms of its block and level, from 1.
    pub order: u32,
    /// Seed of its workload, the same in its block.
    pub seed: u64,
    /// Its result directory, below the experiment's.
    pub directory: String,
}

impl ExperimentPlan {
    /// The arm of that name.
    pub fn arm(&self, name: &str) -> Option<&ArmPlan> {
        self.arms.iter().find(|a| a.name == name)
    }

    /// The first block whose figures are used, from 1.
    pub fn first_block(&self) -> u32 {
        1 + self.gate.as_ref().map_or(0, |gate| gate.discarded)
    }

    /// The arms that are compared with the baseline.
    pub fn others(&self) -> impl Iterator<Item = &ArmPlan> {
        self.arms.iter().filter(|a| a.name != self.baseline)
    }
}
