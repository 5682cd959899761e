//! What is written: etcd's write-ahead log, or the fio job that etcd's documentation points to.

use super::backend;

/// Bytes of one append: the mean size of etcd's WAL writes in the measurement behind the fio job
/// (IBM, *Using Fio to Tell Whether Your Storage is Fast Enough for Etcd*, linked from etcd's hardware page).
pub const RECORD_BYTES: u64 = 2300;

/// A sequence of appends, each followed by fdatasync, to files of a fixed size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Pattern {
    /// etcd's WAL: segments of 64 MB, the next one preallocated
    #[default]
    Wal,
    /// the same, with etcd's backend commit every 100 ms in a file beside it
    Etcd,
    /// fio --rw=write --ioengine=sync --fdatasync=1 --size=22m --bs=2300, repeated
    Fio,
}

impl Pattern {
    /// As `--pattern` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Pattern::Wal => "wal",
            Pattern::Etcd => "etcd",
            Pattern::Fio => "fio",
        }
    }

    /// Size of one file, bytes.
    ///
    /// etcd's `SegmentSizeBytes` is `64 * 1000 * 1000` (server/storage/wal/wal.go); fio's `22m` is 22 MiB.
    pub fn file_bytes(self) -> u64 {
        match self {
            Pattern::Wal | Pattern::Etcd => 64_000_000,
            Pattern::Fio => 22 << 20,
        }
    }

    /// Appends to one file.
    ///
    /// etcd cuts a segment when the offset has reached the size (`Save`, wal.go), so the last append may stand out;
    /// fio writes whole blocks only.
    pub fn appends(self) -> u64 {
        match self {
            Pattern::Wal | Pattern::Etcd => self.file_bytes().div_ceil(RECORD_BYTES),
            Pattern::Fio => self.file_bytes() / RECORD_BYTES,
        }
    }

    /// Whether the next file is preallocated while this one is written to (server/storage/wal/file_pipeline.go).
    pub fn ahead(self) -> bool {
        self != Pattern::Fio
    }

    /// Whether backend commits go on beside it.
    pub fn commits(self) -> bool {
        self == Pattern::Etcd
    }

    /// Bytes that lie on the disk at the same time, at most: a file, the next one and that of the backend.
    pub fn footprint(self) -> u64 {
        let backend = if self.commits() {
            backend::FILE_BYTES
        } else {
            0
        };
        2 * self.file_bytes() + RECORD_BYTES + backend
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_what_etcd_and_fio_write_to_them() {
        // 27,826 appends leave 200 bytes of the 64 MB free; etcd makes another one before it cuts.
        assert_eq!(Pattern::Wal.appends(), 27_827);
        // What fio 3.33 reports as issued for this job.
        assert_eq!(Pattern::Fio.appends(), 10_029);
        assert_eq!(Pattern::Wal.footprint(), 128_002_300);
        assert_eq!(Pattern::Fio.footprint(), 46_139_644);
    }
}
