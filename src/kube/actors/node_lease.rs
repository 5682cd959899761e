//! Each kubelet renews its Lease in kube-node-lease every 10 s + 0…4 %: PUT with resourceVersion, one
//! Txn; on a conflict a GET and another PUT.
//!
//! Source: k8s.io/component-helpers `apimachinery/lease/controller.go`; kubelet.go (40 s × 0.25, jitter 0.04).

use super::{DefaultArrivals, Definition, Exceptions, Form, Members};
use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::Cells;
use std::time::Duration;

pub(super) const DEFINITION: Definition = Definition {
    name: "nodeLease",
    about: "Each kubelet renews its Lease.",
    fields: &[],
    // kubelet `pkg/kubelet/kubelet.go`: 40 s × 0.25, JitterUntil 0.04.
    arrivals: DefaultArrivals::Period {
        every: Duration::from_secs(10),
        low: 1.0,
        high: 1.04,
    },
    forms: Form::ALL,
    members: Members::NODES,
    conduct: Exceptions::USUAL,
    model: |scope| {
        Box::new(NodeLease {
            nodes: scope.cluster.nodes,
        })
    },
};

#[derive(Debug)]
struct NodeLease {
    nodes: u64,
}

impl Cells for NodeLease {
    fn cells(&self) -> Option<u64> {
        Some(self.nodes)
    }
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

    fn session(&self, index: u64, _: u64) -> Option<Session> {
        let node = index.checked_rem(self.nodes)?;
        Some(Session::new(
            Kind::NodeLease,
            node,
            &[Step::Update {
                class: OpClass::NodeLeaseUpdate,
                reread: Some(OpClass::NodeLeaseGet),
                lease: LeaseUse::None,
            }],
        ))
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        vec![(OpClass::NodeLeaseUpdate, sessions)]
    }

    fn classes(&self) -> Vec<OpClass> {
        vec![OpClass::NodeLeaseUpdate, OpClass::NodeLeaseGet]
    }
}
