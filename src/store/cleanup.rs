//! Deletes what a run wrote, and only that: keys in paged batches, then its etcd leases; its manifest goes last.
//! Interruptible and idempotent: a second call goes on where the first one ended.

use super::manifest::{HOME, RunKeys, Written};
use super::rest::Rest;
use crate::clock;
use crate::etcd::control::{ControlClient, ControlError, RangeSpec};
use crate::human::numbers::things;
use crate::report::CleanupReport;
use crate::rpc::prefix_end;
use std::collections::BTreeSet;

/// Where Kubernetes keeps its objects.
pub const REGISTRY: &str = "/registry";

/// What a run left in a store.
#[derive(Clone, Copy, Debug)]
pub struct RunData<'a> {
    /// Its key prefix, without a trailing slash.
    pub prefix: &'a str,
    /// etcd leases that the caller knows the run was granted, attached or not.
    pub leases: &'a [i64],
    /// Between which revisions it wrote. Decides on a run under `/registry`, which is not etcdmark's alone.
    pub written: Option<Written>,
    /// The user said that the etcd is theirs.
    pub owned: bool,
    /// Others may use the etcd: leave it time between two batches.
    pub gentle: bool,
}

impl<'a> RunData<'a> {
    /// Of a run under its own prefix, on an etcd that others may use.
    pub fn new(prefix: &'a str) -> RunData<'a> {
        RunData {
            prefix,
            leases: &[],
            written: None,
            owned: false,
            gentle: true,
        }
    }
}

/// Why a run's keys cannot be deleted.
#[derive(Debug, thiserror::Error)]
pub enum CleanupError {
    /// A run on `/registry` itself, where others have keys or have written since.
    #[error(
        "{} under /registry {} not this run's (for example {example}: {reason}): another client uses this store, so \
         etcdmark deletes nothing there",
        things(*count, "key"), if *count == 1 { "is" } else { "are" }
    )]
    Foreign {
        /// How many.
        count: u64,
        /// One of them.
        example: String,
        /// Why that one is not the run's.
        reason: String,
    },
    /// A run on `/registry` itself whose revisions are not known.
    #[error(
        "the manifest does not say at which revisions the run wrote under /registry, so etcdmark cannot tell its \
         keys from others' and deletes nothing there"
    )]
    Unknown,
    /// `/registry` without saying whose it is.
    #[error(
        "its keys are under /registry, where Kubernetes keeps its objects; to delete them, pass \
         --yes-this-etcd-is-mine"
    )]
    NotMine,
    /// A key changed between looking and deleting, again and again.
    #[error("keys under /registry change while etcdmark deletes: another client uses this store")]
    Changing,
    /// A prefix that is neither `/registry-etcdmark/RUN` nor `/registry`.
    #[error(
        "etcdmark does not write under the prefix {prefix:?} (only under {HOME}/RUN or /registry)"
    )]
    Prefix { prefix: String },
    /// etcd failed.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// Deletes every key of a run, and the etcd leases that were attached to them once none of their keys is left. The
/// manifest and the lock stay: they go with [`super::manifest::remove`]. `progress` is told (keys deleted so far, keys
/// in all).
pub async fn cleanup_run(
    cluster: &ControlClient,
    data: &RunData<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<CleanupReport, CleanupError> {
    let mut leases: BTreeSet<i64> = data.leases.iter().copied().filter(|l| *l != 0).collect();
    let rest = Rest::new(data.gentle);
    let mut report = CleanupReport::default();
    if data.prefix == REGISTRY {
        report.keys = super::registry::delete(cluster, data, &rest, &mut leases, progress).await?;
    } else {
        let ranges = ranges(data.prefix)?;
        let mut total = 0;
        for (from, to) in &ranges {
            total += cluster.count(from, to).await?.unsigned_abs();
        }
        progress(0, total);
        for (from, to) in &ranges {
            let mut from = from.clone();
            while let Some(next) = page_end(cluster, &from, to, rest.page()).await? {
                let began = clock::now();
                attached(cluster, &from, &next, &mut leases).await?;
                let deleted = cluster.delete(&from, &next).await?.unsigned_abs();
                report.keys += deleted;
                progress(report.keys, total.max(report.keys));
                rest.after(began, deleted).await;
                from = next;
            }
        }
    }
    report.leases = revoke(cluster, &leases, &rest).await?;
    Ok(report)
}

/// Where the next `limit` keys of a range end; None when it has none.
async fn page_end(
    cluster: &ControlClient,
    from: &[u8],
    to: &[u8],
    limit: i64,
) -> Result<Option<Vec<u8>>, ControlError> {
    let spec = RangeSpec {
        limit,
        keys_only: true,
        ..RangeSpec::new(from, to)
    };
    let page = cluster.range(spec).await?;
    Ok(page.kvs.last().map(|last| [last.key(), b"\0"].concat()))
}

/// Adds the leases of the keys of a page. They are read from the keys: to ask every lease of the store for its keys
/// would send the names of all keys that others have under leases.
pub(super) async fn attached(
    cluster: &ControlClient,
    from: &[u8],
    to: &[u8],
    leases: &mut BTreeSet<i64>,
) -> Result<(), ControlError> {
    let spec = RangeSpec {
        keys_only: true,
        by_value: true,
        ..RangeSpec::new(from, to)
    };
    let page = cluster.range(spec).await?;
    leases.extend(page.kvs.iter().map(|kv| kv.lease()).filter(|l| *l != 0));
    Ok(())
}

/// Revokes the leases that no key is attached to any more; one with keys left is not (or not only) ours. Each is asked
/// once, after the keys are gone: asked before, it would name a thousand of them. What an interruption leaves expires.
async fn revoke(
    cluster: &ControlClient,
    leases: &BTreeSet<i64>,
    rest: &Rest,
) -> Result<u64, ControlError> {
    let mut revoked = 0;
    for lease in leases {
        let began = clock::now();
        if cluster
            .lease_keys(*lease)
            .await?
            .is_some_and(|keys| keys.is_empty())
        {
            revoked += u64::from(cluster.lease_revoke(*lease).await?);
        }
        rest.after(began, 1).await;
    }
    Ok(revoked)
}

/// From a key up to another, which is not in it.
pub(super) type KeyRange = (Vec<u8>, Vec<u8>);

/// The key ranges of a run under its own prefix, manifest and lock left out.
pub(super) fn ranges(prefix: &str) -> Result<[KeyRange; 3], CleanupError> {
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
    Ok([
        (base, keys.manifest.clone().into_bytes()),
        (after(&keys.manifest), keys.lock.clone().into_bytes()),
        (after(&keys.lock), end),
    ])
}
