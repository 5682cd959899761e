//! A rolling update seen by the EndpointSlice controller: each ready flip rewrites one slice of at
//! most 100 endpoints.
//!
//! Source: k8s.io/endpointslice `reconciler.go`; KEP-752 (20,000 endpoints = 20,000 writes).

use super::{DefaultArrivals, Definition, Exceptions, Form, Members};
use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::Cells;

pub(super) const DEFINITION: Definition = Definition {
    name: "endpointSlice",
    about: "EndpointSlices are rewritten as pods start and stop.",
    fields: &[],
    // 150 pods a service that live an hour and flip readiness twice.
    arrivals: DefaultArrivals::PerService(0.08),
    forms: Form::RATES,
    members: Members::SERVICES,
    conduct: Exceptions::USUAL,
    model: |scope| {
        Box::new(EndpointSlice {
            services: scope.cluster.services,
            slices: scope.cluster.slices_per_service(),
        })
    },
};

#[derive(Debug)]
struct EndpointSlice {
    services: u64,
    slices: u64,
}

impl Cells for EndpointSlice {
    fn cells(&self) -> Option<u64> {
        Some(self.services)
    }
}

impl Model for EndpointSlice {
    fn population(&self) -> Vec<Population> {
        vec![Population {
            kind: Kind::EndpointSlice,
            cells: self.services,
            per_cell: self.slices,
            class: OpClass::EndpointSliceCreate,
        }]
    }

    fn members(&self) -> u64 {
        self.services
    }

    fn session(&self, index: u64, occurrence: u64) -> Option<Session> {
        let service = index.checked_rem(self.services)?;
        let slice = (index / self.services + occurrence) % self.slices;
        Some(Session::new(
            Kind::EndpointSlice,
            service * self.slices + slice,
            &[Step::Update {
                class: OpClass::EndpointSliceUpdate,
                reread: None,
                lease: LeaseUse::None,
            }],
        ))
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        vec![(OpClass::EndpointSliceUpdate, sessions)]
    }
}
