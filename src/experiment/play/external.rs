//! External etcds: reached before the first trial; cleared of what a killed trial left.

use super::testbed::{self, Testbed};
use crate::clock::{self, SECOND};
use crate::control::Control;
use crate::etcd::control::ControlClient;
use crate::exit::Exit;
use crate::experiment::error::ExperimentError;
use crate::experiment::file::arm::Arm;
use crate::experiment::file::etcd::StoreEtcd;
use crate::experiment::file::external::ExternalEtcd;
use crate::store::cleanup::{CleanupError, RunData, cleanup_run};
use crate::store::manifest::{self, LOCK_TTL, Lock, ManifestError, RunKeys};
use crate::store::preflight::{self, ClusterFacts, PreflightError};
use crate::store::remove::remove;
use std::time::Duration;

/// Beyond a lock's time to live, for its end to be seen.
const GRACE: u64 = 5;

/// An external etcd that was reached.
struct Reached<'a> {
    arm: &'a str,
    etcd: &'a ExternalEtcd,
    cluster: ControlClient,
    facts: ClusterFacts,
}

/// Reaches the external etcds of all arms, before the first one is loaded: what is wrong with the last arm shall not be
/// found after an hour. Whether one of them may be a live cluster's: then the load of all arms ramps up.
pub(crate) fn reach(
    arms: &[Arm],
    allow_live_cluster: bool,
    control: &Control,
) -> Result<bool, ExperimentError> {
    let all = arms.iter().flat_map(|arm| {
        let etcds = arm.external();
        etcds.map(move |etcd| (arm.name(), etcd))
    });
    let all: Vec<(&str, &ExternalEtcd)> = all.collect();
    if all.is_empty() {
        return Ok(false);
    }
    let work = async {
        let mut reached: Vec<Reached<'_>> = Vec::new();
        for (arm, etcd) in all {
            let checked = preflight::check_owner(&etcd.target, allow_live_cluster).await;
            let (cluster, facts) = checked.map_err(|e| refused(arm, etcd, e))?;
            let found = Reached {
                arm,
                etcd,
                cluster,
                facts,
            };
            for other in &reached {
                if found.is(other).await? {
                    return Err(found.twice(other));
                }
            }
            reached.push(found);
        }
        Ok(reached.iter().any(|r| r.facts.may_be_live()))
    };
    testbed::runtime()?.block_on(unless_interrupted(control, work))
}

impl Reached<'_> {
    /// Whether both are one etcd. Cluster ids are no proof: two etcds that were set up alike have the same one. A lock
    /// that is taken in one of them and cannot be taken in the other is.
    async fn is(&self, other: &Reached<'_>) -> Result<bool, ExperimentError> {
        let apart = self.facts.cluster_id != other.facts.cluster_id;
        // Said in the file: arms whose traffic differs may share an etcd.
        let meant = self.etcd.target.endpoints == other.etcd.target.endpoints;
        if apart || meant {
            return Ok(false);
        }
        let id = format!("same-{}-{:x}", std::process::id(), clock::unix_now());
        let failed = |e: ManifestError| refused(self.arm, self.etcd, e);
        let held = Lock::take(&other.cluster, &id)
            .await
            .map_err(|e| refused(other.arm, other.etcd, e))?;
        let again = Lock::take(&self.cluster, &id).await;
        // The leases end by themselves when this fails.
        let _ = held.release().await;
        match again {
            Ok(free) => {
                let _ = free.release().await;
                Ok(false)
            }
            Err(ManifestError::Locked { .. }) => Ok(true),
            Err(e) => Err(failed(e)),
        }
    }

    fn twice(&self, other: &Reached<'_>) -> ExperimentError {
        let who = match self.arm == other.arm {
            true => format!(
                "stores {} and {} of arm {}",
                other.etcd.store, self.etcd.store, self.arm
            ),
            false => format!("arms {} and {}", other.arm, self.arm),
        };
        let urls = |r: &Reached<'_>| r.etcd.target.endpoints.join(",");
        let message = format!(
            "{who} are the same etcd (cluster {:x}: {} and {}); give each its own etcd",
            self.facts.cluster_id,
            urls(other),
            urls(self)
        );
        ExperimentError::at("endpoints", message)
    }
}

/// Deletes what earlier trials of this experiment left in the external etcds of an arm.
pub(crate) fn sweep(
    testbed: &Testbed,
    arm: &str,
    etcds: &[StoreEtcd],
    run_id: &str,
    control: &Control,
) -> Result<(), ExperimentError> {
    for etcd in etcds {
        if let StoreEtcd::External(etcd) = etcd {
            testbed.block_on(unless_interrupted(control, etcd.sweep(arm, run_id)))?;
        }
    }
    Ok(())
}

async fn unless_interrupted<T>(
    control: &Control,
    work: impl Future<Output = Result<T, ExperimentError>>,
) -> Result<T, ExperimentError> {
    tokio::select! {
        done = work => done,
        () = control.until_interrupted() => Err(ExperimentError::Interrupted),
    }
}

impl ExternalEtcd {
    /// Deletes what an earlier trial of this experiment left that was killed. A lock that it left is waited for.
    async fn sweep(&self, arm: &str, run_id: &str) -> Result<(), ExperimentError> {
        let unreached = |e: PreflightError| refused(arm, self, e);
        let cluster = preflight::reach(&self.target)
            .await
            .map_err(unreached)?
            .cluster;
        let failed = |e: ManifestError| refused(arm, self, e);
        let keys = RunKeys::new(run_id);
        let Some((left, written)) = manifest::read(&cluster, &keys.manifest)
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
        let data = RunData {
            written: Some(written),
            owned: self.target.owned,
            ..RunData::new(&left.prefix)
        };
        let swept = cleanup_run(&cluster, &data, &mut |_, _| {}).await;
        let swept = match swept {
            Ok(_) => remove(&cluster, run_id).await.map_err(CleanupError::from),
            Err(e) => Err(e),
        };
        // The lease ends by itself when this fails.
        let _ = lock.release().await;
        swept.map(drop).map_err(|e| refused(arm, self, e))
    }
}

/// Why an external etcd cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExternalError {
    /// It is not reached, or must not be used.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// What an earlier trial left cannot be read, or is in use.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// What an earlier trial left cannot be deleted.
    #[error(transparent)]
    Cleanup(#[from] CleanupError),
}

impl ExternalError {
    /// The exit code that fits.
    pub fn exit(&self) -> Exit {
        match self {
            ExternalError::Preflight(e) => e.exit(),
            ExternalError::Manifest(e) => e.exit(),
            ExternalError::Cleanup(_) => Exit::Failure,
        }
    }
}

fn refused(arm: &str, etcd: &ExternalEtcd, why: impl Into<ExternalError>) -> ExperimentError {
    ExperimentError::External {
        arm: arm.to_owned(),
        store: etcd.store.clone(),
        source: Box::new(why.into()),
    }
}
