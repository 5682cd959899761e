//! What a sync costs before any medium is emulated: the directory's own syncs, and being told of one and letting it go.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;

use rustix::fs::{FallocateFlags, fallocate};

use super::emulator::Emulation;
use super::file::{Files, Medium, MediumSpec, SyncSpec};
use super::seccomp;
use super::timing::SyncTime;
use crate::clock::{Nanos, SECOND, now};
use crate::human::units::Span;

/// Syncs of each kind, unless they take too long.
const MOST: usize = 200;
const LEAST: usize = 20;
const LONG_ENOUGH: Nanos = 2 * SECOND / 5;
/// What etcd appends at once to its write-ahead log, by its own documentation's fio job.
const BLOCK: usize = 2300;
/// Imposed while the overhead is measured: waking up from a sleep is a part of it.
const DELAY: Nanos = SECOND / 2000;

/// Medians, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// Of a sync in the directory.
    pub(super) base: Nanos,
    /// Of holding it.
    pub(super) overhead: Nanos,
}

impl Cost {
    pub(super) fn total(self) -> Nanos {
        self.base + self.overhead
    }
}

/// What kept a directory from being measured.
pub(super) enum CalibrationError {
    /// The directory.
    Directory(io::Error),
    /// Holding syncs.
    Holding(io::Error),
}

/// Appends and syncs in `dir`, at first freely, then in a thread whose syncs are held. Takes up to a second.
pub(super) fn measure(dir: &Path) -> Result<Cost, CalibrationError> {
    let probe = Probe::new(dir).map_err(CalibrationError::Directory)?;
    let base = median(probe.times().map_err(CalibrationError::Directory)?);
    let held = median(held_times(&probe).map_err(CalibrationError::Holding)?);
    Ok(Cost {
        base,
        overhead: held.saturating_sub(DELAY + base),
    })
}

fn held_times(probe: &Probe) -> io::Result<Vec<Nanos>> {
    let ended = &AtomicBool::new(false);
    let (send, listener) = channel();
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| {
            let confined = seccomp::confine_this_thread();
            let go = confined.is_ok();
            let _ = send.send(confined);
            let times = if go { probe.times() } else { Ok(Vec::new()) };
            ended.store(true, Ordering::Release);
            times
        });
        let gone = |_| io::Error::other("the thread that syncs has ended");
        let mut listener = listener.recv().map_err(gone)??;
        let holding = scope.spawn(move || {
            seccomp::sleep_precisely();
            // The listener goes with this thread, so that an error here ends the syncs too.
            even(probe).serve(&mut listener, || ended.load(Ordering::Acquire))
        });
        let panicked = |_| io::Error::other("a thread panicked");
        holding.join().map_err(panicked)??;
        syncing.join().map_err(panicked)?
    })
}

/// A medium that adds [`DELAY`] to everything.
fn even(probe: &Probe) -> Emulation {
    let free = (probe.path.clone(), Cost::default());
    Emulation {
        medium: Medium {
            name: "probe".to_owned(),
            files: Files::All,
            sync: SyncTime::Constant(DELAY),
            stalls: None,
            spec: MediumSpec {
                files: Files::All,
                sync: SyncSpec {
                    constant: Some(Span(std::time::Duration::from_nanos(DELAY))),
                    quantiles: None,
                    sequence: None,
                },
                stalls: None,
            },
        },
        seed: 0,
        start: 0,
        wal: free.clone(),
        db: free,
        book: Arc::default(),
        count: AtomicU64::new(0),
    }
}

fn median(mut times: Vec<Nanos>) -> Nanos {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0)
}

/// A small file that goes when it is dropped.
struct Probe {
    file: File,
    path: PathBuf,
}

impl Probe {
    fn new(dir: &Path) -> io::Result<Self> {
        let path =
            dir.canonicalize()?
                .join(format!(".etcdmark-sync-{}-{:x}", std::process::id(), now()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        // As etcd does with a segment of its log; where that is not known, appending does.
        let _ = fallocate(&file, FallocateFlags::empty(), 0, (2 * MOST * BLOCK) as u64);
        Ok(Probe { file, path })
    }

    fn times(&self) -> io::Result<Vec<Nanos>> {
        let mut times = Vec::with_capacity(MOST);
        let begun = now();
        while times.len() < MOST && (times.len() < LEAST || now() - begun < LONG_ENOUGH) {
            let offset = (times.len() * BLOCK) as u64;
            self.file.write_all_at(&[b'x'; BLOCK], offset)?;
            let before = now();
            self.file.sync_data()?;
            times.push(now() - before);
        }
        Ok(times)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
