//! Files that leave nothing behind: without a name, so that the kernel frees them however this process ends.
//!
//! Where fdatasync treats a file without a name otherwise than etcd's, files have names, and a [`Janitor`] sees to
//! them. btrfs logs nothing of an inode without links (`btrfs_log_inode_parent`), nor does ZFS
//! (`zfs_log_write`), so that fdatasync would cost less; F2FS takes a whole checkpoint for one whose link count is not 1
//! (`need_do_checkpoint`). ext2 to ext4, XFS and tmpfs do not look at the link count.

use super::error::DiskError;
use super::janitor::Janitor;
use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// File systems on which a file needs no name to be synced as etcd's files are.
const SAME_WITHOUT_NAME: [&str; 6] = ["ext2", "ext3", "ext4", "xfs", "tmpfs", "ramfs"];

/// Number in the name of the file that stays.
const BESIDE: usize = 2;

/// Makes scratch files in one directory.
#[derive(Debug)]
pub(super) struct Scratch {
    /// As given, for messages.
    given: PathBuf,
    /// Resolved.
    dir: PathBuf,
    made: usize,
    named: bool,
    janitor: Option<Janitor>,
}

/// A file that goes when it is dropped.
#[derive(Debug)]
pub(super) struct ScratchFile {
    pub(super) file: File,
    /// Whether the file system has set its blocks aside.
    pub(super) preallocated: bool,
    name: Option<PathBuf>,
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // The janitor tries again.
            let _ = std::fs::remove_file(name);
        }
    }
}

impl Scratch {
    /// Whether files must have names on this file system.
    pub(super) fn needs_names(kind: &str) -> bool {
        !SAME_WITHOUT_NAME.contains(&kind)
    }

    /// Makes an empty file to see that it can be done.
    pub(super) fn open(given: &Path, dir: &Path, named: bool) -> Result<Self, DiskError> {
        let mut scratch = Scratch {
            given: given.to_owned(),
            dir: dir.to_owned(),
            made: 0,
            named,
            janitor: None,
        };
        if named {
            scratch.janitor = Janitor::start(&[0, 1, BESIDE].map(|n| scratch.name(n)));
        }
        let first = scratch.next_name();
        scratch
            .create(first)
            .map_err(|source| DiskError::NotWritable {
                path: given.to_owned(),
                source,
            })?;
        Ok(scratch)
    }

    /// Whether files have names that a SIGKILL would leave there.
    pub(super) fn unguarded(&self) -> bool {
        self.named && self.janitor.is_none()
    }

    /// Whether files have names.
    pub(super) fn named(&self) -> bool {
        self.named
    }

    /// A file with so many bytes set aside, as etcd's `preallocExtend` does (client/pkg/fileutil/preallocate_unix.go):
    /// fallocate that changes the size. `or_extend`: where the file system cannot, set the length, as etcd does; fio
    /// goes on without.
    pub(super) fn file(&mut self, bytes: u64, or_extend: bool) -> Result<ScratchFile, DiskError> {
        let name = self.next_name();
        self.make(name, bytes, or_extend)
    }

    /// A file that stays while the others change.
    pub(super) fn beside(&mut self, bytes: u64) -> Result<ScratchFile, DiskError> {
        self.make(self.name(BESIDE), bytes, true)
    }

    fn make(&self, name: PathBuf, bytes: u64, or_extend: bool) -> Result<ScratchFile, DiskError> {
        let failed = |what| {
            let given = self.given.clone();
            move |e: io::Error| DiskError::io(&given, what, e)
        };
        let (creating, allocating) = (failed("cannot create a file"), failed("cannot preallocate"));
        let mut made = self.create(name).map_err(creating)?;
        match allocate(&made.file, bytes) {
            Ok(()) => made.preallocated = true,
            Err(Errno::OPNOTSUPP) if or_extend => made.file.set_len(bytes).map_err(allocating)?,
            Err(Errno::OPNOTSUPP) => {}
            Err(e) => return Err(allocating(e.into())),
        }
        Ok(made)
    }

    fn name(&self, n: usize) -> PathBuf {
        let name = format!(".etcdmark-disk-{}-{n}", std::process::id());
        self.dir.join(name)
    }

    fn next_name(&mut self) -> PathBuf {
        self.made += 1;
        // Two, as at most two exist at a time.
        self.name(self.made % 2)
    }

    fn create(&self, name: PathBuf) -> io::Result<ScratchFile> {
        let scratch = |file, name| ScratchFile {
            file,
            preallocated: false,
            name,
        };
        if !self.named {
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            match rustix::fs::open(&self.dir, flags, Mode::RUSR | Mode::WUSR) {
                Ok(fd) => return Ok(scratch(File::from(fd), None)),
                // Not supported, in the words of this file system or of an old kernel.
                Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {}
                Err(e) => return Err(e.into()),
            }
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&name)?;
        if self.named {
            return Ok(scratch(file, Some(name)));
        }
        std::fs::remove_file(&name)?;
        Ok(scratch(file, None))
    }
}

fn allocate(file: &File, bytes: u64) -> Result<(), Errno> {
    loop {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> usize {
        std::fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn unnamed_files_are_never_seen_and_hold_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::open(dir.path(), dir.path(), false).unwrap();
        let file = scratch.file(1 << 20, true).unwrap();
        assert_eq!(file.file.metadata().unwrap().len(), 1 << 20);
        assert_eq!(names(dir.path()), 0);
        assert!(!scratch.unguarded());
    }

    #[test]
    fn named_files_are_two_at_most_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::open(dir.path(), dir.path(), true).unwrap();
        let mut current = scratch.file(4096, true).unwrap();
        for _ in 0..3 {
            let next = scratch.file(4096, true).unwrap();
            assert_eq!(names(dir.path()), 2);
            current = next;
            assert_eq!(names(dir.path()), 1);
        }
        drop(current);
        drop(scratch);
        assert_eq!(names(dir.path()), 0);
    }

    #[test]
    fn only_known_file_systems_do_without_names() {
        for (kind, named) in [
            ("ext4", false),
            ("xfs", false),
            ("btrfs", true),
            ("zfs", true),
            ("overlay", true),
        ] {
            assert_eq!(Scratch::needs_names(kind), named, "{kind}");
        }
    }
}
