//! A directory to measure: that it can be, what it lies on, how much of it is free.

use super::device::Device;
use super::error::DiskError;
use super::space::Space;
use crate::human::numbers::bytes;
use crate::local::FileSystem;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A directory that exists.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// As given, for people.
    pub(super) given: PathBuf,
    /// Resolved.
    pub(crate) path: PathBuf,
    pub(super) file_system: FileSystem,
    pub(super) device: Option<Device>,
    /// As it was found.
    pub(super) space: Space,
    /// Of the file system and the directory in it.
    ids: (u64, u64),
}

impl Place {
    /// Looks at one directory.
    pub(crate) fn of(given: &Path) -> Result<Self, DiskError> {
        let missing = |source| DiskError::Missing {
            path: given.to_owned(),
            source,
        };
        let path = given.canonicalize().map_err(missing)?;
        let meta = fs::metadata(&path).map_err(missing)?;
        if !meta.is_dir() {
            let path = given.to_owned();
            return Err(DiskError::NotDirectory { path });
        }
        let file_system = FileSystem::of(&path).map_err(|e| {
            DiskError::io(
                given,
                "cannot determine its file system",
                std::io::Error::other(e),
            )
        })?;
        // btrfs and the like have numbers of their own, which no device has: ask what is mounted.
        let source = file_system
            .source
            .as_deref()
            .filter(|s| s.starts_with("/dev/"));
        let device = numbers(meta.dev()).or_else(|| numbers(fs::metadata(source?).ok()?.rdev()));
        Ok(Place {
            given: given.to_owned(),
            file_system,
            device,
            space: space(given, &path)?,
            ids: (meta.dev(), meta.ino()),
            path,
        })
    }

    /// Whether both end on the same disk, or on the same file system where there is none.
    pub(crate) fn shares_disk(&self, other: &Place) -> bool {
        match (&self.device, &other.device) {
            (Some(a), Some(b)) => a.shares_disk(b),
            _ => self.ids.0 == other.ids.0,
        }
    }

    /// Its disk, in a word; the file system where there is none.
    pub(crate) fn disk(&self) -> String {
        let device = self.device.as_ref().map(|d| d.disks.join(", "));
        device.unwrap_or_else(|| self.file_system.to_string())
    }

    /// Refuses a directory that has no room for `needed` bytes.
    pub(crate) fn needs(&self, needed: u64, hint: &'static str) -> Result<(), DiskError> {
        let space = self.space;
        if space.allows(needed) {
            return Ok(());
        }
        Err(DiskError::Space {
            path: self.given.clone(),
            free: space.free,
            total: space.total,
            needed,
            margin: space.margin(),
            hint,
        })
    }

    /// Refuses to take `more` bytes when too little would stay free.
    pub(super) fn look_after_space(&self, more: u64) -> Result<(), DiskError> {
        let space = space(&self.given, &self.path)?;
        if space.allows(more) {
            return Ok(());
        }
        let (free, margin) = (bytes(space.free as f64), bytes(space.margin() as f64));
        Err(DiskError::Full {
            path: self.given.clone(),
            reason: format!("{free} are free and {margin} must stay free"),
        })
    }
}

/// Size of a file system and what is free of it.
fn space(given: &Path, path: &Path) -> Result<Space, DiskError> {
    let stat = rustix::fs::statvfs(path)
        .map_err(|e| DiskError::io(given, "cannot determine the free space", e.into()))?;
    Ok(Space {
        total: stat.f_blocks * stat.f_frsize,
        free: stat.f_bavail * stat.f_frsize,
    })
}

fn numbers(dev: u64) -> Option<Device> {
    Device::of(rustix::fs::major(dev), rustix::fs::minor(dev))
}

/// Looks at all directories: each once, each with room for `footprint` bytes, several on one file system for as many
/// times that. `hint` is added to a refusal for space.
pub(super) fn look(
    dirs: &[PathBuf],
    footprint: u64,
    hint: &'static str,
) -> Result<Vec<Place>, DiskError> {
    if dirs.is_empty() {
        return Err(DiskError::None);
    }
    let places: Vec<Place> = dirs
        .iter()
        .map(|d| Place::of(d))
        .collect::<Result<_, _>>()?;
    for (i, place) in places.iter().enumerate() {
        if let Some(earlier) = places[..i].iter().find(|p| p.ids == place.ids) {
            return Err(DiskError::Twice {
                first: earlier.given.clone(),
                second: place.given.clone(),
            });
        }
        let together = places.iter().filter(|p| p.ids.0 == place.ids.0).count();
        place.needs(footprint * together as u64, hint)?;
    }
    Ok(places)
}
