//! What a store holds and what is written to it, seen from outside and read-only: sizes, counts by resource, and one
//! watch for the length of a window. A watch sees every write and delete; counting keys whose mod revision lies in the
//! window would count a Lease once that was renewed six times, and no delete at all.

use super::manifest::HOME;
use super::others::COMPACTOR;
use super::prefixes::kubernetes_prefixes;
use super::segments::{by_segment, resource, segment};
use crate::clock::{self, Nanos, SECOND};
use crate::etcd::control::{ControlClient, ControlError, Member, MemberStatus, RangeSpec};
use crate::measure::quota_model::{Put, delete_size, put_size};
use crate::rpc::prefix_end;
use etcd_client::{EventType, KeyValue, WatchResponse, WatchStream};
use std::collections::BTreeMap;
use std::time::Duration;

/// Values that are read of each resource to learn their sizes.
const SAMPLE: i64 = 20;
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
    /// Length of the window, seconds.
    pub seconds: f64,
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
    /// What could not be seen, and why.
    pub notes: Vec<String>,
    /// Where Kubernetes keeps its objects in this store.
    pub prefixes: Vec<String>,
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

/// Watches a store for `window`, counts and samples its keys. `tell` is told the seconds about once a
/// second. Ends early, and says so in the notes, when the watch breaks.
///
/// # Errors
/// When neither the whole key space nor `/registry/` may be watched.
pub async fn survey(
    cluster: &ControlClient,
    window: Duration,
    mut tell: impl FnMut(f64),
) -> Result<Survey, ControlError> {
    let mut s = Survey {
        prefixes: kubernetes_prefixes(cluster).await?,
        ..Survey::default()
    };
    let mut watch = Watch::open(cluster, &mut s).await?;
    let begun = clock::now();
    let end = begun.saturating_add(clock::nanos(window));
    s.revisions = (watch.last, watch.last);
    let mut ticks = tokio::time::interval(TICK);
    while clock::now() < end && watch.broken.is_none() && watch.bytes < MOST_BYTES {
        let left = Duration::from_nanos(end.saturating_sub(clock::now()));
        tokio::select! {
            message = watch.stream.message() => watch.take(&mut s, message, i64::MAX),
            _ = ticks.tick() => {
                size(cluster, &mut s, begun).await;
                tell(seconds(begun));
            }
            () = tokio::time::sleep(left) => {}
        }
    }
    s.seconds = seconds(begun);
    let last = size(cluster, &mut s, begun).await;
    s.revisions.1 = last.unwrap_or(watch.last).max(s.revisions.0);
    // What was written before the window's end may still be on its way.
    let rest = async {
        while watch.last < s.revisions.1 && watch.broken.is_none() && watch.bytes < MOST_BYTES {
            let (message, last) = (watch.stream.message().await, s.revisions.1);
            watch.take(&mut s, message, last);
        }
    };
    let _ = tokio::time::timeout(GRACE, rest).await;
    if watch.bytes >= MOST_BYTES {
        let most = MOST_BYTES >> 20;
        s.notes.push(format!(
            "the window ended early, after {most} MiB of writes"
        ));
    }
    if let Some(why) = watch.broken {
        s.notes.push(format!(
            "the window ended early, because the watch ended: {why}"
        ));
    }
    if let Err(e) = holdings(cluster, &mut s).await {
        s.notes.push(format!("could not count all keys: {e}"));
    }
    Ok(s)
}

/// One watch, and how far it has come.
struct Watch {
    stream: WatchStream,
    /// The last revision that was seen whole, or the one before the watch.
    last: i64,
    bytes: u64,
    broken: Option<String>,
}

impl Watch {
    /// Over everything, or over `/registry/` where a user may see no more.
    async fn open(cluster: &ControlClient, s: &mut Survey) -> Result<Watch, ControlError> {
        let mut refused = None;
        for member in cluster.each() {
            for (from, to) in [(&b"\0"[..], &b"\0"[..]), (b"/registry/", b"/registry0")] {
                match Watch::over(member, from, to).await {
                    Ok(watch) => {
                        if from != b"\0" {
                            s.notes
                                .push("this user may watch only /registry/".to_owned());
                        }
                        return Ok(watch);
                    }
                    Err(e) => refused = Some(e),
                }
            }
        }
        let last = "no member is given".to_owned();
        Err(refused.unwrap_or(ControlError::NoneReachable { last }))
    }

    async fn over(member: &Member, from: &[u8], to: &[u8]) -> Result<Watch, ControlError> {
        let mut stream = member.watch(from, to).await?;
        let failed = |message: String| ControlError::Status {
            endpoint: member.endpoint().to_owned(),
            call: "Watch",
            code: 0,
            message,
        };
        let first = tokio::time::timeout(GRACE, stream.message()).await;
        let first = first.map_err(|_| failed("no answer".to_owned()))?;
        match first.map_err(|e| failed(e.to_string()))? {
            Some(m) if m.created() && !m.canceled() => Ok(Watch {
                stream,
                last: m.header().map_or(0, |h| h.revision()),
                bytes: 0,
                broken: None,
            }),
            Some(m) => Err(failed(m.cancel_reason().to_owned())),
            None => Err(failed("the stream ended".to_owned())),
        }
    }

    /// Counts what a message tells of revisions up to `until`.
    fn take(
        &mut self,
        s: &mut Survey,
        message: Result<Option<WatchResponse>, etcd_client::Error>,
        until: i64,
    ) {
        let message = match message {
            Ok(Some(m)) if !m.canceled() => m,
            Ok(Some(m)) => return self.broken = Some(m.cancel_reason().to_owned()),
            Ok(None) => return self.broken = Some("the stream ended".to_owned()),
            Err(e) => return self.broken = Some(e.to_string()),
        };
        for event in message.events() {
            let Some(kv) = event.kv() else { continue };
            if kv.mod_revision() > until {
                self.last = kv.mod_revision();
                return;
            }
            s.seen += u64::from(kv.mod_revision() > self.last);
            self.last = self.last.max(kv.mod_revision());
            self.bytes += (kv.key().len() + kv.value().len()) as u64;
            s.count(kv, event.event_type() == EventType::Delete);
        }
    }
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

/// Counts keys by resource, reads a few values of each for their sizes, and the compactor's key.
async fn holdings(cluster: &ControlClient, s: &mut Survey) -> Result<(), ControlError> {
    if let Some(kv) = cluster.get(COMPACTOR).await.ok().flatten() {
        let revision = String::from_utf8_lossy(kv.value()).parse().unwrap_or(0);
        s.compactor = Some((kv.version(), revision));
    }
    for prefix in kubernetes_prefixes(cluster).await? {
        let named = resource(&prefix, "");
        hold(cluster, s, &format!("{prefix}/"), &named).await?;
    }
    for run in by_segment(cluster, &format!("{HOME}/")).await?.into_keys() {
        hold(cluster, s, &format!("{HOME}/{run}/"), OURS).await?;
    }
    Ok(())
}

async fn hold(
    cluster: &ControlClient,
    s: &mut Survey,
    base: &str,
    prefix: &str,
) -> Result<(), ControlError> {
    for (resource, keys) in by_segment(cluster, base).await? {
        if resource.starts_with(".etcdmark") {
            continue;
        }
        let row = s
            .resources
            .entry(format!("{prefix}{resource}"))
            .or_default();
        row.keys = Some(row.keys.unwrap_or(0) + keys);
        let from = format!("{base}{resource}/").into_bytes();
        let to = prefix_end(&from);
        let spec = RangeSpec {
            limit: SAMPLE,
            ..RangeSpec::new(&from, &to)
        };
        // A few values more or less decide little: what cannot be read is left out.
        let Ok(page) = cluster.range(spec).await else {
            continue;
        };
        for kv in &page.kvs {
            *row.sample.entry(element(kv)).or_default() += 1;
        }
    }
    Ok(())
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
