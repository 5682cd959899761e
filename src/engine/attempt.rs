//! One RPC of a step: sent, counted, timed, decoded; a failure counted by its class.

use super::connections::hint;
use super::recorder::Attempt;
use super::routes::Route;
use super::session::{Context, Failed};
use super::worker::Worker;
use crate::clock::{self, Nanos};
use crate::etcd::wire::Call;
use crate::kube::OpClass;
use crate::rpc::Effect;
use crate::rpc::Rpc;
use crate::rpc::RpcError;
use crate::rpc::errors::{Advice, classify};
use bytes::Bytes;
use prost::Message;

impl Worker {
    /// One RPC, counted and timed; an error is counted by class and, for a write whose outcome is not
    /// known, remembered with the object. A token that etcd no longer knows costs an attempt, not the
    /// operation, as with etcd's own client.
    pub(super) async fn attempt(
        &self,
        context: &Context,
        class: OpClass,
        frame: Bytes,
    ) -> Result<(Bytes, Nanos), Failed> {
        // Only a store with users can ask for a new token: elsewhere the request is not kept.
        let route = self.run.routes.of(class, context.object);
        let kept = self.pools[route.store].has_users().then(|| frame.clone());
        let (reply, advice) = self.attempt_once(context, class, route, frame).await;
        match (reply, advice, kept) {
            (Err(at), Some(Advice::RenewToken), Some(frame)) => {
                let again = Context {
                    ready: at,
                    ..*context
                };
                let (reply, _) = self.attempt_once(&again, class, route, frame).await;
                reply.map_err(|_| Failed)
            }
            (reply, ..) => reply.map_err(|_| Failed),
        }
    }

    /// The answer and its instant, or the instant of the failure and what to do about it.
    async fn attempt_once(
        &self,
        context: &Context,
        class: OpClass,
        route: Route,
        frame: Bytes,
    ) -> (Result<(Bytes, Nanos), Nanos>, Option<Advice>) {
        let (begun, mark) = (clock::now(), self.losses.mark(route.store));
        self.recorder.borrow_mut().in_flight.begin(begun);
        let bytes_sent = frame.len().saturating_sub(5);
        let call = Call {
            rpc: route.rpc,
            frame,
            timeout: route.timeout,
        };
        let reply = self.pools[route.store]
            .call(hint(context.object), call)
            .await;
        let mut recorder = self.recorder.borrow_mut();
        recorder.in_flight.end(begun, reply.done);
        let attempt = Attempt {
            ready: context.ready,
            sent: reply.sent,
            done: reply.done,
            answered: matches!(reply.result, Ok(_) | Err(RpcError::Status { .. })),
            bytes_sent,
            bytes_received: reply.result.as_ref().map_or(0, Bytes::len),
        };
        recorder.attempt(context.phase, class, &attempt, reply.result.is_ok());
        match reply.result {
            Ok(bytes) => {
                drop(recorder);
                // A streamed answer does not begin with its header.
                if matches!(route.rpc, Rpc::Range | Rpc::Txn | Rpc::LeaseGrant) {
                    self.hear(route.store, mark, &bytes);
                }
                (Ok((bytes, reply.done)), None)
            }
            Err(error) => {
                let error_class = classify(&error);
                recorder.error(
                    context.phase,
                    class,
                    &error_class,
                    &error.to_string(),
                    reply.done,
                );
                drop(recorder);
                let unknown_lease = |m: &str| m.contains("requested lease not found");
                if matches!(&error, RpcError::Status { message, .. } if unknown_lease(message)) {
                    self.lease_not_found(context, class);
                }
                if error_class.effect == Effect::Indeterminate && class.is_write() {
                    self.objects.lose_track(context.object);
                }
                (Err(reply.done), Some(error_class.advice))
            }
        }
    }

    pub(super) fn decode<M: Message + Default>(
        &self,
        context: &Context,
        class: OpClass,
        bytes: Bytes,
    ) -> Result<M, Failed> {
        M::decode(bytes).map_err(|e| {
            let error = RpcError::Malformed(e.to_string());
            let at = clock::now();
            let class_of = classify(&error);
            self.recorder.borrow_mut().error(
                context.phase,
                class,
                &class_of,
                &error.to_string(),
                at,
            );
            Failed
        })
    }
}
