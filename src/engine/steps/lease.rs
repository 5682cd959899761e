//! Grants of etcd leases: a session's own, and those that Events share.

use super::{Context, Failed, frame};
use crate::clock::{self, Nanos};
use crate::engine::leases::{Grant, LeaseDecision};
use crate::engine::worker::Worker;
use crate::kube::{OpClass, requests};
use crate::rpc::messages::LeaseGrantResponse;

impl Worker {
    /// A new lease, and when it was answered.
    pub(in crate::engine) async fn grant(
        &self,
        context: &Context,
        class: OpClass,
        ttl: i64,
    ) -> Result<(Grant, Nanos), Failed> {
        let frame = frame(|out| requests::lease_grant(ttl, out));
        let sent = clock::now();
        let (bytes, done) = self.attempt(context, class, frame).await?;
        let answer: LeaseGrantResponse = self.decode(context, class, bytes)?;
        // etcd may grant more than was asked for.
        let store = self.run.routes.of(class, context.object).store;
        let ttl = answer.ttl.max(ttl);
        Ok((Grant::new(store, answer.id, sent, done, ttl), done))
    }

    /// The number of the slot's lease; granted first where it is due, which is an operation of its own.
    pub(in crate::engine) async fn shared_lease(
        &self,
        context: &Context,
        class: OpClass,
        slot: usize,
        ttl: i64,
        reuse: u64,
    ) -> Result<usize, Failed> {
        loop {
            let decision = self.leases.borrow_mut().shared(slot, reuse, clock::now());
            match decision {
                LeaseDecision::Use(lease) => return Ok(lease),
                LeaseDecision::Wait(notify) => notify.notified().await,
                LeaseDecision::Grant => {
                    let mut granting = *context;
                    granting.follows(clock::now());
                    let operation = self.offer_next(&granting, class);
                    let grant =
                        self.operation(operation, async || self.grant(&granting, class, ttl).await);
                    let grant = grant.await;
                    let mut leases = self.leases.borrow_mut();
                    return match grant {
                        Ok((grant, _)) => Ok(leases.add_shared(slot, grant)),
                        Err(Failed) => {
                            leases.failed(slot);
                            Err(Failed)
                        }
                    };
                }
            }
        }
    }
}
