//! Where the members' files lie: data and, if that is apart, write-ahead logs; and which medium is emulated there.

use std::path::{Path, PathBuf};

use super::data_dir::{DataDir, io_error, sweep};
use super::error::LocalError;
use super::fs::FileSystem;
use super::medium::{MemberMedium, Place};
use super::options::LocalOptions;
use crate::human::numbers::bytes;
use rustix::fs::{Access, access};

/// Memory as a directory: syncs there cost nothing, so that media can be emulated on it.
const IN_MEMORY: &str = "/dev/shm";
/// The system's place for temporary files that are too large for memory.
const ON_DISK: &str = "/var/tmp";
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

    /// What to say where data lie in memory. Where media are emulated, nothing: their times do not come from there.
    pub(crate) fn in_memory(&self) -> Option<String> {
        if self.emulates() {
            return None;
        }
        let data = self.data_dir.clone();
        let data = memory(&data.unwrap_or_else(|| self.scratch_parent()));
        let (what, at) = match self.wal_dir.as_deref() {
            None => ("the data are", data?),
            Some(wal) => match (data, memory(wal)) {
                (Some(at), Some(_)) => ("the data are", at),
                (Some(at), None) => ("the database is", at),
                (None, at) => ("the write-ahead log is", at?),
            },
        };
        Some(format!(
            "{what} in memory ({at}), where a sync costs nothing: response times say nothing of a disk; to test one, name \
             a directory on it (--data-dir DIR)"
        ))
    }

    /// The same, and why. Removes what killed processes left in memory, which would take the room.
    pub(crate) fn scratch(&self) -> Scratch {
        let at = |parent: PathBuf, note| Scratch { parent, note };
        match &self.scratch_in {
            Some(parent) => at(parent.clone(), None),
            None if !self.emulates() => at(temporary(), None),
            None => {
                sweep(Path::new(IN_MEMORY));
                match no_room(self.members) {
                    None => at(IN_MEMORY.into(), None),
                    Some(why) => {
                        let parent = temporary();
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

/// The system's place for temporary directories, on a disk if there is one: where `/tmp` is memory (Fedora, Arch, Debian
/// 13), `/var/tmp` is not. A `TMPDIR` is taken at its word.
fn temporary() -> PathBuf {
    let system = std::env::temp_dir();
    let named = std::env::var_os("TMPDIR").is_some_and(|dir| !dir.is_empty());
    on_disk(system, named, |dir| {
        let memory = FileSystem::of(dir).ok()?.in_memory();
        access(dir, Access::WRITE_OK | Access::EXEC_OK).ok()?;
        Some(memory)
    })
}

/// `in_memory` says of a directory that may be written to whether it lies in memory.
fn on_disk(system: PathBuf, named: bool, in_memory: impl Fn(&Path) -> Option<bool>) -> PathBuf {
    let other = Path::new(ON_DISK);
    match !named && in_memory(&system) == Some(true) && in_memory(other) == Some(false) {
        true => other.to_owned(),
        false => system,
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

/// The file system of a directory, or of where it is going to be made, if that is memory.
fn memory(dir: &Path) -> Option<FileSystem> {
    let dir = std::path::absolute(dir).ok()?;
    let there = dir.ancestors().find(|dir| dir.exists())?;
    FileSystem::of(there).ok().filter(FileSystem::in_memory)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::Medium;

    #[test]
    fn temporary_data_are_on_a_disk_where_there_is_one() {
        let memory = |dirs: &'static [&str]| {
            move |dir: &Path| Some(dirs.iter().any(|in_memory| dir == Path::new(in_memory)))
        };
        let at = |named, dirs| on_disk("/tmp".into(), named, memory(dirs));
        assert_eq!(at(false, &[]), Path::new("/tmp"));
        assert_eq!(at(false, &["/tmp"]), Path::new("/var/tmp"));
        assert_eq!(at(false, &["/tmp", "/var/tmp"]), Path::new("/tmp"));
        assert_eq!(at(true, &["/tmp"]), Path::new("/tmp"), "TMPDIR");
        let missing = on_disk("/tmp".into(), false, |dir| {
            (dir == Path::new("/tmp")).then_some(true)
        });
        assert_eq!(missing, Path::new("/tmp"));
    }

    #[test]
    fn what_lies_in_memory_is_said() {
        let disk = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let of = |data: &str, wal: Option<&str>| {
            let options = LocalOptions {
                data_dir: Some(data.into()),
                wal_dir: wal.map(PathBuf::from),
                ..LocalOptions::default()
            };
            options.in_memory().unwrap_or_default()
        };
        let disk = disk.path().to_str().unwrap();
        let shm = "/dev/shm/etcdmark-not-there-yet";
        assert!(of(shm, None).starts_with("the data are in memory (tmpfs "));
        assert!(of(shm, Some("/dev/shm/wal")).starts_with("the data are in"));
        assert!(of(shm, Some(disk)).starts_with("the database is in"));
        assert!(of(disk, Some(shm)).starts_with("the write-ahead log is in"));
        assert_eq!(of(disk, None), "");
        let emulated = LocalOptions {
            data_dir: Some(shm.into()),
            medium: Some(Medium::load("hdd").unwrap()),
            ..LocalOptions::default()
        };
        assert_eq!(emulated.in_memory(), None);
    }
}
