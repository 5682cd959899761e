//! The manifest of a run in the store, and the leased lock that goes with it: what etcdmark wrote, so
//! that a populate can be resumed, a second run on the same id is refused and cleanup knows what is ours.

use super::cleanup::REGISTRY;
pub use super::lock::{LOCK_TTL, Lock, LockWatch, lock_owner};
use super::owner::{Owner, Process};
use super::remove::remove;
use crate::clock::UnixNanos;
use crate::etcd::control::{ControlClient, ControlError};
use crate::report::Phase;
use crate::rpc::prefix_end;
use etcd_client::{Compare, CompareOp, KeyValue, Txn, TxnOp};
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
    pub seed: u64,
    /// Wall instant from which names and creation times count, ns.
    pub epoch_unix_ns: UnixNanos,
    /// Phase that was begun last.
    pub phase: Phase,
    /// Keys that populate has certainly written, in its order.
    pub populated: u64,
    /// When the run began, ns since the Unix epoch.
    pub created_unix_ns: UnixNanos,
    /// The store's revision after the run's last write; None as long as the run may write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_revision: Option<i64>,
    /// The process that writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Until when it may write, ns since the Unix epoch, told when the load begins: a process that stands still for
    /// longer than its lock lives goes on writing afterwards. None before, and once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes_until_unix_ns: Option<UnixNanos>,
}

/// As RFC 3339, whole seconds; None far in the future.
fn time(at: UnixNanos) -> Option<String> {
    let seconds = i64::try_from(at / 1_000_000_000).ok()?;
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Some(time.to_string())
}

/// Between which revisions a run wrote. From the revisions that etcd gave the manifest itself, which nobody can write
/// into it: a manifest that is put into a store claims nothing that was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its first key was created later.
    pub after: i64,
    /// Its last write that is known of.
    pub until: i64,
}

impl Manifest {
    /// Who may still write although nobody holds the lock; None when nobody does, as far as is known.
    pub fn writer(&self) -> Option<String> {
        let process = self.process.as_ref()?;
        let runs = process.runs();
        let until = self.writes_until_unix_ns;
        let until = until.filter(|until| *until > crate::clock::unix_now());
        match (runs, until) {
            (Some(true), _) => Some(format!("{process} still runs")),
            (None, Some(until)) => Some(format!(
                "{process} may write until {}",
                time(until).unwrap_or_else(|| "it is stopped".to_owned())
            )),
            _ => None,
        }
    }

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
            last_revision: None,
            process: Some(Process::me()),
            writes_until_unix_ns: None,
        }
    }
}

/// Why a run cannot have its prefix.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Another process is at work on this run id.
    #[error(
        "run id {run_id:?} is in use: {holder} {}",
        if holder.ended() {
            format!("has ended, and its lock expires within {LOCK_TTL} s: wait, or choose another --run-id")
        } else {
            format!("holds its lock; choose another --run-id, or wait (the lock expires {LOCK_TTL} s after that process ends)")
        }
    )]
    Locked {
        /// The run id.
        run_id: String,
        /// Who.
        holder: Owner,
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
        "{} without a manifest under {prefix}; choose another --run-id, or delete what is there: etcdmark cleanup --orphans \
         with the same --endpoints or --kind",
        crate::human::numbers::things(count.unsigned_abs(), "key")
    )]
    Foreign {
        /// The prefix.
        prefix: String,
        count: i64,
    },
    /// The manifest cannot be read.
    #[error("cannot read the manifest {key} ({reason}); a newer etcdmark may have written it")]
    Unreadable {
        /// Its key.
        key: String,
        reason: String,
    },
    /// The lock was lost while the run went on.
    #[error("run {run_id:?} lost its lock: {reason}")]
    Lost {
        /// The run id.
        run_id: String,
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

/// Reads the manifest at `key`, and when its run wrote; None when there is none.
pub async fn read(
    cluster: &ControlClient,
    key: &str,
) -> Result<Option<(Manifest, Written)>, ManifestError> {
    let Some(kv) = cluster.get(key.as_bytes()).await? else {
        return Ok(None);
    };
    let manifest = parse(key, kv.value())?;
    let written = written(&manifest, &kv);
    Ok(Some((manifest, written)))
}

pub(super) fn written(manifest: &Manifest, kv: &KeyValue) -> Written {
    Written {
        after: kv.create_revision(),
        until: match manifest.last_revision {
            Some(last) => last.min(kv.mod_revision()),
            None => kv.mod_revision(),
        },
    }
}

pub(super) fn parse(key: &str, value: &[u8]) -> Result<Manifest, ManifestError> {
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
    let own = key.strip_suffix("/.etcdmark");
    if m.prefix != REGISTRY && own != Some(m.prefix.as_str()) {
        return Err(unreadable(format!(
            "it names the prefix {:?}, which is not its run's",
            m.prefix
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
    if let Some((found, _)) = read(cluster, &keys.manifest).await? {
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
        let process = Some(Process::me());
        return Ok((Manifest { process, ..found }, true));
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
        self.manifest.last_revision = None;
        write(&self.lock, &self.keys, &self.manifest).await
    }

    /// Notes the store's revision after the run's last write, and tells between which revisions the run wrote.
    pub async fn seal(&mut self, last_revision: i64) -> Result<Option<Written>, ManifestError> {
        self.manifest.last_revision = Some(last_revision);
        write(&self.lock, &self.keys, &self.manifest).await?;
        let sealed = read(&self.lock.cluster, &self.keys.manifest).await?;
        Ok(sealed.map(|(_, written)| written))
    }

    /// Who has taken the lock since it was lost; None while it is ours or nobody's.
    pub async fn new_owner(&self) -> Result<Option<Owner>, ControlError> {
        let kv = self.lock.cluster.get(self.keys.lock.as_bytes()).await?;
        Ok(kv
            .filter(|kv| kv.lease() != self.lock.lease())
            .map(|kv| Owner::parse(kv.value())))
    }

    /// Gives the lock back and leaves the manifest, which says that the run writes no more: the keys stay
    /// (`--keep-data`, a failed cleanup).
    pub async fn leave(mut self) -> Result<(), ManifestError> {
        self.manifest.process = None;
        self.manifest.writes_until_unix_ns = None;
        // Under /registry, the manifest's revision is the last that counts as the run's, unless it is sealed.
        if self.manifest.prefix != REGISTRY || self.manifest.last_revision.is_some() {
            write(&self.lock, &self.keys, &self.manifest).await?;
        }
        self.lock.release().await
    }

    /// Deletes the manifest, as [`super::remove::remove`], and gives the lock back: after cleanup.
    pub async fn release(self) -> Result<bool, ManifestError> {
        let removed = remove(&self.lock.cluster, &self.manifest.run_id).await?;
        if !removed {
            self.leave().await?;
            return Ok(false);
        }
        // The keys are gone: a lock that cannot be given back ends by itself.
        let _ = self.lock.release().await;
        Ok(true)
    }
}
