//! The sweep after the load: every key under the prefix, at one revision, against what the shards know.

use super::thread::Ended;
use crate::clock;
use crate::etcd::control::{Cluster, RangeSpec, prefix_end};
use crate::kube::{Kind, ObjectRef, Objects};
use crate::report::{Sweep, VerifyReport};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Keys per page.
const PAGE: i64 = 2000;
/// Discrepancies that are told in full.
const EXAMPLES: usize = 10;

#[derive(Clone, Copy, Debug)]
struct Expected {
    object: ObjectRef,
    mod_revision: i64,
    version: u32,
    unknown: bool,
    /// Its etcd lease, when that may have ended.
    expirable: Option<i64>,
}

/// Compares one store with the state of its objects. `prefix` ends the run's keys' common part (no
/// trailing slash); `mine` says which kinds this store holds.
pub(crate) async fn verify(
    cluster: &Cluster,
    store: &str,
    prefix: &str,
    objects: &Objects,
    ended: &[Ended],
    mine: impl Fn(Kind) -> bool,
    mut progress: impl FnMut(u64, u64),
) -> VerifyReport {
    let now = clock::now();
    let mut report = VerifyReport::default();
    let mut expected = HashMap::new();
    let mut key = Vec::new();
    let mut expired = HashSet::new();
    for shard in ended {
        for (object, state) in shard.states.iter().filter(|(o, _)| mine(o.kind)) {
            let lease = state.lease().and_then(|i| shard.leases.get(i));
            if !state.exists() && !state.unknown() {
                // A read found it gone, with its lease.
                expired.extend(lease.map(|l| l.id));
                continue;
            }
            let expirable = lease.filter(|l| l.may_have_expired(now)).map(|l| l.id);
            key.clear();
            objects.key(object, &mut key);
            report.acknowledged += u64::from(state.version);
            expected.insert(
                hash(&key),
                Expected {
                    object,
                    mod_revision: state.mod_revision,
                    version: state.version,
                    unknown: state.unknown(),
                    expirable,
                },
            );
        }
    }
    let total = expected.len() as u64;
    let swept = sweep(cluster, prefix, &mut expected, &mut report, |n| {
        progress(n, total)
    })
    .await;
    let revision = match swept {
        Ok(revision) => revision,
        Err(e) => {
            report.incomplete = Some(e);
            return report;
        }
    };
    for left in expected.values() {
        if left.version == 0 {
            continue; // an unknown create that was not applied
        }
        if let Some(lease) = left.expirable {
            report.expired += 1;
            expired.insert(lease);
            continue;
        }
        report.lost += u64::from(left.version);
        key.clear();
        objects.key(left.object, &mut key);
        example(&mut report, || {
            format!(
                "{}: {} acknowledged writes, the key is not in the store",
                text(&key),
                left.version
            )
        });
    }
    report.sweeps.push(Sweep {
        store: store.to_owned(),
        revision,
        expired_leases: expired.len() as u64,
    });
    report
}

/// Adds another store's report.
pub(crate) fn add(all: &mut VerifyReport, one: VerifyReport) {
    all.keys += one.keys;
    all.acknowledged += one.acknowledged;
    all.lost += one.lost;
    all.foreign += one.foreign;
    all.indeterminate += one.indeterminate;
    all.indeterminate_applied += one.indeterminate_applied;
    all.expired += one.expired;
    all.examples.extend(one.examples);
    all.examples.truncate(EXAMPLES);
    all.sweeps.extend(one.sweeps);
    all.incomplete = all.incomplete.take().or(one.incomplete);
}

/// Returns the revision that was read.
async fn sweep(
    cluster: &Cluster,
    prefix: &str,
    expected: &mut HashMap<u64, Expected>,
    report: &mut VerifyReport,
    mut progress: impl FnMut(u64),
) -> Result<i64, String> {
    let from = format!("{prefix}/").into_bytes();
    let end = prefix_end(&from);
    let mut next = from;
    let mut revision = 0;
    loop {
        let spec = RangeSpec {
            limit: PAGE,
            revision,
            keys_only: true,
            ..RangeSpec::new(&next, &end)
        };
        let page = cluster.range(spec).await.map_err(|e| e.to_string())?;
        revision = page.revision;
        for kv in &page.kvs {
            if own_file(prefix, kv.key()) {
                continue;
            }
            match expected.remove(&hash(kv.key())) {
                None => {
                    report.foreign += 1;
                    example(report, || {
                        format!("{}: written by somebody else", text(kv.key()))
                    });
                }
                Some(e) => compare(report, &e, kv.key(), kv.mod_revision(), kv.version()),
            }
        }
        progress(report.keys);
        match page.kvs.last() {
            Some(last) if page.more => {
                next = last.key().to_vec();
                next.push(0);
            }
            _ => return Ok(revision),
        }
    }
}

/// One key that is there, against what is known of it.
fn compare(report: &mut VerifyReport, e: &Expected, key: &[u8], mod_revision: i64, version: i64) {
    report.keys += 1;
    let same = mod_revision == e.mod_revision && version == i64::from(e.version);
    if same {
        return;
    }
    // At most one of the unknown writes can have been applied: all were CAS on the same revision.
    let applied = e.unknown && mod_revision > e.mod_revision && version == i64::from(e.version) + 1;
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
            "{}: version {version} at revision {mod_revision}, acknowledged was version {} at revision {}",
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

    fn expected(unknown: bool) -> Expected {
        let object = ObjectRef {
            kind: Kind::NodeLease,
            index: 0,
        };
        Expected {
            object,
            mod_revision: 100,
            version: 5,
            unknown,
            expirable: None,
        }
    }

    fn compared(unknown: bool, mod_revision: i64, version: i64) -> VerifyReport {
        let mut report = VerifyReport::default();
        compare(
            &mut report,
            &expected(unknown),
            b"/k",
            mod_revision,
            version,
        );
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
}
