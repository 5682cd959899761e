//! Every kube-apiserver's compactor: every 5 min a Txn on `compact_rev_key`; the winner compacts the
//! revision that it saw in the previous round, the others learn the key's version from their failed Txn.
//!
//! Source: k8s.io/apiserver `pkg/storage/etcd3/compact.go`.

use super::{Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};

#[derive(Debug)]
pub(super) struct Compactor {
    pub(super) apiservers: u64,
}

impl Model for Compactor {
    fn population(&self) -> Vec<Population> {
        Vec::new()
    }

    fn members(&self) -> u64 {
        self.apiservers
    }

    fn session(&mut self, index: u64, _: u64) -> Option<Session> {
        Some(Session::new(
            Kind::CompactRev,
            index % self.apiservers.max(1),
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
