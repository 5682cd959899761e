//! How much of a file system is left alone.

/// Free space that stays, at least, bytes: 1 GiB, on small file systems a tenth.
const MARGIN: u64 = 1 << 30;
/// Part of a small file system that stays free: one in so many.
const PART: u64 = 10;

/// A file system's size and what an ordinary user may still take of it, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) total: u64,
    pub(super) free: u64,
}

impl Space {
    /// What stays free of it, bytes.
    pub(super) fn margin(self) -> u64 {
        MARGIN.min(self.total / PART)
    }

    /// Whether `more` bytes may be taken of it. One that knows no size (ramfs) cannot be looked after.
    pub(super) fn allows(self, more: u64) -> bool {
        self.total == 0 || self.free >= more.saturating_add(self.margin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gibibyte_or_a_tenth_stays_free() {
        let large = Space {
            total: 100 << 30,
            free: (1 << 30) + 1000,
        };
        assert!(large.allows(1000) && !large.allows(1001));
        let small = Space {
            total: 64 << 20,
            free: 30 << 20,
        };
        assert!(small.allows(23 << 20) && !small.allows(24 << 20));
        let unknown = Space { total: 0, free: 0 };
        assert!(unknown.allows(u64::MAX));
    }
}
