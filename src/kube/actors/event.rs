//! Events: POST with a shared TTL lease; a share of the arrivals are series updates (PATCH count++:
//! Range, then Txn with the current lease).
//!
//! Source: k8s.io/apiserver `pkg/storage/etcd3/lease_manager.go` (reuse = min(60 s, 5 % of the TTL), at most
//! 1,000 objects a lease); two events clients per apiserver (core and events.k8s.io), recorded with 1.37.

use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::objects::reported_by_scheduler;
use crate::kube::{Kind, OpClass};
use crate::rng::mix;
use crate::schedule::Stripe;

/// The apiserver's lease reuse, seconds at most.
const MAX_REUSE_SECONDS: u64 = 60;
/// How many earlier Events a series update chooses from.
const RECENT: usize = 64;

#[derive(Debug)]
pub(super) struct Event {
    series_share: f64,
    ttl: i64,
    reuse: u64,
    clients: u64,
    part: Stripe,
    seed: u64,
    recent: Vec<u64>,
    created: u64,
}

impl Event {
    pub(super) fn new(
        series_share: f64,
        ttl: u64,
        apiservers: u64,
        part: Stripe,
        seed: u64,
    ) -> Self {
        let reuse = MAX_REUSE_SECONDS.min(ttl / 20);
        Event {
            series_share,
            ttl: i64::try_from(ttl + reuse).unwrap_or(i64::MAX),
            reuse,
            clients: apiservers.max(1) * 2,
            part,
            seed,
            recent: Vec::with_capacity(RECENT),
            created: 0,
        }
    }

    /// Of the events client that an Event's reporter has: the scheduler's go through events.k8s.io.
    fn shared_lease(&self, event: u64) -> Step {
        let apiserver = mix(self.seed, 0x65_76_63_6c, event) % (self.clients / 2);
        let second = u64::from(reported_by_scheduler(event));
        Step::SharedLease {
            class: OpClass::EventGrant,
            slot: usize::try_from(apiserver * 2 + second).unwrap_or(0),
            ttl: self.ttl,
            reuse: self.reuse,
        }
    }
}

impl Model for Event {
    fn population(&self) -> Vec<Population> {
        Vec::new()
    }

    fn members(&self) -> u64 {
        self.part.of()
    }

    fn session(&mut self, index: u64, occurrence: u64) -> Option<Session> {
        let arrival = index + occurrence * self.part.of();
        let draw = mix(self.seed, 0x65_76_65_6e, arrival);
        let series = (draw >> 11) as f64 / (1u64 << 53) as f64;
        if series < self.series_share && !self.recent.is_empty() {
            let which = usize::try_from(draw % self.recent.len() as u64).unwrap_or(0);
            let event = self.recent[which];
            return Some(Session::new(
                Kind::Event,
                event,
                &[
                    Step::Get(OpClass::EventGet),
                    self.shared_lease(event),
                    Step::Update {
                        class: OpClass::EventPatch,
                        reread: None,
                        lease: LeaseUse::Granted,
                        upsert: false,
                    },
                ],
            ));
        }
        if self.recent.len() < RECENT {
            self.recent.push(arrival);
        } else {
            let at = usize::try_from(self.created % RECENT as u64).unwrap_or(0);
            self.recent[at] = arrival;
        }
        self.created += 1;
        Some(Session::new(
            Kind::Event,
            arrival,
            &[
                self.shared_lease(arrival),
                Step::Create(OpClass::EventCreate, LeaseUse::Granted),
            ],
        ))
    }

    fn classes(&self) -> Vec<OpClass> {
        let mut all = vec![OpClass::EventCreate, OpClass::EventGrant];
        if self.series_share > 0.0 {
            all.extend([OpClass::EventGet, OpClass::EventPatch]);
        }
        all
    }
}
