//! What a workload's actors send per second, write beforehand and need a store for: asked of their models.

use super::plan::Actor;
use crate::clock::{Nanos, SECOND};
use crate::kube::actors::{Model, populations};
use crate::kube::{Cluster, OpClass, Resource};
use crate::schedule::{expected, peak_rate};

/// An op class of the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassRate {
    pub class: OpClass,
    /// Per second at the profile's peak; none in a closed loop.
    pub per_second: Option<f64>,
}

/// The actors with their models, of the whole plan.
#[derive(Debug)]
pub(super) struct Traffic<'a> {
    actors: Vec<(&'a Actor, Box<dyn Model>)>,
}

impl<'a> Traffic<'a> {
    /// Of actors in a cluster with so many stores.
    pub(super) fn new(actors: &'a [Actor], cluster: &Cluster, stores: usize, seed: u64) -> Self {
        let model = |a: &'a Actor| (a, a.model(cluster, stores, seed));
        Traffic {
            actors: actors.iter().map(model).collect(),
        }
    }

    /// Requests per second of every op class of the load, at its peak.
    pub(super) fn rates(&self) -> Vec<ClassRate> {
        let mut all = Vec::new();
        for (actor, model) in &self.actors {
            let peak = peak_rate(&actor.schedule, model.members());
            let rates = match peak {
                Some(sessions) => model.rates_of(sessions),
                None => model.rates(1.0),
            };
            all.extend(rates.into_iter().map(|(class, rate)| ClassRate {
                class,
                per_second: peak.map(|_| rate),
            }));
        }
        all
    }

    /// How many sessions of each actor are due in the first `load` ns, and whether by a period. Not of closed loops, nor of
    /// actors that are switched off: of rate 0.
    pub(super) fn due(&self, load: Nanos) -> Vec<(&'a str, f64, bool)> {
        let due = |(actor, model): &(&'a Actor, Box<dyn Model>)| {
            let (schedule, members) = (&actor.schedule, model.members());
            let on = peak_rate(schedule, members)?.total() > 0.0;
            let sessions = expected(schedule, members, 0, load)?.total();
            on.then_some((actor.name.as_str(), sessions, actor.period().is_some()))
        };
        self.actors.iter().filter_map(due).collect()
    }

    /// Keys that are written before the load.
    pub(super) fn populated_keys(&self) -> u64 {
        let all = populations(self.models());
        let keys = all.iter().map(|p| p.cells.saturating_mul(p.per_cell));
        keys.fold(0, u64::saturating_add)
    }

    /// Resources that need a store: of the objects beforehand and of the load, in the order of the actors.
    pub(super) fn resources(&self) -> Vec<Resource> {
        let mut all = Vec::new();
        for model in self.models() {
            let before = model.population().into_iter().map(|p| p.kind.resource());
            let sent = model.classes().into_iter().map(|c| c.info().resource);
            for resource in before.chain(sent) {
                if resource != Resource::Internal && !all.contains(&resource) {
                    all.push(resource);
                }
            }
        }
        all
    }

    /// Op classes that a threshold may name, each with whether it is closed-loop.
    pub(super) fn nameable(&self) -> Vec<(OpClass, bool)> {
        let mut all = Vec::new();
        for (actor, model) in &self.actors {
            let closed = actor.is_closed_loop();
            all.extend(model.nameable().into_iter().map(|class| (class, closed)));
        }
        all
    }

    /// Mean distance of two Events at the first rate of the actor that dates them, ns: event i's name says epoch + i ×
    /// this. One second when there is no such actor or it is closed-loop.
    pub(super) fn event_spacing(&self) -> Nanos {
        let mut all = self.actors.iter();
        let dates = all.find(|(actor, _)| actor.kind.conduct.dates_events);
        match dates.and_then(|(actor, model)| peak_rate(&actor.schedule, model.members())) {
            Some(rate) if rate.total() > 0.0 => (1e9 / rate.total()).round().max(1.0) as u64,
            _ => SECOND,
        }
    }

    fn models(&self) -> impl Iterator<Item = &dyn Model> {
        self.actors.iter().map(|(_, model)| model.as_ref())
    }
}
