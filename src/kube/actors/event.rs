//! Events: POST with a shared TTL lease; a share of the arrivals are series updates (PATCH count++:
//! Range, then Txn with the current lease; after a 404, the Event anew).
//!
//! Source: k8s.io/apiserver `pkg/storage/etcd3/lease_manager.go` (reuse = min(60 s, 5 % of the TTL), at most
//! 1,000 objects a lease); two events clients per apiserver (core and events.k8s.io), recorded with 1.37.

use super::{Accepts, DefaultArrivals, Definition, Exceptions, Field, Form, Members, Scope, Value};
use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::objects::reported_by_scheduler;
use crate::kube::{Kind, OpClass};
use crate::rng::{mix, unit};
use crate::schedule::{Cells, RateProfile, Schedule};
use std::time::Duration;

pub(super) const DEFINITION: Definition = Definition {
    name: "event",
    about: "Events are created and updated.",
    fields: &[SERIES_SHARE, TTL],
    // 30 pods a node that live an hour and write 6 events each.
    arrivals: DefaultArrivals::PerNode(0.05),
    forms: Form::RATES,
    members: Members::NAMESPACES,
    conduct: Exceptions {
        dates_events: true,
        ..Exceptions::USUAL
    },
    model: |scope| Box::new(Event::new(scope)),
};

const SERIES_SHARE: Field = Field {
    name: "seriesShare",
    about: "share of arrivals that update an earlier Event, from 0 to less than 1",
    accepts: Accepts::Number {
        holds: |share| (0.0..1.0).contains(&share),
        range: "from 0 to below 1",
    },
    default: |_| Value::Number(0.1),
    default_text: "0.1",
};

const TTL: Field = Field {
    name: "ttl",
    about: "kube-apiserver's `--event-ttl`",
    accepts: Accepts::Duration {
        low: Duration::from_secs(1),
    },
    default: |_| Value::Duration(Duration::from_secs(3600)),
    default_text: "1h",
};

/// The apiserver's lease reuse, seconds at most.
const MAX_REUSE_SECONDS: u64 = 60;
/// From how many earlier arrivals a series update chooses its Event.
const RECENT: u64 = 64;

#[derive(Debug)]
struct Event {
    series_share: f64,
    ttl: i64,
    reuse: u64,
    clients: u64,
    seed: u64,
    recent: Recent,
}

/// The arrivals from which a series update chooses, counted back from its own.
#[derive(Clone, Copy, Debug)]
struct Recent {
    /// So many may still be under way: the clients of a closed loop.
    after: u64,
    /// And so many before them.
    of: u64,
    /// How far back the last one that creates an Event is looked for, beyond that.
    search: u64,
}

impl Recent {
    /// The arrival that is chosen is younger than half the TTL, as far as the rate tells its age; where it updates an Event
    /// itself, the one that does not may be older.
    fn new(schedule: &Schedule, ttl: u64, series_share: f64) -> Recent {
        // All of these are updates once in a million times.
        let search = (1e-6_f64.ln() / series_share.ln()).ceil().clamp(1.0, 1e6) as u64;
        let (after, of) = match schedule {
            Schedule::Arrivals { rate, .. } => {
                let arrivals = lowest(rate) * ttl as f64 / 2.0;
                (0, (arrivals as u64).clamp(1, RECENT))
            }
            Schedule::Closed { concurrency } => (*concurrency, RECENT),
            Schedule::Periodic { .. } => (0, RECENT),
        };
        Recent { after, of, search }
    }
}

/// The lowest rate that is not zero, per second; 0 where there is none.
fn lowest(rate: &RateProfile) -> f64 {
    let segments = rate.segments.iter().flat_map(|s| [s.from, s.to]);
    let rates = segments.chain([rate.then]).filter(|r| *r > 0.0);
    rates.reduce(f64::min).unwrap_or(0.0)
}

impl Event {
    fn new(scope: &Scope<'_>) -> Self {
        let ttl = scope.settings.duration(&TTL).as_secs();
        let reuse = MAX_REUSE_SECONDS.min(ttl / 20);
        Event {
            series_share: scope.settings.number(&SERIES_SHARE),
            ttl: i64::try_from(ttl + reuse).unwrap_or(i64::MAX),
            reuse,
            clients: scope.cluster.apiservers.max(1) * 2,
            seed: scope.seed,
            recent: Recent::new(scope.schedule, ttl, scope.settings.number(&SERIES_SHARE)),
        }
    }

    /// The Event that an arrival updates: the last one created before the arrival that is drawn. None for one that
    /// creates its own.
    fn updated(&self, arrival: u64) -> Option<u64> {
        let draw = self.draw(arrival);
        if !self.is_series(draw) {
            return None;
        }
        let back = 1 + self.recent.after + draw % self.recent.of;
        let from = arrival.checked_sub(back)?;
        let earliest = from.saturating_sub(self.recent.search);
        (earliest..=from)
            .rev()
            .find(|i| !self.is_series(self.draw(*i)))
    }

    fn draw(&self, arrival: u64) -> u64 {
        mix(self.seed, 0x65_76_65_6e, arrival)
    }

    fn is_series(&self, draw: u64) -> bool {
        unit(draw) < self.series_share
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

impl Cells for Event {
    fn cells(&self) -> Option<u64> {
        None
    }

    /// That of the Event.
    fn cell(&self, arrival: u64) -> u64 {
        self.updated(arrival).unwrap_or(arrival)
    }
}

impl Model for Event {
    fn population(&self) -> Vec<Population> {
        Vec::new()
    }

    fn members(&self) -> u64 {
        1
    }

    fn session(&self, arrival: u64, _: u64) -> Option<Session> {
        if let Some(event) = self.updated(arrival) {
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
                    },
                ],
            ));
        }
        Some(Session::new(
            Kind::Event,
            arrival,
            &[
                self.shared_lease(arrival),
                Step::Create(OpClass::EventCreate, LeaseUse::Granted),
            ],
        ))
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        // A lease is shared for 60 s or 1,000 Events.
        let renewals = (self.clients as f64 / 60.0).min(sessions);
        let mut rows = vec![
            (OpClass::EventCreate, sessions * (1.0 - self.series_share)),
            (OpClass::EventGrant, (sessions / 1000.0).max(renewals)),
        ];
        if self.series_share > 0.0 {
            let series = sessions * self.series_share;
            rows.extend([(OpClass::EventGet, series), (OpClass::EventPatch, series)]);
        }
        rows
    }

    fn nameable(&self) -> Vec<OpClass> {
        vec![
            OpClass::EventCreate,
            OpClass::EventGet,
            OpClass::EventPatch,
            OpClass::EventGrant,
        ]
    }
}
