//! External etcds: reached before the first trial; cleared of what a killed trial left.

use super::testbed::{self, Testbed};
use crate::clock::{self, SECOND};
use crate::control::Control;
use crate::exit::Exit;
use crate::experiment::error::ExperimentError;
use crate::experiment::file::arm::Arm;
use crate::experiment::file::etcd::StoreEtcd;
use crate::experiment::file::external::ExternalEtcd;
use crate::store::cleanup::{CleanupError, RunData, cleanup_run};
use crate::store::manifest::{self, LOCK_TTL, Lock, ManifestError, RunKeys};
use crate::store::preflight::{self, PreflightError};
use crate::store::remove::remove;
use std::time::Duration;

/// Beyond a lock's time to live, for its end to be seen.
const GRACE: u64 = 5;

/// Reaches the external etcds of all arms, before the first one is loaded.
pub(crate) fn reach(arms: &[Arm], control: &Control) -> Result<(), ExperimentError> {
    let mut runtime = None;
    for arm in arms {
        for etcd in arm.external() {
            let runtime = match &runtime {
                Some(runtime) => runtime,
                None => runtime.insert(testbed::runtime()?),
            };
            runtime.block_on(unless_interrupted(control, etcd.reach(arm.name())))?;
        }
    }
    Ok(())
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

async fn unless_interrupted(
    control: &Control,
    work: impl Future<Output = Result<(), ExperimentError>>,
) -> Result<(), ExperimentError> {
    tokio::select! {
        done = work => done,
        () = control.until_interrupted() => Err(ExperimentError::Interrupted),
    }
}

impl ExternalEtcd {
    /// Reaches it, before any is loaded: what is wrong with the last arm shall not be found after an hour.
    async fn reach(&self, arm: &str) -> Result<(), ExperimentError> {
        let checked = preflight::check(&self.target, None).await;
        checked.map(drop).map_err(|e| refused(arm, self, e))
    }

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
