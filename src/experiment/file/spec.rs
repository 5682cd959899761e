//! The experiment file's types: what a user may write. Everything that may be left out is an `Option`; each doc
//! comment's "Default:" and "Required." are the reference page's columns.

use crate::document::{ApiVersion, Metadata};
use crate::human::units::Span;
use crate::target::MemberChoice;
use crate::workload::file::{ClusterSpec, PhasesSpec, Spec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

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
    /// The metrics of the answer: one to four, such as `node-lease/update:p99`; every arm must have them. Required.
    pub primary: Vec<String>,
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

/// An etcd cluster that etcdmark starts for a trial; or, with `endpoints`, an external one, in which etcdmark changes only
/// its own keys. Unset fields come from the level above (store, arm, experiment).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EtcdSpec {
    /// An exact version (`3.5.16`), a minor version (`3.5`) or `newest`. Default: the newest installed version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// An etcd binary. Default: from `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Flags of etcd, `--name=value`; each replaces the same flag of the level above. Default: etcd's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Number of members: 1 or 3. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<usize>,
    /// A directory on the disk for the data; each trial creates a temporary directory in it. Default: the
    /// system's temporary directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// The same for the write-ahead log. Default: in the data directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_dir: Option<PathBuf>,
    /// A storage medium to emulate: a preset (`hdd`), or a file. Without dataDir, the data are then in memory,
    /// if there is room. Default: none, the real disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<String>,
    /// Other media for single members, by member number from 0. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub member_media: BTreeMap<usize, String>,
    /// Number of the member that should lead. etcdmark makes it the leader before each trial and checks this afterwards.
    /// Default: the elected leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<usize>,
    /// Members that receive load: `all`, `leader` or `followers`. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<MemberChoice>,
    /// Members of an external etcd: `[https://10.0.0.1:2379]`. Cannot be combined with fields that describe how to
    /// start an etcd. Default: none, etcdmark starts one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// URLs of `/metrics`, if they differ from the endpoints. Default: the endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics_endpoints: Vec<String>,
    /// CA of its certificates, PEM. Default: ETCDCTL_CACERT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cacert: Option<PathBuf>,
    /// Client certificate, PEM. Default: ETCDCTL_CERT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// Client key, PEM. Default: ETCDCTL_KEY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Accept any server certificate. Default: ETCDCTL_INSECURE_SKIP_TLS_VERIFY, else false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_skip_tls_verify: Option<bool>,
    /// etcd user; set the password in ETCDCTL_PASSWORD, never in a file. Default: ETCDCTL_USER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
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

impl EtcdSpec {
    /// This one, with what it leaves out taken from `base`.
    #[must_use]
    pub fn over(&self, base: &EtcdSpec) -> EtcdSpec {
        let base = &match self.endpoints.is_empty() {
            true => base.clone(),
            // One that runs already has nothing of one that would be started.
            false => EtcdSpec {
                cacert: base.cacert.clone(),
                cert: base.cert.clone(),
                key: base.key.clone(),
                insecure_skip_tls_verify: base.insecure_skip_tls_verify,
                user: base.user.clone(),
                target: base.target,
                ..EtcdSpec::default()
            },
        };
        let name = |flag: &str| {
            flag.split('=')
                .next()
                .unwrap_or(flag)
                .trim_start_matches('-')
                .to_owned()
        };
        let replaced = |flag: &&String| self.flags.iter().any(|f| name(f) == name(flag));
        let kept = base.flags.iter().filter(|f| !replaced(f));
        // A version below a path (or the other way round) replaces it: they say the same thing.
        let named = self.version.is_some() || self.path.is_some();
        let inherited =
            |own: &Option<PathBuf>, above: &Option<PathBuf>| own.clone().or_else(|| above.clone());
        let either = |own: &Vec<String>, above: &Vec<String>| match own.is_empty() {
            true => above.clone(),
            false => own.clone(),
        };
        EtcdSpec {
            version: if named {
                self.version.clone()
            } else {
                base.version.clone()
            },
            path: if named {
                self.path.clone()
            } else {
                base.path.clone()
            },
            flags: kept.chain(&self.flags).cloned().collect(),
            members: self.members.or(base.members),
            data_dir: inherited(&self.data_dir, &base.data_dir),
            wal_dir: inherited(&self.wal_dir, &base.wal_dir),
            medium: self.medium.clone().or_else(|| base.medium.clone()),
            member_media: base
                .member_media
                .clone()
                .into_iter()
                .chain(self.member_media.clone())
                .collect(),
            leader: self.leader.or(base.leader),
            target: self.target.or(base.target),
            endpoints: either(&self.endpoints, &base.endpoints),
            metrics_endpoints: either(&self.metrics_endpoints, &base.metrics_endpoints),
            cacert: inherited(&self.cacert, &base.cacert),
            cert: inherited(&self.cert, &base.cert),
            key: inherited(&self.key, &base.key),
            insecure_skip_tls_verify: self
                .insecure_skip_tls_verify
                .or(base.insecure_skip_tls_verify),
            user: self.user.clone().or_else(|| base.user.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EtcdSpec;

    #[test]
    fn the_nearest_wins_field_by_field_and_flag_by_flag() {
        let base = EtcdSpec {
            version: Some("3.5".to_owned()),
            flags: vec!["--a=1".to_owned(), "--b=1".to_owned()],
            members: Some(3),
            ..EtcdSpec::default()
        };
        let arm = EtcdSpec {
            path: Some("/etcd".into()),
            flags: vec!["--b=2".to_owned()],
            ..EtcdSpec::default()
        };
        let both = arm.over(&base);
        assert_eq!((both.version, both.members), (None, Some(3)));
        assert_eq!(both.flags, ["--a=1", "--b=2"]);
        assert_eq!(EtcdSpec::default().over(&base), base);
    }
}
