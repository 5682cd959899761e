//! The experiment file's types: what a user may write. Everything that may be left out is an `Option`; each doc
//! comment's "Default:" and "Required." are the reference page's columns.

use super::etcd_spec::EtcdSpec;
use crate::document::{ApiVersion, Metadata};
use crate::human::units::Span;
use crate::workload::file::{ClusterSpec, PhasesSpec, Spec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An experiment: two or more arms that run the same traffic, to answer one question about etcd.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "etcdmark experiment")]
pub struct ExperimentFile {
    /// Version of this file's format. Required.
    pub api_version: ApiVersion,
    /// Always `Experiment`. Required.
    pub kind: ExperimentKind,
    /// Name and description. Required.
    pub metadata: Metadata,
    /// The experiment itself. Required.
    pub spec: ExperimentSpec,
}

/// Type of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExperimentKind {
    /// An experiment.
    Experiment,
}

/// The experiment itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExperimentSpec {
    /// The question, in one sentence. Required.
    pub question: String,
    /// The traffic. Required.
    pub workload: WorkloadSpec,
    /// The etcd of every arm, unless the arm overrides it. Default: one member of the newest installed etcd.
    #[serde(default)]
    pub etcd: EtcdSpec,
    /// The variants to compare, two or more. Required.
    pub arms: Vec<ArmSpec>,
    /// Templates of the arms that `--dir`, `--medium` and `--split` add. Default: none, these flags are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEachSpec>,
    /// The arm that all others are compared with. Default: the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// The sweep: every arm runs at every level. Default: one level, the unchanged workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepSpec>,
    /// Blocks per level, at least 6; a block is one trial of every arm, run next to each other. Default: 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<u32>,
    /// Random seed of the order and of the workloads; block n uses seed + n - 1. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Fill each arm's etcd once and start every trial from a copy of its data, all with the same seed; needs one
    /// member. Default: false, every trial fills a fresh etcd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<bool>,
    /// Lengths of a trial's phases. Default: the workload's.
    #[serde(default)]
    pub phases: PhasesSpec,
    /// The metrics of the answer: one to four, such as `node-lease/update:p99`; every arm must have them. Required, but not with
    /// `gate`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary: Vec<String>,
    /// What the analysis `gate` judges. Default: none, required by that analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateSpec>,
    /// Exploratory metrics for the table, such as `etcd:rss`; not part of the answer. Default: none.
    #[serde(default)]
    pub metrics: Vec<String>,
    /// The analysis of the trials. Default: `compare`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<String>,
    /// Times of the analysis `quota` once etcd is full. Default: 60 s full, 10 s after recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<FillSpec>,
    /// Changes for `--smoke`. Default: one block.
    #[serde(default)]
    pub smoke: SmokeSpec,
}

/// What the analysis `gate` judges: whether the second arm is worse than the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GateSpec {
    /// The gating metrics. Required.
    pub metrics: Vec<GateMetricSpec>,
}

/// A gating metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GateMetricSpec {
    /// Such as `etcd:cpu-per-op`; more of it is worse. Required.
    pub metric: String,
    /// A departure up to this does not matter: `5%` of the base, or, for shares, a difference of `0.5%`. Required.
    pub delta: String,
}

/// The traffic: a workload and changes to it. Set exactly one of `name` and `spec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadSpec {
    /// Name of a built-in workload, or a file (relative to the working directory). Default: from `spec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A complete workload `spec`. Default: from `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Spec>,
    /// Changes, each in the form of `--set`: `cluster.nodes=500`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

/// One variant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArmSpec {
    /// Lowercase letters, digits, dots and dashes. Required.
    pub name: String,
    /// Short description. Default: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Skip the arm with a note if its etcd version is not installed, or if one of its directories does not exist, is
    /// not writable or has no room. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// The arm's etcd. Default: the experiment's.
    #[serde(default)]
    pub etcd: EtcdSpec,
    /// The arm's stores, each a separate etcd cluster. Default: the workload's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<ArmStoreSpec>,
    /// Resources in separate etcds, as in `run --split`: `events,leases`, or `events+leases` for one shared etcd.
    /// Replaces `stores`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Changes of the hollow cluster. Default: the workload's.
    #[serde(default)]
    pub cluster: ClusterSpec,
    /// More changes of the workload, each in the form of `--set`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

/// Templates of arms for command-line flags. In a template's texts, `{dir}` (`{medium}`, `{split}`) stands for the flag's
/// value, and `{name}` for a name derived from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForEachSpec {
    /// Also run the file's own arms. Default: false, the flags' arms replace them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_arms: Option<bool>,
    /// Template for `--dir`; `--wal-dir` sets a separate log directory for every dataDir in it. Default: `--dir` is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<ArmSpec>,
    /// Template for `--medium`. Default: `--medium` is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<ArmSpec>,
    /// Template for `--split`. Default: `--split` is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<ArmSpec>,
}

/// One store of an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArmStoreSpec {
    /// Name in results. Required.
    pub name: String,
    /// Resources routed to it. Default: every resource that no other store names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<String>>,
    /// The store's etcd. Default: the arm's.
    #[serde(default)]
    pub etcd: EtcdSpec,
}

/// The levels. Set exactly one of the three fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SweepSpec {
    /// Multiples of every open-loop rate. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate_scale: Vec<f64>,
    /// Numbers of hollow nodes. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<u64>,
    /// Named levels. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelSpec>,
}

/// One level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LevelSpec {
    /// Lowercase letters, digits, dots and dashes. Required.
    pub name: String,
    /// Changes of the workload, each in the form of `--set`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// Changes of every arm's etcds at this level. Default: none.
    #[serde(default, skip_serializing_if = "LevelEtcdSpec::is_empty")]
    pub etcd: LevelEtcdSpec,
}

/// Changes of every etcd at a level.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LevelEtcdSpec {
    /// Flags of etcd, `--name=value`; each replaces the same flag of the arm. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

impl LevelEtcdSpec {
    fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }
}

/// Changes for `--smoke`, a test of about a minute that draws no conclusion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmokeSpec {
    /// Blocks. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<u32>,
    /// Lengths of the phases. Default: the experiment's.
    #[serde(default)]
    pub phases: PhasesSpec,
    /// The sweep. Default: the experiment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepSpec>,
    /// Run only these arms. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<String>,
    /// Times of the analysis `quota` once etcd is full. Default: the experiment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<FillSpec>,
    /// Changes of the workload, each in the form of `--set`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

/// Times of the analysis `quota` once etcd is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FillSpec {
    /// Time that etcd stays full before recovery. Nodes become NotReady only if this exceeds the node-monitor grace
    /// period (40 s; 50 s from Kubernetes 1.32 on). Default: 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Span>,
    /// Time that the load continues after writes succeed again. Default: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Span>,
}
