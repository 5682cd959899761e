//! A client without a watch cache: lists every object of a resource, whole and linearizably, as a controller that
//! starts with resourceVersion "" does through an apiserver that cannot answer from its cache.
//!
//! Source: k8s.io/apiserver `pkg/storage/etcd3/store.go` (GetList without limit: one Range over the prefix, one
//! RangeStream from 1.37 on where etcd has it).

use super::{Model, Population, Session, Step};
use crate::kube::Cluster;
use crate::kube::{Kind, OpClass, Resource};
use crate::schedule::Stripe;

#[derive(Debug)]
pub(super) struct List {
    pub(super) resource: Resource,
    pub(super) cells: u64,
    pub(super) per_cell: u64,
    pub(super) part: Stripe,
}

impl List {
    /// Of a cluster's objects. Events have none beforehand: the event actor makes them.
    pub(super) fn new(resource: Resource, cluster: &Cluster, part: Stripe) -> Self {
        let (cells, per_cell) = match resource {
            Resource::Endpoints => (cluster.services, 1),
            Resource::EndpointSlices => (cluster.services, cluster.slices_per_service()),
            _ => (cluster.nodes, 1),
        };
        List {
            resource,
            cells,
            per_cell,
            part,
        }
    }

    /// What is listed and, unless it is made by the load, what creates it.
    fn kind(&self) -> (Kind, Option<OpClass>) {
        match self.resource {
            Resource::Leases => (Kind::NodeLease, Some(OpClass::NodeLeaseCreate)),
            Resource::Events => (Kind::Event, None),
            Resource::Endpoints => (Kind::Endpoints, Some(OpClass::EndpointsCreate)),
            Resource::EndpointSlices => (Kind::EndpointSlice, Some(OpClass::EndpointSliceCreate)),
            _ => (Kind::Node, Some(OpClass::NodeCreate)),
        }
    }

    /// What listing it is counted as.
    pub(super) fn class(resource: Resource) -> OpClass {
        match resource {
            Resource::Leases => OpClass::ListLeases,
            Resource::Events => OpClass::ListEvents,
            Resource::Endpoints => OpClass::ListEndpoints,
            Resource::EndpointSlices => OpClass::ListEndpointSlices,
            _ => OpClass::ListNodes,
        }
    }
}

impl Model for List {
    fn population(&self) -> Vec<Population> {
        let (kind, class) = self.kind();
        let of = |class| Population {
            kind,
            cells: self.cells,
            per_cell: self.per_cell,
            class,
        };
        class.map(of).into_iter().collect()
    }

    fn members(&self) -> u64 {
        1
    }

    fn session(&mut self, index: u64, _: u64) -> Option<Session> {
        // The object only says which worker's connection is used: the list is of all of them.
        let object = self.part.pick(index, self.cells)?;
        let step = Step::List(Self::class(self.resource));
        Some(Session::new(self.kind().0, object * self.per_cell, &[step]))
    }

    fn classes(&self) -> Vec<OpClass> {
        let created = self.kind().1;
        created
            .into_iter()
            .chain([Self::class(self.resource)])
            .collect()
    }
}

/// The op class of a list of that resource.
pub fn list_class(resource: Resource) -> OpClass {
    List::class(resource)
}
