//! The manifest of a run in the store, and the leased lock that goes with it: what etcdmark wrote, so
//! that a populate can be resumed, a second run on the same id is refused and cleanup knows what is ours.

use super::control::{Cluster, ControlError, RangeSpec, prefix_end};
use crate::clock::UnixNanos;
use crate::report::Phase;
use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp, TxnOpResponse};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Under which everything that etcdmark writes lives, manifests of `--prefix /registry` runs included.
pub const HOME: &str = "/registry-etcdmark";

/// Version of the manifest's JSON.
pub const MANIFEST_VERSION: u32 = 1;

/// The lock outlives its holder by so many seconds.
pub const LOCK_TTL: i64 = 15;

/// The keys of one run that are not Kubernetes'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunKeys {
    /// `/registry-etcdmark/RUN/.etcdmark`.
    pub manifest: String,
    /// `/registry-etcdmark/RUN/.etcdmark-lock`.
    pub lock: String,
}

impl RunKeys {
    /// Of the run of that id, whatever its prefix.
    pub fn new(run_id: &str) -> RunKeys {
        let manifest = format!("{HOME}/{run_id}/.etcdmark");
        RunKeys {
            lock: format!("{manifest}-lock"),
            manifest,
        }
    }
}

/// What etcdmark says about a run, as JSON, in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub version: u32,
    /// etcdmark's version.
    pub etcdmark: String,
    /// Run id.
    pub run_id: String,
    /// Key prefix, without a trailing slash.
    pub prefix: String,
    /// Plan hash, hex.
    pub plan_hash: String,
    /// Seed.
    pub seed: u64,
    /// Wall instant from which names and creation times count, ns.
    pub epoch_unix_ns: UnixNanos,
    /// Phase that was begun last.
    pub phase: Phase,
    /// Keys that populate has certainly written, in its order.
    pub populated: u64,
    /// When the run began, ns since the Unix epoch.
    pub created_unix_ns: UnixNanos,
}

impl Manifest {
    /// Of a run that begins now.
    pub fn new(
        run_id: &str,
        prefix: &str,
        plan_hash: &str,
        seed: u64,
        epoch: UnixNanos,
    ) -> Manifest {
        Manifest {
            version: MANIFEST_VERSION,
            etcdmark: env!("CARGO_PKG_VERSION").to_owned(),
            run_id: run_id.to_owned(),
            prefix: prefix.to_owned(),
            plan_hash: plan_hash.to_owned(),
            seed,
            epoch_unix_ns: epoch,
            phase: Phase::Populate,
            populated: 0,
            created_unix_ns: crate::clock::unix_now(),
        }
    }
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Host name.
    pub host: String,
    /// Process id.
    pub pid: u32,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on host {}", self.pid, self.host)
    }
}

/// Why a run cannot have its prefix.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Another process is at work on this run id.
    #[error(
        "two runs on one run id: {run_id:?} is held by {holder}; choose another --run-id, or wait \
         (the lock ends {LOCK_TTL} s after that process does)"
    )]
    Locked {
        /// The run id.
        run_id: String,
        /// Who.
        holder: String,
    },
    /// The store holds another run's keys under this run id.
    #[error(
        "run id {run_id:?} holds the keys of another plan (hash {found}, this one is {wanted}); choose \
         another --run-id, or delete them: etcdmark cleanup --run-id {run_id}"
    )]
    OtherPlan {
        /// The run id.
        run_id: String,
        /// Hash in the store.
        found: String,
        /// Hash of the plan.
        wanted: String,
    },
    /// The run of this id went past populate: its keys are no longer as populate left them.
    #[error(
        "run id {run_id:?} ended in phase {phase} and left its keys; choose another --run-id, or delete \
         them: etcdmark cleanup --run-id {run_id}"
    )]
    Finished {
        /// The run id.
        run_id: String,
        /// Its last phase.
        phase: &'static str,
    },
    /// Keys without a manifest.
    #[error(
        "{count} keys under {prefix} belong to no manifest, so etcdmark did not write them; choose another \
         --run-id"
    )]
    Foreign {
        /// The prefix.
        prefix: String,
        /// How many.
        count: i64,
    },
    /// The manifest cannot be read.
    #[error("the manifest {key} cannot be read ({reason}); a newer etcdmark may have written it")]
    Unreadable {
        /// Its key.
        key: String,
        /// Why.
        reason: String,
    },
    /// The lock was lost while the run went on.
    #[error("the lock of run {run_id:?} was lost: {reason}")]
    Lost {
        /// The run id.
        run_id: String,
        /// Why.
        reason: String,
    },
    /// etcd failed.
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl ManifestError {
    /// The exit code: a precondition (2), or etcd's failure (1).
    pub fn exit(&self) -> crate::exit::Exit {
        match self {
            ManifestError::Control(_) | ManifestError::Lost { .. } => crate::exit::Exit::Failure,
            _ => crate::exit::Exit::Usage,
        }
    }
}

/// Reads the manifest at `key`; None when there is none.
pub async fn read(cluster: &Cluster, key: &str) -> Result<Option<Manifest>, ManifestError> {
    match cluster.get(key.as_bytes()).await? {
        Some(kv) => parse(key, kv.value()).map(Some),
        None => Ok(None),
    }
}

fn parse(key: &str, value: &[u8]) -> Result<Manifest, ManifestError> {
    let unreadable = |reason: String| ManifestError::Unreadable {
        key: key.to_owned(),
        reason,
    };
    let m: Manifest = serde_json::from_slice(value).map_err(|e| unreadable(e.to_string()))?;
    if m.version != MANIFEST_VERSION {
        return Err(unreadable(format!(
            "version {}, known is {MANIFEST_VERSION}",
            m.version
        )));
    }
    Ok(m)
}

/// A run's lock, kept alive by a task of the runtime it was taken in until it is dropped or released.
#[derive(Debug)]
pub struct Lock {
    cluster: Cluster,
    run_id: String,
    lease: i64,
    lost: watch::Receiver<Option<String>>,
    keeper: JoinHandle<()>,
}

impl Lock {
    /// Takes the lock of a run, or says who has it.
    pub async fn take(cluster: &Cluster, run_id: &str) -> Result<Lock, ManifestError> {
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
            holder: holder_name(holder.as_deref()),
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
            Err(_) => "its keeper ended".to_owned(),
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
pub async fn lock_holder(cluster: &Cluster, run_id: &str) -> Result<Option<String>, ControlError> {
    let kv = cluster.get(RunKeys::new(run_id).lock.as_bytes()).await?;
    Ok(kv.map(|kv| holder_name(Some(kv.value()))))
}

fn holder_name(value: Option<&[u8]>) -> String {
    match value.and_then(|v| serde_json::from_slice::<Holder>(v).ok()) {
        Some(h) => h.to_string(),
        None => "another process".to_owned(),
    }
}

fn me() -> Vec<u8> {
    let uname = rustix::system::uname();
    let holder = Holder {
        host: uname.nodename().to_string_lossy().into_owned(),
        pid: std::process::id(),
    };
    serde_json::to_vec(&holder).unwrap_or_default()
}

/// Three keepalives per TTL; the lock counts as lost when the lease is gone, or when none has succeeded
/// for a whole TTL (then etcd may have given it to someone else).
async fn keep(cluster: Cluster, lease: i64, tell: watch::Sender<Option<String>>) {
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

/// A run that owns its prefix: lock and manifest.
#[derive(Debug)]
pub struct Held {
    /// The lock.
    pub lock: Lock,
    /// As it is in the store; on a resumed run its seed, epoch and `populated` are the first run's.
    pub manifest: Manifest,
    /// An interrupted populate with the same plan is to be continued.
    pub resumed: bool,
    keys: RunKeys,
}

/// Takes a run's prefix: absent → created; same plan, unlocked, not past populate → resumed; anything
/// else is refused.
pub async fn acquire(cluster: &Cluster, wanted: Manifest) -> Result<Held, ManifestError> {
    let keys = RunKeys::new(&wanted.run_id);
    let lock = Lock::take(cluster, &wanted.run_id).await?;
    match settle(&lock, &keys, wanted).await {
        Ok((manifest, resumed)) => Ok(Held {
            lock,
            manifest,
            resumed,
            keys,
        }),
        Err(e) => {
            let _ = lock.release().await;
            Err(e)
        }
    }
}

async fn settle(
    lock: &Lock,
    keys: &RunKeys,
    wanted: Manifest,
) -> Result<(Manifest, bool), ManifestError> {
    let cluster = &lock.cluster;
    if let Some(found) = read(cluster, &keys.manifest).await? {
        let run_id = wanted.run_id.clone();
        if found.plan_hash != wanted.plan_hash || found.prefix != wanted.prefix {
            let (found, wanted) = (found.plan_hash, wanted.plan_hash);
            return Err(ManifestError::OtherPlan {
                run_id,
                found,
                wanted,
            });
        }
        if found.phase > Phase::Settle {
            return Err(ManifestError::Finished {
                run_id,
                phase: found.phase.name(),
            });
        }
        return Ok((found, true));
    }
    // Only the lock may be there. `/registry` itself is preflight's business.
    let base = format!("{HOME}/{}/", wanted.run_id);
    let count = cluster
        .count(base.as_bytes(), &prefix_end(base.as_bytes()))
        .await?
        - 1;
    if count > 0 {
        return Err(ManifestError::Foreign {
            prefix: base,
            count,
        });
    }
    write(lock, keys, &wanted).await?;
    Ok((wanted, false))
}

/// Writes the manifest, but only while the lock is ours.
async fn write(lock: &Lock, keys: &RunKeys, manifest: &Manifest) -> Result<(), ManifestError> {
    let json = serde_json::to_vec(manifest).map_err(|e| ManifestError::Unreadable {
        key: keys.manifest.clone(),
        reason: e.to_string(),
    })?;
    let txn = Txn::new()
        .when([Compare::lease(
            keys.lock.as_str(),
            CompareOp::Equal,
            lock.lease,
        )])
        .and_then([TxnOp::put(keys.manifest.as_str(), json, None)]);
    if lock.cluster.txn(txn).await?.succeeded() {
        return Ok(());
    }
    let reason = "another process holds it, or none".to_owned();
    Err(ManifestError::Lost {
        run_id: manifest.run_id.clone(),
        reason,
    })
}

impl Held {
    /// The run's own keys.
    pub fn keys(&self) -> &RunKeys {
        &self.keys
    }

    /// Writes phase and populated count. One revision of the store.
    pub async fn update_phase(
        &mut self,
        phase: Phase,
        populated: u64,
    ) -> Result<(), ManifestError> {
        self.manifest.phase = phase;
        self.manifest.populated = populated;
        write(&self.lock, &self.keys, &self.manifest).await
    }

    /// Gives the lock back and leaves the manifest: the keys stay (`--keep-data`, a failed cleanup).
    pub async fn leave(self) -> Result<(), ManifestError> {
        self.lock.release().await
    }

    /// Deletes the manifest and gives the lock back: after cleanup.
    pub async fn release(self) -> Result<(), ManifestError> {
        self.lock
            .cluster
            .delete(self.keys.manifest.as_bytes(), b"")
            .await?;
        self.lock.release().await
    }
}

/// A run that the store knows of.
#[derive(Debug)]
pub struct KnownRun {
    /// Run id, from the key.
    pub run_id: String,
    /// Its manifest; None when unreadable.
    pub manifest: Option<Manifest>,
    /// Who holds its lock.
    pub holder: Option<String>,
}

/// Every run with a manifest under [`HOME`], by run id. Steps from run to run (two reads each), so that
/// the keys of a large run are not paged through.
pub async fn list(cluster: &Cluster) -> Result<Vec<KnownRun>, ControlError> {
    let base = format!("{HOME}/");
    let (mut from, end) = (base.clone().into_bytes(), prefix_end(base.as_bytes()));
    let mut runs = Vec::new();
    loop {
        let spec = RangeSpec {
            limit: 1,
            keys_only: true,
            ..RangeSpec::new(&from, &end)
        };
        let Some(first) = cluster.range(spec).await?.kvs.into_iter().next() else {
            return Ok(runs);
        };
        let rest = first.key().get(base.len()..).unwrap_or_default();
        let Some(slash) = rest.iter().position(|b| *b == b'/') else {
            from = [first.key(), b"\0"].concat();
            continue;
        };
        let run_id = String::from_utf8_lossy(&rest[..slash]).into_owned();
        from = prefix_end(&first.key()[..=base.len() + slash]);
        let keys = RunKeys::new(&run_id);
        if let Some(kv) = cluster.get(keys.manifest.as_bytes()).await? {
            let manifest = parse(&keys.manifest, kv.value()).ok();
            let holder = lock_holder(cluster, &run_id).await?;
            runs.push(KnownRun {
                run_id,
                manifest,
                holder,
            });
        }
    }
}
