//! Plays a session: turns its steps into requests, follows conflicts as kube-apiserver does, and keeps
//! what is known of the object true.

use super::shared_lease::Shared;
use super::worker::{Pending, Worker};
use crate::clock::{self, Nanos};
use crate::kube::actors::{LeaseUse, Step, Turn};
use crate::kube::{ObjectRef, OpClass, Write, requests};
use crate::report::{CompactorEvent, Event, Phase};
use crate::rpc::Rpc;
use crate::rpc::errors::{CONFLICT, EXISTS, ErrorClass, GONE};
use crate::rpc::messages::response_op::Response;
use crate::rpc::messages::{
    CompactionResponse, KeyValue, LeaseGrantResponse, RangeResponse, RangeStreamResponse,
    ResponseHeader, TxnOutcome, TxnResponse,
};
use crate::rpc::prefix_end;
use bytes::{Bytes, BytesMut};
use std::rc::Rc;

/// The operation could not be done; its failure is counted already.
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

impl Worker {
    /// Plays all steps; a failed one ends the session. Returns the object whose turn it still has.
    pub(super) async fn play(self: &Rc<Self>, pending: Pending) -> Option<ObjectRef> {
        let mut held = pending.session.writes().then_some(pending.session.object);
        let mut context = Context {
            object: pending.session.object,
            phase: pending.phase,
            intended: pending.intended,
            ready: pending.ready,
            closed: pending.closed,
            lease: None,
            won: false,
            compact: 0,
        };
        let mut offered = Some(pending.class());
        for Turn {
            step,
            object,
            think,
        } in pending.session.turns()
        {
            let class = step.class();
            if think > 0 {
                if !self.think(&mut context, &mut held, think).await {
                    return held;
                }
                if !context.closed {
                    let lag = context.ready.saturating_sub(context.intended);
                    let mut recorder = self.recorder.borrow_mut();
                    recorder.schedule_lag(context.phase, class, lag);
                }
            }
            self.take_turn(&mut held, object, step).await;
            context.object = object;
            if let Step::SharedLease {
                class,
                slot,
                ttl,
                reuse,
            } = step
            {
                match self.shared_lease(&context, class, slot, ttl, reuse).await {
                    Ok(lease) => context.lease = Some(lease),
                    Err(Failed) => {
                        if let Some(class) = offered {
                            let mut recorder = self.recorder.borrow_mut();
                            recorder.failed(context.phase, class, context.intended, clock::now());
                        }
                        return held;
                    }
                }
                continue;
            }
            if matches!(step, Step::CompactorCompact(_)) && context.compact == 0 {
                continue;
            }
            if let Step::Defragment(class) = step {
                self.defragment(&context, class).await;
                return held;
            }
            if offered.take().is_none() {
                self.recorder
                    .borrow_mut()
                    .offered(context.phase, class, context.intended);
            }
            let done = self.step(&mut context, step).await;
            let limit = self.plan.limits.of(class);
            let mut recorder = self.recorder.borrow_mut();
            match done {
                Ok(done) => {
                    recorder.ok(
                        context.phase,
                        class,
                        context.intended,
                        done,
                        limit,
                        context.closed,
                    );
                    context.intended = done;
                    context.ready = done;
                }
                Err(Failed) => {
                    recorder.failed(context.phase, class, context.intended, clock::now());
                    return held;
                }
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
                upsert,
            } => self.update(context, class, reread, lease, upsert).await,
            Step::Get(class) => self.get(context, class).await.map(|(done, _)| done),
            Step::List(class) => self.list(context, class).await,
            Step::Grant(class, ttl) => {
                let (id, done) = self.grant(context, class, ttl).await?;
                context.lease = Some(self.leases.borrow_mut().granted(id, done, ttl));
                Ok(done)
            }
            Step::CompactorTxn(class) => {
                let turn = self.compactor_txn(context, class).await;
                self.compactor_turn(context, class, &turn);
                turn
            }
            Step::CompactorCompact(class) => {
                let frame = frame(|out| requests::compact(context.compact, out));
                let turn = self.attempt(context, class, frame).await;
                let turn = turn.and_then(|(bytes, done)| {
                    self.decode::<CompactionResponse>(context, class, bytes)?;
                    Ok(done)
                });
                self.compactor_turn(context, class, &turn);
                turn
            }
            // Taken care of by `play`.
            Step::SharedLease { .. } | Step::Defragment(_) => Ok(clock::now()),
        }
    }

    /// The object's value for its next write, intended now, appended to an empty scratch buffer.
    fn with_value<T>(
        &self,
        context: &Context,
        sequence: u32,
        f: impl FnOnce(&[u8], &[u8]) -> T,
    ) -> T {
        let mut scratch = self.scratch.borrow_mut();
        scratch.clear();
        self.objects.key(context.object, &mut scratch);
        let key = scratch.len();
        let write = Write {
            sequence,
            at: self.anchor.unix(context.intended),
        };
        self.objects.value(context.object, write, &mut scratch);
        let (key, value) = scratch.split_at(key);
        f(key, value)
    }

    fn lease_id(&self, context: &Context, lease: LeaseUse) -> i64 {
        match lease {
            LeaseUse::None => 0,
            LeaseUse::Granted => context
                .lease
                .and_then(|i| self.leases.borrow().get(i))
                .map_or(0, |g| g.id),
        }
    }

    async fn create(
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
            self.refused(
                context,
                class,
                &EXISTS,
                "the object already exists in the store",
            );
            return Err(Failed);
        }
        self.acknowledge(context, class, lease, answer.header, 1);
        Ok(done)
    }

    async fn update(
        &self,
        context: &mut Context,
        class: OpClass,
        reread: Option<OpClass>,
        lease: LeaseUse,
        upsert: bool,
    ) -> Result<Nanos, Failed> {
        let id = self.lease_id(context, lease);
        for _ in 0..self.plan.load.max_attempts.max(1) {
            let state = self.states.borrow().get(context.object);
            if !state.exists() && !upsert {
                self.refused(
                    context,
                    class,
                    &GONE,
                    "the object does not exist in the store",
                );
                return Err(Failed);
            }
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
            self.adopt(context.object, found(&answer));
            context.ready = done;
            if let Some(get) = reread {
                let reading = Context {
                    intended: done,
                    ready: done,
                    ..*context
                };
                self.recorder.borrow_mut().offered(context.phase, get, done);
                let read = self.get(&reading, get).await;
                let mut recorder = self.recorder.borrow_mut();
                match read {
                    Ok((at, _)) => {
                        let limit = self.plan.limits.of(get);
                        recorder.ok(context.phase, get, done, at, limit, context.closed);
                        context.ready = at;
                    }
                    Err(Failed) => {
                        recorder.failed(context.phase, get, done, clock::now());
                        return Err(Failed);
                    }
                }
            }
        }
        self.refused(
            context,
            class,
            &CONFLICT,
            "another writer won every attempt",
        );
        Err(Failed)
    }

    /// Why an operation failed that etcd answered, or did not need to.
    fn refused(&self, context: &Context, class: OpClass, error: &ErrorClass, message: &str) {
        let at = clock::now();
        self.recorder
            .borrow_mut()
            .error(context.phase, class, error, message, at);
    }

    /// A write was acknowledged: the store now holds this version at the header's revision.
    fn acknowledge(
        &self,
        context: &Context,
        class: OpClass,
        lease: LeaseUse,
        header: Option<ResponseHeader>,
        version: u32,
    ) {
        let lease = context.lease.filter(|_| lease == LeaseUse::Granted);
        let revision = header.map_or(0, |h| h.revision);
        self.states.borrow_mut().change(context.object, |s| {
            s.mod_revision = revision;
            s.version = version;
            s.set_unknown(false);
            s.set_lease(lease);
        });
        self.recorder.borrow_mut().revision(context.phase, class);
    }

    /// What the store holds, as an answer showed it.
    fn adopt(&self, object: ObjectRef, kv: Option<&KeyValue>) {
        let (revision, version) = kv.map_or((0, 0), |kv| (kv.mod_revision, kv.version));
        let mut states = self.states.borrow_mut();
        states.change(object, |s| {
            if s.unknown() && s.mod_revision != revision {
                self.indeterminate_applied
                    .set(self.indeterminate_applied.get() + 1);
            }
            s.mod_revision = revision;
            s.version = u32::try_from(version).unwrap_or(u32::MAX);
            s.set_unknown(false);
        });
    }

    async fn get(
        &self,
        context: &Context,
        class: OpClass,
    ) -> Result<(Nanos, RangeResponse), Failed> {
        let limited = self.plan.cluster.kubernetes_version.get_has_limit();
        let frame = {
            let mut scratch = self.scratch.borrow_mut();
            scratch.clear();
            self.objects.key(context.object, &mut scratch);
            frame(|out| requests::get(&scratch, limited, out))
        };
        let (bytes, done) = self.attempt(context, class, frame).await?;
        let answer: RangeResponse = self.decode(context, class, bytes)?;
        // A TTL lease may have removed the object behind our back. (Objects with one are read only by
        // sessions that write them, so no write is in flight beside this read.)
        if self.states.borrow().get(context.object).lease().is_some() {
            self.adopt(context.object, answer.kvs.first());
        }
        Ok((done, answer))
    }

    async fn list(&self, context: &Context, class: OpClass) -> Result<Nanos, Failed> {
        let prefix = format!(
            "{}/{}/",
            self.plan.prefix,
            class.info().resource.key_prefix()
        );
        let end = prefix_end(prefix.as_bytes());
        let frame = frame(|out| requests::list_page(prefix.as_bytes(), &end, 0, 0, out));
        let (bytes, done) = self.attempt(context, class, frame).await?;
        if self.plan.rpc_of(class) == Rpc::RangeStream {
            self.decode::<RangeStreamResponse>(context, class, bytes)?;
        } else {
            self.decode::<RangeResponse>(context, class, bytes)?;
        }
        Ok(done)
    }

    async fn grant(
        &self,
        context: &Context,
        class: OpClass,
        ttl: i64,
    ) -> Result<(i64, Nanos), Failed> {
        let frame = frame(|out| requests::lease_grant(ttl, out));
        let (bytes, done) = self.attempt(context, class, frame).await?;
        let answer: LeaseGrantResponse = self.decode(context, class, bytes)?;
        Ok((answer.id, done))
    }

    async fn shared_lease(
        &self,
        context: &Context,
        class: OpClass,
        slot: usize,
        ttl: i64,
        reuse: u64,
    ) -> Result<usize, Failed> {
        loop {
            let shared = self.leases.borrow_mut().shared(slot, reuse, clock::now());
            match shared {
                Shared::Use(lease) => return Ok(lease),
                Shared::Wait(notify) => notify.notified().await,
                Shared::Grant => {
                    let begun = clock::now();
                    self.recorder
                        .borrow_mut()
                        .offered(context.phase, class, begun);
                    let granting = Context {
                        intended: begun,
                        ready: begun,
                        ..*context
                    };
                    let granted = self.grant(&granting, class, ttl).await;
                    let mut recorder = self.recorder.borrow_mut();
                    return match granted {
                        Ok((id, done)) => {
                            let limit = self.plan.limits.of(class);
                            recorder.ok(context.phase, class, begun, done, limit, context.closed);
                            Ok(self.leases.borrow_mut().granted_shared(slot, id, done, ttl))
                        }
                        Err(Failed) => {
                            recorder.failed(context.phase, class, begun, clock::now());
                            self.leases.borrow_mut().failed(slot);
                            Err(Failed)
                        }
                    };
                }
            }
        }
    }

    /// Marks the turn of a store's compactor on the timeline.
    fn compactor_turn(&self, context: &Context, class: OpClass, turn: &Result<Nanos, Failed>) {
        let store = self.store_of(class, context.object);
        let mut recorder = self.recorder.borrow_mut();
        let t = recorder.seconds(turn.as_ref().copied().unwrap_or_else(|_| clock::now()));
        recorder.push_event(Event::Compactor(CompactorEvent {
            t,
            store: self.plan.stores[store].name.clone(),
            class: class.name().to_owned(),
            answered: turn.is_ok(),
            won: turn.is_ok() && context.won,
            revision: context.compact,
        }));
    }

    async fn compactor_txn(&self, context: &mut Context, class: OpClass) -> Result<Nanos, Failed> {
        let store = self.store_of(class, context.object);
        let index = context.object.index;
        let known = self.compactors.borrow().get(&index).copied();
        let (version, previous) = known.unwrap_or_default();
        let mut key = Vec::new();
        self.objects.key(context.object, &mut key);
        let frame = frame(|out| {
            requests::compactor_txn(version, previous.to_string().as_bytes(), &key, out)
        });
        let (bytes, done) = self.attempt(context, class, frame).await?;
        let answer: TxnResponse = self.decode(context, class, bytes)?;
        let revision = answer.header.map_or(0, |h| h.revision);
        let version = if answer.succeeded {
            // Compacting acts on the whole etcd: no more than the election where it is not ours.
            context.won = true;
            context.compact = previous * i64::from(self.plan.stores[store].target.owned);
            self.acknowledge(
                context,
                class,
                LeaseUse::None,
                answer.header,
                u32::try_from(version + 1).unwrap_or(u32::MAX),
            );
            version + 1
        } else {
            self.recorder.borrow_mut().conflict(context.phase, class);
            self.adopt(context.object, found(&answer));
            i64::from(self.states.borrow().get(context.object).version)
        };
        self.compactors
            .borrow_mut()
            .insert(index, (version, revision));
        Ok(done)
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
