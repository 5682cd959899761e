//! Plays the defragmenter's turn: every member of every store, one after the other, a store's leader last (it leads
//! for as long as possible, and an election comes at the end if at all). Each member is an operation and an event.

use super::recorder::Attempt;
use super::session::Context;
use super::worker::Worker;
use crate::clock;
use crate::etcd::control::{ControlError, Member};
use crate::kube::OpClass;
use crate::report::{DefragmentationEvent, Event};
use crate::rpc::RpcError;
use crate::rpc::errors::classify;
use std::time::Duration;

/// For how long one member is waited for.
const WITHIN: Duration = Duration::from_secs(3600);

impl Worker {
    /// One turn. The first member is offered already; a turn that is due while another goes on is skipped.
    pub(super) async fn defragment(&self, context: &Context, class: OpClass) {
        if self.defragmenting.replace(true) {
            let mut recorder = self.recorder.borrow_mut();
            return recorder.skipped(context.phase, class, context.intended);
        }
        let mut at = Context { ..*context };
        let mut offered = true;
        for (store, cluster) in self.clusters.iter().enumerate() {
            for (member, leads) in cluster.leader_last().await {
                // Nothing is begun once the run ends; what is offered already is censored then.
                if self.closing.get() || self.plan.control.draining() {
                    break;
                }
                if !std::mem::take(&mut offered) {
                    let mut recorder = self.recorder.borrow_mut();
                    recorder.offered(at.phase, class, at.intended);
                }
                let done = self.defragment_member(&at, class, store, member, leads);
                at.intended = done.await;
                at.ready = at.intended;
            }
        }
        self.defragmenting.set(false);
    }

    /// Defragments one member; when it was over.
    async fn defragment_member(
        &self,
        context: &Context,
        class: OpClass,
        store: usize,
        member: &Member,
        leader: bool,
    ) -> clock::Nanos {
        let size_before = size(member).await;
        let sent = clock::now();
        self.recorder.borrow_mut().in_flight.begin(sent);
        let outcome = member.defragment(WITHIN).await;
        let done = clock::now();
        let size_after = size(member).await;
        let error = outcome.as_ref().err().map(ToString::to_string);
        let limit = self.plan.limits.of(class);
        let mut recorder = self.recorder.borrow_mut();
        recorder.in_flight.end(sent, done);
        let attempt = Attempt {
            ready: context.ready,
            sent: Some(sent),
            done,
            answered: matches!(outcome, Ok(()) | Err(ControlError::Status { .. })),
            bytes_sent: 0,
            bytes_received: 0,
        };
        recorder.attempt(context.phase, class, &attempt, outcome.is_ok());
        match outcome {
            Ok(()) => recorder.ok(context.phase, class, context.intended, done, limit, false),
            Err(e) => {
                let of = classify(&as_rpc(&e));
                recorder.error(context.phase, class, &of, &e.to_string(), done);
                recorder.failed(context.phase, class, context.intended, done);
            }
        }
        let t = recorder.seconds(done);
        recorder.push_event(Event::Defragmentation(DefragmentationEvent {
            t,
            store: self.plan.stores[store].name.clone(),
            member: self.member_name(store, member),
            leader,
            seconds: done.saturating_sub(sent) as f64 / clock::SECOND as f64,
            size_before,
            size_after,
            error,
        }));
        done
    }

    /// Its name, or its endpoint where the name is not known.
    fn member_name(&self, store: usize, member: &Member) -> String {
        let target = &self.plan.stores[store].target;
        let named = target.endpoints.iter().zip(&target.member_names);
        let mut of = named.filter(|(endpoint, _)| *endpoint == member.endpoint());
        of.next()
            .map_or(member.endpoint(), |(_, name)| name)
            .to_owned()
    }
}

/// Bytes of the member's database file.
async fn size(member: &Member) -> Option<u64> {
    let status = member.status().await.ok()?;
    u64::try_from(status.db_size).ok()
}

/// A control call's failure in the words of the hot path, whose classes are the result's.
fn as_rpc(e: &ControlError) -> RpcError {
    match e {
        ControlError::Status { code, message, .. } => RpcError::Status {
            code: u32::try_from(*code).unwrap_or_default(),
            message: message.clone(),
        },
        ControlError::Timeout { after, .. } => RpcError::Deadline(*after),
        other => RpcError::NotConnected(other.to_string()),
    }
}
