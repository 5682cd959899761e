//! Appends and fdatasyncs in one directory, and the change from one file to the next.

use super::backend::{self, Backend};
use super::error::DiskError;
use super::pattern::{Pattern, RECORD_BYTES};
use super::place::Place;
use super::scratch::{Scratch, ScratchFile};
use crate::clock::{self, Nanos};
use crate::measure::Hist;
use crate::rng::mix;
use std::os::unix::fs::FileExt;

/// What one append took, ns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Append {
    /// write(2).
    pub(super) write: Nanos,
    /// fdatasync(2).
    pub(super) sync: Nanos,
    /// When it was done, monotonic.
    pub(super) done: Nanos,
}

/// Writes the pattern's files in one directory.
#[derive(Debug)]
pub(super) struct Appender {
    place: Place,
    scratch: Scratch,
    pattern: Pattern,
    file: ScratchFile,
    next: Option<ScratchFile>,
    /// Appends to the current file.
    appends: u64,
    /// Files that are full.
    passes: u64,
    record: Vec<u8>,
    /// Commits beside it, where the pattern has them.
    backend: Option<Backend>,
}

impl Appender {
    /// Sets the first file aside, and the second where the pattern is ahead.
    pub(super) fn new(
        place: Place,
        mut scratch: Scratch,
        pattern: Pattern,
    ) -> Result<Self, DiskError> {
        let file = scratch.file(pattern.file_bytes(), pattern.ahead())?;
        let next = match pattern.ahead() {
            true => Some(scratch.file(pattern.file_bytes(), true)?),
            false => None,
        };
        let backend = match pattern.commits() {
            true => Some(Backend::new(scratch.beside(backend::FILE_BYTES)?)),
            false => None,
        };
        // Noise, so that a file system that compresses has nothing to gain.
        let words = (0..RECORD_BYTES.div_ceil(8)).flat_map(|i| mix(7, i, 0).to_le_bytes());
        Ok(Appender {
            place,
            scratch,
            pattern,
            file,
            next,
            appends: 0,
            passes: 0,
            record: words.take(RECORD_BYTES as usize).collect(),
            backend,
        })
    }

    /// The directory.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// How its files are made.
    pub(super) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Whether the file system sets blocks aside.
    pub(super) fn preallocated(&self) -> bool {
        self.file.preallocated
    }

    /// No more appends: waits for the backend's commits.
    pub(super) fn finish(&mut self) -> Result<(), DiskError> {
        let finished = self.backend.as_mut().map_or(Ok(()), Backend::finish);
        finished.map_err(|e| DiskError::io(&self.place.given, "a backend commit failed", e))
    }

    /// Times of the backend's commits, ns, where the pattern has them.
    pub(super) fn commits(&self) -> Option<Hist> {
        self.backend.as_ref().map(Backend::times)
    }

    /// Whole files done.
    pub(super) fn passes(&self) -> u64 {
        self.passes
    }

    /// One append and its fdatasync, then a new file when this one is full (not part of the times).
    pub(super) fn append(&mut self) -> Result<Append, DiskError> {
        let offset = self.appends * RECORD_BYTES;
        // No two records alike, for a file system that deduplicates.
        if let Some(head) = self.record.get_mut(..8) {
            head.copy_from_slice(&mix(self.passes, self.appends, 1).to_le_bytes());
        }
        let begun = clock::now();
        let written = self.file.file.write_all_at(&self.record, offset);
        let wrote = clock::now();
        let fault = |what, e| DiskError::io(&self.place.given, what, e);
        written.map_err(|e| fault("cannot write", e))?;
        self.appends += 1;
        let full = self.appends == self.pattern.appends();
        if full && self.pattern.ahead() {
            // `cut` (server/storage/wal/wal.go) truncates the segment to what was written, then syncs.
            let end = self.file.file.set_len(offset + RECORD_BYTES);
            end.map_err(|e| fault("cannot truncate", e))?;
        }
        let syncing = clock::now();
        let synced = rustix::fs::fdatasync(&self.file.file);
        let done = clock::now();
        synced.map_err(|e| fault("fdatasync failed", e.into()))?;
        if let Some(backend) = &mut self.backend {
            backend
                .append(done)
                .map_err(|e| fault("a backend commit failed", e))?;
        }
        if full {
            self.roll()?;
        }
        Ok(Append {
            write: wrote - begun,
            sync: done - syncing,
            done,
        })
    }

    /// The next file becomes the current one, the full one goes, and another one is set aside if the pattern is
    /// ahead.
    fn roll(&mut self) -> Result<(), DiskError> {
        self.passes += 1;
        self.appends = 0;
        let bytes = self.pattern.file_bytes();
        if let Some(next) = self.next.take() {
            self.file = next;
        }
        self.place.look_after_space(bytes)?;
        let made = self.scratch.file(bytes, self.pattern.ahead())?;
        if self.pattern.ahead() {
            self.next = Some(made);
        } else {
            self.file = made;
        }
        Ok(())
    }
}
