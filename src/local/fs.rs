//! On which file system a directory lies: the first thing to know about a measured etcd.

use std::fmt;
use std::path::{Path, PathBuf};

use super::data_dir::io_error;
use super::error::LocalError;

/// A directory's file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// Its type (`ext4`, `xfs`, `tmpfs`, `overlay` …), or the statfs magic in hex when no table knows it.
    pub kind: String,
    /// What is mounted (`/dev/nvme0n1p1`), from `/proc/self/mountinfo`.
    pub source: Option<String>,
    pub mount_point: Option<PathBuf>,
    /// Whether what is written ends in memory: also behind a loop device, an overlay's upper directory or a RAM disk. No
    /// where that cannot be seen, as from within a container.
    pub in_memory: bool,
}

/// Loop devices and overlays that are looked through, at most.
const DEPTH: u32 = 8;

impl FileSystem {
    /// Looks `path` up, which must exist.
    pub fn of(path: &Path) -> Result<Self, LocalError> {
        Self::look(path, DEPTH)
    }

    fn look(path: &Path, depth: u32) -> Result<Self, LocalError> {
        let path = path
            .canonicalize()
            .map_err(io_error("cannot resolve", path))?;
        let magic = rustix::fs::statfs(&path)
            .map_err(|e| io_error("cannot determine the file system of", &path)(e.into()))?
            .f_type;
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mount = mount_of(&table, &path);
        // A bit pattern whose type differs by architecture.
        let magic = u32::try_from(i128::from(magic) & 0xffff_ffff).unwrap_or(0);
        let kind = match (magic_name(magic), &mount) {
            // ext2 to ext4 share a magic; the mount table is more precise, where there is one.
            (_, Some(mount)) => mount.kind.clone(),
            (Some(name), None) => name.to_owned(),
            (None, None) => format!("{magic:#x}"),
        };
        let below = mount.as_ref().and_then(Mount::below).filter(|_| depth > 0);
        let below = below.and_then(|path| Self::look(&path, depth - 1).ok());
        let ram = |m: &Mount| {
            ["/dev/ram", "/dev/zram"]
                .iter()
                .any(|d| m.source.starts_with(d))
        };
        Ok(FileSystem {
            in_memory: matches!(kind.as_str(), "tmpfs" | "ramfs" | "devtmpfs")
                || mount.as_ref().is_some_and(ram)
                || below.is_some_and(|b| b.in_memory),
            kind,
            source: mount.as_ref().map(|m| m.source.clone()),
            mount_point: mount.map(|m| m.point),
        })
    }

    /// Whether it lives in memory, where fsync costs nothing and says nothing of a disk.
    pub fn in_memory(&self) -> bool {
        self.in_memory
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if let Some(source) = self
            .source
            .as_deref()
            .filter(|s| *s != self.kind && *s != "none")
        {
            write!(f, " on {source}")?;
        }
        if let Some(point) = &self.mount_point {
            write!(f, " at {}", point.display())?;
        }
        Ok(())
    }
}

/// Magic numbers of statfs(2), from Linux' include/uapi/linux/magic.h.
fn magic_name(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x0000_ef53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x0102_1994 => "tmpfs",
        0x8584_58f6 => "ramfs",
        0x794c_7630 => "overlay",
        0x2fc1_2fc1 => "zfs",
        0xf2f5_2010 => "f2fs",
        0x0000_6969 => "nfs",
        0x6573_5546 => "fuse",
        0x0102_1997 => "9p",
        _ => return None,
    })
}

struct Mount {
    kind: String,
    source: String,
    point: PathBuf,
    /// Options of the file system itself.
    options: String,
}

impl Mount {
    /// What it lies on: an overlay's upper directory, a loop device's file.
    fn below(&self) -> Option<PathBuf> {
        if self.kind == "overlay" {
            let mut options = self.options.split(',');
            let upper = options.find_map(|o| o.strip_prefix("upperdir="))?;
            return Some(PathBuf::from(unescape(upper)));
        }
        let device = self.source.strip_prefix("/dev/")?;
        let file = format!("/sys/block/{device}/loop/backing_file");
        let file = std::fs::read_to_string(file).ok()?;
        Some(PathBuf::from(file.trim_end_matches('\n')))
    }
}

/// The mount that `path` (absolute, resolved) lies on: the longest mount point, and of equal ones the last, which hides
/// the others. Format: proc(5), `36 35 98:0 /root /point opts [tags] - type source super-opts`.
fn mount_of(mountinfo: &str, path: &Path) -> Option<Mount> {
    let mut best: Option<Mount> = None;
    for line in mountinfo.lines() {
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let Some(point) = left.split(' ').nth(4).map(unescape) else {
            continue;
        };
        let mut right = right.split(' ');
        let (Some(kind), Some(source)) = (right.next(), right.next()) else {
            continue;
        };
        let point = PathBuf::from(point);
        let longer = best
            .as_ref()
            .is_none_or(|b| point.as_os_str().len() >= b.point.as_os_str().len());
        if path.starts_with(&point) && longer {
            best = Some(Mount {
                kind: kind.to_owned(),
                source: unescape(source),
                point,
                options: right.next().unwrap_or_default().to_owned(),
            });
        }
    }
    best
}

/// Undoes the octal escapes of space, tab, newline and backslash.
fn unescape(text: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(text.to_owned(), |t, (from, to)| t.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /dev/shm rw,nosuid - tmpfs tmpfs rw
31 22 259:1 / /mnt/my\\040disk rw - xfs /dev/nvme0n1 rw
32 22 259:2 / /mnt/my\\040disk rw - btrfs /dev/nvme1n1 rw";

    #[test]
    fn the_deepest_and_last_mount_wins() {
        let at = |p: &str| {
            mount_of(TABLE, Path::new(p))
                .map(|m| (m.kind, m.source))
                .unwrap()
        };
        assert_eq!(at("/var/lib"), ("ext4".into(), "/dev/vda".into()));
        assert_eq!(at("/dev/shm/x"), ("tmpfs".into(), "tmpfs".into()));
        assert_eq!(at("/dev/shmx"), ("ext4".into(), "/dev/vda".into()));
        assert_eq!(
            at("/mnt/my disk/etcd"),
            ("btrfs".into(), "/dev/nvme1n1".into())
        );
    }

    #[test]
    fn the_tables_of_this_machine_are_read() {
        let fs = FileSystem::of(Path::new("/proc")).unwrap();
        assert_eq!(fs.kind, "proc");
        assert!(!fs.in_memory());
        assert!(FileSystem::of(Path::new("/nonexistent")).is_err());
    }

    #[test]
    fn an_overlay_lies_on_its_upper_directory() {
        let table =
            "40 1 0:50 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/up\\040per,workdir=/w";
        let mount = mount_of(table, Path::new("/var")).unwrap();
        assert_eq!(mount.below(), Some(PathBuf::from("/up per")));
        let dev = FileSystem::of(Path::new("/dev/shm")).unwrap();
        assert!(dev.in_memory, "{dev:?}");
    }

    #[test]
    fn it_reads_as_a_sentence() {
        let fs = FileSystem {
            kind: "ext4".into(),
            source: Some("/dev/vda".into()),
            mount_point: Some("/".into()),
            in_memory: false,
        };
        assert_eq!(fs.to_string(), "ext4 on /dev/vda at /");
    }
}
