//! The directory under which the members' data and logs lie: a temporary one that goes, or the user's that stays.

use std::fs::{DirBuilder, DirEntry, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{FlockOperation, flock};

use super::error::LocalError;

const PREFIX: &str = "etcdmark-etcd-";
const LOCK: &str = "lock";

/// The parent directory of a local cluster.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    /// Held while a temporary directory is in use; a directory whose lock is free was left by a killed process.
    lock: Option<File>,
}

impl DataDir {
    /// The user's directory, named by `flag`: made if it is not there, must be empty, stays.
    pub(super) fn named(flag: &'static str, path: &Path) -> Result<Self, LocalError> {
        let refused = |what| {
            move |source| LocalError::DataDir {
                flag,
                path: path.to_owned(),
                what,
                source,
            }
        };
        std::fs::create_dir_all(path).map_err(refused("cannot create it"))?;
        let entries = std::fs::read_dir(path).map_err(refused("cannot read it"))?;
        // What mkfs puts at the root of ext4 is nobody's.
        let content = |e: &std::io::Result<DirEntry>| {
            e.as_ref().map_or(true, |e| e.file_name() != "lost+found")
        };
        if entries.into_iter().any(|e| content(&e)) {
            let path = path.to_owned();
            return Err(LocalError::DataDirInUse { flag, path });
        }
        let path = path.canonicalize().map_err(refused("cannot resolve it"))?;
        Ok(DataDir { path, lock: None })
    }

    /// A fresh one in `parent`, which must exist; goes when it is dropped. What a killed process left there is removed.
    pub(super) fn temporary(parent: &Path) -> Result<Self, LocalError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep(parent);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        // The wall clock distinguishes us from an earlier process of the same id.
        let name = format!("{}-{n}-{:x}", std::process::id(), crate::clock::unix_now());
        let hidden = parent.join(format!(".{PREFIX}{name}"));
        let path = parent.join(format!("{PREFIX}{name}"));
        let mut builder = DirBuilder::new();
        builder
            .mode(0o700)
            .create(&hidden)
            .map_err(|source| LocalError::Temporary {
                parent: parent.to_owned(),
                source,
            })?;
        // Locked before it gets the name that a sweep looks for.
        let lock_path = hidden.join(LOCK);
        let lock = File::create(&lock_path).map_err(io_error("cannot create", &lock_path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|e| io_error("cannot lock", &lock_path)(e.into()))?;
        std::fs::rename(&hidden, &path).map_err(io_error("cannot rename", &hidden))?;
        Ok(DataDir {
            path,
            lock: Some(lock),
        })
    }

    /// Whether it goes when it is dropped.
    pub(super) fn goes(&self) -> bool {
        self.lock.is_some()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // Nothing to be done about a failure; the next start's sweep tries again.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Copies a member's data and makes the copy durable, so that no write-back of it falls into a measurement.
pub(super) fn copy_tree(from: &Path, to: &Path) -> Result<(), LocalError> {
    // etcd wants its directories to itself.
    let mut builder = DirBuilder::new();
    let made = builder.mode(0o700).recursive(true).create(to);
    made.map_err(io_error("cannot create", to))?;
    let entries = std::fs::read_dir(from).map_err(io_error("cannot read the snapshot", from))?;
    for entry in entries {
        let entry = entry.map_err(io_error("cannot read the snapshot", from))?;
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &copy)?;
            continue;
        }
        let copied = std::fs::copy(&source, &copy).and_then(|_| File::open(&copy)?.sync_all());
        copied.map_err(io_error("cannot copy the snapshot to", &copy))?;
    }
    Ok(())
}

/// Removes temporary directories whose process is gone (it was killed before it could).
pub(super) fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else {
            continue;
        };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

pub(super) fn io_error(
    what: impl Into<String>,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> LocalError {
    let what = what.into();
    move |source| LocalError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_directory_goes_and_one_in_use_is_not_swept() {
        let parent = tempfile::tempdir().unwrap();
        let kept = DataDir::temporary(parent.path()).unwrap();
        let dropped = DataDir::temporary(parent.path()).unwrap();
        let gone = dropped.path().to_owned();
        drop(dropped);
        assert!(kept.path().is_dir());
        assert!(!gone.exists());
    }

    #[test]
    fn what_a_killed_process_left_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let left = parent.path().join("etcdmark-etcd-1-0-0");
        let foreign = parent.path().join("etcdmark-etcd-of-somebody");
        std::fs::create_dir_all(left.join("etcd-0/member")).unwrap();
        std::fs::create_dir_all(&foreign).unwrap();
        std::fs::write(left.join(LOCK), "").unwrap();
        let _ours = DataDir::temporary(parent.path()).unwrap();
        assert!(!left.exists());
        assert!(foreign.exists(), "no lock file: not ours to remove");
    }

    #[test]
    fn a_named_directory_must_be_empty_and_stays() {
        let parent = tempfile::tempdir().unwrap();
        let named = parent.path().join("a/b");
        drop(DataDir::named("--data-dir", &named).unwrap());
        std::fs::create_dir(named.join("lost+found")).unwrap();
        drop(DataDir::named("--data-dir", &named).unwrap());
        assert!(named.is_dir());
        std::fs::write(named.join("x"), "").unwrap();
        assert!(matches!(
            DataDir::named("--data-dir", &named),
            Err(LocalError::DataDirInUse { .. })
        ));
    }
}
