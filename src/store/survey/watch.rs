//! One watch for the length of a survey.

use super::{GRACE, Survey};
use crate::etcd::control::{ControlClient, ControlError, Member};
use etcd_client::{EventType, WatchResponse, WatchStream};
use std::error::Error;

/// All keys, or what a user may see who may see no more.
const RANGES: [(&[u8], &[u8]); 2] = [(b"\0", b"\0"), (b"/registry/", b"/registry0")];

/// One watch, and how far it has come.
pub(super) struct Watch {
    pub(super) stream: WatchStream,
    /// The last revision that was seen whole, or the one before the watch.
    pub(super) last: i64,
    pub(super) bytes: u64,
    pub(super) broken: Option<String>,
    cluster_id: u64,
    range: (&'static [u8], &'static [u8]),
}

/// Another store answers, or the store has gone back: the watch cannot go on.
pub(super) struct Other(pub(super) String);

impl Watch {
    /// Over everything, or over `/registry/` where a user may see no more.
    pub(super) async fn open(
        cluster: &ControlClient,
        s: &mut Survey,
    ) -> Result<Watch, ControlError> {
        let mut refused = None;
        for member in cluster.each() {
            for range in RANGES {
                match Watch::over(member, range, 0).await {
                    Ok(watch) => {
                        if range != RANGES[0] {
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

    /// Goes on after the last revision, on whichever member answers first; whether one did.
    pub(super) async fn again(&mut self, cluster: &ControlClient) -> Result<bool, Other> {
        for member in cluster.each() {
            let Ok(next) = Watch::over(member, self.range, self.last + 1).await else {
                continue;
            };
            if next.cluster_id != self.cluster_id {
                let (id, was) = (next.cluster_id, self.cluster_id);
                return Err(Other(format!(
                    "{} answers for another cluster, {id:x} instead of {was:x}",
                    member.endpoint()
                )));
            }
            if next.last < self.last {
                let (revision, was) = (next.last, self.last);
                return Err(Other(format!(
                    "the store went back from revision {was} to {revision}"
                )));
            }
            self.stream = next.stream;
            return Ok(true);
        }
        Ok(false)
    }

    /// From a revision on; 0 = from now on.
    async fn over(
        member: &Member,
        range: (&'static [u8], &'static [u8]),
        revision: i64,
    ) -> Result<Watch, ControlError> {
        let mut stream = member.watch(range.0, range.1, revision).await?;
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
                cluster_id: m.header().map_or(0, |h| h.cluster_id()),
                range,
            }),
            Some(m) => Err(failed(m.cancel_reason().to_owned())),
            None => Err(failed("the stream ended".to_owned())),
        }
    }

    /// Counts what a message tells of revisions up to `until`.
    pub(super) fn take(
        &mut self,
        s: &mut Survey,
        message: Result<Option<WatchResponse>, etcd_client::Error>,
        until: i64,
    ) {
        let message = match message {
            Ok(Some(m)) if !m.canceled() => m,
            Ok(Some(m)) => return self.broken = Some(m.cancel_reason().to_owned()),
            Ok(None) => return self.broken = Some("the stream ended".to_owned()),
            Err(etcd_client::Error::GRpcStatus(status)) if status.source().is_none() => {
                return self.broken = Some(status.message().to_owned());
            }
            // What the transport says of it names its own parts.
            Err(_) => return self.broken = Some("the connection broke".to_owned()),
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
