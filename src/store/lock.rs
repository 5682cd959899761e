//! The leased lock of a run: one process at a time, and none for long after it has died.

use super::manifest::{ManifestError, RunKeys};
use crate::etcd::control::{ControlClient, ControlError};
use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp, TxnOpResponse};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The lock outlives its holder by so many seconds.
pub const LOCK_TTL: i64 = 15;

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOwner {
    /// Host name.
    pub host: String,
    /// Process id.
    pub pid: u32,
}

impl std::fmt::Display for LockOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on host {}", self.pid, self.host)
    }
}

/// A run's lock, kept alive by a task of the runtime it was taken in until it is dropped or released.
#[derive(Debug)]
pub struct Lock {
    pub(super) cluster: ControlClient,
    run_id: String,
    pub(super) lease: i64,
    lost: watch::Receiver<Option<String>>,
    keeper: JoinHandle<()>,
}

impl Lock {
    /// Takes the lock of a run, or says who has it.
    pub async fn take(cluster: &ControlClient, run_id: &str) -> Result<Lock, ManifestError> {
        let key = RunKeys::new(run_id).lock;
        let lease = cluster.lease_grant(LOCK_TTL).await?;
        let txn = Txn::new()
            .when([Compare::version(key.as_str(), CompareOp::Equal, 0)])
            .and_then([TxnOp::put(
                key.as_str(),
                me(),
                Some(PutOptions::new().with_lease(lease)),
            )])
            .or_else([TxnOp::get(key.as_str(), None)]);
        let answer = match cluster.txn(txn).await {
            Ok(a) if a.succeeded() => {
                let (tell, lost) = watch::channel(None);
                let keeper = tokio::spawn(keep(cluster.clone(), lease, tell));
                let (cluster, run_id) = (cluster.clone(), run_id.to_owned());
                return Ok(Lock {
                    cluster,
                    run_id,
                    lease,
                    lost,
                    keeper,
                });
            }
            other => other,
        };
        // Not ours: the lease is of no use. If revoking fails too, it ends by itself.
        let _ = cluster.lease_revoke(lease).await;
        let holder = answer?.op_responses().into_iter().find_map(|r| match r {
            TxnOpResponse::Get(g) => g.kvs().first().map(|kv| kv.value().to_vec()),
            _ => None,
        });
        Err(ManifestError::Locked {
            run_id: run_id.to_owned(),
            holder: owner_name(holder.as_deref()),
        })
    }

    /// Why the lock is no longer held; None while it is.
    pub fn lost(&self) -> Option<String> {
        self.lost.borrow().clone()
    }

    /// Waits until the lock is lost, for a guard; never returns while it is held.
    pub async fn until_lost(&self) -> ManifestError {
        let mut lost = self.lost.clone();
        let reason = match lost.wait_for(Option::is_some).await {
            Ok(r) => r.clone().unwrap_or_default(),
            Err(_) => "the task that renews it ended".to_owned(),
        };
        ManifestError::Lost {
            run_id: self.run_id.clone(),
            reason,
        }
    }

    /// Gives the lock back.
    pub async fn release(self) -> Result<(), ManifestError> {
        self.keeper.abort();
        self.cluster.lease_revoke(self.lease).await?;
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Who holds the lock of a run; None when it is free.
pub async fn lock_owner(
    cluster: &ControlClient,
    run_id: &str,
) -> Result<Option<String>, ControlError> {
    let kv = cluster.get(RunKeys::new(run_id).lock.as_bytes()).await?;
    Ok(kv.map(|kv| owner_name(Some(kv.value()))))
}

pub(super) fn owner_name(value: Option<&[u8]>) -> String {
    match value.and_then(|v| serde_json::from_slice::<LockOwner>(v).ok()) {
        Some(h) => h.to_string(),
        None => "another process".to_owned(),
    }
}

fn me() -> Vec<u8> {
    let uname = rustix::system::uname();
    let holder = LockOwner {
        host: uname.nodename().to_string_lossy().into_owned(),
        pid: std::process::id(),
    };
    serde_json::to_vec(&holder).unwrap_or_default()
}

/// Three keepalives per TTL; the lock counts as lost when the lease is gone, or when none has succeeded
/// for a whole TTL (then etcd may have given it to someone else).
async fn keep(cluster: ControlClient, lease: i64, tell: watch::Sender<Option<String>>) {
    let period = Duration::from_secs(LOCK_TTL.unsigned_abs() / 3);
    let ttl = LOCK_TTL.unsigned_abs() * crate::clock::SECOND;
    let mut good = crate::clock::now();
    loop {
        tokio::time::sleep(period).await;
        let sent = crate::clock::now();
        let reason = match cluster.lease_keep_alive(lease).await {
            Ok(left) if left > 0 => {
                good = sent;
                continue;
            }
            Ok(_) => "its lease expired or was revoked".to_owned(),
            Err(e) if crate::clock::now().saturating_sub(good) > ttl => {
                format!("no keepalive succeeded for {LOCK_TTL} s ({e})")
            }
            Err(_) => continue,
        };
        let _ = tell.send(Some(reason));
        return;
    }
}
