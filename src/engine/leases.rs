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
pub(crate) struct Grant {
    pub(crate) store: usize,
    pub(crate) id: i64,
    /// It was applied after this instant, and before it was answered.
    pub(crate) sent: Nanos,
    pub(crate) answered: Nanos,
    pub(crate) ttl: i64,
    /// It was seen to have removed a key, when it was due.
    pub(crate) ended: bool,
    /// etcd did not know it when it was not due yet.
    pub(crate) lost: bool,
}

impl Grant {
    pub(crate) fn new(store: usize, id: i64, sent: Nanos, answered: Nanos, ttl: i64) -> Self {
        Grant {
            store,
            id,
            sent,
            answered,
            ttl,
            ended: false,
            lost: false,
        }
    }

    /// Whether etcd may have expired it by `now`, an instant after what is judged was read. etcd's clock and ours
    /// may drift apart by a thousandth.
    pub(crate) fn may_have_expired(&self, now: Nanos) -> bool {
        now.saturating_sub(self.sent) >= self.ttl.unsigned_abs() * (SECOND / 1000 * 999)
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
pub(crate) enum LeaseDecision {
    /// Use this one.
    Use(usize),
    /// Grant a new one, then call [`Leases::add_shared`] or [`Leases::failed`].
    Grant,
    /// Another session is granting it: wait, then ask again.
    Wait(Rc<Notify>),
}

/// All etcd leases of a worker.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    grants: Vec<Grant>,
    slots: HashMap<usize, Slot>,
}

impl Leases {
    /// A lease by its number.
    pub(crate) fn get(&self, index: usize) -> Option<Grant> {
        self.grants.get(index).copied()
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Grant] {
        &self.grants
    }

    /// A new lease; returns its number.
    pub(crate) fn add(&mut self, grant: Grant) -> usize {
        self.grants.push(grant);
        self.grants.len() - 1
    }

    /// A key of this lease is gone by `now`: whether the lease may have removed it.
    pub(crate) fn ended(&mut self, index: usize, now: Nanos) -> bool {
        let grant = self.grants.get_mut(index);
        grant.is_some_and(|g| {
            g.ended |= g.may_have_expired(now);
            g.ended
        })
    }

    /// A lease is gone too early; whether this is news.
    pub(crate) fn lost(&mut self, index: usize) -> bool {
        let grant = self.grants.get_mut(index);
        grant.is_some_and(|g| !std::mem::replace(&mut g.lost, true))
    }

    /// The shared lease of a slot; every call counts as an attached object, as in the apiserver.
    pub(crate) fn shared(&mut self, slot: usize, reuse_seconds: u64, now: Nanos) -> LeaseDecision {
        let slot = self.slots.entry(slot).or_default();
        if let Some(notify) = &slot.granting {
            return LeaseDecision::Wait(Rc::clone(notify));
        }
        let fresh = slot
            .lease
            .and_then(|i| self.grants.get(i).map(|g| (i, g)))
            .filter(|(_, g)| {
                now.saturating_sub(g.answered) < reuse_seconds * SECOND && slot.uses < MAX_OBJECTS
            });
        match fresh {
            Some((index, _)) => {
                slot.uses += 1;
                LeaseDecision::Use(index)
            }
            None => {
                slot.granting = Some(Rc::new(Notify::new()));
                LeaseDecision::Grant
            }
        }
    }

    /// The slot's new lease is there.
    pub(crate) fn add_shared(&mut self, slot: usize, grant: Grant) -> usize {
        let index = self.add(grant);
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
    fn a_lease_may_end_its_time_after_it_was_sent() {
        // Granted between 10 and 13 s.
        let grant = Grant::new(0, 7, 10 * SECOND, 13 * SECOND, 15);
        assert!(!grant.may_have_expired(24 * SECOND));
        assert!(grant.may_have_expired(25 * SECOND));
        let mut leases = Leases::default();
        let lease = leases.add(grant);
        assert!(!leases.ended(lease, 24 * SECOND));
        assert!(leases.ended(lease, 25 * SECOND));
        assert!(leases.get(lease).unwrap().ended);
    }

    #[test]
    fn a_lease_serves_60_s_or_1000_objects() {
        let mut leases = Leases::default();
        assert!(matches!(leases.shared(0, 60, 0), LeaseDecision::Grant));
        assert!(matches!(leases.shared(0, 60, 0), LeaseDecision::Wait(_)));
        let first = leases.add_shared(0, Grant::new(0, 7, 0, 0, 3660));
        for _ in 1..1000 {
            assert!(matches!(leases.shared(0, 60, SECOND), LeaseDecision::Use(i) if i == first));
        }
        assert!(matches!(leases.shared(0, 60, SECOND), LeaseDecision::Grant));
        let second = leases.add_shared(0, Grant::new(0, 8, SECOND, SECOND, 3660));
        assert!(matches!(leases.shared(0, 60, 60 * SECOND), LeaseDecision::Use(i) if i == second));
        assert!(matches!(
            leases.shared(0, 60, 61 * SECOND),
            LeaseDecision::Grant
        ));
        leases.failed(0);
        assert!(matches!(
            leases.shared(0, 60, 61 * SECOND),
            LeaseDecision::Grant
        ));
    }
}
