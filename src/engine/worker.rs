//! One worker: a thread with its own runtime that owns its cells and all their state. This file admits
//! arrivals, holds the in-flight cap and keeps an object's writes in turn.

use super::recorder::{Batch, Operation, Outcome, Recorder};
use super::shared_lease::Leases;
use super::state::States;
use super::think::Thinking;
use super::turns::Waiter;
use crate::clock::{self, Nanos};
use crate::etcd::control::{Cluster, MemberStatus};
use crate::etcd::wire::Pool;
use crate::human::grouped;
use crate::kube::actors::Session;
use crate::kube::{Kind, ObjectRef, Objects, OpClass};
use crate::report::{Event, Note, Phase};
use crate::schedule::Stripe;
use crate::workload::{AtCap, Plan};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::sync::{Notify, oneshot};

/// Sessions of a whole run that may wait for the cap or their object, some 150 bytes each: a minute's silence of
/// an etcd under 16,000/s. Beyond it memory would be the next thing to fail.
const MOST_WAITING: u64 = 1_000_000;

/// What workers tell the run.
#[derive(Debug)]
pub(crate) enum Message {
    /// One second of one worker.
    Batch(Box<Batch>),
    /// An event for the stream.
    Event(Event),
    /// How far a worker's populate is.
    Populated {
        worker: usize,
        done: u64,
        total: u64,
    },
    /// An alarm that etcd lists.
    Alarm {
        store: String,
        member: String,
        alarm: String,
    },
    /// What a member says of itself.
    Status {
        store: String,
        status: Box<MemberStatus>,
    },
    /// A worker finished what it was told to do.
    Reached,
    /// A worker cannot go on.
    Failed(String),
}

/// A session that is due, as the load offers it.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) session: Session,
    pub(crate) intended: Nanos,
    pub(crate) phase: Phase,
    /// From a closed loop: no response time.
    pub(crate) closed: bool,
    /// From a periodic schedule: a second one waiting for the same object is coalesced.
    pub(crate) periodic: bool,
}

/// A session that was offered and has not begun.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) session: Session,
    /// What the session is offered as.
    pub(crate) operation: Operation,
    pub(crate) ready: Nanos,
    pub(crate) periodic: bool,
    /// Dropped when the session is over: what a closed-loop client waits for.
    pub(crate) over: Option<oneshot::Sender<()>>,
}

/// The state that all sessions of a worker share.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) part: Stripe,
    pub(crate) plan: Arc<Plan>,
    pub(crate) objects: Objects,
    pub(crate) anchor: clock::Anchor,
    /// One per store.
    pub(crate) pools: Vec<Pool>,
    /// One per store, for what is not load.
    pub(crate) clusters: Vec<Cluster>,
    /// Store of each op class.
    pub(crate) route: Vec<usize>,
    pub(crate) states: RefCell<States>,
    pub(crate) recorder: RefCell<Recorder>,
    pub(crate) leases: RefCell<Leases>,
    /// What each compactor remembers, by its index: (version of the key, revision of the previous round).
    pub(crate) compactors: RefCell<HashMap<u64, (i64, i64)>>,
    /// A turn of the defragmenter goes on.
    pub(crate) defragmenting: Cell<bool>,
    pub(crate) scratch: RefCell<Vec<u8>>,
    pub(crate) messages: Sender<Message>,
    /// Sessions whose think times are under way.
    pub(super) thinking: Thinking,
    pub(super) in_flight: Cell<usize>,
    /// Sessions admitted and not over.
    open: Cell<u64>,
    pub(super) cap: usize,
    /// Sessions that may wait; further ones are skipped.
    room: u64,
    /// Whether it was said that the room is full.
    crowded: Cell<bool>,
    pub(super) backlog: RefCell<VecDeque<Waiter>>,
    pub(super) waiting: RefCell<HashMap<ObjectRef, VecDeque<Waiter>>>,
    /// Writes whose outcome was not known, and those of them that were seen applied later.
    pub(crate) indeterminate: Cell<u64>,
    pub(crate) indeterminate_applied: Cell<u64>,
    /// Wakes whoever waits for a session to end.
    pub(crate) ended: Notify,
    /// Set when the drain deadline has passed: nothing is begun any more.
    pub(crate) closing: Cell<bool>,
}

/// What a worker is made of.
pub(crate) struct Parts {
    pub(crate) index: usize,
    pub(crate) part: Stripe,
    pub(crate) plan: Arc<Plan>,
    pub(crate) objects: Objects,
    pub(crate) anchor: clock::Anchor,
    pub(crate) pools: Vec<Pool>,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) route: Vec<usize>,
    pub(crate) states: States,
    pub(crate) t0: Nanos,
    pub(crate) messages: Sender<Message>,
}

impl Worker {
    pub(crate) fn new(p: Parts) -> Rc<Worker> {
        let cap = p
            .plan
            .load
            .max_in_flight
            .div_ceil(p.plan.load.workers.max(1))
            .max(1);
        let room = (MOST_WAITING / p.plan.load.workers.max(1) as u64).max(1);
        Rc::new(Worker {
            index: p.index,
            part: p.part,
            plan: p.plan,
            objects: p.objects,
            anchor: p.anchor,
            pools: p.pools,
            clusters: p.clusters,
            route: p.route,
            states: RefCell::new(p.states),
            recorder: RefCell::new(Recorder::new(p.index, p.t0, clock::now())),
            leases: RefCell::new(Leases::default()),
            compactors: RefCell::default(),
            defragmenting: Cell::new(false),
            scratch: RefCell::new(Vec::with_capacity(32 * 1024)),
            messages: p.messages,
            thinking: Thinking::new(),
            in_flight: Cell::new(0),
            open: Cell::new(0),
            cap,
            room,
            crowded: Cell::new(false),
            backlog: RefCell::default(),
            waiting: RefCell::default(),
            indeterminate: Cell::new(0),
            indeterminate_applied: Cell::new(0),
            ended: Notify::new(),
            closing: Cell::new(false),
        })
    }

    /// The store that a request goes to: its resource's; a compactor has its own.
    pub(crate) fn store_of(&self, class: OpClass, object: ObjectRef) -> usize {
        if object.kind == Kind::CompactRev {
            return usize::try_from(object.index).unwrap_or(0) % self.pools.len();
        }
        self.route[class as usize]
    }

    /// Sessions admitted and not over.
    pub(crate) fn open(&self) -> u64 {
        self.open.get()
    }

    /// Sessions that are due and wait for the cap or for their object.
    pub(crate) fn queued(&self) -> u64 {
        let busy = self.in_flight.get() as u64 + self.thinking.count();
        self.open.get().saturating_sub(busy)
    }

    /// A session is due: begin it, or let it wait with its intended instant.
    pub(crate) fn admit(self: &Rc<Self>, arrival: Arrival) {
        let pending = self.offer(arrival);
        self.admit_pending(pending);
    }

    fn admit_pending(self: &Rc<Self>, pending: Pending) {
        if self.queued() > self.room {
            self.crowded();
            return self.skip(pending);
        }
        if pending.periodic && pending.session.writes() {
            let state = self.states.borrow().get(pending.session.object);
            if state.queued() {
                return self.skip(pending);
            }
            if state.busy() || self.in_flight.get() >= self.cap {
                self.states
                    .borrow_mut()
                    .change(pending.session.object, |s| s.set_queued(true));
            }
        }
        if self.in_flight.get() >= self.cap {
            self.backlog
                .borrow_mut()
                .push_back(Waiter::Session(pending));
        } else {
            self.begin(pending);
        }
    }

    /// Says once that the room is full.
    fn crowded(&self) {
        if self.crowded.replace(true) {
            return;
        }
        let note = Note {
            t: self.recorder.borrow().seconds(clock::now()),
            level: "warning".to_owned(),
            text: format!(
                "{} operations are waiting; further ones are skipped and count as missed; lower the rate",
                grouped(self.room)
            ),
        };
        self.tell(Message::Event(Event::Note(note)));
    }

    /// Counts a session that is due.
    fn offer(&self, arrival: Arrival) -> Pending {
        let Arrival {
            session,
            intended,
            phase,
            closed,
            periodic,
        } = arrival;
        // A closed loop's clients intend what they are ready for.
        let ready = if closed { intended } else { clock::now() };
        let class = session.class();
        let mut recorder = self.recorder.borrow_mut();
        if !closed {
            recorder.schedule_lag(phase, class, ready.saturating_sub(intended));
        }
        self.open.set(self.open.get() + 1);
        Pending {
            session,
            operation: recorder.offer(phase, class, intended, closed),
            ready,
            periodic,
            over: None,
        }
    }

    fn skip(&self, pending: Pending) {
        self.end(pending.operation, Outcome::Skipped);
        self.open.set(self.open.get().saturating_sub(1));
        self.ended.notify_waiters();
    }

    /// Admits a session and returns when it is over. Where nothing keeps it waiting the caller plays it
    /// itself: a closed loop's client needs no task per operation.
    pub(crate) async fn play_to_end(self: &Rc<Self>, arrival: Arrival) {
        let mut pending = self.offer(arrival);
        if self.in_flight.get() < self.cap {
            if let Some(pending) = self.take(pending) {
                self.session(pending).await;
            }
        } else {
            let (done, over) = oneshot::channel();
            pending.over = Some(done);
            self.admit_pending(pending);
            let _ = over.await;
        }
    }

    /// Begins a session, or parks it behind the write of its object that is in flight.
    pub(super) fn begin(self: &Rc<Self>, pending: Pending) {
        if let Some(pending) = self.take(pending) {
            let worker = Rc::clone(self);
            tokio::task::spawn_local(async move { worker.session(pending).await });
        }
    }

    async fn session(self: &Rc<Self>, mut pending: Pending) {
        let over = pending.over.take();
        let held = self.play(pending).await;
        self.over(held);
        drop(over);
    }

    /// Takes a place in flight and the object for a session; none when it is dropped or parked.
    fn take(&self, pending: Pending) -> Option<Pending> {
        if self.closing.get() {
            return None;
        }
        if self.plan.load.at_cap == AtCap::Skip && !pending.operation.closed() {
            let limit = self.plan.limits.of(pending.operation.class());
            if clock::now().saturating_sub(pending.operation.intended()) > limit {
                self.states
                    .borrow_mut()
                    .change(pending.session.object, |s| s.set_queued(false));
                self.skip(pending);
                return None;
            }
        }
        if pending.session.writes() {
            let object = pending.session.object;
            if self.states.borrow().get(object).busy() {
                self.waiting
                    .borrow_mut()
                    .entry(object)
                    .or_default()
                    .push_back(Waiter::Session(pending));
                return None;
            }
            self.states.borrow_mut().change(object, |s| {
                s.set_busy(true);
                s.set_queued(false);
            });
        }
        self.in_flight.set(self.in_flight.get() + 1);
        Some(pending)
    }

    /// Whether a write of the object is in flight (closed loops then take another one).
    pub(crate) fn busy(&self, object: ObjectRef) -> bool {
        self.states.borrow().get(object).busy()
    }

    /// A session is over: its object and its place are free for the next.
    fn over(self: &Rc<Self>, held: Option<ObjectRef>) {
        self.open.set(self.open.get().saturating_sub(1));
        self.release(held);
        self.leave();
        self.ended.notify_waiters();
    }

    /// At the drain deadline: what is open is censored, and what it may have written is unknown.
    pub(crate) fn censor(&self) {
        self.closing.set(true);
        self.recorder.borrow_mut().censor();
        let mut states = self.states.borrow_mut();
        let busy: Vec<ObjectRef> = states
            .iter()
            .filter(|(_, s)| s.busy())
            .map(|(o, _)| o)
            .collect();
        for object in busy {
            states.change(object, |s| {
                self.indeterminate.set(self.indeterminate.get() + 1);
                s.set_busy(false);
                s.set_unknown(true);
            });
        }
    }

    /// Tells the run something; a run that has gone does not listen any more.
    pub(crate) fn tell(&self, message: Message) {
        let _ = self.messages.send(message);
    }
}
