//! How much of an etcd's time a cleanup takes.

use crate::clock::{self, Nanos};
use std::time::Duration;

/// Keys read, and deleted, at a time.
const PAGE: i64 = 1000;
/// On an etcd that others may use: they wait while a batch is applied.
const GENTLE_PAGE: i64 = 500;
/// There, no faster than 20,000 keys/s.
const PER_KEY: Nanos = 50_000;

/// Pauses between batches where others may use the etcd; none elsewhere.
#[derive(Debug)]
pub(super) struct Rest {
    gentle: bool,
}

impl Rest {
    pub(super) fn new(gentle: bool) -> Rest {
        Rest { gentle }
    }

    /// Keys of a batch.
    pub(super) fn page(&self) -> i64 {
        if self.gentle { GENTLE_PAGE } else { PAGE }
    }

    /// After a batch that began then: a pause as long as it took, so that a slow etcd gets a longer one.
    pub(super) async fn after(&self, began: Nanos, keys: u64) {
        if self.gentle {
            let took = clock::now().saturating_sub(began);
            let pause = took.max(keys.saturating_mul(PER_KEY));
            tokio::time::sleep(Duration::from_nanos(pause)).await;
        }
    }
}
