//! An etcd of an arm that runs already: nothing is started, only etcdmark's own keys are written, and after each trial
//! they are deleted, as `etcdmark run --endpoints` does it.

use super::arm::Arm;
use super::changes::Changes;
use super::etcd_spec::EtcdSpec;
use super::source::ExperimentSource;
use crate::etcd::external::{EtcdAccess, Naming, credentials};
use crate::experiment::error::ExperimentError;
use crate::experiment::plan::StorePlan;
use crate::kind;
use crate::target::Target;

/// The fields of [`EtcdSpec`] that say how to reach one that runs already.
const ACCESS: [&str; 8] = [
    "endpoints",
    "kind",
    "metricsEndpoints",
    "cacert",
    "cert",
    "key",
    "insecureSkipTlsVerify",
    "user",
];
/// These are for both.
const EITHER: [&str; 1] = ["target"];

/// The etcd cluster of one store of an arm, that runs already.
#[derive(Clone, Debug)]
pub(crate) struct ExternalEtcd {
    pub(crate) store: String,
    /// The kind cluster that it is of.
    pub(crate) kind: Option<String>,
    pub(crate) target: Target,
}

impl ExternalEtcd {
    /// What `plan.json` says of it.
    pub(crate) fn plan(&self) -> StorePlan {
        StorePlan {
            store: self.store.clone(),
            kind: self.kind.clone(),
            endpoints: self.target.endpoints.clone(),
            members: self.target.endpoints.len(),
            target: Some(self.target.members),
            ..StorePlan::default()
        }
    }
}

impl ExperimentSource {
    /// The etcd that a store's `endpoints` name; none where it names none, and one is started.
    pub(crate) fn external(
        &self,
        path: &str,
        store: &str,
        spec: &EtcdSpec,
        snapshot: bool,
        changes: &Changes,
    ) -> Result<Option<ExternalEtcd>, ExperimentError> {
        let wrong = |field: &str, message: String| self.wrong(&format!("{path}.{field}"), message);
        let document = serde_json::to_value(spec).unwrap_or_default();
        let mut fields = document
            .as_object()
            .into_iter()
            .flatten()
            .map(|(f, _)| f.as_str());
        if !spec.is_external() {
            return match fields.find(|f| ACCESS.contains(f)) {
                Some(field) => {
                    let message = "needs an external etcd; also give endpoints or kind";
                    Err(wrong(field, message.to_owned()))
                }
                None => Ok(None),
            };
        }
        if let Some(field) = fields.find(|f| !ACCESS.contains(f) && !EITHER.contains(f)) {
            let by = if spec.kind.is_some() {
                "kind"
            } else {
                "endpoints"
            };
            let message = format!(
                "applies only to an etcd that etcdmark starts, but {by} names an external etcd; remove one of them"
            );
            return Err(wrong(field, message));
        }
        if snapshot {
            let message = format!(
                "needs etcds that etcdmark starts, but {path} names an external one; remove snapshot"
            );
            return Err(self.wrong("snapshot", message));
        }
        if spec.user.as_ref().is_some_and(|user| user.contains(':')) {
            let message =
                "do not put a password into a file; give only the name, and set ETCDCTL_PASSWORD";
            return Err(wrong("user", message.to_owned()));
        }
        let settings = |target: Target| ExternalEtcd {
            store: store.to_owned(),
            kind: spec.kind.clone(),
            target: Target {
                members: spec.target.unwrap_or_default(),
                owned: changes.yes_this_etcd_is_mine,
                ..target
            },
        };
        if let Some(name) = &spec.kind {
            // How a kind cluster's etcd is reached, the cluster says itself.
            let mut beside = ACCESS.iter().filter(|f| !["kind", "user"].contains(f));
            if let Some(field) = beside.find(|f| document.get(**f).is_some()) {
                let message = "cannot be combined with kind, which finds it; remove one of them";
                return Err(wrong(field, message.to_owned()));
            }
            let found = kind::find(name).map_err(|e| match &changes.etcd.kind {
                Some(flag) => ExperimentError::at(format!("--kind {flag}"), e),
                None => wrong("kind", e.to_string()),
            })?;
            let password = std::env::var("ETCDCTL_PASSWORD").ok();
            let password = password.filter(|p| !p.is_empty());
            let credentials = credentials(Naming::Fields, spec.user.clone(), password);
            return Ok(Some(settings(Target {
                credentials: credentials.map_err(|m| wrong("user", m.to_string()))?,
                named_by: Some(format!("--kind {name}")),
                ..found
            })));
        }
        let access = EtcdAccess {
            endpoints: spec.endpoints.clone(),
            metrics_endpoints: spec.metrics_endpoints.clone(),
            cacert: spec.cacert.clone(),
            cert: spec.cert.clone(),
            key: spec.key.clone(),
            insecure_skip_tls_verify: spec.insecure_skip_tls_verify.unwrap_or(false),
            user: spec.user.clone(),
            ..EtcdAccess::default()
        };
        let env = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let tls = access.tls(Naming::Fields, &env);
        let target = tls.and_then(|tls| access.target(Naming::Fields, tls, &[], &env));
        let target =
            target.map_err(|m| ExperimentError::at(self.place(path), format!("{path}: {m}")))?;
        Ok(Some(settings(target)))
    }

    /// Refuses one etcd in two places, and flags for external etcds where there are none. Arms may name the same etcd
    /// in the same words, if their traffic differs.
    pub(crate) fn distinct(&self, arms: &[Arm], changes: &Changes) -> Result<(), ExperimentError> {
        let mut seen: Vec<(&str, &[String])> = Vec::new();
        for arm in arms {
            for etcd in arm.external() {
                let own = etcd.target.endpoints.as_slice();
                for (other, theirs) in &seen {
                    let same_arm = *other == arm.name();
                    let shared = own.iter().find(|e| theirs.contains(e));
                    let Some(shared) = shared.filter(|_| same_arm || own != *theirs) else {
                        continue;
                    };
                    let who = match same_arm {
                        true => format!("two stores of arm {}", arm.name()),
                        false => format!("arms {other} and {}", arm.name()),
                    };
                    let message = format!("{who} share {shared}: each needs its own etcd");
                    return Err(self.wrong("arms", message));
                }
                seen.push((arm.name(), own));
            }
        }
        let flags = [
            ("--allow-live-cluster", changes.allow_live_cluster),
            ("--yes-this-etcd-is-mine", changes.yes_this_etcd_is_mine),
        ];
        match flags.into_iter().find(|(_, set)| *set && seen.is_empty()) {
            Some((flag, _)) => Err(ExperimentError::at(
                flag,
                "needs an external etcd, but no arm of this experiment has etcd.endpoints or etcd.kind",
            )),
            None => Ok(()),
        }
    }
}

/// A remark where arms use one etcd.
pub(crate) fn shared(arms: &[Arm]) -> Option<String> {
    let uses = |arm: &Arm| -> Vec<Vec<String>> {
        let etcds = arm.external();
        etcds.map(|e| e.target.endpoints.clone()).collect()
    };
    let first = uses(arms.first()?);
    let etcd = first
        .iter()
        .find(|e| arms[1..].iter().any(|a| uses(a).contains(e)))?;
    let names = arms
        .iter()
        .filter(|a| uses(a).contains(etcd))
        .map(Arm::name);
    Some(format!(
        "arms {} use the same etcd: what the trials of one leave in its history and its file is there for the others",
        names.collect::<Vec<_>>().join(", ")
    ))
}
