//! Leader election: the holder of each lock renews it every RetryPeriod (2 s, one Txn); each standby
//! polls it (one Range).
//!
//! Source: k8s.io/client-go `tools/leaderelection/leaderelection.go`, component-base defaults (15 s, 10 s, 2 s).

use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};

#[derive(Debug)]
pub(super) struct LeaderLease {
    pub(super) locks: u64,
    pub(super) standbys: u64,
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

    fn session(&mut self, index: u64, _: u64) -> Option<Session> {
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
                upsert: false,
            }
        } else {
            Step::Get(OpClass::LeaderLeaseGet)
        };
        Some(Session::new(Kind::LeaderLease, lock, &[step]))
    }

    fn classes(&self) -> Vec<OpClass> {
        vec![
            OpClass::LeaderLeaseCreate,
            OpClass::LeaderLeaseUpdate,
            OpClass::LeaderLeaseGet,
        ]
    }
}
