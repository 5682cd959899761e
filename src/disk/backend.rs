//! etcd's backend commits beside its WAL: every 100 ms (`--backend-batch-interval`) bbolt writes the pages that changed,
//! syncs, writes a meta page and syncs again (go.etcd.io/bbolt `tx.go`, `Commit`), in a file of its own, while the WAL goes
//! on.

use super::scratch::ScratchFile;
use crate::clock::{self, Nanos, SECOND};
use crate::measure::Hist;
use crate::rng::mix;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// etcd's `defaultBatchInterval`, ns.
const INTERVAL: Nanos = SECOND / 10;
/// Pages of one commit, at most: etcd's `defaultBatchLimit` of 10,000 writes, a page each.
const LIMIT: u64 = 10_000;
const PAGE: u64 = 4096;
/// Size of the file, bytes.
pub(super) const FILE_BYTES: u64 = 64_000_000;

/// Commits of one directory.
#[derive(Debug)]
pub(super) struct Backend {
    /// Pages of the next commit; none once it ends.
    pages: Option<SyncSender<u64>>,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
    last: Nanos,
    changed: u64,
}

#[derive(Debug, Default)]
struct State {
    times: Hist,
    fault: Option<io::Error>,
}

impl Backend {
    /// Over this file.
    pub(super) fn new(file: ScratchFile) -> Self {
        let (pages, due) = sync_channel(1);
        let state = Arc::new(Mutex::new(State::default()));
        let commits = Arc::clone(&state);
        let thread = std::thread::spawn(move || commit_all(&file, &due, &commits));
        Backend {
            pages: Some(pages),
            state,
            thread: Some(thread),
            last: clock::now(),
            changed: 0,
        }
    }

    /// One entry was appended: a page changed. Begins a commit where one is due; one may wait behind the one that goes on.
    ///
    /// # Errors
    /// What a commit failed with.
    pub(super) fn append(&mut self, now: Nanos) -> io::Result<()> {
        self.changed = (self.changed + 1).min(LIMIT);
        if now.saturating_sub(self.last) < INTERVAL {
            return Ok(());
        }
        self.last = now;
        if let Some(pages) = &self.pages {
            match pages.try_send(self.changed) {
                Ok(()) => self.changed = 0,
                // The last one takes longer than an interval: etcd's next one is larger then.
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
            }
        }
        match self.lock().fault.take() {
            Some(e) => Err(e),
            None => Ok(()),
        }
    }

    /// Waits for the commits that were begun: their times, and faults, count.
    ///
    /// # Errors
    /// What one failed with.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        drop(self.pages.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        match self.lock().fault.take() {
            Some(e) => Err(e),
            None => Ok(()),
        }
    }

    /// Times of the commits, ns.
    pub(super) fn times(&self) -> Hist {
        self.lock().times.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

fn commit_all(file: &ScratchFile, due: &Receiver<u64>, state: &Mutex<State>) {
    let mut page = vec![0; PAGE as usize];
    let mut turn = 0;
    while let Ok(pages) = due.recv() {
        turn += 1;
        let begun = clock::now();
        let committed = commit(file, &mut page, turn, pages);
        let took = clock::now() - begun;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match committed {
            Ok(()) => state.times.record(took),
            Err(e) => {
                state.fault = Some(e);
                return;
            }
        }
    }
}

fn commit(file: &ScratchFile, page: &mut [u8], turn: u64, pages: u64) -> io::Result<()> {
    let of = FILE_BYTES / PAGE;
    for i in 0..pages {
        let drawn = mix(11, turn, i);
        if let Some(head) = page.get_mut(..8) {
            head.copy_from_slice(&drawn.to_le_bytes());
        }
        file.file
            .write_all_at(page, (2 + drawn % (of - 2)) * PAGE)?;
    }
    rustix::fs::fdatasync(&file.file)?;
    file.file.write_all_at(page, turn % 2 * PAGE)?;
    Ok(rustix::fs::fdatasync(&file.file)?)
}
