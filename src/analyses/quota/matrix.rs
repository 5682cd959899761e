//! What a full etcd refuses and what it goes on with: filled once more, without load, and asked operation by operation.
//!
//! Expected is what etcd's source says (`server/etcdserver/api/v3rpc/quota.go`, `server/etcdserver/apply`): whatever may
//! put, and LeaseGrant, is refused before it is proposed; all else goes on. An alarm is never cleared by itself.

use super::record::{AtFull, OperationCheck};
use super::recovery::full_alarms;
use crate::clock::{self, SECOND};
use crate::etcd::control::{ControlError, Member, RangeSpec};
use crate::local::{LocalCluster, LocalError};
use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use std::time::Duration;

/// Keys that are overwritten, so that the file is full of history, which compaction can free.
const KEYS: u64 = 64;
/// Of each value; it holds two to a page of the file.
const VALUE: usize = 1 << 10;
/// The message of ErrGRPCNoSpace.
const NO_SPACE: &str = "database space exceeded";
/// No step may take longer.
const WITHIN: Duration = Duration::from_secs(300);
/// etcd refreshes the size that it compares with the quota at each commit of its backend, 100 ms.
const COMMIT: Duration = Duration::from_millis(300);

/// What kept an etcd from being filled or asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum MatrixError {
    #[error(transparent)]
    Etcd(#[from] ControlError),
    #[error(transparent)]
    Restart(#[from] LocalError),
    #[error("no member")]
    NoMember,
    #[error("etcd is not full after writes of twice its quota")]
    NotFull,
}

/// Fills the etcd's only member, measures what its full file costs and asks each operation.
///
/// # Errors
/// What kept it from being filled or asked.
pub(super) async fn check(
    etcd: &LocalCluster,
    quota: u64,
) -> Result<(Vec<OperationCheck>, AtFull), MatrixError> {
    let target = etcd.target();
    let endpoint = target.endpoints.first().ok_or(MatrixError::NoMember)?;
    let member = Member::connect(&target, endpoint).await?;
    // The load may have filled it again.
    let revision = member.status().await?.revision;
    member.compact_physically(revision, WITHIN).await?;
    member.defragment(WITHIN).await?;
    disarm(&member).await?;
    let prefix = "/etcdmark-quota/";
    let key = |name: &str| format!("{prefix}{name}");
    let lease = member.lease_grant(3600).await?;
    for name in ["deleted", "cas", "kept"] {
        member.txn(put(&key(name), 1)).await?;
    }
    fill(&member, prefix, quota).await?;
    tokio::time::sleep(COMMIT).await;
    let mut at_full = AtFull::default();
    let begun = clock::now();
    at_full.snapshot_bytes = member.snapshot(WITHIN).await?;
    at_full.snapshot = since(begun);
    let begun = clock::now();
    etcd.restart_member(0).await?;
    at_full.restart = Some(since(begun));
    let member = Member::connect(&target, endpoint).await?;
    at_full.size = member.status().await?.db_size;

    let mut all = Vec::new();
    let mut told = |operation: &str, expected: &str, found: Result<(), ControlError>| {
        all.push(OperationCheck {
            operation: operation.to_owned(),
            expected: expected.to_owned(),
            found: match found {
                Ok(()) => "ok".to_owned(),
                Err(e) if e.message().contains(NO_SPACE) => "no space".to_owned(),
                Err(e) => e.to_string(),
            },
        });
    };
    let kept = key("kept");
    let read = RangeSpec::new(kept.as_bytes(), b"");
    let serializable = RangeSpec {
        serializable: true,
        ..read
    };
    told(
        "Range, linearizable",
        "ok",
        member.range(read).await.map(drop),
    );
    told(
        "Range, serializable",
        "ok",
        member.range(serializable).await.map(drop),
    );
    let reading = Txn::new().and_then(vec![TxnOp::get(kept.as_str(), None)]);
    told("read-only Txn", "ok", member.txn(reading).await.map(drop));
    let watched = member.watch(kept.as_bytes(), b"", 0).await.map(drop);
    told("Watch", "ok", watched);
    told("Status", "ok", member.status().await.map(drop));
    let alarms = member.alarms().await;
    told("Alarm list", "ok", alarms.map(drop));
    told("Snapshot", "ok", Ok(()));
    told(
        "LeaseKeepAlive",
        "ok",
        member.lease_keep_alive(lease).await.map(drop),
    );
    let deleted = member.delete(key("deleted").as_bytes(), b"").await;
    told("DeleteRange", "ok", deleted.map(drop));
    let delete = Txn::new()
        .when(vec![Compare::version(key("cas"), CompareOp::Greater, 0)])
        .and_then(vec![TxnOp::delete(key("cas"), None)])
        .or_else(vec![TxnOp::get(key("cas"), None)]);
    told(
        "Txn: compare, delete (DELETE of an object)",
        "ok",
        member.txn(delete).await.map(drop),
    );
    told(
        "LeaseRevoke",
        "ok",
        member.lease_revoke(lease).await.map(drop),
    );
    let refused = "no space";
    told(
        "Put",
        refused,
        member.txn(put(&kept, VALUE)).await.map(drop),
    );
    let update = Txn::new()
        .when(vec![Compare::version(kept.as_str(), CompareOp::Greater, 0)])
        .and_then(vec![TxnOp::put(kept.as_str(), "x", None)])
        .or_else(vec![TxnOp::get(kept.as_str(), None)]);
    told(
        "Txn: compare, put (UPDATE of an object)",
        refused,
        member.txn(update).await.map(drop),
    );
    let never = Txn::new()
        .when(vec![Compare::version(kept.as_str(), CompareOp::Greater, 0)])
        .and_then(vec![TxnOp::get(kept.as_str(), None)])
        .or_else(vec![TxnOp::put(kept.as_str(), "x", None)]);
    told(
        "Txn with a put in the branch not taken",
        refused,
        member.txn(never).await.map(drop),
    );
    told(
        "LeaseGrant",
        refused,
        member.lease_grant(60).await.map(drop),
    );
    let elected = Txn::new()
        .when(vec![Compare::version(
            key("compact_rev_key"),
            CompareOp::Equal,
            0,
        )])
        .and_then(vec![TxnOp::put(key("compact_rev_key"), "1", None)])
        .or_else(vec![TxnOp::get(key("compact_rev_key"), None)]);
    told(
        "Txn of kube-apiserver's compactor",
        refused,
        member.txn(elected).await.map(drop),
    );

    // The way back, with each step left out once.
    let revision = member.status().await?.revision;
    let begun = clock::now();
    told(
        "Compact",
        "ok",
        member.compact_physically(revision, WITHIN).await,
    );
    at_full.compact = since(begun);
    tokio::time::sleep(COMMIT).await;
    told(
        "Put, after compaction",
        refused,
        member.txn(put(&kept, 1)).await.map(drop),
    );
    disarm(&member).await?;
    told(
        "Put, after compaction and disarming",
        refused,
        member.txn(put(&kept, 1)).await.map(drop),
    );
    let begun = clock::now();
    told("Defragment", "ok", member.defragment(WITHIN).await);
    at_full.defragment = since(begun);
    tokio::time::sleep(COMMIT).await;
    told(
        "Put, after compaction and defragmentation",
        refused,
        member.txn(put(&kept, 1)).await.map(drop),
    );
    disarm(&member).await?;
    told(
        "Put, after compaction, defragmentation and disarming",
        "ok",
        member.txn(put(&kept, 1)).await.map(drop),
    );
    Ok((all, at_full))
}

/// Clears the alarms of a full file.
async fn disarm(member: &Member) -> Result<(), MatrixError> {
    for alarm in full_alarms(member).await? {
        member.disarm(&alarm).await?;
    }
    Ok(())
}

/// Overwrites a few keys until etcd refuses; at most the quota's worth of values twice over.
async fn fill(member: &Member, prefix: &str, quota: u64) -> Result<(), MatrixError> {
    let round = |_| {
        let puts = (0..KEYS).map(|i| TxnOp::put(format!("{prefix}{i}"), vec![b'x'; VALUE], None));
        Txn::new().and_then(puts.collect::<Vec<_>>())
    };
    for n in 0..2 * quota / (KEYS * VALUE as u64) + 16 {
        match member.txn(round(n)).await {
            Ok(_) => {}
            Err(e) if e.message().contains(NO_SPACE) => return Ok(()),
            Err(e) => return Err(e.into()),
        }
    }
    Err(MatrixError::NotFull)
}

fn put(key: &str, bytes: usize) -> Txn {
    Txn::new().and_then(vec![TxnOp::put(key, vec![b'x'; bytes], None)])
}

fn since(begun: u64) -> f64 {
    clock::now().saturating_sub(begun) as f64 / SECOND as f64
}
