//! Delays an etcd's syncs as its medium says. Delays of concurrent syncs run in parallel.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::calibrate::Cost;
use super::file::{Files, Medium};
use super::gate::{Gate, GateEvent, HeldSync};
use crate::clock::Nanos;
use crate::measure::{DelayBook, Delays, FileDelays};

/// The medium under one member, for as long as the member exists (its process may be started again).
#[derive(Debug)]
pub(super) struct Emulation {
    pub(super) medium: Medium,
    /// Sampled times are a function of this and of the sync's number.
    pub(super) seed: u64,
    /// Stalls count from here, monotonic.
    pub(super) start: Nanos,
    /// Resolved path of the write-ahead log's directory, and what its syncs cost anyway.
    pub(super) wal: (PathBuf, Cost),
    /// The same of the data directory.
    pub(super) db: (PathBuf, Cost),
    pub(super) book: Arc<DelayBook>,
    pub(super) count: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Wal,
    Db,
}

/// A sync that will be let go.
struct Waiting {
    held: HeldSync,
    due: Nanos,
    kind: Kind,
    asked: Nanos,
    short: bool,
}

impl Emulation {
    /// Serves one process until it has gone or `ended` says so.
    pub(super) fn serve(
        &self,
        gate: &mut impl Gate,
        mut ended: impl FnMut() -> bool,
    ) -> io::Result<()> {
        let mut waiting: Vec<Waiting> = Vec::new();
        loop {
            let next = waiting.iter().map(|w| w.due).min();
            match gate.next(next)? {
                GateEvent::Gone => return Ok(()),
                GateEvent::Nothing if next.is_none() && ended() => return Ok(()),
                GateEvent::Nothing => {}
                GateEvent::Sync(held) => match self.judge(held, &mut waiting) {
                    Ok(w) => waiting.push(w),
                    Err(id) => {
                        gate.release(id)?;
                    }
                },
            }
            let now = gate.now();
            while let Some(i) = waiting.iter().position(|w| w.due <= now) {
                let w = waiting.swap_remove(i);
                if gate.release(w.held.id)? {
                    self.record(&w, now);
                }
            }
        }
    }

    /// Until when a sync is held; its id if it is none of the medium's.
    fn judge(&self, held: HeldSync, waiting: &mut Vec<Waiting>) -> Result<Waiting, u64> {
        // A signal made the thread begin its sync anew: it goes on where it was.
        if let Some(i) = waiting.iter().position(|w| w.held.thread == held.thread) {
            let mut before = waiting.swap_remove(i);
            before.held.id = held.id;
            return Ok(before);
        }
        let (kind, cost) = match &held.file {
            None => {
                self.book.record(|d| d.unknown += 1);
                return Err(held.id);
            }
            Some(file) if file.starts_with(&self.wal.0) => (Kind::Wal, self.wal.1),
            Some(file) if file.starts_with(&self.db.0) => (Kind::Db, self.db.1),
            // etcd's log.
            Some(_) => return Err(held.id),
        };
        let on_medium = match self.medium.files {
            Files::All => true,
            Files::Wal => kind == Kind::Wal,
            Files::Db => kind == Kind::Db,
        };
        if !on_medium {
            return Err(held.id);
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut asked = self.medium.sync.of(self.seed, number);
        let anyway = cost.total();
        let short = asked > 0 && asked < anyway;
        if let Some(stalls) = &self.medium.stalls {
            let begun = held.at.saturating_sub(self.start);
            asked = stalls.done(begun, asked) - begun;
        }
        Ok(Waiting {
            due: held.at + asked.saturating_sub(anyway),
            held,
            kind,
            asked,
            short,
        })
    }

    fn record(&self, w: &Waiting, now: Nanos) {
        let delayed = now.saturating_sub(w.held.at);
        self.book.record(|d: &mut Delays| {
            let file: &mut FileDelays = match w.kind {
                Kind::Wal => &mut d.wal,
                Kind::Db => &mut d.db,
            };
            file.record(w.asked, delayed, w.short);
        });
    }
}

#[cfg(test)]
mod tests;
