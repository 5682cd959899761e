//! Plays a session: its steps one after the other, each an operation that is intended for when the one before it
//! was done.

use super::admission::Pending;
use super::recorder::Operation;
use super::worker::Worker;
use crate::clock::Nanos;
use crate::kube::ObjectRef;
use crate::kube::actors::{Step, Turn};
use crate::report::Phase;
use std::rc::Rc;

/// The operation could not be done; its error is counted already.
#[derive(Debug)]
pub(super) struct Failed;

/// What a step knows of its session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub(super) object: ObjectRef,
    pub(super) phase: Phase,
    /// Of this step.
    pub(super) intended: Nanos,
    /// Of this step.
    pub(super) ready: Nanos,
    pub(super) closed: bool,
    pub(super) lease: Option<usize>,
    /// The compactor won this round.
    pub(super) won: bool,
    /// The revision that it compacts then, 0 = none.
    pub(super) compact: i64,
}

impl Context {
    fn new(object: ObjectRef, operation: &Operation, ready: Nanos) -> Self {
        Context {
            object,
            phase: operation.phase(),
            intended: operation.intended(),
            ready,
            closed: operation.closed(),
            lease: None,
            won: false,
            compact: 0,
        }
    }

    /// The next step is intended for when this one was done.
    pub(super) fn follows(&mut self, done: Nanos) {
        self.intended = done;
        self.ready = done;
    }
}

impl Worker {
    /// Plays all steps; a failed one ends the session. Returns the object whose turn it still has.
    pub(super) async fn play(self: &Rc<Self>, pending: Pending) -> Option<ObjectRef> {
        let session = pending.session;
        let mut held = session.writes().then_some(session.object);
        let mut context = Context::new(session.object, &pending.operation, pending.ready);
        let mut offered = Some(pending.operation);
        // A shared lease belongs to the operation that needs it: the apiserver makes its client wait for it too.
        let mut lease = None;
        let mut thought = false;
        for Turn {
            step,
            object,
            think,
        } in session.turns()
        {
            if think > 0 {
                if !self.think(&mut context, &mut held, think).await {
                    return held;
                }
                thought = true;
            }
            if matches!(step, Step::SharedLease { .. }) {
                lease = Some(step);
                continue;
            }
            if matches!(step, Step::CompactorCompact(_)) && context.compact == 0 {
                continue;
            }
            let operation = offered
                .take()
                .unwrap_or_else(|| self.offer_next(&context, step.class()));
            if std::mem::take(&mut thought) && !context.closed {
                let lag = context.ready.saturating_sub(context.intended);
                let mut recorder = self.recorder.borrow_mut();
                recorder.schedule_lag(context.phase, step.class(), lag);
            }
            self.take_turn(&mut held, object, step).await;
            context.object = object;
            if let Step::Defragment(class) = step {
                self.defragment(&context, class, operation).await;
                return held;
            }
            let lease = lease.take();
            let ended = self
                .operation(operation, async || {
                    if let Some(lease) = lease {
                        self.step(&mut context, lease).await?;
                    }
                    self.step(&mut context, step).await
                })
                .await;
            match ended {
                Ok(done) => context.follows(done),
                Err(Failed) => return held,
            }
        }
        held
    }

    async fn step(&self, context: &mut Context, step: Step) -> Result<Nanos, Failed> {
        match step {
            Step::Create(class, lease) => self.create(context, class, lease).await,
            Step::Update {
                class,
                reread,
                lease,
            } => self.update(context, class, reread, lease).await,
            Step::Get(class) => self.get(context, class).await,
            Step::List(class) => self.list(context, class).await,
            Step::Grant(class, ttl) => {
                let (grant, done) = self.grant(context, class, ttl).await?;
                context.lease = Some(self.leases.borrow_mut().add(grant));
                Ok(done)
            }
            Step::SharedLease {
                class,
                slot,
                ttl,
                reuse,
            } => {
                let lease = self.shared_lease(context, class, slot, ttl, reuse).await?;
                context.lease = Some(lease);
                Ok(context.intended)
            }
            Step::CompactorTxn(class) => self.compactor_txn(context, class).await,
            Step::CompactorCompact(class) => self.compactor_compact(context, class).await,
            // Taken care of by `play`: each member is an operation.
            Step::Defragment(_) => Ok(context.intended),
        }
    }
}
