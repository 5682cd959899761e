//! What the runs of etcdmark left in a store.

use super::lock::lock_owner;
use super::manifest::{HOME, Manifest, RunKeys, Written, parse, written};
use super::owner::Owner;
use crate::etcd::control::{ControlClient, ControlError};
use crate::rpc::prefix_end;

/// What stands under [`HOME`].
#[derive(Debug, Default)]
pub struct KnownRuns {
    /// With a manifest, by run id.
    pub runs: Vec<KnownRun>,
    /// Without one.
    pub orphans: Vec<OrphanRange>,
}

/// A run that the store knows of.
#[derive(Debug)]
pub struct KnownRun {
    /// Run id, from the key.
    pub run_id: String,
    /// Its manifest, and when the run wrote; None when unreadable.
    pub manifest: Option<(Manifest, Written)>,
    /// Who holds its lock.
    pub holder: Option<Owner>,
}

/// Keys of a run whose manifest is gone.
#[derive(Debug)]
pub struct OrphanRange {
    /// What stands in the run id's place.
    pub run_id: String,
    /// Keys, the lock not counted.
    pub keys: u64,
    /// Who holds its lock.
    pub holder: Option<Owner>,
}

/// Everything under [`HOME`]. Steps from run to run (two or three reads each), so that the keys of a large run are not
/// paged through.
///
/// # Errors
/// When etcd cannot be asked.
pub async fn list(cluster: &ControlClient) -> Result<KnownRuns, ControlError> {
    let base = format!("{HOME}/");
    let (mut from, end) = (base.clone().into_bytes(), prefix_end(base.as_bytes()));
    let mut known = KnownRuns::default();
    loop {
        let Some(first) = cluster.first_key(&from, &end).await? else {
            return Ok(known);
        };
        let rest = first.get(base.len()..).unwrap_or_default();
        let Some(slash) = rest.iter().position(|b| *b == b'/') else {
            from = [&first[..], b"\0"].concat();
            continue;
        };
        let run_id = String::from_utf8_lossy(&rest[..slash]).into_owned();
        let range = first[..=base.len() + slash].to_vec();
        from = prefix_end(&range);
        if run_id.is_empty() {
            // No run is called so: somebody else's key must not keep the others from being deleted.
            continue;
        }
        let keys = RunKeys::new(&run_id);
        let holder = lock_owner(cluster, &run_id).await?;
        if let Some(kv) = cluster.get(keys.manifest.as_bytes()).await? {
            let manifest = parse(&keys.manifest, kv.value()).ok();
            let manifest = manifest.map(|m| {
                let written = written(&m, &kv);
                (m, written)
            });
            known.runs.push(KnownRun {
                run_id,
                manifest,
                holder,
            });
            continue;
        }
        let all = cluster.count(&range, &from).await?.unsigned_abs();
        let keys = all.saturating_sub(u64::from(holder.is_some()));
        if keys > 0 {
            known.orphans.push(OrphanRange {
                run_id,
                keys,
                holder,
            });
        }
    }
}
