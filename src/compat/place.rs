//! Where the keys of a load are, whose store it is, and how they are deleted. The Go tool writes raw binary keys at the
//! root; nothing tells them from others' keys afterwards. So etcdmark does that only in a store without any key, and
//! elsewhere puts a prefix of its own before them.

use super::error::CompatError;
use super::operations::Operations;
use super::raw::delete_ours;
use crate::etcd::control::ControlClient;
use crate::report::Phase;
use crate::rpc::prefix_end;
use crate::store::cleanup::{RunData, cleanup_run};
use crate::store::manifest::{self, HOME, Manifest, RunClaim};
use crate::store::preflight::{self, ClusterFacts, WriteIntent};
use crate::target::Target;

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
