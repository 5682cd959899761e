//! Admits sessions that are due: the in-flight cap, the backlog behind it, and the turns of sessions that write the
//! same object.

use super::message::Message;
use super::recorder::{Operation, Outcome};
use super::worker::Worker;
use crate::clock::{self, Nanos};
use crate::human::grouped;
use crate::kube::ObjectRef;
use crate::kube::actors::Session;
use crate::report::{Event, Note, Phase};
use crate::schedule::Stripe;
use crate::workload::{AtCap, Load};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use tokio::sync::{Notify, oneshot};

/// Sessions of a whole run that may wait for the cap or their object, some 150 bytes each: a minute's silence of
/// an etcd under 16,000/s. Beyond it memory would be the next thing to fail.
const MOST_WAITING: u64 = 1_000_000;

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

/// Who waits for an object or for a place in flight.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// A session that has not begun.
    Session(Pending),
    /// A session in the midst of its steps.
    Step(oneshot::Sender<()>),
}

/// What becomes of a session whose turn it is.
#[derive(Debug)]
enum Taken {
    /// It has its place and its object.
    Play(Pending),
    /// It waits behind the session that writes its object.
    Parked,
    /// It is over: skipped, or the run closes.
    Dropped,
}

/// What is under way, what thinks and what waits.
#[derive(Debug)]
pub(crate) struct Admission {
    in_flight: Cell<usize>,
    /// Sessions admitted and not over.
    open: Cell<u64>,
    cap: usize,
    /// Sessions that may wait; further ones are skipped.
    room: u64,
    /// Whether it was said that the room is full.
    told_crowded: Cell<bool>,
    /// Sessions whose think times are under way.
    pub(crate) thinking: Cell<u64>,
    backlog: RefCell<VecDeque<Waiter>>,
    /// Behind the session that writes their object.
    waiting: RefCell<HashMap<ObjectRef, VecDeque<Waiter>>>,
    /// Wakes whoever waits for a session to end.
    pub(crate) ended: Notify,
    /// Set when the drain deadline has passed: nothing is begun any more.
    pub(crate) closing: Cell<bool>,
}

impl Admission {
    /// One worker's part of the cap and of the room.
    pub(crate) fn new(load: &Load, part: Stripe) -> Self {
        let cap = part.share_of(load.max_in_flight as u64).max(1);
        Admission {
            in_flight: Cell::new(0),
            open: Cell::new(0),
            cap: usize::try_from(cap).unwrap_or(usize::MAX),
            room: part.share_of(MOST_WAITING).max(1),
            told_crowded: Cell::new(false),
            thinking: Cell::new(0),
            backlog: RefCell::default(),
            waiting: RefCell::default(),
            ended: Notify::new(),
            closing: Cell::new(false),
        }
    }

    /// Sessions admitted and not over.
    pub(crate) fn open(&self) -> u64 {
        self.open.get()
    }

    /// Sessions that are due and wait for the cap or for their object.
    pub(crate) fn queued(&self) -> u64 {
        let busy = self.in_flight.get() as u64 + self.thinking.get();
        self.open.get().saturating_sub(busy)
    }

    /// The cap is reached.
    pub(super) fn full(&self) -> bool {
        self.in_flight.get() >= self.cap
    }

    /// One more is in flight.
    pub(super) fn enter(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
    }

    /// One less is.
    pub(super) fn exit(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
    }

    /// Waits for a place in flight.
    pub(super) fn queue(&self, waiter: Waiter) {
        self.backlog.borrow_mut().push_back(waiter);
    }

    /// The next that waits for a place, if there is one.
    pub(super) fn next(&self) -> Option<Waiter> {
        match self.full() {
            true => None,
            false => self.backlog.borrow_mut().pop_front(),
        }
    }

    /// Waits for the object.
    pub(super) fn queue_for(&self, object: ObjectRef, waiter: Waiter) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.entry(object).or_default().push_back(waiter);
    }

    /// The next that waits for the object.
    pub(super) fn next_for(&self, object: ObjectRef) -> Option<Waiter> {
        let mut waiting = self.waiting.borrow_mut();
        let line = waiting.get_mut(&object)?;
        let next = line.pop_front();
        if line.is_empty() {
            waiting.remove(&object);
        }
        next
    }

    fn crowded(&self) -> bool {
        self.queued() > self.room
    }

    fn close_one(&self) {
        self.open.set(self.open.get().saturating_sub(1));
    }
}

impl Worker {
    /// A session is due: begin it, or let it wait with its intended instant.
    pub(crate) fn admit(self: &Rc<Self>, arrival: Arrival) {
        let pending = self.offer(arrival);
        self.admit_pending(pending);
    }

    fn admit_pending(self: &Rc<Self>, pending: Pending) {
        if self.admission.crowded() {
            self.say_crowded();
            return self.skip(pending);
        }
        if pending.periodic && pending.session.writes() {
            let state = self.objects.get(pending.session.object);
            if state.queued() {
                return self.skip(pending);
            }
            if state.busy() || self.admission.full() {
                self.objects
                    .change(pending.session.object, |s| s.set_queued(true));
            }
        }
        if self.admission.full() {
            self.admission.queue(Waiter::Session(pending));
        } else {
            let _ = self.begin(pending);
        }
    }

    /// Says once that the room is full.
    fn say_crowded(&self) {
        if self.admission.told_crowded.replace(true) {
            return;
        }
        let note = Note {
            t: self.recorder.borrow().seconds(clock::now()),
            level: "warning".to_owned(),
            text: format!(
                "{} operations are waiting; further ones are skipped and count as missed; lower the rate",
                grouped(self.admission.room)
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
        self.admission.open.set(self.admission.open.get() + 1);
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
        self.admission.close_one();
        self.admission.ended.notify_waiters();
    }

    /// Admits a session and returns when it is over. Where nothing keeps it waiting the caller plays it
    /// itself: a closed loop's client needs no task per operation.
    pub(crate) async fn play_to_end(self: &Rc<Self>, arrival: Arrival) {
        let mut pending = self.offer(arrival);
        if !self.admission.full() {
            if let Taken::Play(pending) = self.take(pending) {
                self.session(pending).await;
            }
        } else {
            let (done, over) = oneshot::channel();
            pending.over = Some(done);
            self.admit_pending(pending);
            let _ = over.await;
        }
    }

    /// Begins a session, or parks it behind the write of its object that is in flight. False when neither: it was
    /// dropped, and who waits behind it for the object is next.
    pub(super) fn begin(self: &Rc<Self>, pending: Pending) -> bool {
        match self.take(pending) {
            Taken::Play(pending) => {
                let worker = Rc::clone(self);
                tokio::task::spawn_local(async move {
                    let _watch = worker.watch();
                    worker.session(pending).await;
                });
                true
            }
            Taken::Parked => true,
            Taken::Dropped => false,
        }
    }

    async fn session(self: &Rc<Self>, mut pending: Pending) {
        let over = pending.over.take();
        let held = self.play(pending).await;
        self.over(held);
        drop(over);
    }

    /// Takes a place in flight and the object for a session.
    fn take(&self, pending: Pending) -> Taken {
        if self.admission.closing.get() {
            return Taken::Dropped;
        }
        if self.run.plan.load.at_cap == AtCap::Skip && !pending.operation.closed() {
            let limit = self.run.routes.of_class(pending.operation.class()).limit;
            if clock::now().saturating_sub(pending.operation.intended()) > limit {
                self.objects
                    .change(pending.session.object, |s| s.set_queued(false));
                self.skip(pending);
                return Taken::Dropped;
            }
        }
        if pending.session.writes() {
            let object = pending.session.object;
            if self.objects.get(object).busy() {
                self.admission.queue_for(object, Waiter::Session(pending));
                return Taken::Parked;
            }
            self.objects.change(object, |s| {
                s.set_busy(true);
                s.set_queued(false);
            });
        }
        self.admission.enter();
        Taken::Play(pending)
    }

    /// A session is over: its object and its place are free for the next.
    fn over(self: &Rc<Self>, held: Option<ObjectRef>) {
        self.admission.close_one();
        self.release(held);
        self.leave();
        self.admission.ended.notify_waiters();
    }

    /// At the drain deadline: what is open is censored, and what it may have written is unknown.
    pub(crate) fn censor(&self) {
        self.admission.closing.set(true);
        self.recorder.borrow_mut().censor();
        self.objects.censor();
    }
}
