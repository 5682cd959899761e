//! A rolling update seen by the EndpointSlice controller: each ready flip rewrites one slice of at
//! most 100 endpoints.
//!
//! Source: k8s.io/endpointslice `reconciler.go`; KEP-752 (20,000 endpoints = 20,000 writes).

use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::Stripe;

#[derive(Debug)]
pub(super) struct EndpointSlice {
    pub(super) services: u64,
    pub(super) slices: u64,
    pub(super) part: Stripe,
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

    fn session(&mut self, index: u64, occurrence: u64) -> Option<Session> {
        let turn = index / self.part.of();
        let service = self.part.nth(turn, self.services)?;
        let slice = (turn / self.part.share_of(self.services) + occurrence) % self.slices;
        Some(Session::new(
            Kind::EndpointSlice,
            service * self.slices + slice,
            &[Step::Update {
                class: OpClass::EndpointSliceUpdate,
                reread: None,
                lease: LeaseUse::None,
                upsert: false,
            }],
        ))
    }

    fn classes(&self) -> Vec<OpClass> {
        vec![OpClass::EndpointSliceCreate, OpClass::EndpointSliceUpdate]
    }
}
