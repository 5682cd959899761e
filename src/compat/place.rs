//! Where the keys of a load are, whose store it is, and how they are deleted. The Go tool writes raw binary keys at the
//! root; nothing tells them from others' keys afterwards. So etcdmark does that only in a store without any key, and
//! elsewhere puts a prefix of its own before them.

use super::operations::Operations;
use crate::etcd::control::{ControlClient, ControlError, RangeSpec};
use crate::exit::Exit;
use crate::human::numbers::bytes;
use crate::report::Phase;
use crate::rpc::prefix_end;
use crate::store::cleanup::{CleanupError, RunData, cleanup_run};
use crate::store::manifest::{self, HOME, Manifest, ManifestError, RunClaim};
use crate::store::preflight::{self, ClusterFacts, PreflightError, WriteIntent};
use crate::target::Target;
use etcd_client::{Compare, CompareOp, Txn, TxnOp};

/// What a load needs of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// It writes no keys.
    Nothing,
    /// Keys at the root, as the Go tool's.
    Root,
    /// Keys under a run's own prefix.
    Prefix,
}

/// A load that cannot begin, or whose keys cannot be deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompatError {
    /// Names the flag or the store, and what would be right.
    pub message: String,
    /// The exit code.
    pub exit: Exit,
}

impl CompatError {
    pub(super) fn usage(message: impl Into<String>) -> CompatError {
        CompatError {
            message: message.into(),
            exit: Exit::Usage,
        }
    }

    pub(super) fn failure(message: impl Into<String>) -> CompatError {
        CompatError {
            message: message.into(),
            exit: Exit::Failure,
        }
    }
}

/// The message of a run says what this load does not do.
impl From<PreflightError> for CompatError {
    fn from(e: PreflightError) -> Self {
        let exit = e.exit();
        let message = match e {
            PreflightError::LiveCluster { endpoint, keys } => format!(
                "{endpoint} holds {keys}, and the load would affect who uses them; pass --allow-live-cluster to allow it \
                 (this load has no ramp and no guards: it is as fast as --clients and --rate let it be)"
            ),
            PreflightError::PerhapsLive { endpoint } => format!(
                "this user may not read all keys, so etcdmark cannot tell whether {endpoint} belongs to others; pass \
                 --allow-live-cluster (this load has no ramp and no guards)"
            ),
            PreflightError::TooBig {
                growth,
                projected,
                free,
                quota,
                ..
            } => {
                let [growth, projected, free] = [growth, projected, free].map(|n| bytes(n as f64));
                format!(
                    "the puts would grow the db file by about {growth} to {projected}, which is more than half of the {free} \
                     left of the quota ({quota}); use a smaller --total or --val-size, or raise --quota-backend-bytes"
                )
            }
            other => other.to_string(),
        };
        CompatError { message, exit }
    }
}

impl From<ManifestError> for CompatError {
    fn from(e: ManifestError) -> Self {
        CompatError {
            exit: e.exit(),
            message: e.to_string(),
        }
    }
}

impl From<CleanupError> for CompatError {
    fn from(e: CleanupError) -> Self {
        CompatError::failure(e.to_string())
    }
}

impl From<ControlError> for CompatError {
    fn from(e: ControlError) -> Self {
        CompatError::failure(e.to_string())
    }
}

/// The request of a store.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) needs: Needs,
    pub(super) run_id: String,
    /// `--allow-live-cluster`.
    pub(super) allow_live_cluster: bool,
    /// Puts, at most.
    pub(super) puts: u64,
    /// Bytes of a key and its value.
    pub(super) bytes_per_put: u64,
    pub(super) keys: u64,
    pub(super) seed: u64,
}

/// A store that may be used.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) client: ControlClient,
    pub(super) facts: ClusterFacts,
    pub(super) needs: Needs,
    claim: Option<RunClaim>,
}

/// The prefix of a run's keys. A component of its own keeps them apart from manifest and lock, whatever their bytes.
pub(super) fn prefix(needs: Needs, run_id: &str) -> Vec<u8> {
    match needs {
        Needs::Prefix => format!("{HOME}/{run_id}/go/").into_bytes(),
        Needs::Root | Needs::Nothing => Vec::new(),
    }
}

/// Checks the store, and takes the prefix where one is needed.
///
/// # Errors
/// Keys of others, and everything that keeps a run from beginning.
pub(super) async fn take(target: &Target, wanted: &Wanted) -> Result<Place, CompatError> {
    match wanted.needs {
        Needs::Nothing => {
            let (client, facts) = preflight::check_owner(target, wanted.allow_live_cluster).await?;
            Ok(Place::of(client, facts, wanted.needs))
        }
        Needs::Root => {
            let (client, facts) = preflight::check_owner(target, true).await?;
            if facts.others.as_ref().is_some_and(|o| o.count == 0) {
                return Ok(Place::of(client, facts, wanted.needs));
            }
            let keys = match &facts.others {
                Some(others) => format!("holds {others}"),
                None => "may hold keys that this user cannot read".to_owned(),
            };
            let endpoint = target.endpoints.first().cloned().unwrap_or_default();
            Err(CompatError::usage(format!(
                "{endpoint} {keys}: raw keys at the root, as the Go tool writes them, need a store without keys of others \
                 (nothing could tell them apart afterwards); use an empty etcd, or omit --raw-keys"
            )))
        }
        Needs::Prefix => claim(target, wanted).await,
    }
}

async fn claim(target: &Target, wanted: &Wanted) -> Result<Place, CompatError> {
    let prefix = format!("{HOME}/{}", wanted.run_id);
    let intent = WriteIntent {
        run_id: wanted.run_id.clone(),
        prefix: prefix.clone(),
        allow_live_cluster: wanted.allow_live_cluster,
        keys: wanted.keys,
        writes: wanted.puts,
        bytes: wanted.puts.saturating_mul(wanted.bytes_per_put),
        closed_loop: false,
        may_fill: false,
    };
    let (client, facts) = preflight::check(target, Some(&intent)).await?;
    let epoch = crate::clock::unix_now();
    let manifest = Manifest::new(&wanted.run_id, &prefix, "go-benchmark", wanted.seed, epoch);
    let mut claim = manifest::acquire(&client, manifest).await?;
    // Past populate: a second load of this run id is refused, and not taken for the rest of the first one.
    claim.manifest.writes_until_unix_ns = Some(u64::MAX);
    if let Err(e) = claim.update_phase(Phase::Warmup, 0).await {
        let _ = claim.release().await;
        return Err(e.into());
    }
    Ok(Place {
        claim: Some(claim),
        ..Place::of(client, facts, wanted.needs)
    })
}

impl Place {
    fn of(client: ControlClient, facts: ClusterFacts, needs: Needs) -> Place {
        Place {
            client,
            facts,
            needs,
            claim: None,
        }
    }

    /// Why the prefix is not ours any more; None while it is.
    pub(super) fn lost(&self) -> Option<String> {
        self.claim.as_ref().and_then(|c| c.lock.watch().lost())
    }

    /// How many keys the load left: those under its prefix, or all but etcdmark's own.
    ///
    /// # Errors
    /// etcd cannot be asked.
    pub(super) async fn count(&self, prefix: &[u8]) -> Result<u64, CompatError> {
        if !prefix.is_empty() {
            let count = self.client.count(prefix, &prefix_end(prefix)).await?;
            return Ok(count.unsigned_abs());
        }
        let (home, after) = (format!("{HOME}/"), format!("{HOME}0"));
        let before = self.client.count(b"\0", home.as_bytes()).await?;
        let behind = self.client.count(after.as_bytes(), b"\0").await?;
        Ok(before.unsigned_abs() + behind.unsigned_abs())
    }

    /// Leaves the keys where they are.
    ///
    /// # Errors
    /// etcd cannot be asked.
    pub(super) async fn leave(self) -> Result<(), CompatError> {
        match self.claim {
            Some(claim) => Ok(claim.leave().await?),
            None => Ok(()),
        }
    }

    /// Deletes the keys that the first `made` requests put; how many it deleted.
    ///
    /// # Errors
    /// etcd cannot be asked.
    pub(super) async fn clean(
        self,
        target: &Target,
        mut operations: Operations,
        made: u64,
    ) -> Result<u64, CompatError> {
        let Some(claim) = self.claim else {
            let keys: Vec<Vec<u8>> = operations.keys(made).into_iter().collect();
            return delete_ours(&self.client, &keys, operations.value()).await;
        };
        let prefix = claim.manifest.prefix.clone();
        let data = RunData {
            gentle: !target.owned,
            ..RunData::new(&prefix)
        };
        let report = cleanup_run(&self.client, &data, &mut |_, _| {}).await;
        match report {
            Ok(report) => {
                claim.release().await?;
                Ok(report.keys)
            }
            Err(e) => {
                let _ = claim.leave().await;
                Err(e.into())
            }
        }
    }
}

/// Bytes of a transaction that deletes, below etcd's limit of 1.5 MiB.
const BATCH_BYTES: usize = 512 << 10;
/// Keys of one, below etcd's limit of 128 operations.
const BATCH_KEYS: usize = 100;

/// Deletes keys as long as they have our value: one that somebody else has written since is not ours.
pub(super) async fn delete_ours(
    client: &ControlClient,
    keys: &[Vec<u8>],
    value: &[u8],
) -> Result<u64, CompatError> {
    let each = 2 * keys.first().map_or(0, Vec::len) + value.len();
    let batch = (BATCH_BYTES / each.max(1)).clamp(1, BATCH_KEYS);
    let mut deleted = 0;
    for keys in keys.chunks(batch) {
        if try_delete(client, keys, value).await? {
            deleted += keys.len() as u64;
            continue;
        }
        // One of them is gone, or not ours: the others one by one.
        for key in keys {
            deleted += u64::from(try_delete(client, std::slice::from_ref(key), value).await?);
        }
    }
    Ok(deleted)
}

async fn try_delete(
    client: &ControlClient,
    keys: &[Vec<u8>],
    value: &[u8],
) -> Result<bool, ControlError> {
    let ours = keys
        .iter()
        .map(|k| Compare::value(k.as_slice(), CompareOp::Equal, value));
    let gone = keys.iter().map(|k| TxnOp::delete(k.as_slice(), None));
    let txn = Txn::new()
        .when(ours.collect::<Vec<_>>())
        .and_then(gone.collect::<Vec<_>>());
    Ok(client.txn(txn).await?.succeeded())
}

/// Puts the key that `range` reads, before the load.
pub(super) async fn preload(
    client: &ControlClient,
    key: &str,
    value: &[u8],
) -> Result<(), CompatError> {
    let put = Txn::new().and_then([TxnOp::put(key, value, None)]);
    client.txn(put).await?;
    Ok(())
}

/// Whether a key exists.
pub(super) async fn exists(
    client: &ControlClient,
    from: &[u8],
    to: &[u8],
) -> Result<bool, ControlError> {
    let spec = RangeSpec {
        limit: 1,
        keys_only: true,
        ..RangeSpec::new(from, to)
    };
    Ok(!client.range(spec).await?.kvs.is_empty())
}
