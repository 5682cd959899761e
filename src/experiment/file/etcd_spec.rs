//! The part of an experiment file that says which etcd a store gets.

use crate::target::MemberChoice;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

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
    // YAML's keys are numbers, and validators of JSON Schema take texts only for patterns of keys.
    #[schemars(with = "BTreeMap<String, String>")]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub member_media: BTreeMap<usize, String>,
    /// Number of the member that should lead. etcdmark makes it the leader before each trial and checks this afterwards.
    /// Default: the elected leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<usize>,
    /// Members that receive load: `all`, `leader` or `followers`. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<MemberChoice>,
    /// Give it and etcdmark cores of their own (true: also where etcd gets a single one), or leave them on the same ones
    /// (false). Default: of their own where etcd gets two or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<bool>,
    /// Members of an external etcd: `[https://10.0.0.1:2379]`. Cannot be combined with fields that describe how to
    /// start an etcd. Default: none, etcdmark starts one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// The etcd of this kind cluster, as `--kind` finds it. Cannot be combined with fields that describe how to start
    /// an etcd, nor with `endpoints`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
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

impl EtcdSpec {
    /// The fields that say which etcd is started or used, as far as they are set, each with the flag that sets it.
    pub(super) fn given(&self) -> Vec<(&'static str, String)> {
        let dir = |d: &PathBuf| format!("--data-dir {}", d.display());
        let fields = [
            (
                "version",
                self.version.as_ref().map(|v| format!("--etcd-version {v}")),
            ),
            (
                "path",
                self.path
                    .as_ref()
                    .map(|p| format!("--etcd {}", p.display())),
            ),
            (
                "flags",
                self.flags.first().map(|f| format!("--etcd-flag {f}")),
            ),
            ("members", self.members.map(|n| format!("--members {n}"))),
            ("dataDir", self.data_dir.as_ref().map(dir)),
            (
                "pin",
                self.pin
                    .map(|pin| if pin { "--pin" } else { "--no-pin" }.to_owned()),
            ),
            ("kind", self.kind.as_ref().map(|k| format!("--kind {k}"))),
            ("endpoints", self.endpoints.first().cloned()),
        ];
        let given = |(field, flag): (&'static str, Option<String>)| Some((field, flag?));
        fields.into_iter().filter_map(given).collect()
    }

    /// It names an etcd that runs already.
    pub fn is_external(&self) -> bool {
        self.kind.is_some() || !self.endpoints.is_empty()
    }

    /// This one, with what it leaves out taken from `base`.
    #[must_use]
    pub fn over(&self, base: &EtcdSpec) -> EtcdSpec {
        let base = &match self.is_external() {
            false => base.clone(),
            // One that runs already has nothing of one that would be started.
            true => EtcdSpec {
                cacert: base.cacert.clone(),
                cert: base.cert.clone(),
                key: base.key.clone(),
                insecure_skip_tls_verify: base.insecure_skip_tls_verify,
                user: base.user.clone(),
                target: base.target,
                ..EtcdSpec::default()
            },
        };
        let replaced = |flag: &&String| self.flags.iter().any(|f| flag_name(f) == flag_name(flag));
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
            pin: self.pin.or(base.pin),
            endpoints: either(&self.endpoints, &base.endpoints),
            kind: self.kind.clone().or_else(|| base.kind.clone()),
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

/// `backend-batch-limit` of `--backend-batch-limit=10`.
pub(super) fn flag_name(flag: &str) -> &str {
    let name = flag.split('=').next().unwrap_or(flag);
    name.trim_start_matches('-')
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
