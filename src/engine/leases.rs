//! etcd leases: those that a worker knows, and the ones that Events of all workers share
//! (k8s.io/apiserver `pkg/storage/etcd3/lease_manager.go`).

use crate::clock::{Nanos, SECOND};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

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

/// The leases that Events share, one for each events client of each apiserver, whatever worker plays it.
#[derive(Debug, Default)]
pub(crate) struct SharedLeases {
    slots: Mutex<HashMap<usize, Arc<tokio::sync::Mutex<SharedLease>>>>,
}

impl SharedLeases {
    /// The slot of this number. Who locks it holds it while it grants, as the apiserver does: the others wait.
    pub(crate) fn slot(&self, slot: usize) -> Arc<tokio::sync::Mutex<SharedLease>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(slot).or_default())
    }
}

/// The current lease of a slot.
#[derive(Debug, Default)]
pub(crate) struct SharedLease {
    grant: Option<Grant>,
    uses: u64,
}

impl SharedLease {
    /// The lease for one more object; none when a new one is due. Every call counts as an object, as in the apiserver.
    pub(crate) fn attach(&mut self, reuse_seconds: u64, now: Nanos) -> Option<Grant> {
        let young = |g: &Grant| now.saturating_sub(g.answered) < reuse_seconds * SECOND;
        let grant = self.grant.filter(young)?;
        (self.uses < MAX_OBJECTS).then(|| {
            self.uses += 1;
            grant
        })
    }

    /// A new lease, with its first object.
    pub(crate) fn renew(&mut self, grant: Grant) {
        (self.grant, self.uses) = (Some(grant), 1);
    }
}

/// All etcd leases that a worker knows.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    grants: Vec<Grant>,
    /// Numbers of shared ones, by store and id.
    shared: HashMap<(usize, i64), usize>,
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

    /// The number of a shared lease.
    pub(crate) fn number(&mut self, grant: Grant) -> usize {
        let key = (grant.store, grant.id);
        match self.shared.get(&key) {
            Some(number) => *number,
            None => {
                let number = self.add(grant);
                self.shared.insert(key, number);
                number
            }
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
        let mut shared = SharedLease::default();
        let id = |g: Option<Grant>| g.map(|g| g.id);
        assert_eq!(id(shared.attach(60, 0)), None);
        shared.renew(Grant::new(0, 7, 0, 0, 3660));
        for _ in 1..1000 {
            assert_eq!(id(shared.attach(60, SECOND)), Some(7));
        }
        assert_eq!(id(shared.attach(60, SECOND)), None);
        shared.renew(Grant::new(0, 8, SECOND, SECOND, 3660));
        assert_eq!(id(shared.attach(60, 60 * SECOND)), Some(8));
        assert_eq!(id(shared.attach(60, 61 * SECOND)), None);
        let mut leases = Leases::default();
        let own = leases.add(Grant::new(0, 7, 0, 0, 15));
        let first = leases.number(Grant::new(0, 8, 0, 0, 3660));
        assert_ne!(own, first);
        assert_eq!(leases.number(Grant::new(0, 8, 0, 0, 3660)), first);
    }
}
