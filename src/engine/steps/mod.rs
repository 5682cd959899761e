//! The steps of sessions: each turned into requests, conflicts followed as kube-apiserver does, and what is known of
//! the object kept true.

mod compactor;
mod defragment;
mod lease;
mod read;
mod write;

use super::session::{Context, Failed};
use super::worker::Worker;
use crate::kube::Write;
use crate::kube::actors::LeaseUse;
use crate::rpc::messages::response_op::Response;
use crate::rpc::messages::{KeyValue, TxnResponse};
use bytes::{Bytes, BytesMut};

impl Worker {
    /// The object's value for its next write, intended now, appended to an empty scratch buffer.
    fn with_value<T>(
        &self,
        context: &Context,
        sequence: u32,
        f: impl FnOnce(&[u8], &[u8]) -> T,
    ) -> T {
        let mut scratch = self.scratch.borrow_mut();
        scratch.clear();
        self.run.objects.key(context.object, &mut scratch);
        let key = scratch.len();
        let write = Write {
            sequence,
            at: self.run.anchor.unix(context.intended),
        };
        self.run.objects.value(context.object, write, &mut scratch);
        let (key, value) = scratch.split_at(key);
        f(key, value)
    }

    /// The id of the etcd lease that a write carries, 0 = none.
    fn lease_id(&self, context: &Context, lease: LeaseUse) -> i64 {
        match lease {
            LeaseUse::None => 0,
            LeaseUse::Granted => context
                .lease
                .and_then(|i| self.leases.borrow().get(i))
                .map_or(0, |g| g.id),
        }
    }
}

/// What the failed transaction's range found.
fn found(answer: &TxnResponse) -> Option<&KeyValue> {
    answer.responses.iter().find_map(|op| match &op.response {
        Some(Response::Range(range)) => range.kvs.first(),
        _ => None,
    })
}

/// A request frame of its own buffer (the wire keeps it until it is sent).
fn frame(write: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    write(&mut out);
    out.freeze()
}
