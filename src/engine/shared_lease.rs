//! etcd leases of one worker: which were granted, and the shared ones for events
//! (k8s.io/apiserver `pkg/storage/etcd3/lease_manager.go`).

use crate::clock::{Nanos, SECOND};
use std::collections::HashMap;
use std::rc::Rc;
use tokio::sync::Notify;

/// The apiserver's `LeaseManagerConfig.MaxObjectCount`.
const MAX_OBJECTS: u64 = 1000;

/// A lease that etcd granted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    pub(crate) id: i64,
    pub(crate) at: Nanos,
    pub(crate) ttl: i64,
}

impl Granted {
    /// Whether etcd may have expired it by `now`.
    pub(crate) fn may_have_expired(&self, now: Nanos) -> bool {
        now.saturating_sub(self.at) / SECOND >= self.ttl.unsigned_abs()
    }
}

#[derive(Debug, Default)]
struct Slot {
    lease: Option<usize>,
    uses: u64,
    granting: Option<Rc<Notify>>,
}

/// What a session has to do for its shared lease.
#[derive(Debug)]
pub(crate) enum Shared {
    /// Use this one.
    Use(usize),
    /// Grant a new one, then call [`Leases::granted_shared`] or [`Leases::failed`].
    Grant,
    /// Another session is granting it: wait, then ask again.
    Wait(Rc<Notify>),
}

/// All etcd leases of a worker.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    granted: Vec<Granted>,
    slots: HashMap<usize, Slot>,
}

impl Leases {
    /// A lease by its number.
    pub(crate) fn get(&self, index: usize) -> Option<Granted> {
        self.granted.get(index).copied()
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Granted] {
        &self.granted
    }

    /// A new lease; returns its number.
    pub(crate) fn granted(&mut self, id: i64, at: Nanos, ttl: i64) -> usize {
        self.granted.push(Granted { id, at, ttl });
        self.granted.len() - 1
    }

    /// The shared lease of a slot; every call counts as an attached object, as in the apiserver.
    pub(crate) fn shared(&mut self, slot: usize, reuse_seconds: u64, now: Nanos) -> Shared {
        let slot = self.slots.entry(slot).or_default();
        if let Some(notify) = &slot.granting {
            return Shared::Wait(Rc::clone(notify));
        }
        let fresh = slot
            .lease
            .and_then(|i| self.granted.get(i).map(|g| (i, g)))
            .filter(|(_, g)| {
                now.saturating_sub(g.at) < reuse_seconds * SECOND && slot.uses < MAX_OBJECTS
            });
        match fresh {
            Some((index, _)) => {
                slot.uses += 1;
                Shared::Use(index)
            }
            None => {
                slot.granting = Some(Rc::new(Notify::new()));
                Shared::Grant
            }
        }
    }

    /// The slot's new lease is there.
    pub(crate) fn granted_shared(&mut self, slot: usize, id: i64, at: Nanos, ttl: i64) -> usize {
        let index = self.granted(id, at, ttl);
        let slot = self.slots.entry(slot).or_default();
        slot.lease = Some(index);
        slot.uses = 1;
        if let Some(notify) = slot.granting.take() {
            notify.notify_waiters();
        }
        index
    }

    /// The grant failed; the next session tries again.
    pub(crate) fn failed(&mut self, slot: usize) {
        if let Some(notify) = self.slots.entry(slot).or_default().granting.take() {
            notify.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_serves_60_s_or_1000_objects() {
        let mut leases = Leases::default();
        assert!(matches!(leases.shared(0, 60, 0), Shared::Grant));
        assert!(matches!(leases.shared(0, 60, 0), Shared::Wait(_)));
        let first = leases.granted_shared(0, 7, 0, 3660);
        for _ in 1..1000 {
            assert!(matches!(leases.shared(0, 60, SECOND), Shared::Use(i) if i == first));
        }
        assert!(matches!(leases.shared(0, 60, SECOND), Shared::Grant));
        let second = leases.granted_shared(0, 8, SECOND, 3660);
        assert!(matches!(leases.shared(0, 60, 60 * SECOND), Shared::Use(i) if i == second));
        assert!(matches!(leases.shared(0, 60, 61 * SECOND), Shared::Grant));
        leases.failed(0);
        assert!(matches!(leases.shared(0, 60, 61 * SECOND), Shared::Grant));
    }
}
