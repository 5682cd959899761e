//! Each kubelet writes its unchanged Node's status when nodeStatusReportFrequency (5 min) has passed, at its next
//! tick of 10 s × U(1, 1.04): the 30th, after 304.8 to 307.2 s. The ± 50 % of `calculateDelay` come once, after a
//! report that changed something or a restart: they are why the first instants are spread. PATCH status, one Txn,
//! retried from the failed transaction's range.
//!
//! Source: kubelet `kubelet_node_status.go`; recorded with 1.37 (305 to 307 s).

use super::{DefaultArrivals, Definition, Exceptions, Form, Members};
use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::Cells;
use std::time::Duration;

pub(super) const DEFINITION: Definition = Definition {
    name: "nodeStatus",
    about: "Each kubelet updates its Node's status.",
    fields: &[],
    arrivals: DefaultArrivals::Period {
        every: Duration::from_secs(300),
        low: 1.016,
        high: 1.024,
    },
    forms: Form::ALL,
    members: Members::NODES,
    conduct: Exceptions::USUAL,
    model: |scope| {
        Box::new(NodeStatus {
            nodes: scope.cluster.nodes,
        })
    },
};

#[derive(Debug)]
struct NodeStatus {
    nodes: u64,
}

impl Cells for NodeStatus {
    fn cells(&self) -> Option<u64> {
        Some(self.nodes)
    }
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

    fn session(&self, index: u64, _: u64) -> Option<Session> {
        let node = index.checked_rem(self.nodes)?;
        Some(Session::new(
            Kind::Node,
            node,
            &[Step::Update {
                class: OpClass::NodeStatusUpdate,
                reread: None,
                lease: LeaseUse::None,
            }],
        ))
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        vec![(OpClass::NodeStatusUpdate, sessions)]
    }
}
