//! Storage media, emulated for an unmodified local etcd: its syncs are held as long as the medium would take.
//!
//! [`Medium`] is what a file or a preset says; `seccomp` is how Linux lets us hold a sync, behind the trait `Gate`;
//! `emulator` decides how long. A medium states the *total* time of a sync: what the directory and the holding
//! take by themselves is measured first and subtracted.

mod calibrate;
mod emulator;
mod file;
mod gate;
mod presets;
mod seccomp;
mod sequence;
mod timing;

pub use file::{
    Files, Medium, MediumError, MediumFile, MediumKind, MediumSpec, QuantileSpec, StallSpec,
    SyncSpec, medium_schema_text,
};
pub use presets::{PRESETS, Preset};
pub use sequence::{LONGEST_SEQUENCE, SequenceSpec};
pub use timing::{Quantiles, Sequence, Stalls, SyncTime};

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use self::calibrate::{CalibrationError, Cost};
use self::emulator::Emulation;
use super::data_dir::io_error;
use super::error::LocalError;
use super::fs::FileSystem;
use super::options::LocalOptions;
use super::pinning;
use super::supervisor;
use crate::clock::{Nanos, now};
use crate::measure::{Cores, MediumInfo, SyncCost};
use crate::rng::stream;
use crate::target::LocalMedium;

/// A medium that seems too fast is looked at so often: for a moment the machine may have had much else to do.
const ATTEMPTS: u32 = 3;

/// What syncs cost in directories, and in those below them on the same file system: each is measured once on the cores
/// that are used.
#[derive(Clone, Debug, Default)]
pub struct SyncCosts(BTreeMap<(Cores, PathBuf), Cost>);

impl SyncCosts {
    /// Measures both directories, unless they were measured before, and checks that the medium is slower than they are.
    fn below(&mut self, medium: &Medium, wal: &Path, db: &Path) -> Result<[Cost; 2], LocalError> {
        let mut attempt = 1;
        loop {
            let costs = [self.of(wal, medium)?, self.of(db, medium)?];
            let of_wal = match medium.files {
                Files::Db => Ok(()),
                _ => slow_enough(medium, wal, costs[0]),
            };
            let of_db = match medium.files {
                Files::Wal => Ok(()),
                _ => slow_enough(medium, db, costs[1]),
            };
            match of_wal.and(of_db) {
                Ok(()) => return Ok(costs),
                Err(e) if attempt == ATTEMPTS => return Err(e),
                Err(_) => self
                    .0
                    .retain(|(_, known), _| !wal.starts_with(known) && !db.starts_with(known)),
            }
            attempt += 1;
        }
    }

    /// `dir` is resolved.
    fn of(&mut self, dir: &Path, medium: &Medium) -> Result<Cost, LocalError> {
        let device = |dir: &Path| std::fs::metadata(dir).map(|m| m.dev()).ok();
        let cores = pinning::allowed().unwrap_or_default();
        let covers = |(on, known): &(Cores, PathBuf)| {
            *on == cores && dir.starts_with(known) && device(known) == device(dir)
        };
        if let Some((_, cost)) = self.0.iter().find(|(known, _)| covers(known)) {
            return Ok(*cost);
        }
        let cost = calibrate::measure(dir).map_err(|e| match e {
            CalibrationError::Directory(e) => io_error("cannot measure syncs in", dir)(e),
            CalibrationError::Holding(source) => LocalError::MediumRefused {
                medium: medium.name.clone(),
                source,
            },
        })?;
        self.0.insert((cores, dir.to_owned()), cost);
        Ok(cost)
    }
}

/// A medium under one member.
#[derive(Clone, Debug)]
pub(super) struct MemberMedium {
    emulation: Arc<Emulation>,
    file_system: String,
}

/// Where a member's files lie.
pub(super) struct Place<'a> {
    /// Names the member among those of all stores.
    pub(super) name: &'a str,
    /// Its data directory (which need not be there yet) and the directory around it (which must).
    pub(super) data: (&'a Path, &'a Path),
    /// The same of its write-ahead log.
    pub(super) wal: (&'a Path, &'a Path),
}

impl LocalOptions {
    /// Whether its media can be emulated where its members are going to lie: a second for each directory that `costs`
    /// does not know.
    pub(crate) fn check_media(&self, costs: &mut SyncCosts) -> Result<(), LocalError> {
        let _held = self.hold()?;
        let real = |dir: &Path| dir.canonicalize().map_err(io_error("cannot resolve", dir));
        let data = real(&self.scratch_parent())?;
        let wal = self
            .wal_dir
            .as_deref()
            .map_or_else(|| Ok(data.clone()), real)?;
        for medium in (0..self.members).filter_map(|i| self.medium_of(i)) {
            costs.below(medium, &wal, &data)?;
        }
        Ok(())
    }
}

impl MemberMedium {
    /// Measures the directories as [`SyncCosts::below`] does.
    pub(super) fn new(
        medium: &Medium,
        seed: u64,
        place: &Place<'_>,
        costs: &mut SyncCosts,
    ) -> Result<Self, LocalError> {
        let around = |dir: &Path| dir.canonicalize().map_err(io_error("cannot resolve", dir));
        let [wal, db] = costs.below(medium, &around(place.wal.1)?, &around(place.data.1)?)?;
        Ok(MemberMedium {
            emulation: Arc::new(Emulation {
                medium: medium.clone(),
                seed: stream(seed, place.name),
                start: now(),
                wal: (resolved(place.wal)?, wal),
                db: (resolved(place.data)?, db),
                book: Arc::default(),
                count: AtomicU64::new(0),
            }),
            file_system: FileSystem::of(place.wal.1)?.to_string(),
        })
    }

    /// Spawns an etcd on the medium, which it keeps until it ends. What holds its syncs runs on its cores, which are those of
    /// this thread. Blocks for a fork and an exec.
    pub(super) fn spawn(&self, mut command: Command) -> io::Result<Child> {
        let prepared = seccomp::prepare(&mut command)?;
        let mut child = supervisor::spawn(command)?;
        let emulation = Arc::clone(&self.emulation);
        let started = prepared.listener().and_then(|mut listener| {
            std::thread::Builder::new()
                .name("etcd-medium".to_owned())
                .spawn(move || {
                    seccomp::sleep_precisely();
                    // An error ends the emulation, and etcd with it: its next sync fails. Silently faster it must not get.
                    let _ = emulation.serve(&mut listener, || false);
                })
        });
        if let Err(error) = started {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        Ok(child)
    }

    /// For the result's header, and to read what was delayed.
    pub(super) fn report(&self) -> LocalMedium {
        let e = &*self.emulation;
        let cost = |cost: Cost| SyncCost {
            base_ns: cost.base,
            overhead_ns: cost.overhead,
        };
        LocalMedium {
            info: MediumInfo {
                name: e.medium.name.clone(),
                spec: e.medium.spec.summary(),
                seed: e.seed,
                wal: cost(e.wal.1),
                db: cost(e.db.1),
                base_file_system: self.file_system.clone(),
            },
            delays: Arc::clone(&e.book),
        }
    }
}

/// A path that need not be there, as the kernel will say it.
fn resolved((path, around): (&Path, &Path)) -> Result<PathBuf, LocalError> {
    let real = around
        .canonicalize()
        .map_err(io_error("cannot resolve", around))?;
    Ok(path
        .strip_prefix(around)
        .map_or_else(|_| path.to_owned(), |rest| real.join(rest)))
}

fn slow_enough(medium: &Medium, dir: &Path, cost: Cost) -> Result<(), LocalError> {
    let median: Nanos = medium.sync.median();
    if median == 0 || median >= cost.total() {
        return Ok(());
    }
    Err(LocalError::MediumTooFast {
        medium: medium.name.clone(),
        median,
        dir: dir.to_owned(),
        file_system: FileSystem::of(dir)?.kind,
        base: cost.base,
        overhead: cost.overhead,
    })
}
