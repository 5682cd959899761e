//! A run on `/registry` itself: which keys there are its own. Kubernetes, or another run, may have come since.

use super::cleanup::{CleanupError, REGISTRY, RunData, attached};
use super::manifest::Written;
use super::rest::Rest;
use crate::clock;
use crate::etcd::control::{ControlClient, ControlError, RangeSpec};
use crate::kube::resource::Resource;
use etcd_client::{Compare, CompareOp, KeyValue, Txn, TxnOp};
use std::collections::BTreeSet;

/// Keys of one look at the store.
const LOOK: i64 = 5000;
/// Keys of one conditioned delete: etcd takes 128 operations in a transaction unless told otherwise.
const BATCH: i64 = 100;
/// How often a page is read again because a key of it changed (one may expire, with its etcd lease).
const ATTEMPTS: usize = 5;

/// Keys that are not the run's.
#[derive(Debug, Default)]
pub(super) struct ForeignKeys {
    /// All keys.
    pub(super) keys: u64,
    /// How many of them are not the run's.
    pub(super) count: u64,
    /// One of them, and why it is not.
    pub(super) example: Option<(String, String)>,
}

impl ForeignKeys {
    fn add(&mut self, kv: &KeyValue, written: Written) {
        self.keys += 1;
        if let Some(reason) = foreign(kv, written) {
            self.count += 1;
            let key = || String::from_utf8_lossy(kv.key()).into_owned();
            self.example.get_or_insert_with(|| (key(), reason));
        }
    }

    fn none(self) -> Result<u64, CleanupError> {
        match self.example {
            None => Ok(self.keys),
            Some((example, reason)) => Err(CleanupError::Foreign {
                count: self.count,
                example,
                reason,
            }),
        }
    }
}

/// Why a key is not of the run that wrote at these revisions; None when it is.
fn foreign(kv: &KeyValue, written: Written) -> Option<String> {
    let Written { after, until } = written;
    let (created, modified) = (kv.create_revision(), kv.mod_revision());
    if !is_resource(kv.key()) {
        Some("etcdmark does not write this resource".to_owned())
    } else if created <= after {
        Some(format!(
            "created at revision {created}, but the run began after revision {after}"
        ))
    } else if modified > until {
        Some(format!(
            "written at revision {modified}, but the run's last known revision is {until}"
        ))
    } else {
        None
    }
}

fn is_resource(key: &[u8]) -> bool {
    let rest = key.strip_prefix(b"/registry/").unwrap_or_default();
    let mut prefixes = Resource::ALL.iter().flat_map(|r| r.key_prefixes());
    prefixes.any(|p| {
        rest.strip_prefix(p.as_bytes())
            .is_some_and(|r| r.starts_with(b"/"))
    })
}

/// Looks at every key under `/registry/`.
pub(super) async fn look(
    cluster: &ControlClient,
    written: Written,
) -> Result<ForeignKeys, ControlError> {
    let mut seen = ForeignKeys::default();
    let mut from = b"/registry/".to_vec();
    loop {
        let page = page(cluster, &from, LOOK).await?;
        let Some(last) = page.last() else {
            return Ok(seen);
        };
        page.iter().for_each(|kv| seen.add(kv, written));
        from = [last.key(), b"\0"].concat();
    }
}

async fn page(
    cluster: &ControlClient,
    from: &[u8],
    limit: i64,
) -> Result<Vec<KeyValue>, ControlError> {
    let spec = RangeSpec {
        limit,
        keys_only: true,
        ..RangeSpec::new(from, b"/registry0")
    };
    Ok(cluster.range(spec).await?.kvs)
}

/// Deletes a run's keys under `/registry/`, each only as it was seen; nothing at all when there is any other key.
/// Returns how many.
pub(super) async fn delete(
    cluster: &ControlClient,
    data: &RunData<'_>,
    rest: &Rest,
    leases: &mut BTreeSet<i64>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, CleanupError> {
    debug_assert_eq!(data.prefix, REGISTRY);
    if !data.owned {
        return Err(CleanupError::NotMine);
    }
    let written = data.written.ok_or(CleanupError::Unknown)?;
    let total = look(cluster, written).await?.none()?;
    let mut deleted = 0;
    progress(0, total);
    let mut from = b"/registry/".to_vec();
    let mut attempts = 0;
    loop {
        let began = clock::now();
        let page = page(cluster, &from, BATCH).await?;
        let Some(last) = page.last() else {
            return Ok(deleted);
        };
        let mut seen = ForeignKeys::default();
        page.iter().for_each(|kv| seen.add(kv, written));
        seen.none()?;
        let next = [last.key(), b"\0"].concat();
        let mut of_page = BTreeSet::new();
        attached(cluster, &from, &next, &mut of_page).await?;
        let as_seen = page
            .iter()
            .map(|kv| Compare::mod_revision(kv.key(), CompareOp::Equal, kv.mod_revision()));
        let deletes = page.iter().map(|kv| TxnOp::delete(kv.key(), None));
        let txn = Txn::new()
            .when(as_seen.collect::<Vec<_>>())
            .and_then(deletes.collect::<Vec<_>>());
        if cluster.txn(txn).await?.succeeded() {
            leases.extend(of_page);
            deleted += page.len() as u64;
            progress(deleted, total.max(deleted));
            (from, attempts) = (next, 0);
        } else {
            attempts += 1;
            if attempts == ATTEMPTS {
                return Err(CleanupError::Changing);
            }
        }
        rest.after(began, page.len() as u64).await;
    }
}
