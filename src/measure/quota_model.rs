//! How an etcd's database file grows: what a revision costs in pages, and when the quota is reached.
//!
//! Each put or delete appends one element to bbolt's bucket `key`. Keys there ascend, so leaves are filled once and
//! never touched again: a leaf takes elements up to 90 % of a page (etcd `server/storage/backend/batch_tx.go`), but at
//! least two, over as many pages as these need (bbolt `node.go`: splitTwo, splitIndex; `tx.go`: allocate). That is why
//! 4 KiB values cost 6 KiB each, and why sizes must not be interpolated. The last leaf of each commit is cut again by the
//! next one, less well the fewer elements a commit brings: 1 KiB values cost 1,378 B at 1,000/s and 2,066 B at 10/s.
//! etcd compares the quota with the file,
//! which never shrinks; pages that compaction frees are used again first.

use crate::rng::{GOLDEN, finalize, unit};

/// bbolt's page: the operating system's, 4 KiB on amd64 and most of arm64.
pub const PAGE: u64 = 4096;
/// Bytes before a page's first element.
const PAGE_HEADER: u64 = 16;
/// An element's place in the page's table.
const ELEMENT: u64 = 16;
/// The key of a revision: main, `_`, sub; a tombstone has one byte more.
const REVISION: u64 = 17;
/// How full a leaf gets, of 100.
const FILL: u64 = 90;
/// A node of so many elements or fewer is never split.
const UNSPLIT: usize = 4;
/// A leaf has at least so many elements, however large.
const FEWEST: usize = 2;
/// Elements that are packed to average over a mix.
const PACKED: u64 = 20_000;
/// Seconds between two commits of etcd's backend, and the most elements in one.
const COMMIT: f64 = 0.1;
/// See [`COMMIT`].
const COMMIT_MOST: f64 = 10_000.0;

/// The lengths and numbers of a stored key-value that decide its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// Bytes of the key.
    pub key: u64,
    /// Bytes of the value.
    pub value: u64,
    /// Revision that created the key.
    pub create_revision: i64,
    /// Revision of this put.
    pub mod_revision: i64,
    /// Puts since the key was created.
    pub version: i64,
    /// etcd lease, 0 = none.
    pub lease: i64,
}

/// Bytes of a put's element in a leaf (etcd `mvccpb.KeyValue`, zero fields left out).
pub fn put_size(put: &Put) -> u64 {
    let number = |n: i64| {
        if n == 0 {
            0
        } else {
            1 + varint(n.unsigned_abs())
        }
    };
    let bytes = |n: u64| if n == 0 { 0 } else { 1 + varint(n) + n };
    ELEMENT
        + REVISION
        + bytes(put.key)
        + number(put.create_revision)
        + number(put.mod_revision)
        + number(put.version)
        + bytes(put.value)
        + number(put.lease)
}

/// Bytes of a delete's element: a tombstone that has the key only.
pub fn delete_size(key: u64) -> u64 {
    ELEMENT + REVISION + 1 + 1 + varint(key) + key
}

fn varint(n: u64) -> u64 {
    u64::from((64 - n.max(1).leading_zeros()).div_ceil(7))
}

/// One kind of element in a mix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// How many there are, in any unit: per second, or a count.
    pub weight: f64,
    /// Of one, as [`put_size`] and [`delete_size`] give it.
    pub size: u64,
}

/// Bytes of the file that one revision of this mix takes when `rate` of them come in a second, page effects included;
/// 0 for an empty mix.
pub fn bytes_per_revision(mix: &[Share], rate: f64) -> f64 {
    let total: f64 = mix.iter().map(|s| s.weight.max(0.0)).sum();
    if total <= 0.0 {
        return 0.0;
    }
    // In an order of no meaning, the same each time: arrivals of different kinds mix at random.
    let nth = |n: u64| {
        let mut at = unit(finalize(n.wrapping_mul(GOLDEN))) * total;
        for s in mix {
            at -= s.weight.max(0.0);
            if at < 0.0 {
                return s.size;
            }
        }
        mix.last().map_or(0, |s| s.size)
    };
    let commit = (rate * COMMIT).clamp(1.0, COMMIT_MOST);
    let (mut leaf, mut pages, mut leaves, mut full) = (Vec::new(), 0, 0u64, 0u64);
    let mut next = commit;
    for n in 0..PACKED {
        leaf.push(nth(n));
        if ((n + 1) as f64) < next {
            continue;
        }
        next += commit;
        let mut rest = leaf.as_slice();
        while let Some(split) = split_at(rest) {
            let (done, left) = rest.split_at(split);
            pages += (PAGE_HEADER + done.iter().sum::<u64>()) / PAGE + 1;
            leaves += 1;
            full += split as u64;
            rest = left;
        }
        leaf = rest.to_vec();
    }
    // A leaf's entry in its branch page, which is filled in the same way.
    let branch = (PAGE * FILL / 100 - PAGE_HEADER) / (ELEMENT + REVISION);
    (pages * PAGE + leaves * PAGE / branch) as f64 / full.max(1) as f64
}

/// Where bbolt cuts a node that has become too large.
fn split_at(leaf: &[u64]) -> Option<usize> {
    let all: u64 = PAGE_HEADER + leaf.iter().sum::<u64>();
    if leaf.len() <= UNSPLIT || all < PAGE {
        return None;
    }
    let mut bytes = PAGE_HEADER;
    let mut index = 0;
    for (i, size) in leaf[..leaf.len() - FEWEST].iter().enumerate() {
        index = i;
        if i >= FEWEST && bytes + size > PAGE * FILL / 100 {
            break;
        }
        bytes += size;
    }
    Some(index)
}

/// A store under steady traffic: bytes, and revisions per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// The quota.
    pub quota: f64,
    /// Of the file, in use.
    pub used: f64,
    /// Of these, what is alive: what compaction cannot free.
    pub live: f64,
    /// Revisions per second.
    pub rate: f64,
    /// Bytes per revision, by [`bytes_per_revision`].
    pub bytes: f64,
    /// By how much the living grow, bytes per second (creates less deletes).
    pub live_rate: f64,
}

impl Growth {
    /// Seconds until the file reaches the quota when nothing is compacted: (Q − used) / (r × b). None = never.
    pub fn time_to_full(&self) -> Option<f64> {
        let rate = self.rate * self.bytes;
        (rate > 0.0).then(|| (self.quota - self.used).max(0.0) / rate)
    }

    /// What is in use at the most under kube-apiserver's compactor, which keeps history of between one and two
    /// `interval`s (s): live + 2 × I × r × b.
    pub fn peak(&self, interval: f64) -> f64 {
        self.live + 2.0 * interval * self.rate * self.bytes
    }

    /// The rate at which that peak reaches the quota: (Q − live) / (2 × I × b), revisions per second.
    pub fn critical_rate(&self, interval: f64) -> Option<f64> {
        let per = 2.0 * interval * self.bytes;
        (per > 0.0).then(|| (self.quota - self.live).max(0.0) / per)
    }

    /// Seconds until the file reaches the quota under the compactor: at once it is a matter of history, else of
    /// the living, if they grow. None = never.
    pub fn time_to_full_compacted(&self, interval: f64) -> Option<f64> {
        let room = self.quota - self.peak(interval);
        if room <= 0.0 {
            return self.time_to_full();
        }
        (self.live_rate > 0.0).then(|| room / self.live_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: u64, value: u64, lease: i64) -> u64 {
        put_size(&Put {
            key,
            value,
            create_revision: 50_000,
            mod_revision: 60_000,
            version: 100,
            lease,
        })
    }

    fn one(size: u64) -> f64 {
        bytes_per_revision(&[Share { weight: 1.0, size }], 10_000.0)
    }

    #[test]
    fn what_was_measured_on_etcd_3_5_follows() {
        // Value and lease id of a 35 B key → bytes per revision.
        for (value, lease, measured) in [
            (100, 0, 205.0),
            (300, 0, 454.0),
            (900, 7_587_870_000_000_000_000, 1390.0),
            (1024, 0, 1359.0),
            (4096, 0, 6155.0),
            (16384, 0, 18392.0),
        ] {
            let model = one(put(35, value, lease));
            let off = model / measured - 1.0;
            assert!(
                off.abs() < 0.03,
                "{value} B: {model:.0}, measured {measured}"
            );
        }
    }

    #[test]
    fn slow_writes_fill_pages_less() {
        let at = |value, rate| {
            let size = put(35, value, 0);
            bytes_per_revision(&[Share { weight: 1.0, size }], rate).round()
        };
        assert_eq!((at(1024, 1.0), at(1024, 1e6)), (2066.0, 1378.0));
        assert_eq!((at(300, 1.0), at(300, 1e6)), (517.0, 459.0));
        // Two to three pages whatever the rate.
        assert_eq!(at(4096, 1.0), at(4096, 1e6));
    }

    #[test]
    fn an_element_has_the_fields_that_are_not_zero() {
        assert_eq!(put_size(&Put::default()), 33);
        let leaseless = put(10, 100, 0);
        assert_eq!(leaseless, 33 + 12 + 4 + 4 + 2 + 102);
        assert_eq!(put(10, 100, i64::MAX), leaseless + 10);
        assert_eq!(put(10, 200, 0), leaseless + 101, "a length of two bytes");
        assert_eq!(delete_size(10), 16 + 18 + 12);
        assert_eq!(
            [1, 127, 128, 1 << 14, u64::MAX].map(varint),
            [1, 1, 2, 3, 10]
        );
    }

    #[test]
    fn a_mix_lies_between_its_parts_and_depends_on_nothing_else() {
        let (small, large) = (put(60, 500, 0), put(40, 20_000, 0));
        let mix = |weights: [f64; 2]| {
            bytes_per_revision(
                &[
                    Share {
                        weight: weights[0],
                        size: small,
                    },
                    Share {
                        weight: weights[1],
                        size: large,
                    },
                ],
                10_000.0,
            )
        };
        assert!(one(small) < mix([0.5, 0.5]) && mix([0.5, 0.5]) < one(large));
        assert_eq!(mix([1.0, 1.0]), mix([100.0, 100.0]));
        assert_eq!(mix([1.0, 0.0]), one(small));
        assert_eq!(bytes_per_revision(&[], 1.0), 0.0);
        // Never less than the elements themselves.
        for size in [40, 700, 1500, 2100, 3000, 5000, 100_000] {
            assert!(one(size) >= size as f64 && one(size) < 2.5 * size as f64 + 4096.0);
        }
    }

    #[test]
    fn the_published_cliff_follows() {
        // kubernetes/perf-tests#4263: 1,000 writes/s of about 5.1 KB, 2 GiB: full at minute 7, critical rate 700/s.
        let g = Growth {
            quota: 2f64.powi(31),
            used: 0.0,
            live: 0.0,
            rate: 1000.0,
            bytes: 5113.0,
            live_rate: 0.0,
        };
        assert_eq!(g.time_to_full().map(|t| (t / 60.0).round()), Some(7.0));
        assert_eq!(g.critical_rate(300.0).map(f64::round), Some(700.0));
        assert_eq!(g.time_to_full_compacted(300.0), g.time_to_full());
        let slow = Growth { rate: 100.0, ..g };
        assert_eq!(slow.time_to_full_compacted(300.0), None);
        let growing = Growth {
            live_rate: 1e6,
            ..slow
        };
        let room = g.quota - growing.peak(300.0);
        assert_eq!(growing.time_to_full_compacted(300.0), Some(room / 1e6));
        assert_eq!(Growth { rate: 0.0, ..g }.time_to_full(), None);
    }
}
