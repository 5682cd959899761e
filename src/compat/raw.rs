//! Keys at the root, which nothing but their value tells from others'.

use super::error::CompatError;
use crate::etcd::control::{ControlClient, ControlError, RangeSpec};
use etcd_client::{Compare, CompareOp, Txn, TxnOp};

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
