//! Where the members' files lie: data and, if that is apart, write-ahead logs; and which medium is emulated there.

use std::path::{Path, PathBuf};

use super::data_dir::{DataDir, io_error};
use super::error::LocalError;
use super::fs::FileSystem;
use super::medium::{MemberMedium, Place};
use super::options::LocalOptions;

/// Memory as a directory: syncs there cost nothing, so that media can be emulated on it.
const IN_MEMORY: &str = "/dev/shm";
/// What a member may fill of it: a few write-ahead log segments of 64 MiB, a database, its snapshot.
const ROOM_PER_MEMBER: u64 = 1 << 30;

/// The directories of a cluster.
#[derive(Debug)]
pub(super) struct Dirs {
    pub(super) data: DataDir,
    pub(super) wal: Option<DataDir>,
}

impl Dirs {
    /// Makes (or checks, if the user named them) the directories.
    pub(super) fn new(options: &LocalOptions) -> Result<Self, LocalError> {
        let data = match &options.data_dir {
            Some(path) => DataDir::named("--data-dir", path)?,
            None => DataDir::temporary(&options.scratch_parent())?,
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
        Ok(Dirs { data, wal })
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
                name: &format!("etcd-{index}"),
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
        match &self.scratch_in {
            Some(parent) => parent.clone(),
            None if self.emulates() && has_room(self.members) => IN_MEMORY.into(),
            None => std::env::temp_dir(),
        }
    }
}

/// Whether the members fit into memory's directory (containers often give it 64 MiB).
fn has_room(members: usize) -> bool {
    let path = Path::new(IN_MEMORY);
    let free = rustix::fs::statvfs(path).map_or(0, |fs| fs.f_bavail * fs.f_frsize);
    free >= ROOM_PER_MEMBER * members as u64 && FileSystem::of(path).is_ok_and(|fs| fs.in_memory())
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
