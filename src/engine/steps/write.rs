//! Creates and updates: transactions that compare the object's revision.

use super::{Context, Failed, found, frame};
use crate::clock::Nanos;
use crate::engine::worker::Worker;
use crate::kube::actors::LeaseUse;
use crate::kube::{OpClass, requests};
use crate::rpc::errors::{CONFLICT, EXISTS};
use crate::rpc::messages::{ResponseHeader, TxnOutcome, TxnResponse};

impl Worker {
    pub(in crate::engine) async fn create(
        &self,
        context: &Context,
        class: OpClass,
        lease: LeaseUse,
    ) -> Result<Nanos, Failed> {
        let id = self.lease_id(context, lease);
        let frame = self.with_value(context, 0, |key, value| {
            frame(|out| requests::create(key, value, id, out))
        });
        let (bytes, done) = self.attempt(context, class, frame).await?;
        let answer: TxnOutcome = self.decode(context, class, bytes)?;
        if !answer.succeeded {
            // 409 AlreadyExists: ours from an attempt whose outcome was not known, or foreign.
            self.recorder.borrow_mut().conflict(context.phase, class);
            let message = "the object already exists in the store";
            self.refused(context, class, &EXISTS, message);
            return Err(Failed);
        }
        self.acknowledge(context, class, lease, answer.header, 1);
        Ok(done)
    }

    /// What is not in the store (its create failed, its lease expired, somebody removed it) is created, as the kubelet's
    /// lease controller, client-go's leader election and event recorder and the Endpoints controllers do: its cost is
    /// etcd's, and no operation fails for what an earlier one left out.
    pub(in crate::engine) async fn update(
        &self,
        context: &mut Context,
        class: OpClass,
        reread: Option<OpClass>,
        lease: LeaseUse,
    ) -> Result<Nanos, Failed> {
        let id = self.lease_id(context, lease);
        for _ in 0..self.run.plan.load.max_attempts.max(1) {
            let state = self.objects.get(context.object);
            let frame = self.with_value(context, state.version, |key, value| {
                frame(|out| {
                    if state.exists() {
                        requests::update(key, state.mod_revision, value, id, out);
                    } else {
                        requests::create_or_get(key, value, id, out);
                    }
                })
            });
            let (bytes, done) = self.attempt(context, class, frame).await?;
            let outcome: TxnOutcome = self.decode(context, class, bytes.clone())?;
            if outcome.succeeded {
                self.acknowledge(context, class, lease, outcome.header, state.version + 1);
                return Ok(done);
            }
            let answer: TxnResponse = self.decode(context, class, bytes)?;
            self.recorder.borrow_mut().conflict(context.phase, class);
            self.learn(context.object, class, found(&answer));
            context.ready = done;
            if let Some(get) = reread {
                let mut reading = *context;
                reading.follows(done);
                let operation = self.offer_next(&reading, get);
                let read = self.operation(operation, async || self.get(&reading, get).await);
                context.ready = read.await?;
            }
        }
        let message = "another writer won every attempt";
        self.refused(context, class, &CONFLICT, message);
        Err(Failed)
    }

    /// A write was acknowledged: the store now holds this version at the header's revision.
    pub(super) fn acknowledge(
        &self,
        context: &Context,
        class: OpClass,
        lease: LeaseUse,
        header: Option<ResponseHeader>,
        version: u32,
    ) {
        let lease = context.lease.filter(|_| lease == LeaseUse::Granted);
        let revision = header.map_or(0, |h| h.revision);
        let gone = self
            .objects
            .acknowledge(context.object, revision, version, lease);
        if let Some(gone) = gone {
            self.missing(context.object, class, gone);
        }
        self.recorder.borrow_mut().revision(context.phase, class);
    }
}
