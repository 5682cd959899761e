//! The objects of one worker: what is known of each, and what is not.

use super::state::{ObjState, States};
use crate::kube::ObjectRef;
use crate::kube::actors::Population;
use crate::rpc::messages::KeyValue;
use crate::schedule::Stripe;
use std::cell::{Cell, RefCell};

/// Shared by all sessions of the worker; each change is made at once, between two waits.
#[derive(Debug)]
pub(crate) struct ObjectStates {
    states: RefCell<States>,
    /// Writes whose outcome was not known, and those of them that were seen applied later.
    indeterminate: Cell<u64>,
    applied: Cell<u64>,
}

/// What is known at the end.
#[derive(Debug)]
pub(crate) struct ObjectSummary {
    pub(crate) states: States,
    pub(crate) indeterminate: u64,
    pub(crate) applied: u64,
}

impl ObjectStates {
    pub(crate) fn new(part: Stripe, populations: &[Population]) -> Self {
        ObjectStates {
            states: RefCell::new(States::new(part, populations)),
            indeterminate: Cell::new(0),
            applied: Cell::new(0),
        }
    }

    /// The state of an object; a fresh one when it has never been touched.
    pub(crate) fn get(&self, object: ObjectRef) -> ObjState {
        self.states.borrow().get(object)
    }

    /// Changes the state of an object.
    pub(crate) fn change(&self, object: ObjectRef, f: impl FnOnce(&mut ObjState)) {
        self.states.borrow_mut().change(object, f);
    }

    /// A write was acknowledged: the store now holds this version at this revision.
    pub(crate) fn acknowledge(
        &self,
        object: ObjectRef,
        revision: i64,
        version: u32,
        lease: Option<usize>,
    ) {
        self.change(object, |s| {
            s.mod_revision = revision;
            s.version = version;
            s.set_unknown(false);
            s.set_lease(lease);
        });
    }

    /// What the store holds, as an answer showed it.
    pub(crate) fn adopt(&self, object: ObjectRef, kv: Option<&KeyValue>) {
        let (revision, version) = kv.map_or((0, 0), |kv| (kv.mod_revision, kv.version));
        self.change(object, |s| {
            if s.unknown() && s.mod_revision != revision {
                self.applied.set(self.applied.get() + 1);
            }
            s.mod_revision = revision;
            s.version = u32::try_from(version).unwrap_or(u32::MAX);
            s.set_unknown(false);
        });
    }

    /// A write's outcome is not known.
    pub(crate) fn lose_track(&self, object: ObjectRef) {
        self.indeterminate.set(self.indeterminate.get() + 1);
        self.change(object, |s| s.set_unknown(true));
    }

    /// At the drain deadline: what a write in flight may have done is unknown.
    pub(crate) fn censor(&self) {
        let busy: Vec<ObjectRef> = {
            let states = self.states.borrow();
            let busy = states.iter().filter(|(_, s)| s.busy());
            busy.map(|(object, _)| object).collect()
        };
        for object in busy {
            self.lose_track(object);
            self.change(object, |s| s.set_busy(false));
        }
    }

    /// Takes everything out.
    pub(crate) fn summary(&self) -> ObjectSummary {
        let empty = States::new(Stripe::WHOLE, &[]);
        ObjectSummary {
            states: self.states.replace(empty),
            indeterminate: self.indeterminate.get(),
            applied: self.applied.get(),
        }
    }
}
