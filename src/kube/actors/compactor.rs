//! kube-apiserver's compactor: every 5 min a Txn on `compact_rev_key`; the winner compacts the
//! revision that it saw in the previous round, the others learn the key's version from their failed Txn.
//! Each apiserver has one for each of its stores (`startCompactorOnce`): member m is that of store m modulo
//! the number of stores.
//!
//! Source: k8s.io/apiserver `pkg/storage/etcd3/compact.go`.

use super::{DefaultArrivals, Definition, Exceptions, Form, Members};
use super::{Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::Cells;
use std::time::Duration;

pub(super) const DEFINITION: Definition = Definition {
    name: "compactor",
    about: "kube-apiserver compacts etcd.",
    fields: &[],
    arrivals: DefaultArrivals::Period {
        every: Duration::from_secs(300),
        low: 1.0,
        high: 1.0,
    },
    forms: Form::PERIOD,
    members: Members::APISERVERS,
    // It keeps its clock.
    conduct: Exceptions {
        scales: false,
        ..Exceptions::USUAL
    },
    model: |scope| {
        Box::new(Compactor {
            apiservers: scope.cluster.apiservers,
            stores: scope.stores,
        })
    },
};

#[derive(Debug)]
struct Compactor {
    apiservers: u64,
    stores: u64,
}

impl Cells for Compactor {
    fn cells(&self) -> Option<u64> {
        Some(self.members())
    }
}

impl Model for Compactor {
    fn population(&self) -> Vec<Population> {
        Vec::new()
    }

    fn members(&self) -> u64 {
        self.apiservers.saturating_mul(self.stores)
    }

    fn session(&self, index: u64, _: u64) -> Option<Session> {
        let member = index.checked_rem(self.members())?;
        Some(Session::new(
            Kind::CompactRev,
            member,
            &[
                Step::CompactorTxn(OpClass::CompactorTxn),
                Step::CompactorCompact(OpClass::CompactorCompact),
            ],
        ))
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        // One of a store's wins.
        let won = sessions / self.apiservers.max(1) as f64;
        vec![
            (OpClass::CompactorTxn, sessions),
            (OpClass::CompactorCompact, won),
        ]
    }
}
