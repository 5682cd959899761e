//! An etcd of an arm that runs already: nothing is started, only etcdmark's own keys are written, and after each trial
//! they are deleted, as `etcdmark run --endpoints` does it.

use super::arm::Arm;
use super::changes::Changes;
use super::source::ExperimentSource;
use super::spec::EtcdSpec;
use crate::etcd::external::{Given, Named};
use crate::experiment::error::ExperimentError;
use crate::experiment::plan::StorePlan;
use crate::target::Target;

/// The fields of [`EtcdSpec`] that say how to reach one that runs already.
const ACCESS: [&str; 7] = [
    "endpoints",
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
    pub(crate) target: Target,
}

impl ExternalEtcd {
    /// What `plan.json` says of it.
    pub(crate) fn plan(&self) -> StorePlan {
        StorePlan {
            store: self.store.clone(),
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
        if spec.endpoints.is_empty() {
            return match fields.find(|f| ACCESS.contains(f)) {
                Some(field) => {
                    let message = "needs an external etcd; also give endpoints";
                    Err(wrong(field, message.to_owned()))
                }
                None => Ok(None),
            };
        }
        if let Some(field) = fields.find(|f| !ACCESS.contains(f) && !EITHER.contains(f)) {
            let message = "applies only to an etcd that etcdmark starts, but endpoints names an external etcd; \
                           remove one of them";
            return Err(wrong(field, message.to_owned()));
        }
        if snapshot {
            let message = format!(
                "needs etcds that etcdmark starts, but {path} has endpoints; remove snapshot"
            );
            return Err(self.wrong("snapshot", message));
        }
        if spec.user.as_ref().is_some_and(|user| user.contains(':')) {
            let message =
                "do not put a password into a file; give only the name, and set ETCDCTL_PASSWORD";
            return Err(wrong("user", message.to_owned()));
        }
        let given = Given {
            endpoints: spec.endpoints.clone(),
            metrics_endpoints: spec.metrics_endpoints.clone(),
            cacert: spec.cacert.clone(),
            cert: spec.cert.clone(),
            key: spec.key.clone(),
            insecure_skip_tls_verify: spec.insecure_skip_tls_verify.unwrap_or(false),
            user: spec.user.clone(),
            ..Given::default()
        };
        let env = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let tls = given.tls(Named::Fields, &env);
        let target = tls.and_then(|tls| given.target(Named::Fields, tls, &[], &env));
        let target =
            target.map_err(|m| ExperimentError::at(self.place(path), format!("{path}: {m}")))?;
        Ok(Some(ExternalEtcd {
            store: store.to_owned(),
            target: Target {
                members: spec.target.unwrap_or_default(),
                owned: changes.yes_this_etcd_is_mine,
                ..target
            },
        }))
    }

    /// Refuses one etcd in two places, and flags for external etcds where there are none.
    pub(crate) fn distinct(&self, arms: &[Arm], changes: &Changes) -> Result<(), ExperimentError> {
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for arm in arms {
            for etcd in arm.external() {
                for endpoint in &etcd.target.endpoints {
                    if let Some((other, _)) = seen.iter().find(|(_, e)| e == endpoint) {
                        let who = if *other == arm.name() {
                            format!("two stores of arm {}", arm.name())
                        } else {
                            format!("arms {other} and {}", arm.name())
                        };
                        let message = format!("{who} share {endpoint}: each needs its own etcd");
                        return Err(self.wrong("arms", message));
                    }
                }
                seen.extend(
                    etcd.target
                        .endpoints
                        .iter()
                        .map(|e| (arm.name(), e.as_str())),
                );
            }
        }
        let flags = [
            ("--allow-live-cluster", changes.allow_live_cluster),
            ("--yes-this-etcd-is-mine", changes.yes_this_etcd_is_mine),
        ];
        match flags.into_iter().find(|(_, set)| *set && seen.is_empty()) {
            Some((flag, _)) => Err(ExperimentError::at(
                flag,
                "needs an external etcd, but no arm of this experiment has etcd.endpoints",
            )),
            None => Ok(()),
        }
    }
}
