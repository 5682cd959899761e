//! What an emulated medium did to one etcd's syncs: how long each should have taken and by how much it was delayed.

use super::SparseHist;
use crate::clock::Nanos;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Syncs of one kind of file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileDelays {
    /// Σ of the times that the medium asked for, ns.
    pub asked: Nanos,
    /// Σ of the delays imposed, ns: measured from being told of a sync to letting it go on.
    pub delayed: Nanos,
    /// Syncs for which the medium asked for less than the directory and the emulation take by themselves: not delayed.
    pub short: u64,
    /// The delays imposed.
    pub delays: SparseHist,
}

impl FileDelays {
    /// Adds one sync.
    pub fn record(&mut self, asked: Nanos, delayed: Nanos, short: bool) {
        self.asked += asked;
        self.delayed += delayed;
        self.short += u64::from(short);
        self.delays.record(delayed);
    }

    /// Adds another one.
    pub fn add(&mut self, other: &FileDelays) {
        self.asked += other.asked;
        self.delayed += other.delayed;
        self.short += other.short;
        self.delays.add(&other.delays);
    }

    /// How many.
    pub fn syncs(&self) -> u64 {
        self.delays.len()
    }
}

/// Syncs of one etcd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// Of its write-ahead log.
    pub wal: FileDelays,
    /// Of all else in its data directory.
    pub db: FileDelays,
    /// Syncs of which it could not be told what file they were of: not delayed. Must stay 0.
    pub unknown: u64,
}

impl Delays {
    /// Adds another one.
    pub fn add(&mut self, other: &Delays) {
        self.wal.add(&other.wal);
        self.db.add(&other.db);
        self.unknown += other.unknown;
    }
}

/// Written by the emulator, read by whoever reports.
#[derive(Debug, Default)]
pub struct DelayBook {
    /// (what was taken, what was not yet)
    inner: Mutex<(Delays, Delays)>,
}

impl DelayBook {
    /// Adds to what is not taken yet.
    pub fn record(&self, add: impl FnOnce(&mut Delays)) {
        add(&mut self.lock().1);
    }

    /// What was recorded since this was called last.
    pub fn take(&self) -> Delays {
        let mut inner = self.lock();
        let new = std::mem::take(&mut inner.1);
        inner.0.add(&new);
        new
    }

    /// All that was ever recorded.
    pub fn total(&self) -> Delays {
        let inner = self.lock();
        let mut all = inner.0.clone();
        all.add(&inner.1);
        all
    }

    fn lock(&self) -> MutexGuard<'_, (Delays, Delays)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sync_is_taken_once_and_stays_in_the_total() {
        let book = DelayBook::default();
        book.record(|d| d.wal.record(2_000, 1_500, false));
        book.record(|d| d.db.record(100, 0, true));
        let first = book.take();
        assert_eq!(
            (first.wal.syncs(), first.wal.asked, first.db.short),
            (1, 2_000, 1)
        );
        book.record(|d| d.wal.record(2_000, 1_700, false));
        assert_eq!(book.take().wal.delayed, 1_700);
        assert_eq!(book.take(), Delays::default());
        book.record(|d| d.unknown += 1);
        let total = book.total();
        assert_eq!(
            (total.wal.syncs(), total.wal.delayed, total.unknown),
            (2, 3_200, 1)
        );
    }
}
