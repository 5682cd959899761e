//! A rolling update seen by the endpoints controller: each ready flip rewrites the service's whole
//! Endpoints object.
//!
//! Source: k8s.io/kubernetes `pkg/controller/endpoint/endpoints_controller.go`; KEP-752 on what it costs.

use super::{Ceiling, DefaultArrivals, Definition, Exceptions, Form, Members};
use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::Cells;

pub(super) const DEFINITION: Definition = Definition {
    name: "endpoints",
    about: "Whole Endpoints objects are rewritten as pods start and stop.",
    fields: &[],
    // 150 pods a service that live an hour and flip readiness twice.
    arrivals: DefaultArrivals::PerService(0.08),
    forms: Form::RATES,
    members: Members::SERVICES,
    conduct: Exceptions {
        ceilings: &[Ceiling {
            field: "endpointsPerService",
            value: |c| c.endpoints_per_service,
            most: 1000,
            advice: "Kubernetes truncates Endpoints at 1,000; use at most 1,000, or remove the endpoints actor",
        }],
        ..Exceptions::USUAL
    },
    model: |scope| {
        Box::new(Endpoints {
            services: scope.cluster.services,
        })
    },
};

#[derive(Debug)]
struct Endpoints {
    services: u64,
}

impl Cells for Endpoints {
    fn cells(&self) -> Option<u64> {
        Some(self.services)
    }
}

impl Model for Endpoints {
    fn population(&self) -> Vec<Population> {
        vec![Population {
            kind: Kind::Endpoints,
            cells: self.services,
            per_cell: 1,
            class: OpClass::EndpointsCreate,
        }]
    }

    fn members(&self) -> u64 {
        self.services
    }

    fn session(&self, index: u64, _: u64) -> Option<Session> {
        let service = index.checked_rem(self.services)?;
        Some(Session::new(
            Kind::Endpoints,
            service,
            &[Step::Update {
                class: OpClass::EndpointsUpdate,
                reread: None,
                lease: LeaseUse::None,
            }],
        ))
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        vec![(OpClass::EndpointsUpdate, sessions)]
    }
}
