//! Up to which revision a store has been compacted. etcd says it only to a read that comes too late for it.

use crate::etcd::control::{ControlClient, ControlError, RangeSpec};

/// The first byte of no key that anybody writes: the reads find nothing.
const NOBODYS: &[u8] = b"\0etcdmark";

/// The revision up to which history is compacted, 0 = never: a binary search with reads of one absent key, some thirty
/// for a store of a thousand million revisions. `now` is a revision that the store has reached.
///
/// # Errors
/// When etcd cannot be asked, or the user may not read the key.
pub(super) async fn compacted_revision(
    cluster: &ControlClient,
    now: i64,
) -> Result<i64, ControlError> {
    // Everything up to `gone` is compacted; `there` can be read.
    let (mut gone, mut there) = (0, now.max(1));
    while there - gone > 1 {
        let middle = gone + (there - gone) / 2;
        let spec = RangeSpec {
            revision: middle,
            count_only: true,
            ..RangeSpec::new(NOBODYS, b"")
        };
        match cluster.range(spec).await {
            Ok(_) => there = middle,
            Err(e) if e.message().contains("has been compacted") => gone = middle,
            Err(e) => return Err(e),
        }
    }
    // The compacted revision itself can still be read.
    Ok(if gone == 0 { 0 } else { there })
}
