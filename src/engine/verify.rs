//! The sweep after the load: every key under the prefix, at one revision, against what the workers know.

use super::failure::Failure;
use super::leases::Grant;
use super::state::ObjState;
use super::thread::WorkerResult;
use crate::clock::{self, Nanos};
use crate::etcd::control::{ControlClient, RangeSpec};
use crate::kube::{Kind, ObjectRef, Objects};
use crate::report::{StoreSweep, VerifyReport};
use crate::rpc::prefix_end;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Keys per page.
const PAGE: i64 = 2000;
/// Discrepancies that are told in full.
const EXAMPLES: usize = 10;

/// An object that should be in the store: 16 bytes each, so that a million fit. What is known of it
/// stays with its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LedgerEntry {
    /// Of its key.
    hash: u64,
    /// Worker (12 bits), kind (4 bits), index (48 bits).
    place: u64,
}

impl LedgerEntry {
    fn new(key: &[u8], worker: usize, object: ObjectRef) -> Self {
        let kind = object.kind as u64;
        LedgerEntry {
            hash: hash(key),
            place: (worker as u64) << 52 | kind << 48 | object.index & ((1 << 48) - 1),
        }
    }

    fn worker(self) -> usize {
        usize::try_from(self.place >> 52).unwrap_or(usize::MAX)
    }

    fn object(self) -> Option<ObjectRef> {
        let kind = usize::try_from(self.place >> 48 & 15).ok()?;
        Some(ObjectRef {
            kind: *Kind::ALL.get(kind)?,
            index: self.place & ((1 << 48) - 1),
        })
    }
}

/// All objects that should be in the store, by the hash of their keys.
#[derive(Debug)]
struct Ledger<'a> {
    results: &'a [WorkerResult],
    entries: Vec<LedgerEntry>,
    seen: Vec<bool>,
}

impl<'a> Ledger<'a> {
    fn new(objects: &Objects, results: &'a [WorkerResult], mine: impl Fn(Kind) -> bool) -> Self {
        let here = |(worker, e): (usize, &'a WorkerResult)| {
            e.objects
                .states
                .iter()
                .filter(|(o, s)| mine(o.kind) && (s.exists() || s.unknown()))
                .map(move |(object, _)| (worker, object))
        };
        // Counted first: growing would take twice the memory.
        let count = results.iter().enumerate().flat_map(&here).count();
        let mut entries = Vec::with_capacity(count);
        let mut key = Vec::new();
        for (worker, object) in results.iter().enumerate().flat_map(&here) {
            key.clear();
            objects.key(object, &mut key);
            entries.push(LedgerEntry::new(&key, worker, object));
        }
        entries.sort_unstable();
        Ledger {
            results,
            seen: vec![false; entries.len()],
            entries,
        }
    }

    /// What is known of a key, once.
    fn take(&mut self, key: &[u8]) -> Option<ExpectedObject> {
        let at = self
            .entries
            .binary_search_by_key(&hash(key), |k| k.hash)
            .ok()?;
        if std::mem::replace(&mut self.seen[at], true) {
            return None;
        }
        self.expected(self.entries[at])
    }

    /// What was never taken.
    fn left(&self) -> impl Iterator<Item = ExpectedObject> + '_ {
        let left = self
            .entries
            .iter()
            .zip(&self.seen)
            .filter(|(_, seen)| !**seen);
        left.filter_map(|(entry, _)| self.expected(*entry))
    }

    fn expected(&self, entry: LedgerEntry) -> Option<ExpectedObject> {
        let worker = self.results.get(entry.worker())?;
        let object = entry.object()?;
        Some(ExpectedObject {
            object,
            state: worker.objects.states.get(object),
            lease: worker
                .objects
                .states
                .get(object)
                .lease()
                .and_then(|i| worker.leases.get(i).copied()),
        })
    }
}

/// What is known of one object.
#[derive(Clone, Copy, Debug)]
struct ExpectedObject {
    object: ObjectRef,
    state: ObjState,
    /// The etcd lease that its last write carried.
    lease: Option<Grant>,
}

/// A store and what should be in it.
pub(crate) struct Expected<'a> {
    pub(crate) cluster: &'a ControlClient,
    /// Its number and name.
    pub(crate) index: usize,
    pub(crate) store: &'a str,
    /// Ends the run's keys' common part (no trailing slash).
    pub(crate) prefix: &'a str,
    pub(crate) objects: &'a Objects,
    pub(crate) results: &'a [WorkerResult],
}

/// Compares one store with the state of its objects. `mine` says which kinds this store holds.
pub(crate) async fn verify(
    expected: Expected<'_>,
    mine: impl Fn(Kind) -> bool,
    mut progress: impl FnMut(u64, u64),
) -> VerifyReport {
    let Expected {
        cluster,
        index,
        store,
        prefix,
        objects,
        results,
    } = expected;
    let mut report = VerifyReport::default();
    // Leases that have results: of objects that an answer found gone, and of those that the sweep misses.
    let mut expired: HashSet<i64> = ended(results, index).collect();
    let mut ledger = Ledger::new(objects, results, mine);
    // What was missed before is believed no longer, but it was acknowledged.
    report.lost_before = results.iter().map(|r| r.lost[index]).sum();
    report.lost = report.lost_before;
    report.acknowledged = ledger.left().map(|e| u64::from(e.state.version)).sum();
    report.acknowledged += report.lost_before;
    let total = ledger.entries.len() as u64;
    // Apiservers fight for it: nobody knows its last version.
    let mut contended = Vec::new();
    objects.key(
        ObjectRef {
            kind: Kind::CompactRev,
            index: 0,
        },
        &mut contended,
    );
    let swept = sweep(cluster, prefix, &contended, &mut ledger, &mut report, |n| {
        progress(n, total)
    })
    .await;
    let (revision, read) = match swept {
        Ok(swept) => swept,
        Err(e) => {
            report.incomplete = Some(e.to_string());
            return report;
        }
    };
    let (mut key, mut missing) = (Vec::new(), Vec::new());
    for left in ledger.left() {
        if left.state.version == 0 {
            continue; // an unknown create that was not applied
        }
        if let Some(lease) = left.lease.filter(|l| l.may_have_expired(read)) {
            report.expired += 1;
            expired.insert(lease.id);
            continue;
        }
        report.lost += u64::from(left.state.version);
        key.clear();
        objects.key(left.object, &mut key);
        if left.lease.is_none() && missing.len() < EXAMPLES {
            missing.push((key.clone(), left.state));
        }
        example(&mut report, || {
            format!(
                "{}: {} acknowledged writes, but the key is not in the store",
                text(&key),
                left.state.version
            )
        });
    }
    report.withdrawn = deleted_by_others(cluster, &missing).await;
    let marks = results.iter().map(|r| r.marks[index].revision);
    report.sweeps.push(StoreSweep {
        store: store.to_owned(),
        lock_revisions: 0,
        lock_retaken: 0,
        acknowledged_revision: marks.max().unwrap_or(0),
        revision,
        expired_leases: expired.len() as u64,
    });
    report
}

/// Whether other clients deleted what is missing: etcd's history has such a key as it was acknowledged, and etcd itself removes
/// none that has no lease. What then is missing says nothing of etcd. None where the history has none of them, or is compacted.
async fn deleted_by_others(
    cluster: &ControlClient,
    missing: &[(Vec<u8>, ObjState)],
) -> Option<String> {
    for (key, state) in missing {
        let spec = RangeSpec {
            revision: state.mod_revision,
            keys_only: true,
            ..RangeSpec::new(key, b"")
        };
        let page = cluster.range(spec).await.ok();
        let there =
            page.and_then(|page| page.kvs.first().map(|kv| (kv.mod_revision(), kv.version())));
        if there == Some((state.mod_revision, i64::from(state.version))) {
            return Some(format!(
                "another client deleted keys of this run, such as {}: etcd's history has it as it was acknowledged",
                text(key)
            ));
        }
    }
    None
}

/// The leases of a store that were seen to have removed an object, whether it was written again or not.
fn ended(results: &[WorkerResult], store: usize) -> impl Iterator<Item = i64> {
    let leases = results.iter().flat_map(|worker| &worker.leases);
    let here = leases.filter(move |l| l.ended && l.store == store);
    here.map(|l| l.id)
}

/// Adds another store's report.
pub(crate) fn add(all: &mut VerifyReport, one: VerifyReport) {
    all.keys += one.keys;
    all.acknowledged += one.acknowledged;
    all.lost += one.lost;
    all.lost_before += one.lost_before;
    all.foreign += one.foreign;
    all.indeterminate += one.indeterminate;
    all.indeterminate_applied += one.indeterminate_applied;
    all.expired += one.expired;
    all.examples.extend(one.examples);
    all.examples.truncate(EXAMPLES);
    all.sweeps.extend(one.sweeps);
    all.withdrawn = all.withdrawn.take().or(one.withdrawn);
    all.incomplete = all.incomplete.take().or(one.incomplete);
}

/// Returns the revision that was read, and an instant after etcd chose it: what had expired by then may be missing.
async fn sweep(
    cluster: &ControlClient,
    prefix: &str,
    contended: &[u8],
    ledger: &mut Ledger<'_>,
    report: &mut VerifyReport,
    mut progress: impl FnMut(u64),
) -> Result<(i64, Nanos), Failure> {
    let from = format!("{prefix}/").into_bytes();
    let end = prefix_end(&from);
    let mut next = from;
    let (mut revision, mut read) = (0, None);
    loop {
        let spec = RangeSpec {
            limit: PAGE,
            revision,
            keys_only: true,
            ..RangeSpec::new(&next, &end)
        };
        let page = cluster.range(spec).await?;
        revision = page.revision;
        let read = *read.get_or_insert_with(clock::now);
        for kv in &page.kvs {
            if own_file(prefix, kv.key()) || kv.key() == contended {
                continue;
            }
            match ledger.take(kv.key()) {
                None => {
                    report.foreign += 1;
                    example(report, || {
                        format!("{}: written by another client", text(kv.key()))
                    });
                }
                Some(e) => compare(report, &e.state, kv.key(), kv.mod_revision(), kv.version()),
            }
        }
        progress(report.keys);
        match page.kvs.last() {
            Some(last) if page.more => {
                next = last.key().to_vec();
                next.push(0);
            }
            _ => return Ok((revision, read)),
        }
    }
}

/// One key that is there, against what is known of it.
fn compare(report: &mut VerifyReport, e: &ObjState, key: &[u8], mod_revision: i64, version: i64) {
    report.keys += 1;
    let same = mod_revision == e.mod_revision && version == i64::from(e.version);
    if same {
        return;
    }
    // At most one of the unknown writes can have been applied: all were CAS on the same revision.
    let applied =
        e.unknown() && mod_revision > e.mod_revision && version == i64::from(e.version) + 1;
    if applied {
        report.indeterminate_applied += 1;
        return;
    }
    if version < i64::from(e.version) || mod_revision < e.mod_revision {
        report.lost += (i64::from(e.version) - version).max(1).unsigned_abs();
    } else {
        report.foreign += 1;
    }
    example(report, || {
        format!(
            "{}: found version {version} at revision {mod_revision}, but version {} at revision {} was acknowledged",
            text(key),
            e.version,
            e.mod_revision
        )
    });
}

fn example(report: &mut VerifyReport, f: impl FnOnce() -> String) {
    if report.examples.len() < EXAMPLES {
        report.examples.push(f());
    }
}

/// The manifest and its lock.
fn own_file(prefix: &str, key: &[u8]) -> bool {
    key.strip_prefix(prefix.as_bytes())
        .is_some_and(|tail| tail.starts_with(b"/.etcdmark"))
}

fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(unknown: bool) -> ObjState {
        let mut state = ObjState::default();
        state.mod_revision = 100;
        state.version = 5;
        state.set_unknown(unknown);
        state
    }

    fn compared(unknown: bool, mod_revision: i64, version: i64) -> VerifyReport {
        let mut report = VerifyReport::default();
        compare(&mut report, &state(unknown), b"/k", mod_revision, version);
        report
    }

    #[test]
    fn lost_foreign_and_indeterminate_are_told_apart() {
        assert_eq!(
            (
                compared(false, 100, 5).lost,
                compared(false, 100, 5).foreign
            ),
            (0, 0)
        );
        assert_eq!(compared(false, 90, 4).lost, 1);
        assert_eq!(compared(false, 50, 2).lost, 3);
        assert_eq!(compared(false, 120, 6).foreign, 1);
        assert_eq!(compared(true, 120, 6).indeterminate_applied, 1);
        assert_eq!(compared(true, 100, 5).indeterminate_applied, 0);
        assert_eq!(compared(true, 120, 7).foreign, 1);
        assert_eq!(compared(true, 90, 4).lost, 1);
    }

    #[test]
    fn an_entry_is_16_bytes_and_is_found_again() {
        assert_eq!(size_of::<LedgerEntry>(), 16);
        for (i, kind) in Kind::ALL.into_iter().enumerate() {
            for index in [0, 1, (1 << 48) - 1] {
                let object = ObjectRef { kind, index };
                let entry = LedgerEntry::new(b"/k", 300 * i, object);
                assert_eq!((entry.worker(), entry.object()), (300 * i, Some(object)));
                assert_eq!(Kind::ALL[kind as usize], kind);
            }
        }
    }
}
