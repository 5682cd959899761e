//! Each kubelet renews its Lease in kube-node-lease every 10 s + 0…4 %: PUT with resourceVersion, one
//! Txn; on a conflict a GET and another PUT.
//!
//! Source: k8s.io/component-helpers `apimachinery/lease/controller.go`; kubelet.go (40 s × 0.25, jitter 0.04).

use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::Stripe;

#[derive(Debug)]
pub(super) struct NodeLease {
    pub(super) nodes: u64,
    pub(super) part: Stripe,
}

impl Model for NodeLease {
    fn population(&self) -> Vec<Population> {
        vec![Population {
            kind: Kind::NodeLease,
            cells: self.nodes,
            per_cell: 1,
            class: OpClass::NodeLeaseCreate,
        }]
    }

    fn members(&self) -> u64 {
        self.nodes
    }

    fn session(&mut self, index: u64, _: u64) -> Option<Session> {
        let node = self.part.pick(index, self.nodes)?;
        Some(Session::new(
            Kind::NodeLease,
            node,
            &[Step::Update {
                class: OpClass::NodeLeaseUpdate,
                reread: Some(OpClass::NodeLeaseGet),
                lease: LeaseUse::None,
                upsert: false,
            }],
        ))
    }

    fn classes(&self) -> Vec<OpClass> {
        vec![
            OpClass::NodeLeaseCreate,
            OpClass::NodeLeaseUpdate,
            OpClass::NodeLeaseGet,
        ]
    }
}
