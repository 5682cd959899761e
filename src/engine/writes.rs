//! What a plan writes into a store, by its sources: for preflight's estimate and for a forecast of the file's growth.

use super::populate::created;
use super::populations::populations;
use super::routes::store_of;
use crate::clock::Nanos;
use crate::kube::actors::{LeaseUse, Session, Step};
use crate::kube::{ObjectRef, Objects, Write};
use crate::schedule;
use crate::schedule::Schedule;
use crate::workload::{Actor, Plan};

/// Sessions of an actor that are looked at.
const SAMPLE: u64 = 256;

/// One write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteSample {
    /// It makes a new key.
    pub(crate) create: bool,
    /// Bytes of the key.
    pub(crate) key: u64,
    /// Bytes of the value.
    pub(crate) value: u64,
    /// Seconds after which the key's etcd lease ends, if it has one.
    pub(crate) ttl: Option<i64>,
}

/// What one actor writes.
#[derive(Clone, Debug)]
pub(crate) struct ActorWrites {
    schedule: Schedule,
    members: u64,
    /// Of the schedule's tail, not of the members before it.
    tail: bool,
    /// Sessions that were looked at.
    looked_at: u64,
    /// What they write into the store.
    pub(crate) samples: Vec<WriteSample>,
}

impl ActorWrites {
    /// How many of each of [`ActorWrites::samples`] are expected in the first `length` of the load; none in a closed loop.
    pub(crate) fn each(&self, length: Nanos) -> Option<f64> {
        let sessions = schedule::expected(&self.schedule, self.members, 0, length)?;
        let mine = if self.tail {
            sessions.tail
        } else {
            sessions.head
        };
        Some(mine / self.looked_at.max(1) as f64)
    }
}

/// What is there before the load: numbers of like keys.
pub(crate) fn populated(plan: &Plan, store: usize) -> Vec<(u64, WriteSample)> {
    let objects = objects(plan);
    let mut all = Vec::new();
    for p in populations(plan) {
        let n = p.cells.saturating_mul(p.per_cell);
        if store_of(plan, p.kind.resource()) == store && n > 0 {
            let first = ObjectRef {
                kind: p.kind,
                index: 0,
            };
            all.push((n, written(&objects, plan, first, created(p.kind), true)));
        }
    }
    all
}

/// What each actor writes during the load; members with other factors of the period count as one more.
pub(crate) fn writes(plan: &Plan, store: usize) -> Vec<ActorWrites> {
    let objects = objects(plan);
    plan.actors
        .iter()
        .flat_map(|a| {
            let apart = matches!(a.schedule, Schedule::Periodic { tail: Some(_), .. });
            let parts = if apart { &[false, true][..] } else { &[false] };
            parts.iter().map(move |tail| (a, *tail))
        })
        .map(|(a, tail)| of_actor(&objects, plan, store, a, tail))
        .collect()
}

fn of_actor(
    objects: &Objects,
    plan: &Plan,
    store: usize,
    actor: &Actor,
    tail: bool,
) -> ActorWrites {
    let schedule = &actor.schedule;
    let model = plan.model(actor);
    let members = model.members();
    let (mut looked_at, mut all) = (0, Vec::new());
    let first = match schedule {
        Schedule::Periodic { tail: Some(t), .. } => t.from.min(members),
        _ => members,
    };
    let (skipped, mine) = if tail {
        (first, members - first)
    } else {
        (0, first)
    };
    for (index, round) in sample(schedule, mine) {
        let Some(session) = model.session(skipped + index, round) else {
            continue;
        };
        looked_at += 1;
        all.extend(of_session(objects, plan, store, &session));
    }
    ActorWrites {
        schedule: schedule.clone(),
        members,
        tail,
        looked_at,
        samples: all,
    }
}

fn of_session<'a>(
    objects: &'a Objects,
    plan: &'a Plan,
    store: usize,
    session: &'a Session,
) -> impl Iterator<Item = WriteSample> + 'a {
    let granted = session.turns().find_map(|turn| match turn.step {
        Step::Grant(_, ttl) | Step::SharedLease { ttl, .. } => Some(ttl),
        _ => None,
    });
    session.turns().filter_map(move |turn| {
        let object = turn.object;
        if store_of(plan, object.kind.resource()) != store {
            return None;
        }
        let (create, lease) = match turn.step {
            Step::Create(_, lease) => (true, lease),
            Step::Update { lease, .. } => (false, lease),
            _ => return None,
        };
        let ttl = granted.filter(|_| lease == LeaseUse::Granted);
        let one = written(objects, plan, object, u32::from(!create), create);
        Some(WriteSample { ttl, ..one })
    })
}

fn objects(plan: &Plan) -> Objects {
    let (seed, epoch) = (plan.seed, plan.epoch);
    Objects::new(
        &plan.cluster,
        seed,
        epoch,
        plan.event_spacing(),
        &plan.prefix,
    )
}

fn written(
    objects: &Objects,
    plan: &Plan,
    object: ObjectRef,
    sequence: u32,
    create: bool,
) -> WriteSample {
    let mut out = Vec::new();
    objects.key(object, &mut out);
    let key = out.len() as u64;
    let at = plan.epoch;
    objects.value(object, Write { sequence, at }, &mut out);
    WriteSample {
        create,
        key,
        value: out.len() as u64 - key,
        ttl: None,
    }
}

/// Arrivals, or members with their rounds, that stand for all: of few members each as often, of many every k-th.
fn sample(schedule: &Schedule, members: u64) -> Vec<(u64, u64)> {
    match (schedule, members) {
        (Schedule::Periodic { .. }, 0) => Vec::new(),
        (Schedule::Periodic { .. }, n @ 1..SAMPLE) => {
            let all = SAMPLE / n * n;
            (0..all).map(|i| (i % n, i / n)).collect()
        }
        (Schedule::Periodic { .. }, n) => {
            let at = |i| (u128::from(n) * i / u128::from(SAMPLE)) as u64;
            (0..u128::from(SAMPLE)).map(|i| (at(i), 0)).collect()
        }
        _ => (0..SAMPLE).map(|i| (i, 0)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::RateProfile;
    use std::collections::BTreeMap;

    #[test]
    fn every_member_stands_for_as_many() {
        let periodic = Schedule::Periodic {
            period: 1,
            low: 1.0,
            high: 1.0,
            intensity: RateProfile::constant(1.0),
            tail: None,
            spread: true,
        };
        for members in [1, 2, 39, 255, 256, 1_000_000] {
            let mut times = BTreeMap::new();
            for (index, _) in sample(&periodic, members) {
                assert!(index < members);
                *times.entry(index).or_insert(0) += 1;
            }
            assert_eq!(times.len() as u64, members.min(SAMPLE));
            assert!(times.values().all(|n| *n == times[&0]), "{times:?}");
        }
        assert!(sample(&periodic, 0).is_empty());
    }
}
