//! An etcd of an arm that runs already: nothing is started, only etcdmark's own keys are written, and after each trial
//! they are deleted, as `etcdmark run --endpoints` does it.

use super::arm::{Arm, StoreEtcd};
use super::bed::{self, Bed};
use super::error::ExperimentError;
use super::file::EtcdSpec;
use super::load::ExperimentSource;
use super::plan::StorePlan;
use super::resolve::Changes;
use crate::clock::{self, SECOND};
use crate::control::Control;
use crate::etcd::external::{Given, Named};
use crate::exit::Exit;
use crate::store::cleanup::{CleanupError, cleanup_run};
use crate::store::manifest::{self, LOCK_TTL, Lock, ManifestError, RunKeys};
use crate::store::preflight::{self, PreflightError};
use crate::target::Target;
use std::time::Duration;

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
/// Beyond a lock's time to live, for its end to be seen.
const GRACE: u64 = 5;

/// The etcd cluster of one store of an arm, that runs already.
#[derive(Clone, Debug)]
pub(super) struct GivenEtcd {
    pub(super) store: String,
    pub(super) target: Target,
}

impl GivenEtcd {
    /// What `plan.json` says of it.
    pub(super) fn plan(&self) -> StorePlan {
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
    pub(super) fn given(
        &self,
        path: &str,
        store: &str,
        spec: &EtcdSpec,
        snapshot: bool,
        changes: &Changes,
    ) -> Result<Option<GivenEtcd>, ExperimentError> {
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
        Ok(Some(GivenEtcd {
            store: store.to_owned(),
            target: Target {
                members: spec.target.unwrap_or_default(),
                owned: changes.yes_this_etcd_is_mine,
                ..target
            },
        }))
    }

    /// Refuses one etcd in two places, and flags for given etcds where there are none.
    pub(super) fn distinct(&self, arms: &[Arm], changes: &Changes) -> Result<(), ExperimentError> {
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for arm in arms {
            for etcd in arm.given() {
                for endpoint in &etcd.target.endpoints {
                    if let Some((other, _)) = seen.iter().find(|(_, e)| e == endpoint) {
                        let who = if *other == arm.name {
                            format!("two stores of arm {}", arm.name)
                        } else {
                            format!("arms {other} and {}", arm.name)
                        };
                        let message = format!("{who} share {endpoint}: each needs its own etcd");
                        return Err(self.wrong("arms", message));
                    }
                }
                seen.extend(
                    etcd.target
                        .endpoints
                        .iter()
                        .map(|e| (arm.name.as_str(), e.as_str())),
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

/// Reaches the etcds that arms are given, before the first one is loaded.
pub(super) fn reach(arms: &[Arm], control: &Control) -> Result<(), ExperimentError> {
    let mut runtime = None;
    for arm in arms {
        for etcd in arm.given() {
            let runtime = match &runtime {
                Some(runtime) => runtime,
                None => runtime.insert(bed::runtime()?),
            };
            runtime.block_on(unless_interrupted(control, etcd.reach(&arm.name)))?;
        }
    }
    Ok(())
}

/// Deletes what earlier trials of this experiment left in the given ones of an arm.
pub(super) fn sweep(
    bed: &Bed,
    arm: &str,
    etcds: &[StoreEtcd],
    run_id: &str,
    control: &Control,
) -> Result<(), ExperimentError> {
    for etcd in etcds {
        if let StoreEtcd::Given(etcd) = etcd {
            bed.block_on(unless_interrupted(control, etcd.sweep(arm, run_id)))?;
        }
    }
    Ok(())
}

async fn unless_interrupted(
    control: &Control,
    work: impl Future<Output = Result<(), ExperimentError>>,
) -> Result<(), ExperimentError> {
    tokio::select! {
        done = work => done,
        () = control.until_interrupted() => Err(ExperimentError::Interrupted),
    }
}

impl GivenEtcd {
    /// Reaches it, before any is loaded: what is wrong with the last arm shall not be found after an hour.
    async fn reach(&self, arm: &str) -> Result<(), ExperimentError> {
        let checked = preflight::check(&self.target, None).await;
        checked
            .map(drop)
            .map_err(|e| refused(arm, self, e.exit(), e))
    }

    /// Deletes what an earlier trial of this experiment left that was killed. A lock that it left is waited for.
    async fn sweep(&self, arm: &str, run_id: &str) -> Result<(), ExperimentError> {
        let unreached = |e: PreflightError| refused(arm, self, e.exit(), e);
        let cluster = preflight::reach(&self.target)
            .await
            .map_err(unreached)?
            .cluster;
        let failed = |e: ManifestError| refused(arm, self, e.exit(), e);
        let keys = RunKeys::new(run_id);
        let Some(left) = manifest::read(&cluster, &keys.manifest)
            .await
            .map_err(failed)?
        else {
            return Ok(());
        };
        let until = clock::now() + (LOCK_TTL.unsigned_abs() + GRACE) * SECOND;
        let lock = loop {
            match Lock::take(&cluster, run_id).await {
                Err(ManifestError::Locked { .. }) if clock::now() < until => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                taken => break taken.map_err(failed)?,
            }
        };
        let swept = cleanup_run(&cluster, &left.prefix, &[], &mut |_, _| {}).await;
        let swept = match swept {
            Ok(_) => cluster
                .delete(keys.manifest.as_bytes(), b"")
                .await
                .map_err(CleanupError::from),
            Err(e) => Err(e),
        };
        // The lease ends by itself when this fails.
        let _ = lock.release().await;
        swept
            .map(drop)
            .map_err(|e| refused(arm, self, Exit::Failure, e))
    }
}

fn refused(
    arm: &str,
    etcd: &GivenEtcd,
    exit: Exit,
    why: impl std::fmt::Display,
) -> ExperimentError {
    ExperimentError::Given {
        arm: arm.to_owned(),
        store: etcd.store.clone(),
        message: why.to_string(),
        exit,
    }
}
