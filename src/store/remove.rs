//! The end of a run's manifest: never before its keys.

use super::cleanup::ranges;
use super::manifest::{HOME, RunKeys};
use crate::etcd::control::{ControlClient, ControlError};
use etcd_client::{Compare, CompareOp, Txn, TxnOp};

/// Deletes the manifest of a run, unless keys are left under the run's own prefix; whether it was deleted. One
/// transaction, so that no key can come between.
///
/// # Errors
/// When etcd cannot be asked.
pub async fn remove(cluster: &ControlClient, run_id: &str) -> Result<bool, ControlError> {
    let manifest = RunKeys::new(run_id).manifest;
    let Ok(ranges) = ranges(&format!("{HOME}/{run_id}")) else {
        return Ok(false);
    };
    // Of a range: every key in it has version 0, which no key has.
    let empty = ranges.iter().map(|(from, to)| {
        Compare::version(from.as_slice(), CompareOp::Equal, 0).with_range(to.as_slice())
    });
    let txn = Txn::new()
        .when(empty.collect::<Vec<_>>())
        .and_then([TxnOp::delete(manifest.as_str(), None)]);
    match cluster.txn(txn).await {
        Ok(answer) => Ok(answer.succeeded()),
        // An old etcd that is full takes deletes, but no transaction.
        Err(e) if e.message().contains("database space exceeded") => {
            for (from, to) in &ranges {
                if cluster.count(from, to).await? > 0 {
                    return Ok(false);
                }
            }
            cluster.delete(manifest.as_bytes(), b"").await?;
            Ok(true)
        }
        Err(e) => Err(e),
    }
}
