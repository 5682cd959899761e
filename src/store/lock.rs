//! The leased lock of a run: one process at a time, and none for long after it has died.

use super::manifest::{ManifestError, RunKeys};
use super::owner::{Owner, Process};
use crate::etcd::control::{ControlClient, ControlError, RangeSpec};
use etcd_client::{
    Compare, CompareOp, KeyValue, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse,
};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The lock outlives its holder by so many seconds.
pub const LOCK_TTL: i64 = 15;

/// A run's lock, kept alive by a task of the runtime it was taken in until it is dropped or released. Where it
/// expires, it is taken again while nobody has had it.
#[derive(Debug)]
pub struct Lock {
    pub(super) cluster: ControlClient,
    keys: RunKeys,
    watch: LockWatch,
    keeper: JoinHandle<()>,
}

/// What is known of a lock, without holding it.
#[derive(Clone, Debug)]
pub struct LockWatch {
    held: Arc<Held>,
    lost: watch::Receiver<Option<String>>,
}

#[derive(Debug)]
struct Held {
    lease: AtomicI64,
    /// The revisions at which it was taken again.
    retaken: Mutex<Vec<i64>>,
}

impl LockWatch {
    /// Why the lock is no longer held; None while it is.
    pub fn lost(&self) -> Option<String> {
        self.lost.borrow().clone()
    }
}

/// What came of an attempt to take a lock again.
enum Retaken {
    Held,
    Lost(String),
}

impl Lock {
    /// Takes the lock of a run, or says who has it.
    pub async fn take(cluster: &ControlClient, run_id: &str) -> Result<Lock, ManifestError> {
        let keys = RunKeys::new(run_id);
        let lease = cluster.lease_grant(LOCK_TTL).await?;
        let txn = Txn::new()
            .when([Compare::version(keys.lock.as_str(), CompareOp::Equal, 0)])
            .and_then([put(&keys, lease)])
            .or_else([TxnOp::get(keys.lock.as_str(), None)]);
        let answer = match cluster.txn(txn).await {
            Ok(a) if a.succeeded() => {
                let (tell, lost) = watch::channel(None);
                let held = Arc::new(Held {
                    lease: AtomicI64::new(lease),
                    retaken: Mutex::default(),
                });
                let keeper = Keeper {
                    cluster: cluster.clone(),
                    keys: RunKeys::new(run_id),
                    held: Arc::clone(&held),
                };
                return Ok(Lock {
                    cluster: cluster.clone(),
                    keys,
                    watch: LockWatch { held, lost },
                    keeper: tokio::spawn(keeper.keep(tell)),
                });
            }
            other => other,
        };
        // Not ours: the lease is of no use. If revoking fails too, it ends by itself.
        let _ = cluster.lease_revoke(lease).await;
        let holder = found(answer?);
        Err(ManifestError::Locked {
            run_id: run_id.to_owned(),
            holder: Owner::parse(holder.first().map_or(&[], KeyValue::value)),
        })
    }

    /// Of the lock as it is held now.
    pub(super) fn lease(&self) -> i64 {
        self.watch.held.lease.load(Ordering::Relaxed)
    }

    /// To look at from elsewhere.
    pub fn watch(&self) -> LockWatch {
        self.watch.clone()
    }

    /// Why the lock is no longer held; None while it is.
    pub fn lost(&self) -> Option<String> {
        self.watch.lost()
    }

    /// How often it was taken again: a LeaseGrant and a Txn each.
    pub fn retaken(&self) -> u64 {
        let retaken = self.watch.held.retaken.lock();
        retaken.map_or(0, |all| all.len() as u64)
    }

    /// Revisions up to this one that the lock's own expiries made, and the writes that took it again.
    pub async fn revisions(&self, until: i64) -> i64 {
        let retaken = self.watch.held.retaken.lock();
        let retaken = retaken.map_or(0, |all| all.iter().filter(|r| **r <= until).count());
        let key = self.keys.lock.as_bytes();
        let spec = RangeSpec {
            revision: until,
            count_only: true,
            ..RangeSpec::new(key, b"")
        };
        let there = self.cluster.range(spec).await.map_or(1, |page| page.count);
        2 * i64::try_from(retaken).unwrap_or(0) + i64::from(there == 0)
    }

    /// Who has had the run's keys, so that what is missing of them says nothing of etcd; None: nobody.
    pub async fn disturbed(&self) -> Result<Option<String>, ControlError> {
        let lock = self.cluster.get(self.keys.lock.as_bytes()).await?;
        if let Some(kv) = lock {
            let other = kv.lease() != self.lease();
            return Ok(other.then(|| took(&Owner::parse(kv.value()))));
        }
        let manifest = self.cluster.get(self.keys.manifest.as_bytes()).await?;
        Ok(manifest.is_none().then(|| GONE.to_owned()))
    }

    /// Gives the lock back.
    pub async fn release(self) -> Result<(), ManifestError> {
        self.keeper.abort();
        self.cluster.lease_revoke(self.lease()).await?;
        Ok(())
    }
}

/// Nobody has the lock, and the run's manifest is gone with it.
const GONE: &str =
    "its manifest is gone: another process has cleaned up this run, or the store has lost it";

fn took(owner: &Owner) -> String {
    format!("{owner} took it")
}

fn put(keys: &RunKeys, lease: i64) -> TxnOp {
    let leased = PutOptions::new().with_lease(lease);
    TxnOp::put(keys.lock.as_str(), me(), Some(leased))
}

/// What the reads of a transaction found.
fn found(answer: TxnResponse) -> Vec<KeyValue> {
    let answers = answer.op_responses().into_iter();
    let found = answers.filter_map(|r| match r {
        TxnOpResponse::Get(mut g) => g.take_kvs().into_iter().next(),
        _ => None,
    });
    found.collect()
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
) -> Result<Option<Owner>, ControlError> {
    let kv = cluster.get(RunKeys::new(run_id).lock.as_bytes()).await?;
    Ok(kv.map(|kv| Owner::parse(kv.value())))
}

fn me() -> Vec<u8> {
    serde_json::to_vec(&Process::me()).unwrap_or_default()
}

/// Keeps a lock.
struct Keeper {
    cluster: ControlClient,
    keys: RunKeys,
    held: Arc<Held>,
}

impl Keeper {
    /// Three keepalives per TTL. The lock is lost when someone else has it, or had it: nobody cleans up a run
    /// without taking it.
    async fn keep(self, tell: watch::Sender<Option<String>>) {
        let period = Duration::from_secs(LOCK_TTL.unsigned_abs() / 3);
        loop {
            tokio::time::sleep(period).await;
            let lease = self.held.lease.load(Ordering::Relaxed);
            match self.cluster.lease_keep_alive(lease).await {
                Ok(left) if left <= 0 => {}
                // While etcd does not answer, nobody else gets the lock.
                _ => continue,
            }
            if let Ok(Retaken::Lost(reason)) = self.retake().await {
                let _ = tell.send(Some(reason));
                return;
            }
        }
    }

    /// Takes the lock again if it is free and the run's manifest is still there.
    async fn retake(&self) -> Result<Retaken, ControlError> {
        let (lock, manifest) = (self.keys.lock.as_str(), self.keys.manifest.as_str());
        let lease = self.cluster.lease_grant(LOCK_TTL).await?;
        let txn = Txn::new()
            .when([
                Compare::version(lock, CompareOp::Equal, 0),
                Compare::version(manifest, CompareOp::Greater, 0),
            ])
            .and_then([put(&self.keys, lease)])
            .or_else([TxnOp::get(lock, None)]);
        let answer = self.cluster.txn(txn).await?;
        if answer.succeeded() {
            self.held.lease.store(lease, Ordering::Relaxed);
            let revision = answer.header().map_or(0, |h| h.revision());
            if let Ok(mut retaken) = self.held.retaken.lock() {
                retaken.push(revision);
            }
            return Ok(Retaken::Held);
        }
        let _ = self.cluster.lease_revoke(lease).await;
        let reason = match found(answer).first() {
            // A retake that was applied and not answered.
            Some(kv) if kv.value() == me() => {
                self.held.lease.store(kv.lease(), Ordering::Relaxed);
                if let Ok(mut retaken) = self.held.retaken.lock() {
                    retaken.push(kv.mod_revision());
                }
                return Ok(Retaken::Held);
            }
            Some(kv) => took(&Owner::parse(kv.value())),
            None => GONE.to_owned(),
        };
        Ok(Retaken::Lost(reason))
    }
}
