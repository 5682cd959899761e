//! Where the members' files lie: data and, if that is apart, write-ahead logs; and which medium is emulated there.

use std::path::{Path, PathBuf};

use super::data_dir::{DataDir, io_error, sweep};
use super::error::LocalError;
use super::fs::FileSystem;
use super::medium::{MemberMedium, Place};
use super::options::LocalOptions;
use crate::human::numbers::bytes;

/// Memory as a directory: syncs there cost nothing, so that media can be emulated on it.
const IN_MEMORY: &str = "/dev/shm";
/// What a member may fill of it: a few write-ahead log segments of 64 MiB, a database, its snapshot.
const ROOM_PER_MEMBER: u64 = 1 << 30;

/// The directories of a cluster.
#[derive(Debug)]
pub(super) struct Dirs {
    pub(super) data: DataDir,
    pub(super) wal: Option<DataDir>,
    /// Why they are not where they should have been.
    pub(super) note: Option<String>,
}

/// Where temporary data directories are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) parent: PathBuf,
    /// Why it is not memory, where it should have been.
    pub(crate) note: Option<String>,
}

impl Dirs {
    /// Makes (or checks, if the user named them) the directories.
    pub(super) fn new(options: &LocalOptions) -> Result<Self, LocalError> {
        let (data, note) = match &options.data_dir {
            Some(path) => (DataDir::named("--data-dir", path)?, None),
            None => {
                let Scratch { parent, note } = options.scratch();
                (DataDir::temporary(&parent)?, note)
            }
        };
        let wal = match (&options.wal_dir, &options.data_dir) {
            (None, _) => None,
            (Some(path), Some(_)) => Some(DataDir::named("--wal-dir", path)?),
            // A log without its database is of no use: it goes with it.
            (Some(path), None) => {
                std::fs::create_dir_all(path).map_err(io_error("cannot create --wal-dir", path))?;
                let path = path
                    .canonicalize()
                    .map_err(io_error("cannot resolve --wal-dir", path))?;
                Some(DataDir::temporary(&path)?)
            }
        };
        Ok(Dirs { data, wal, note })
    }

    /// Data directory of member `index`.
    pub(super) fn data_of(&self, index: usize) -> PathBuf {
        self.data.path().join(format!("etcd-{index}"))
    }

    /// Directory of member `index`'s write-ahead log.
    pub(super) fn wal_of(&self, index: usize) -> PathBuf {
        match &self.wal {
            Some(wal) => wal.path().join(format!("etcd-{index}")),
            None => self.data_of(index).join("member/wal"),
        }
    }

    /// The members' media. Measures the directories if there are any: a second or so.
    pub(super) fn media(
        &self,
        options: &LocalOptions,
    ) -> Result<Vec<Option<MemberMedium>>, LocalError> {
        let mut costs = options.sync_costs.clone();
        let mut medium = |index: usize| {
            let Some(medium) = options.medium_of(index) else {
                return Ok(None);
            };
            let place = Place {
                name: &format!("{}/etcd-{index}", options.store),
                data: (&self.data_of(index), self.data.path()),
                wal: (
                    &self.wal_of(index),
                    self.wal.as_ref().unwrap_or(&self.data).path(),
                ),
            };
            MemberMedium::new(medium, options.seed, &place, &mut costs).map(Some)
        };
        (0..options.members).map(&mut medium).collect()
    }

    /// Removes the members' data and logs of a failed start.
    pub(super) fn clear(&self) -> Result<(), LocalError> {
        clear(self.data.path())?;
        self.wal.iter().try_for_each(|wal| clear(wal.path()))
    }
}

impl LocalOptions {
    /// Where temporary data directories are made.
    pub(crate) fn scratch_parent(&self) -> PathBuf {
        self.scratch().parent
    }

    /// The same, and why. Removes what killed processes left in memory, which would take the room.
    pub(crate) fn scratch(&self) -> Scratch {
        let at = |parent: PathBuf, note| Scratch { parent, note };
        match &self.scratch_in {
            Some(parent) => at(parent.clone(), None),
            None if !self.emulates() => at(std::env::temp_dir(), None),
            None => {
                sweep(Path::new(IN_MEMORY));
                match no_room(self.members) {
                    None => at(IN_MEMORY.into(), None),
                    Some(why) => {
                        let parent = std::env::temp_dir();
                        let note = format!(
                            "the data are in {}, not in memory, because {why}",
                            parent.display()
                        );
                        at(parent, Some(note))
                    }
                }
            }
        }
    }
}

/// Why the members do not fit into memory's directory (containers often give it 64 MiB); none where they do.
fn no_room(members: usize) -> Option<String> {
    let path = Path::new(IN_MEMORY);
    if !FileSystem::of(path).is_ok_and(|fs| fs.in_memory()) {
        return Some(format!("{IN_MEMORY} is not memory here"));
    }
    let free = rustix::fs::statvfs(path).map_or(0, |fs| fs.f_bavail * fs.f_frsize);
    let needed = ROOM_PER_MEMBER * members as u64;
    let size = |n: u64| bytes(n as f64);
    (free < needed).then(|| {
        format!(
            "{IN_MEMORY} has {} free, of {} needed",
            size(free),
            size(needed)
        )
    })
}

fn clear(root: &Path) -> Result<(), LocalError> {
    let entries = std::fs::read_dir(root).map_err(io_error("cannot read", root))?;
    for path in entries.flatten().map(|e| e.path()) {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if !name.starts_with(b"etcd-") {
            continue;
        }
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        removed.map_err(io_error("cannot remove", &path))?;
    }
    Ok(())
}
