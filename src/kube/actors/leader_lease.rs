//! Leader election: the holder of each lock renews it every RetryPeriod (2 s, one Txn); each standby polls it every
//! RetryPeriod × U(1, 2.2) (one Range).
//!
//! Source: k8s.io/client-go `tools/leaderelection/leaderelection.go`: `renew` is `wait.Until`, `acquire` is
//! `wait.JitterUntil` with JitterFactor 1.2, which is added; component-base defaults (15 s, 10 s, 2 s).

use super::{Accepts, Apart, DefaultArrivals, Definition, Exceptions, Field, Form, Members, Value};
use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::{Cells, Sessions};
use std::time::Duration;

pub(super) const DEFINITION: Definition = Definition {
    name: "leaderLease",
    about: "Leaders renew their locks; standbys poll them.",
    fields: &[STANDBYS],
    // component-base `config/v1alpha1/defaults.go`: retryPeriod 2 s.
    arrivals: DefaultArrivals::Period {
        every: Duration::from_secs(2),
        low: 1.0,
        high: 1.0,
    },
    forms: Form::PERIOD,
    members: Members::LEADER_LOCKS,
    conduct: Exceptions {
        tail: Some(Apart {
            about: "standbys",
            from: |cluster| cluster.leader_locks,
            low: 1.0,
            high: 2.2,
        }),
        ..Exceptions::USUAL
    },
    model: |scope| {
        Box::new(LeaderLease {
            locks: scope.cluster.leader_locks,
            standbys: scope.settings.whole(&STANDBYS),
        })
    },
};

const STANDBYS: Field = Field {
    name: "standbys",
    about: "candidates per lock that poll it",
    accepts: Accepts::Whole {
        low: 0,
        high: 1_000,
    },
    default: |cluster| Value::Whole(cluster.apiservers.saturating_sub(1)),
    default_text: "apiservers - 1",
};

#[derive(Debug)]
struct LeaderLease {
    locks: u64,
    standbys: u64,
}

impl Cells for LeaderLease {
    fn cells(&self) -> Option<u64> {
        Some(self.locks)
    }
}

impl Model for LeaderLease {
    fn population(&self) -> Vec<Population> {
        vec![Population {
            kind: Kind::LeaderLease,
            cells: self.locks,
            per_cell: 1,
            class: OpClass::LeaderLeaseCreate,
        }]
    }

    /// Holders first, then the standbys of every lock.
    fn members(&self) -> u64 {
        self.locks * (1 + self.standbys)
    }

    fn session(&self, index: u64, _: u64) -> Option<Session> {
        if self.locks == 0 {
            return None;
        }
        let lock = index % self.locks;
        let holds = (index / self.locks).is_multiple_of(1 + self.standbys);
        let step = if holds {
            Step::Update {
                class: OpClass::LeaderLeaseUpdate,
                reread: Some(OpClass::LeaderLeaseGet),
                lease: LeaseUse::None,
            }
        } else {
            Step::Get(OpClass::LeaderLeaseGet)
        };
        Some(Session::new(Kind::LeaderLease, lock, &[step]))
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        let head = sessions / (1 + self.standbys) as f64;
        let tail = sessions - head;
        self.rates_of(Sessions { head, tail })
    }

    fn rates_of(&self, sessions: Sessions) -> Vec<(OpClass, f64)> {
        let mut rows = vec![(OpClass::LeaderLeaseUpdate, sessions.head)];
        if self.standbys > 0 {
            rows.push((OpClass::LeaderLeaseGet, sessions.tail));
        }
        rows
    }

    fn classes(&self) -> Vec<OpClass> {
        vec![OpClass::LeaderLeaseUpdate, OpClass::LeaderLeaseGet]
    }
}
