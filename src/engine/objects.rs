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

/// What was acknowledged (or shown) of an object, and the less that the store holds now: (mod revision, version).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) acknowledged: (i64, u32),
    pub(crate) found: (i64, u32),
    /// The etcd lease that the last write carried.
    pub(crate) lease: Option<usize>,
}

impl Missing {
    /// None where what was found is not older than what is known.
    fn new(known: ObjState, found: (i64, u32)) -> Option<Self> {
        let older = found.0 < known.mod_revision || found.1 < known.version;
        (known.exists() && older).then_some(Missing {
            acknowledged: (known.mod_revision, known.version),
            found,
            lease: known.lease(),
        })
    }

    /// How many acknowledged writes that is.
    pub(crate) fn writes(&self) -> u64 {
        u64::from(self.acknowledged.1.saturating_sub(self.found.1).max(1))
    }

    pub(crate) fn text(&self, key: &str) -> String {
        let (revision, version) = self.acknowledged;
        let found = match self.found {
            (_, 0) => "the key is not in the store".to_owned(),
            (revision, version) => format!("found version {version} at revision {revision}"),
        };
        format!("{key}: {found}, but version {version} at revision {revision} was acknowledged")
    }
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

    /// A write was acknowledged: the store now holds this version at this revision. A first version of what was
    /// there already tells that it had gone.
    pub(crate) fn acknowledge(
        &self,
        object: ObjectRef,
        revision: i64,
        version: u32,
        lease: Option<usize>,
    ) -> Option<Missing> {
        let known = self.get(object);
        let gone = (version == 1).then(|| Missing::new(known, (0, 0)));
        self.change(object, |s| {
            s.mod_revision = revision;
            s.version = version;
            s.set_unknown(false);
            s.set_lease(lease);
        });
        gone.flatten()
    }

    /// What the store holds, as an answer showed it; what is missing of what was known before.
    pub(crate) fn adopt(&self, object: ObjectRef, kv: Option<&KeyValue>) -> Option<Missing> {
        let (revision, version) = kv.map_or((0, 0), |kv| (kv.mod_revision, kv.version));
        let version = u32::try_from(version).unwrap_or(u32::MAX);
        let missing = Missing::new(self.get(object), (revision, version));
        self.change(object, |s| {
            if s.unknown() && revision > s.mod_revision {
                self.applied.set(self.applied.get() + 1);
            }
            s.mod_revision = revision;
            s.version = version;
            s.set_unknown(false);
        });
        missing
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
