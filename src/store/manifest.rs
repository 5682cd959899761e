//! The manifest of a run in the store, and the leased lock that goes with it: what etcdmark wrote, so
//! that a populate can be resumed, a second run on the same id is refused and cleanup knows what is ours.

pub use super::lock::{LOCK_TTL, Lock, LockOwner, LockWatch, lock_owner};
use crate::clock::UnixNanos;
use crate::etcd::control::{ControlClient, ControlError};
use crate::report::Phase;
use crate::rpc::prefix_end;
use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use serde::{Deserialize, Serialize};

/// Under which everything that etcdmark writes lives, manifests of `--prefix /registry` runs included.
pub const HOME: &str = "/registry-etcdmark";

/// Version of the manifest's JSON.
pub const MANIFEST_VERSION: u32 = 1;

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

/// Why a run cannot have its prefix.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Another process is at work on this run id.
    #[error(
        "run id {run_id:?} is in use: {holder} holds its lock; choose another --run-id, or wait (the lock \
         expires {LOCK_TTL} s after that process ends)"
    )]
    Locked {
        /// The run id.
        run_id: String,
        /// Who.
        holder: String,
    },
    /// The store holds another run's keys under this run id.
    #[error(
        "run id {run_id:?} holds the keys of another plan (hash {found}; this plan has {wanted}); choose \
         another --run-id, or delete the keys: etcdmark cleanup --run-id {run_id} with the same --endpoints or --kind"
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
        "the store still holds the keys of an earlier run with id {run_id:?}; choose another --run-id, or \
         delete the keys: etcdmark cleanup --run-id {run_id} with the same --endpoints or --kind"
    )]
    Finished {
        /// The run id.
        run_id: String,
    },
    /// Keys without a manifest.
    #[error(
        "{count} keys under {prefix} have no manifest, so etcdmark did not write them; choose another --run-id"
    )]
    Foreign {
        /// The prefix.
        prefix: String,
        /// How many.
        count: i64,
    },
    /// The manifest cannot be read.
    #[error("cannot read the manifest {key} ({reason}); a newer etcdmark may have written it")]
    Unreadable {
        /// Its key.
        key: String,
        /// Why.
        reason: String,
    },
    /// The lock was lost while the run went on.
    #[error("run {run_id:?} lost its lock: {reason}")]
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
pub async fn read(cluster: &ControlClient, key: &str) -> Result<Option<Manifest>, ManifestError> {
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
            "version {}, but this etcdmark reads version {MANIFEST_VERSION}",
            m.version
        )));
    }
    Ok(m)
}

/// A run's claim to its prefix: lock and manifest.
#[derive(Debug)]
pub struct RunClaim {
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
pub async fn acquire(cluster: &ControlClient, wanted: Manifest) -> Result<RunClaim, ManifestError> {
    let keys = RunKeys::new(&wanted.run_id);
    let lock = Lock::take(cluster, &wanted.run_id).await?;
    match settle(&lock, &keys, wanted).await {
        Ok((manifest, resumed)) => Ok(RunClaim {
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
            return Err(ManifestError::Finished { run_id });
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
            lock.lease(),
        )])
        .and_then([TxnOp::put(keys.manifest.as_str(), json, None)]);
    if lock.cluster.txn(txn).await?.succeeded() {
        return Ok(());
    }
    let reason = "another process holds it, or nobody does".to_owned();
    Err(ManifestError::Lost {
        run_id: manifest.run_id.clone(),
        reason,
    })
}

impl RunClaim {
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

    /// Who has taken the lock since it was lost; None while it is ours or nobody's.
    pub async fn new_owner(&self) -> Result<Option<String>, ControlError> {
        let kv = self.lock.cluster.get(self.keys.lock.as_bytes()).await?;
        Ok(kv
            .filter(|kv| kv.lease() != self.lock.lease())
            .map(|kv| super::lock::owner_name(Some(kv.value()))))
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
pub async fn list(cluster: &ControlClient) -> Result<Vec<KnownRun>, ControlError> {
    let base = format!("{HOME}/");
    let (mut from, end) = (base.clone().into_bytes(), prefix_end(base.as_bytes()));
    let mut runs = Vec::new();
    loop {
        let Some(first) = cluster.first_key(&from, &end).await? else {
            return Ok(runs);
        };
        let rest = first.get(base.len()..).unwrap_or_default();
        let Some(slash) = rest.iter().position(|b| *b == b'/') else {
            from = [&first[..], b"\0"].concat();
            continue;
        };
        let run_id = String::from_utf8_lossy(&rest[..slash]).into_owned();
        from = prefix_end(&first[..=base.len() + slash]);
        let keys = RunKeys::new(&run_id);
        if let Some(kv) = cluster.get(keys.manifest.as_bytes()).await? {
            let manifest = parse(&keys.manifest, kv.value()).ok();
            let holder = lock_owner(cluster, &run_id).await?;
            runs.push(KnownRun {
                run_id,
                manifest,
                holder,
            });
        }
    }
}
