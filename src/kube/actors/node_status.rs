//! Each kubelet writes its Node's status: every 5 min × U(0.5, 1.5) after a report that changed
//! something; PATCH status, one Txn, retried from the failed transaction's range.
//!
//! Source: kubelet `kubelet_node_status.go` (nodeStatusReportFrequency, calculateDelay); recorded with 1.37.

use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::Stripe;

#[derive(Debug)]
pub(super) struct NodeStatus {
    pub(super) nodes: u64,
    pub(super) part: Stripe,
}

impl Model for NodeStatus {
    fn population(&self) -> Vec<Population> {
        let of = |kind, class| Population {
            kind,
            cells: self.nodes,
            per_cell: 1,
            class,
        };
        vec![
            of(Kind::Node, OpClass::NodeCreate),
            of(Kind::CsiNode, OpClass::CsiNodeCreate),
        ]
    }

    fn members(&self) -> u64 {
        self.nodes
    }

    fn session(&mut self, index: u64, _: u64) -> Option<Session> {
        let node = self.part.pick(index, self.nodes)?;
        Some(Session::new(
            Kind::Node,
            node,
            &[Step::Update {
                class: OpClass::NodeStatusUpdate,
                reread: None,
                lease: LeaseUse::None,
                upsert: false,
            }],
        ))
    }

    fn classes(&self) -> Vec<OpClass> {
        vec![
            OpClass::NodeCreate,
            OpClass::CsiNodeCreate,
            OpClass::NodeStatusUpdate,
        ]
    }
}
