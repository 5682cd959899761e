//! kube-apiserver's compactor: every 5 min a Txn on `compact_rev_key`; the winner compacts the
//! revision that it saw in the previous round, the others learn the key's version from their failed Txn.
//! Each apiserver has one for each of its stores (`startCompactorOnce`): member m is that of store m modulo
//! the number of stores.
//!
//! Source: k8s.io/apiserver `pkg/storage/etcd3/compact.go`.

use super::{Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};

#[derive(Debug)]
pub(super) struct Compactor {
    /// Apiservers × stores.
    pub(super) members: u64,
}

impl Model for Compactor {
    fn population(&self) -> Vec<Population> {
        Vec::new()
    }

    fn members(&self) -> u64 {
        self.members
    }

    fn session(&mut self, member: u64, _: u64) -> Option<Session> {
        Some(Session::new(
            Kind::CompactRev,
            member,
            &[
                Step::CompactorTxn(OpClass::CompactorTxn),
                Step::CompactorCompact(OpClass::CompactorCompact),
            ],
        ))
    }

    fn classes(&self) -> Vec<OpClass> {
        vec![OpClass::CompactorTxn, OpClass::CompactorCompact]
    }
}
