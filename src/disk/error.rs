//! What can be wrong with a directory, before and while it is measured.

use crate::human::numbers::bytes;
use std::io;
use std::path::{Path, PathBuf};

/// A directory that cannot be measured, or could not be to the end.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// No directory was named.
    #[error("name a directory on the disk to measure: etcdmark disk /var/lib/etcd")]
    None,
    /// It is not there, or cannot be looked at.
    #[error("{}: {source}; name an existing directory on the disk to measure", path.display())]
    Missing { path: PathBuf, source: io::Error },
    /// It is a file or something else.
    #[error("{}: not a directory; name a directory on the disk to measure", path.display())]
    NotDirectory { path: PathBuf },
    /// Nothing may be written there.
    #[error("{}: cannot create a file here: {source}; name a writable directory", path.display())]
    NotWritable { path: PathBuf, source: io::Error },
    /// Two names of one directory.
    #[error("{} and {} are the same directory; name it once", first.display(), second.display())]
    Twice { first: PathBuf, second: PathBuf },
    /// Too little is free to begin with.
    #[error(
        "{}: {} of {} are free; the measurement needs {}, and {} must stay free{hint}",
        path.display(), bytes(*free as f64), bytes(*total as f64), bytes(*needed as f64), bytes(*margin as f64)
    )]
    Space {
        path: PathBuf,
        /// Free, bytes.
        free: u64,
        /// Size of the file system, bytes.
        total: u64,
        /// What would be written at a time, bytes.
        needed: u64,
        /// What must stay free, bytes.
        margin: u64,
        /// What would need less, or nothing.
        hint: &'static str,
    },
    /// Somebody else filled the disk in the meantime, or a quota did.
    #[error("{}: full: {reason}; etcdmark stopped and removed its files", path.display())]
    Full {
        path: PathBuf,
        /// What says so.
        reason: String,
    },
    /// The disk failed.
    #[error("{}: {what}: {source}", path.display())]
    Io {
        path: PathBuf,
        /// What was done.
        what: &'static str,
        /// How it failed.
        source: io::Error,
    },
}

impl DiskError {
    /// What the operating system said while a file was made or written to.
    pub(super) fn io(path: &Path, what: &'static str, source: io::Error) -> Self {
        let full = matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        let path = path.to_owned();
        if full {
            let reason = source.to_string();
            DiskError::Full { path, reason }
        } else {
            DiskError::Io { path, what, source }
        }
    }

    /// Whether something was asked for that cannot be, rather than that something failed.
    pub fn is_usage(&self) -> bool {
        !matches!(self, DiskError::Full { .. } | DiskError::Io { .. })
    }
}
