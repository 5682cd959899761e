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

/// A question about etcd, and the runs that answer it: two or more arms under the same traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "etcdmark experiment")]
pub struct ExperimentFile {
    /// Version of this file's format. Required.
    pub api_version: ApiVersion,
    /// Always `Experiment`. Required.
    pub kind: ExperimentKind,
    /// What it is called. Required.
    pub metadata: Metadata,
    /// What it does. Required.
    pub spec: ExperimentSpec,
}

/// What the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExperimentKind {
    /// An experiment.
    Experiment,
}

/// What the experiment does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExperimentSpec {
    /// What it answers, in one sentence. Required.
    pub question: String,
    /// Whose traffic. Required.
    pub workload: WorkloadSpec,
    /// The etcd of every arm, unless the arm says otherwise. Default: one member of the newest etcd here.
    #[serde(default)]
    pub etcd: EtcdSpec,
    /// What is compared; two or more. Required.
    pub arms: Vec<ArmSpec>,
    /// The arms that `--dir`, `--medium` and `--split` make. Default: none, these flags are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEachSpec>,
    /// The arm that the others are compared with. Default: the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// A fixed sweep: every arm is played on every level. Default: one level, the workload as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepSpec>,
    /// Trials of each arm on each level, at least 6; one trial of every arm next to each other is a block. Default: 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<u32>,
    /// Seed of the order and of the workloads; block n has seed + n - 1. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Fill each arm's etcd once and begin every trial from a copy of these bytes, all with one seed; needs one
    /// member. Default: false, every trial fills an etcd of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<bool>,
    /// How long the phases of a trial last. Default: the workload's.
    #[serde(default)]
    pub phases: PhasesSpec,
    /// What the answer is about: one to four metrics, such as `node-lease/update:p99`, that every arm has. Required.
    pub primary: Vec<String>,
    /// More metrics for the table, such as `etcd:rss`; explored, not answered. Default: none.
    #[serde(default)]
    pub metrics: Vec<String>,
    /// Who reads the trials. Default: `compare`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<String>,
    /// How the analysis `quota` goes on once the etcd is full. Default: 60 s full, 10 s after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<FillSpec>,
    /// What `--smoke` changes. Default: one block.
    #[serde(default)]
    pub smoke: SmokeSpec,
}

/// The traffic: a workload and changes to it. Exactly one of `name` and `spec` is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadSpec {
    /// A built-in workload's name, or a file (seen from where etcdmark is started). Default: by `spec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A workload's `spec`, written out here. Default: by `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Spec>,
    /// Changes, each as `--set` takes it: `cluster.nodes=500`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

/// An etcd cluster that etcdmark starts for a trial; or, with `endpoints`, one that runs already, of which only etcdmark's
/// own keys are touched. What is left out is as the one above says (the store's, the arm's, the experiment's).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EtcdSpec {
    /// An exact version (`3.5.16`), a series (`3.5`) or `newest`. Default: the newest that is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// An etcd binary. Default: by `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// etcd's own flags, `--name=value`; one replaces the same flag from above. Default: etcd's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// 1 or 3. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<usize>,
    /// A directory on the disk where the data shall lie; each trial makes a temporary one in it. Default: the
    /// system's temporary directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Likewise for the write-ahead log. Default: with the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_dir: Option<PathBuf>,
    /// A storage medium to emulate: a preset's name (`hdd`), or a file. Without dataDir the data then lie in memory,
    /// if there is room. Default: none, the disk as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<String>,
    /// Another medium for one member or more, by their number: the first one is 0. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub member_media: BTreeMap<usize, String>,
    /// The number of the member that leads: before a trial it is made the leader, after it this is looked at again.
    /// Default: whoever was elected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<usize>,
    /// Which members get the load: `all`, the `leader`, or the `followers`. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<MemberChoice>,
    /// Members of an etcd that runs already: `[https://10.0.0.1:2379]`. What says how one is started is refused beside it.
    /// Default: none, one is started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// Where its `/metrics` is, when apart from the endpoints. Default: there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics_endpoints: Vec<String>,
    /// CA that signed its certificates, PEM. Default: ETCDCTL_CACERT.
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
    /// etcd user; the password is in ETCDCTL_PASSWORD and never in a file. Default: ETCDCTL_USER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// One variant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArmSpec {
    /// Lowercase letters, digits, dots and dashes. Required.
    pub name: String,
    /// What it is, in a few words. Default: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Leave the arm out, and say so, where its version of etcd is not to be had, or where a directory of its etcds is not
    /// there, cannot be written or has no room. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// Its etcd. Default: the experiment's.
    #[serde(default)]
    pub etcd: EtcdSpec,
    /// Its stores, each an etcd cluster of its own. Default: the workload's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<ArmStoreSpec>,
    /// Resources that get an etcd of their own, instead of `stores`, as `run --split` takes them: `events,leases`, or
    /// `events+leases` for one that both share. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Its hollow cluster, where it differs from the workload's. Default: the workload's.
    #[serde(default)]
    pub cluster: ClusterSpec,
    /// Further changes of the workload, each as `--set` takes it. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

/// What the command line may name, and the arm that each makes: in its texts `{dir}` (`{medium}`, `{split}`) stands for what
/// was named, and `{name}` for a name made of that.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForEachSpec {
    /// Play the file's arms beside those made, rather than these in their stead. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_arms: Option<bool>,
    /// The arm of a `--dir`; `--wal-dir` parts the write-ahead log from every dataDir in it. Default: it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<ArmSpec>,
    /// The arm of a `--medium`. Default: it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<ArmSpec>,
    /// The arm of a `--split`. Default: it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<ArmSpec>,
}

/// One store of an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArmStoreSpec {
    /// Its name in results. Required.
    pub name: String,
    /// Resources routed to it. Default: every resource that no other store names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<String>>,
    /// Its etcd. Default: the arm's.
    #[serde(default)]
    pub etcd: EtcdSpec,
}

/// The levels. Exactly one of the three is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SweepSpec {
    /// Multiples of every open-loop rate. Default: by one of the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate_scale: Vec<f64>,
    /// Numbers of hollow nodes. Default: by one of the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<u64>,
    /// Levels with names of their own. Default: by one of the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelSpec>,
}

/// One level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LevelSpec {
    /// Lowercase letters, digits, dots and dashes. Required.
    pub name: String,
    /// Changes of the workload, each as `--set` takes it. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// Every arm's etcds on this level. Default: as the arms say.
    #[serde(default, skip_serializing_if = "LevelEtcdSpec::is_empty")]
    pub etcd: LevelEtcdSpec,
}

/// What a level changes of every etcd.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LevelEtcdSpec {
    /// etcd's own flags, `--name=value`; one replaces the arm's same flag. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

impl LevelEtcdSpec {
    fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }
}

/// What `--smoke` changes: it shows in a minute that the experiment works, and answers nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmokeSpec {
    /// Blocks. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<u32>,
    /// How long the phases last. Default: the experiment's.
    #[serde(default)]
    pub phases: PhasesSpec,
    /// The sweep. Default: the experiment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepSpec>,
    /// Only these arms. Default: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<String>,
    /// How the analysis `quota` goes on once the etcd is full. Default: the experiment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<FillSpec>,
    /// Changes of the workload, each as `--set` takes it. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

/// What the analysis `quota` does with a full etcd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FillSpec {
    /// How long it is left full before the way back begins: longer than the node-monitor grace period (40 s, from
    /// Kubernetes 1.32 on 50 s), or no node becomes NotReady. Default: 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Span>,
    /// How long the load goes on once writes are answered again. Default: 10s.
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
