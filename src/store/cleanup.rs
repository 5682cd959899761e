//! Deletes what a run wrote, and only that: paged batches, its etcd leases, its manifest last.
//! Interruptible and idempotent: a second call goes on where the first one ended.

use super::manifest::{HOME, RunKeys};
use crate::etcd::control::{ControlClient, ControlError, RangeSpec};
use crate::kube::resource::Resource;
use crate::report::CleanupReport;
use crate::rpc::prefix_end;
use std::collections::BTreeSet;

/// Keys read, and deleted, at a time.
const PAGE: i64 = 1000;

/// Why a run's keys cannot be deleted.
#[derive(Debug, thiserror::Error)]
pub enum CleanupError {
    /// A run on `/registry` itself, where others have written since.
    #[error(
        "{count} keys under /registry belong to resources that etcdmark does not write: another client uses \
         this store, so etcdmark deletes nothing"
    )]
    Foreign { count: i64 },
    /// A prefix that is neither `/registry-etcdmark/RUN` nor `/registry`.
    #[error(
        "etcdmark does not write under the prefix {prefix:?} (only under {HOME}/RUN or /registry)"
    )]
    Prefix { prefix: String },
    /// etcd failed.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// Deletes every key of a run under `prefix` (no trailing slash), and the etcd leases that were attached to
/// them once none of their keys is left. The manifest and the lock stay: they go with
/// [`super::manifest::RunClaim::release`]. `leases` are those that the caller knows it granted, attached or not.
/// `progress` is told (keys deleted so far, keys in all).
pub async fn cleanup_run(
    cluster: &ControlClient,
    prefix: &str,
    leases: &[i64],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<CleanupReport, CleanupError> {
    let ranges = ranges(cluster, prefix).await?;
    let mut total = 0;
    for (from, to) in &ranges {
        total += cluster.count(from, to).await?.unsigned_abs();
    }
    let mut report = CleanupReport::default();
    let mut pages = 0u64;
    let mut pending: BTreeSet<i64> = leases.iter().copied().filter(|l| *l != 0).collect();
    // From 3.7 on a range of keys only leaves the lease out. Who may not list leases reads the values too.
    let keys_only = attached(cluster, &ranges, &mut pending).await?;
    progress(0, total);
    for (from, to) in &ranges {
        let mut from = from.clone();
        loop {
            let spec = RangeSpec {
                limit: PAGE,
                keys_only,
                ..RangeSpec::new(&from, to)
            };
            let page = cluster.range(spec).await?;
            let Some(last) = page.kvs.last() else { break };
            let next = [last.key(), b"\0"].concat();
            pending.extend(page.kvs.iter().map(|kv| kv.lease()).filter(|l| *l != 0));
            report.keys += cluster.delete(&from, &next).await?.unsigned_abs();
            progress(report.keys, total.max(report.keys));
            // Now and then, so that an interruption leaves few leases behind without keys to find them by.
            pages += 1;
            if pages.is_multiple_of(32) {
                revoke(cluster, &mut pending, &mut report).await?;
            }
            from = next;
        }
    }
    revoke(cluster, &mut pending, &mut report).await?;
    Ok(report)
}

/// Adds the leases that one of our keys is attached to; false when this user may not look.
async fn attached(
    cluster: &ControlClient,
    ranges: &[(Vec<u8>, Vec<u8>)],
    pending: &mut BTreeSet<i64>,
) -> Result<bool, ControlError> {
    let denied = |e: &ControlError| e.message().contains("permission denied");
    let all = match cluster.leases().await {
        Err(e) if denied(&e) => return Ok(false),
        other => other?,
    };
    for lease in all {
        let keys = match cluster.lease_keys(lease).await {
            Err(e) if denied(&e) => continue,
            other => other?.unwrap_or_default(),
        };
        if keys
            .iter()
            .any(|k| ranges.iter().any(|(from, to)| from <= k && k < to))
        {
            pending.insert(lease);
        }
    }
    Ok(true)
}

/// Revokes the leases that no key is attached to; one with keys left is not (or not only) ours.
async fn revoke(
    cluster: &ControlClient,
    pending: &mut BTreeSet<i64>,
    report: &mut CleanupReport,
) -> Result<(), ControlError> {
    for lease in pending.clone() {
        match cluster.lease_keys(lease).await? {
            Some(keys) if keys.is_empty() => {
                report.leases += u64::from(cluster.lease_revoke(lease).await?);
            }
            Some(_) => continue,
            None => {}
        }
        pending.remove(&lease);
    }
    Ok(())
}

/// The key ranges of a run, manifest and lock left out.
async fn ranges(
    cluster: &ControlClient,
    prefix: &str,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>, CleanupError> {
    if prefix == "/registry" {
        let count = foreign(cluster).await?;
        if count > 0 {
            return Err(CleanupError::Foreign { count });
        }
        return Ok(registry_ranges());
    }
    let run_id = prefix.strip_prefix(HOME).and_then(|r| r.strip_prefix('/'));
    let Some(run_id) = run_id.filter(|r| !r.is_empty() && !r.contains('/')) else {
        return Err(CleanupError::Prefix {
            prefix: prefix.to_owned(),
        });
    };
    let keys = RunKeys::new(run_id);
    let base = format!("{prefix}/").into_bytes();
    let after = |key: &str| [key.as_bytes(), b"\0"].concat();
    let end = prefix_end(&base);
    Ok(vec![
        (base, keys.manifest.clone().into_bytes()),
        (after(&keys.manifest), keys.lock.clone().into_bytes()),
        (after(&keys.lock), end),
    ])
}

/// Of a run on `/registry` itself: the resources that etcdmark writes.
fn registry_ranges() -> Vec<(Vec<u8>, Vec<u8>)> {
    Resource::ALL
        .iter()
        .flat_map(|r| r.key_prefixes())
        .map(|r| {
            let base = format!("/registry/{r}/").into_bytes();
            let end = prefix_end(&base);
            (base, end)
        })
        .collect()
}

/// Keys under `/registry/` that are of none of etcdmark's resources.
pub(super) async fn foreign(cluster: &ControlClient) -> Result<i64, ControlError> {
    let all = cluster.count(b"/registry/", b"/registry0").await?;
    let mut ours = 0;
    for (from, to) in registry_ranges() {
        ours += cluster.count(&from, &to).await?;
    }
    Ok(all - ours)
}
