//! A client without a watch cache: lists every object of a resource, whole and linearizably, as a controller that
//! starts with resourceVersion "" does through an apiserver that cannot answer from its cache.
//!
//! Source: k8s.io/apiserver `pkg/storage/etcd3/store.go` (GetList without limit: one Range over the prefix, one
//! RangeStream from 1.37 on where etcd has it).

use super::{Accepts, DefaultArrivals, Definition, Exceptions, Field, Form, Members, Scope, Value};
use super::{Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::Cells;

pub(super) const DEFINITION: Definition = Definition {
    name: "list",
    about: "A client without a watch cache lists every object of a resource.",
    fields: &[RESOURCE],
    arrivals: DefaultArrivals::Rate(1.0),
    forms: Form::RATES,
    members: Members::ONE,
    conduct: Exceptions::USUAL,
    model: |scope| Box::new(List::new(scope)),
};

const RESOURCE: Field = Field {
    name: "resource",
    about: "the resource to list completely: nodes, leases, events, endpoints or endpointslices",
    accepts: Accepts::Choice {
        of: &["nodes", "leases", "events", "endpoints", "endpointslices"],
        refusal: "cannot be listed",
    },
    default: |_| Value::Choice("nodes".to_owned()),
    default_text: "nodes",
};

#[derive(Debug)]
struct List {
    class: OpClass,
    kind: Kind,
    cells: u64,
    per_cell: u64,
    /// What creates the objects; none for Events, which the event actor makes.
    create: Option<OpClass>,
}

impl List {
    fn new(scope: &Scope<'_>) -> Self {
        let (c, nodes) = (scope.cluster, scope.cluster.nodes);
        let (class, kind, cells, per_cell, create) = match scope.settings.choice(&RESOURCE) {
            "leases" => (
                OpClass::ListLeases,
                Kind::NodeLease,
                nodes,
                1,
                Some(OpClass::NodeLeaseCreate),
            ),
            "events" => (OpClass::ListEvents, Kind::Event, nodes, 1, None),
            "endpoints" => (
                OpClass::ListEndpoints,
                Kind::Endpoints,
                c.services,
                1,
                Some(OpClass::EndpointsCreate),
            ),
            "endpointslices" => (
                OpClass::ListEndpointSlices,
                Kind::EndpointSlice,
                c.services,
                c.slices_per_service(),
                Some(OpClass::EndpointSliceCreate),
            ),
            _ => (
                OpClass::ListNodes,
                Kind::Node,
                nodes,
                1,
                Some(OpClass::NodeCreate),
            ),
        };
        List {
            class,
            kind,
            cells,
            per_cell,
            create,
        }
    }
}

impl Cells for List {
    fn cells(&self) -> Option<u64> {
        Some(self.cells)
    }
}

impl Model for List {
    fn population(&self) -> Vec<Population> {
        let of = |class| Population {
            kind: self.kind,
            cells: self.cells,
            per_cell: self.per_cell,
            class,
        };
        self.create.map(of).into_iter().collect()
    }

    fn members(&self) -> u64 {
        1
    }

    fn session(&self, index: u64, _: u64) -> Option<Session> {
        // The object only says which connection is used: the list is of all of them.
        let object = index.checked_rem(self.cells)?;
        let step = Step::List(self.class);
        Some(Session::new(self.kind, object * self.per_cell, &[step]))
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        vec![(self.class, sessions)]
    }
}
