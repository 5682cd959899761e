//! A rolling update seen by the endpoints controller: each ready flip rewrites the service's whole
//! Endpoints object.
//!
//! Source: k8s.io/kubernetes `pkg/controller/endpoint/endpoints_controller.go`; KEP-752 on what it costs.

use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::Stripe;

#[derive(Debug)]
pub(super) struct Endpoints {
    pub(super) services: u64,
    pub(super) part: Stripe,
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

    fn session(&mut self, index: u64, _: u64) -> Option<Session> {
        let service = self.part.nth(index / self.part.of(), self.services)?;
        Some(Session::new(
            Kind::Endpoints,
            service,
            &[Step::Update {
                class: OpClass::EndpointsUpdate,
                reread: None,
                lease: LeaseUse::None,
                upsert: false,
            }],
        ))
    }

    fn classes(&self) -> Vec<OpClass> {
        vec![OpClass::EndpointsCreate, OpClass::EndpointsUpdate]
    }
}
