//! kube-apiserver's compactor: every 5 min a Txn on `compact_rev_key`; the winner compacts the
//! revision that it saw in the previous round. Each apiserver runs one for each etcd cluster that it uses
//! (`--etcd-servers-overrides` included), so a cluster's compactors are as many as the apiservers.
//!
//! Source: k8s.io/apiserver `pkg/storage/etcd3/compact.go`.

use super::{Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};

#[derive(Debug)]
pub(super) struct Compactor {
    pub(super) apiservers: u64,
    pub(super) stores: u64,
}

impl Model for Compactor {
    fn population(&self) -> Vec<Population> {
        Vec::new()
    }

    fn members(&self) -> u64 {
        self.apiservers * self.stores
    }

    fn session(&mut self, index: u64, _: u64) -> Option<Session> {
        Some(Session::new(
            Kind::CompactRev,
            index,
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

/// The store that a compactor works on: the apiservers' for the first one, then those for the next …
pub fn store_of_compactor(member: u64, apiservers: u64) -> u64 {
    member / apiservers.max(1)
}
