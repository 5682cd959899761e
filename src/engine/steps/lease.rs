//! Grants of etcd leases: a session's own, and those that Events share.

use super::{Context, Failed, frame};
use crate::clock::{self, Nanos};
use crate::engine::leases::Grant;
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
        let slot = self.run.leases.slot(slot);
        let mut shared = slot.lock().await;
        let grant = match shared.attach(reuse, clock::now()) {
            Some(grant) => grant,
            None => {
                let mut granting = *context;
                granting.follows(clock::now());
                let operation = self.offer_next(&granting, class);
                let (grant, _) = self
                    .operation(operation, async || self.grant(&granting, class, ttl).await)
                    .await?;
                shared.renew(grant);
                grant
            }
        };
        Ok(self.leases.borrow_mut().number(grant))
    }
}
