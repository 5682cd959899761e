//! What a store holds and what is written to it, seen from outside and read-only: sizes, counts by resource, and one
//! watch for the length of a window. A watch sees every write and delete; counting keys whose mod revision lies in the
//! window would count a Lease once that was renewed six times, and no delete at all.

mod compacted;
mod holdings;
mod watch;

use compacted::compacted_revision;
use holdings::holdings;
use watch::{Other, Watch};

use super::manifest::HOME;
use super::others::COMPACTOR;
use super::prefixes::kubernetes_prefixes;
use super::segments::{resource, segment};
use crate::clock::{self, Nanos, SECOND};
use crate::etcd::control::{ControlClient, ControlError, MemberStatus};
use crate::measure::quota_model::{Put, delete_size, put_size};
use etcd_client::KeyValue;
use std::collections::BTreeMap;
use std::time::Duration;

/// The window ends early when so many bytes of keys and values have come: what is asked for here is a bounded burden.
const MOST_BYTES: u64 = 512 << 20;
/// How long events of the window are waited for after its end.
const GRACE: Duration = Duration::from_secs(2);
/// Between two readings of the file's size.
const TICK: Duration = Duration::from_secs(1);
/// Before the resources of etcdmark's own runs.
const OURS: &str = "etcdmark/";
/// Keys that are in no resource.
pub const OTHER: &str = "(no resource)";

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// How long writes were watched, seconds.
    pub seconds: f64,
    /// How long they were to be watched, seconds.
    pub window: f64,
    /// By resource, as it is after `/registry/` (whole under another prefix); `etcdmark/RESOURCE` for runs of etcdmark.
    pub resources: BTreeMap<String, ResourceKeys>,
    /// (seconds into the window, file, of it in use), bytes; the largest of the members.
    pub sizes: Vec<(f64, i64, i64)>,
    /// Revisions at the window's ends.
    pub revisions: (i64, i64),
    /// Of these, seen by the watch.
    pub seen: u64,
    /// Rounds of kube-apiserver's compactor in the window.
    pub compactor_rounds: u64,
    /// The key of kube-apiserver's compactor: (rounds so far, revision of the last one's compaction).
    pub compactor: Option<(i64, i64)>,
    /// Why that key could not be read.
    pub compactor_unread: Option<String>,
    /// Up to which revision the history is compacted, at the window's ends; 0 = nothing was ever compacted. None: not
    /// known.
    pub compacted: Option<(i64, i64)>,
    /// Why the window ended before its time.
    pub ended_early: Option<EndedEarly>,
    /// Why not all keys could be counted.
    pub uncounted: Option<String>,
    /// What could not be seen, and why.
    pub notes: Vec<String>,
    /// Where Kubernetes keeps its objects in this store.
    pub prefixes: Vec<String>,
}

/// Why a window ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndedEarly {
    /// The user stopped it.
    Interrupted,
    /// It had seen [`MOST_BYTES`]: enough for a plan.
    Enough,
    /// etcd answered no more, or another one does: what followed is not known.
    Lost(String),
}

/// What was seen of one resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceKeys {
    /// Keys that are there; None when they could not be counted.
    pub keys: Option<i64>,
    /// Keys that came into being in the window.
    pub creates: u64,
    /// Keys that were written again.
    pub updates: u64,
    /// Keys that were deleted, expired ones included.
    pub deletes: u64,
    /// Elements written: size (by [`put_size`], [`delete_size`]) → how many.
    pub elements: BTreeMap<u64, u64>,
    /// Elements of keys that are there: size → how many, of a sample.
    pub sample: BTreeMap<u64, u64>,
}

/// Watches a store for `window` or until `stop`, counts and samples its keys. `tell` is told the seconds about once a
/// second. Where the watch breaks, it goes on from its last revision on whichever member answers first.
///
/// # Errors
/// When neither the whole key space nor `/registry/` may be watched.
pub async fn survey(
    cluster: &ControlClient,
    window: Duration,
    stop: impl Future<Output = ()>,
    mut tell: impl FnMut(f64),
) -> Result<Survey, ControlError> {
    let mut s = Survey {
        prefixes: kubernetes_prefixes(cluster).await?,
        window: window.as_secs_f64(),
        ..Survey::default()
    };
    let mut watch = Watch::open(cluster, &mut s).await?;
    let begun = clock::now();
    let end = begun.saturating_add(clock::nanos(window));
    s.revisions = (watch.last, watch.last);
    let first_compacted = compacted_revision(cluster, watch.last).await.ok();
    let mut ticks = tokio::time::interval(TICK);
    let mut stop = std::pin::pin!(stop);
    let (mut answered, mut lost) = (0.0, None);
    while clock::now() < end && watch.bytes < MOST_BYTES {
        let left = Duration::from_nanos(end.saturating_sub(clock::now()));
        tokio::select! {
            message = watch.stream.message(), if watch.broken.is_none() => {
                watch.take(&mut s, message, i64::MAX);
            }
            _ = ticks.tick() => {
                if let Err(Other(why)) = mend(&mut watch, cluster, &mut s, answered).await {
                    lost = Some(why);
                    break;
                }
                let revision = size(cluster, &mut s, begun).await;
                if revision.is_some() && watch.broken.is_none() {
                    answered = seconds(begun);
                }
                tell(seconds(begun));
            }
            () = tokio::time::sleep(left) => {}
            () = &mut stop => {
                s.ended_early = Some(EndedEarly::Interrupted);
                break;
            }
        }
    }
    let last = size(cluster, &mut s, begun).await;
    let lost = lost.or(watch.broken.clone());
    let silent = || "no member answers".to_owned();
    if let Some(why) = lost.or_else(|| last.is_none().then(silent)) {
        // What was written since is not known.
        s.ended_early = Some(EndedEarly::Lost(why));
        s.seconds = answered;
        s.revisions.1 = watch.last.max(s.revisions.0);
        return Ok(s);
    }
    s.seconds = seconds(begun);
    if watch.bytes >= MOST_BYTES {
        s.ended_early = Some(EndedEarly::Enough);
    }
    s.revisions.1 = last.unwrap_or(watch.last).max(s.revisions.0);
    // What was written before the window's end may still be on its way.
    let rest = async {
        while watch.last < s.revisions.1 && watch.broken.is_none() && watch.bytes < MOST_BYTES {
            let (message, last) = (watch.stream.message().await, s.revisions.1);
            watch.take(&mut s, message, last);
        }
    };
    let _ = tokio::time::timeout(GRACE, rest).await;
    if let Err(e) = holdings(cluster, &mut s).await {
        s.uncounted = Some(e.to_string());
    }
    if let Some(first) = first_compacted {
        let last = compacted_revision(cluster, s.revisions.1).await.ok();
        s.compacted = last.map(|last| (first, last));
    }
    Ok(s)
}

impl Survey {
    fn count(&mut self, kv: &KeyValue, deleted: bool) {
        self.compactor_rounds += u64::from(kv.key() == COMPACTOR);
        let row = self
            .resources
            .entry(name(kv.key(), &self.prefixes))
            .or_default();
        let size = if deleted {
            row.deletes += 1;
            delete_size(kv.key().len() as u64)
        } else if kv.create_revision() == kv.mod_revision() {
            row.creates += 1;
            element(kv)
        } else {
            row.updates += 1;
            element(kv)
        };
        *row.elements.entry(size).or_default() += 1;
    }
}

fn element(kv: &KeyValue) -> u64 {
    put_size(&Put {
        key: kv.key().len() as u64,
        value: kv.value().len() as u64,
        create_revision: kv.create_revision(),
        mod_revision: kv.mod_revision(),
        version: kv.version(),
        lease: kv.lease(),
    })
}

/// The resource of a key.
fn name(key: &[u8], prefixes: &[String]) -> String {
    let key = String::from_utf8_lossy(key);
    // A cluster may begin to write while it is watched.
    let usual = std::iter::once("/registry");
    for prefix in prefixes.iter().map(String::as_str).chain(usual) {
        let rest = key.strip_prefix(prefix).and_then(|r| r.strip_prefix('/'));
        if let Some(rest) = rest {
            return resource(prefix, &segment(rest));
        }
    }
    let run = key.strip_prefix(HOME).and_then(|r| r.strip_prefix('/'));
    match run.and_then(|r| r.split_once('/')) {
        Some((_, rest)) if !rest.starts_with(".etcdmark") => format!("{OURS}{}", segment(rest)),
        _ => OTHER.to_owned(),
    }
}

/// Opens a broken watch again, `answered` seconds after the window's begin.
async fn mend(
    watch: &mut Watch,
    cluster: &ControlClient,
    s: &mut Survey,
    answered: f64,
) -> Result<(), Other> {
    let Some(why) = watch.broken.clone() else {
        return Ok(());
    };
    if watch.again(cluster).await? {
        watch.broken = None;
        s.notes.push(format!(
            "the watch broke after {answered:.0} s ({why}) and went on from the same revision"
        ));
    }
    Ok(())
}

/// Reads the sizes, and the revision where a member answered.
async fn size(cluster: &ControlClient, s: &mut Survey, begun: Nanos) -> Option<i64> {
    let mut largest: Option<MemberStatus> = None;
    let mut revision = None;
    for member in cluster.each() {
        if let Ok(status) = member.status().await {
            revision = revision.max(Some(status.revision));
            if largest.as_ref().is_none_or(|l| l.db_size < status.db_size) {
                largest = Some(status);
            }
        }
    }
    let largest = largest?;
    let row = (seconds(begun), largest.db_size, largest.db_size_in_use);
    s.sizes.push(row);
    revision
}

fn seconds(begun: Nanos) -> f64 {
    clock::now().saturating_sub(begun) as f64 / SECOND as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_one_resource() {
        let prefixes = ["/kubernetes.io".to_owned()];
        for (key, resource) in [
            ("/registry/leases/kube-node-lease/n1", "leases"),
            ("/registry/services/endpoints/ns/x", "services/endpoints"),
            ("/registry/x.io/things/ns/x", "x.io/things"),
            ("/kubernetes.io/pods/ns/x", "/kubernetes.io/pods"),
            ("/registry-etcdmark/r1/events/ns/x", "etcdmark/events"),
            (
                "/registry-etcdmark/r1/services/endpoints/ns/x",
                "etcdmark/services/endpoints",
            ),
            ("/registry-etcdmark/r1/.etcdmark-lock", OTHER),
            ("compact_rev_key", OTHER),
        ] {
            assert_eq!(name(key.as_bytes(), &prefixes), resource, "{key}");
        }
        assert_eq!(name(b"\xff", &prefixes), OTHER);
    }
}
