//! What was acknowledged and is no longer there, noticed as answers come in. What a store has acknowledged is kept
//! apart from what is believed of its objects: a belief follows the store, also backwards, and what it leaves behind
//! then is counted here.

use super::objects::Missing;
use super::session::Context;
use super::worker::Worker;
use crate::clock;
use crate::human::numbers::count;
use crate::kube::{ObjectRef, OpClass};
use crate::report::{LossEvent, LossKind};
use crate::rpc::messages::{KeyValue, ResponseHeader};
use bytes::Bytes;
use prost::Message;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// The highest revision that a store has answered with, and which cluster it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HighWater {
    pub(crate) revision: i64,
    pub(crate) cluster: u64,
    /// How often it was lost: what was sent before then says nothing of it.
    age: u32,
}

impl HighWater {
    /// The store itself has gone back, or another one answers.
    pub(crate) fn was_lost(self) -> bool {
        self.age > 0
    }
}

/// Of one worker.
#[derive(Debug)]
pub(crate) struct Losses {
    /// By store.
    marks: Vec<Cell<HighWater>>,
    /// Acknowledged writes that were found missing, by store.
    writes: RefCell<Vec<u64>>,
    /// Since they were last handed over: a store that loses much shall not flood the stream.
    events: RefCell<BTreeMap<(usize, LossKind), LossEvent>>,
}

impl Losses {
    /// For stores with these cluster ids.
    pub(crate) fn new(clusters: impl Iterator<Item = u64>) -> Self {
        let mark = |cluster| HighWater {
            cluster,
            ..HighWater::default()
        };
        let marks: Vec<_> = clusters.map(|id| Cell::new(mark(id))).collect();
        Losses {
            writes: RefCell::new(vec![0; marks.len()]),
            marks,
            events: RefCell::default(),
        }
    }

    /// What the store has acknowledged by now: taken before a request is sent.
    pub(crate) fn mark(&self, store: usize) -> HighWater {
        self.marks[store].get()
    }

    pub(crate) fn marks(&self) -> Vec<HighWater> {
        self.marks.iter().map(Cell::get).collect()
    }

    /// Acknowledged writes that were found missing, by store.
    pub(crate) fn writes(&self) -> Vec<u64> {
        self.writes.borrow().clone()
    }

    /// What was noticed since the last call.
    pub(crate) fn take(&self) -> Vec<LossEvent> {
        std::mem::take(&mut *self.events.borrow_mut())
            .into_values()
            .collect()
    }

    /// An answer to what was sent at this mark: what shows that it is older than the mark, or of another cluster.
    fn hear(&self, store: usize, sent: HighWater, header: ResponseHeader) -> Option<LossKind> {
        let cell = &self.marks[store];
        let now = cell.get();
        // It was sent before the last loss: it tells nothing new.
        if sent.age != now.age {
            return None;
        }
        let other =
            sent.cluster != 0 && header.cluster_id != 0 && header.cluster_id != sent.cluster;
        let kind = match (other, header.revision < sent.revision) {
            (true, _) => LossKind::Cluster,
            (_, true) => LossKind::Revision,
            _ => {
                cell.set(HighWater {
                    revision: now.revision.max(header.revision),
                    ..now
                });
                return None;
            }
        };
        cell.set(HighWater {
            revision: header.revision,
            cluster: header.cluster_id,
            age: now.age + 1,
        });
        Some(kind)
    }
}

impl Worker {
    /// Holds an answer's header to what the store had acknowledged when its request was sent.
    pub(super) fn hear(&self, store: usize, sent: HighWater, answer: &Bytes) {
        let Some(header) = header(answer) else { return };
        let Some(kind) = self.losses.hear(store, sent, header) else {
            return;
        };
        self.lost(store, kind, 0, || match kind {
            LossKind::Cluster => format!(
                "cluster {:x} was answering, now it is cluster {:x}",
                sent.cluster, header.cluster_id
            ),
            _ => revision_went_back(sent.revision, header.revision),
        });
    }

    /// What the store holds, as an answer showed it. The belief follows; acknowledged writes that are not there
    /// any more are lost, unless their etcd lease may have ended.
    pub(super) fn learn(&self, object: ObjectRef, class: OpClass, kv: Option<&KeyValue>) {
        if let Some(missing) = self.objects.adopt(object, kv) {
            self.missing(object, class, missing);
        }
    }

    pub(super) fn missing(&self, object: ObjectRef, class: OpClass, missing: Missing) {
        let vanished = missing.found.1 == 0;
        if let Some(lease) = missing.lease.filter(|_| vanished)
            && self.leases.borrow_mut().ended(lease, clock::now())
        {
            return;
        }
        let kind = if vanished {
            LossKind::Vanished
        } else {
            LossKind::Older
        };
        let store = self.run.routes.of(class, object).store;
        self.lost(store, kind, missing.writes(), || {
            let mut key = Vec::new();
            self.run.objects.key(object, &mut key);
            missing.text(&String::from_utf8_lossy(&key))
        });
    }

    /// etcd no longer knows the lease that a write carries.
    pub(super) fn lease_not_found(&self, context: &Context, class: OpClass) {
        let Some(index) = context.lease else { return };
        let (now, mut leases) = (clock::now(), self.leases.borrow_mut());
        let Some(grant) = leases.get(index) else {
            return;
        };
        if grant.may_have_expired(now) || !leases.lost(index) {
            return;
        }
        let store = self.run.routes.of(class, context.object).store;
        self.lost(store, LossKind::Lease, 0, || {
            let age = now.saturating_sub(grant.sent) / clock::SECOND;
            let (id, ttl) = (grant.id, grant.ttl);
            format!("lease {id:x}, granted for {ttl} s, was gone after {age} s")
        });
    }

    fn lost(&self, store: usize, kind: LossKind, writes: u64, example: impl FnOnce() -> String) {
        self.losses.writes.borrow_mut()[store] += writes;
        let mut events = self.losses.events.borrow_mut();
        let event = events.entry((store, kind)).or_insert_with(|| LossEvent {
            t: self.recorder.borrow().seconds(clock::now()),
            store: self.run.plan.stores[store].name.clone(),
            kind,
            times: 0,
            writes: 0,
            example: example(),
        });
        event.times += 1;
        event.writes += writes;
    }
}

pub(super) fn revision_went_back(from: i64, to: i64) -> String {
    let n = |r: i64| count(r.unsigned_abs());
    format!("the revision went back from {} to {}", n(from), n(to))
}

/// The header that an answer begins with; etcd writes fields in the order of their numbers.
fn header(answer: &Bytes) -> Option<ResponseHeader> {
    let rest = answer.strip_prefix(&[0x0a])?;
    ResponseHeader::decode_length_delimited(rest).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(losses: &Losses, sent: HighWater, cluster_id: u64, revision: i64) -> Option<LossKind> {
        let header = ResponseHeader {
            cluster_id,
            revision,
            ..ResponseHeader::default()
        };
        losses.hear(0, sent, header)
    }

    #[test]
    fn a_loss_is_told_once_and_what_was_sent_before_it_is_not_held_against_the_store() {
        let losses = Losses::new([7].into_iter());
        let first = losses.mark(0);
        assert_eq!(heard(&losses, first, 7, 100), None);
        // An answer that overtook another one is no loss.
        assert_eq!(heard(&losses, first, 7, 90), None);
        let full = losses.mark(0);
        assert_eq!(full.revision, 100);
        assert_eq!(heard(&losses, full, 7, 90), Some(LossKind::Revision));
        assert_eq!(heard(&losses, full, 7, 91), None);
        let restored = losses.mark(0);
        assert_eq!(heard(&losses, restored, 7, 90), None);
        assert_eq!(heard(&losses, restored, 8, 200), Some(LossKind::Cluster));
        assert_eq!(losses.mark(0).revision, 200);
    }

    #[test]
    fn the_header_of_an_answer_is_read_without_the_rest() {
        let header_of = ResponseHeader {
            cluster_id: 7,
            member_id: u64::MAX,
            revision: 1 << 40,
            raft_term: 3,
        };
        let answer = crate::rpc::messages::RangeResponse {
            header: Some(header_of),
            kvs: vec![KeyValue::default(); 3],
            more: false,
            count: 3,
        };
        assert_eq!(header(&answer.encode_to_vec().into()), Some(header_of));
        assert_eq!(header(&Bytes::new()), None);
    }
}
