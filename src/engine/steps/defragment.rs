//! Plays the defragmenter's turn: every member of every store, one after the other, a store's leader last (it leads
//! for as long as possible, and an election comes at the end if at all). Each member is an operation and an event.

use super::{Context, Failed};
use crate::clock::{self, Nanos};
use crate::engine::recorder::{Attempt, Operation, Outcome};
use crate::engine::worker::Worker;
use crate::etcd::control::{ControlError, Member};
use crate::kube::OpClass;
use crate::report::{DefragmentationEvent, Event};
use crate::rpc::RpcError;
use crate::rpc::errors::classify;
use std::time::Duration;

/// For how long one member is waited for.
const WITHIN: Duration = Duration::from_secs(3600);

/// How long one member took, and why it failed.
struct Turn {
    sent: Nanos,
    done: Nanos,
    error: Option<String>,
}

impl Worker {
    /// One turn. The first member is offered already; a turn that is due while another goes on is skipped.
    pub(in crate::engine) async fn defragment(
        &self,
        context: &Context,
        class: OpClass,
        operation: Operation,
    ) {
        if !self.maintenance.begin_defragmentation() {
            return self.end(operation, Outcome::Skipped);
        }
        let mut at = *context;
        let mut offered = Some(operation);
        for (store, access) in self.run.stores.iter().enumerate() {
            for (member, leads) in access.client.leader_last().await {
                // Nothing is begun once the run ends; what is offered already is censored then.
                if self.admission.closing.get() || self.run.control.draining() {
                    break;
                }
                let operation = offered
                    .take()
                    .unwrap_or_else(|| self.offer_next(&at, class));
                let done = self.defragment_member(&at, class, operation, store, member, leads);
                at.follows(done.await);
            }
        }
        self.maintenance.end_defragmentation();
    }

    /// Defragments one member and tells of it; when it was over.
    async fn defragment_member(
        &self,
        context: &Context,
        class: OpClass,
        operation: Operation,
        store: usize,
        member: &Member,
        leader: bool,
    ) -> Nanos {
        let size_before = size(member).await;
        let sent = clock::now();
        let mut turn = Turn {
            sent,
            done: sent,
            error: None,
        };
        let work = async || {
            self.defragmentation(context, class, member, &mut turn)
                .await
        };
        // A failure is in the turn.
        let _ = self.operation(operation, work).await;
        let size_after = size(member).await;
        let mut recorder = self.recorder.borrow_mut();
        let t = recorder.seconds(turn.done);
        recorder.push_event(Event::Defragmentation(DefragmentationEvent {
            t,
            store: self.run.plan.stores[store].name.clone(),
            member: self.member_name(store, member),
            leader,
            seconds: turn.done.saturating_sub(turn.sent) as f64 / clock::SECOND as f64,
            size_before,
            size_after,
            error: turn.error,
        }));
        turn.done
    }

    /// The call, counted and timed as an attempt.
    async fn defragmentation(
        &self,
        context: &Context,
        class: OpClass,
        member: &Member,
        turn: &mut Turn,
    ) -> Result<Nanos, Failed> {
        self.recorder.borrow_mut().in_flight.begin(turn.sent);
        let outcome = member.defragment(WITHIN).await;
        let done = clock::now();
        turn.done = done;
        let mut recorder = self.recorder.borrow_mut();
        recorder.in_flight.end(turn.sent, done);
        let attempt = Attempt {
            ready: context.ready,
            sent: Some(turn.sent),
            done,
            answered: matches!(outcome, Ok(()) | Err(ControlError::Status { .. })),
            bytes_sent: 0,
            bytes_received: 0,
        };
        recorder.attempt(context.phase, class, &attempt, outcome.is_ok());
        outcome.map(|()| done).map_err(|e| {
            let text = e.to_string();
            recorder.error(context.phase, class, &classify(&as_rpc(&e)), &text, done);
            turn.error = Some(text);
            Failed
        })
    }

    /// Its name, or its endpoint where the name is not known.
    fn member_name(&self, store: usize, member: &Member) -> String {
        let target = &self.run.plan.stores[store].target;
        let named = target
            .endpoints
            .iter()
            .zip(&self.run.stores[store].member_names);
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
