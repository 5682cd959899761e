//! One worker: a thread with its own runtime that owns its cells and all their state. Nothing of it is shared with
//! another thread, but for the run's context.

use super::admission::Admission;
use super::context::RunContext;
use super::leases::Leases;
use super::load::Times;
use super::losses::Losses;
use super::maintenance::Maintenance;
use super::message::{Message, Watch};
use super::objects::ObjectStates;
use super::recorder::Recorder;
use super::timers::Timers;
use crate::clock::{self, Nanos};
use crate::etcd::wire::Pool;
use crate::report::Phase;
use crate::schedule::Stripe;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// The state that all sessions of a worker share.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) part: Stripe,
    pub(crate) run: Arc<RunContext>,
    /// One per store.
    pub(crate) pools: Vec<Pool>,
    pub(crate) admission: Admission,
    pub(crate) timers: Timers,
    /// Of the load, once it is known.
    times: Cell<Option<Times>>,
    pub(crate) objects: ObjectStates,
    pub(crate) leases: RefCell<Leases>,
    pub(crate) losses: Losses,
    pub(crate) maintenance: Maintenance,
    pub(crate) recorder: RefCell<Recorder>,
    /// Keys and values are written here first.
    pub(crate) scratch: RefCell<Vec<u8>>,
    messages: Sender<Message>,
}

impl Worker {
    pub(crate) fn new(
        index: usize,
        run: Arc<RunContext>,
        pools: Vec<Pool>,
        messages: Sender<Message>,
    ) -> Rc<Worker> {
        let workers = run.plan.load.workers.max(1);
        let part = Stripe::new(index as u64, workers as u64).unwrap_or(Stripe::WHOLE);
        Rc::new(Worker {
            index,
            part,
            pools,
            admission: Admission::new(&run.plan.load, part),
            timers: Timers::new(),
            times: Cell::new(None),
            objects: ObjectStates::new(part, &run.populations),
            leases: RefCell::default(),
            losses: Losses::new(run.stores.iter().map(|s| s.cluster)),
            maintenance: Maintenance::default(),
            recorder: RefCell::new(Recorder::new(run.t0, clock::now())),
            scratch: RefCell::new(Vec::with_capacity(32 * 1024)),
            messages,
            run,
        })
    }

    /// For a task of this worker.
    pub(crate) fn watch(&self) -> Watch {
        Watch {
            worker: self.index,
            messages: self.messages.clone(),
        }
    }

    /// The load's instants, also when its end comes earlier than was planned: a step that would be due after the end is
    /// not begun, and its session is over.
    pub(crate) fn within(&self, times: Times) {
        self.times.set(Some(times));
        self.timers.end_at(times.end);
    }

    /// The phase of an operation that is intended at this instant.
    pub(crate) fn phase(&self, intended: Nanos) -> Phase {
        self.times
            .get()
            .map_or(Phase::Populate, |t| t.phase(intended))
    }

    /// Tells the run something; a run that has gone does not listen any more.
    pub(crate) fn tell(&self, message: Message) {
        let _ = self.messages.send(message);
    }
}
