//! How much a run is going to write into a store: for preflight, before anything is written.

use super::populate::created;
use super::run::{LIVE_RAMP, populations};
use crate::kube::actors::{Step, model};
use crate::kube::{ObjectRef, Objects, Write};
use crate::schedule;
use crate::schedule::Stripe;
use crate::workload::{Plan, Schedule};
use std::time::Duration;

/// A run without an end is estimated for this long.
const OPEN_ENDED: Duration = Duration::from_secs(600);
/// Sessions of an actor that are looked at.
const SAMPLE: u64 = 256;

/// Arrivals, or members with their rounds, that stand for all: of few members each as often, of many every so manieth.
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

/// What populate and load write into one store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// Keys that will be there.
    pub(crate) keys: u64,
    /// Writes, each a revision that stays until a compaction; populate's creates among them.
    pub(crate) writes: u64,
    /// Bytes of all these keys and values.
    pub(crate) bytes: u64,
    /// A closed loop writes as fast as etcd answers: not counted.
    pub(crate) closed_loop: bool,
}

/// Estimates what goes into the store of that index.
pub(crate) fn estimate(plan: &Plan, store: usize) -> Estimate {
    let objects = Objects::new(
        &plan.cluster,
        plan.seed,
        plan.epoch,
        plan.event_spacing(),
        &plan.prefix,
    );
    let mut all = Estimate::default();
    for p in populations(plan) {
        let n = p.cells.saturating_mul(p.per_cell);
        if plan.store_of(p.kind.resource()) != store || n == 0 {
            continue;
        }
        let first = ObjectRef {
            kind: p.kind,
            index: 0,
        };
        all.keys = all.keys.saturating_add(n);
        all.writes = all.writes.saturating_add(n);
        let size = size(&objects, plan, first, created(p.kind));
        all.bytes = all.bytes.saturating_add(n.saturating_mul(size));
    }
    // A live cluster's load comes up first.
    let warmup = match plan.allow_live_cluster {
        true => plan.phases.warmup.max(LIVE_RAMP),
        false => plan.phases.warmup,
    };
    let length = warmup + plan.phases.duration.unwrap_or(OPEN_ENDED);
    let length = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    for actor in &plan.actors {
        let mut model = model(&actor.kind, &plan.cluster, Stripe::WHOLE, plan.seed);
        let members = model.members();
        // What the first sessions write, each on average.
        let (mut sessions, mut creates, mut writes, mut written) = (0u64, 0u64, 0u64, 0u64);
        for (index, round) in sample(&actor.schedule, members) {
            let Some(session) = model.session(index, round) else {
                continue;
            };
            sessions += 1;
            if plan.store_of(session.object.kind.resource()) != store {
                continue;
            }
            for step in session.steps.iter() {
                let create = matches!(step, Step::Create(..));
                if create || matches!(step, Step::Update { .. }) {
                    creates += u64::from(create);
                    writes += 1;
                    written += size(&objects, plan, session.object, u32::from(!create));
                }
            }
        }
        let n = schedule::expected(&actor.schedule, members, 0, length);
        all.closed_loop |= n.is_none() && writes > 0;
        let of = |sum: u64| (n.unwrap_or(0.0) * sum as f64 / sessions.max(1) as f64) as u64;
        all.keys = all.keys.saturating_add(of(creates));
        all.writes = all.writes.saturating_add(of(writes));
        all.bytes = all.bytes.saturating_add(of(written));
    }
    all
}

/// Bytes of an object's key and of that write's value.
fn size(objects: &Objects, plan: &Plan, object: ObjectRef, sequence: u32) -> u64 {
    let mut out = Vec::new();
    objects.key(object, &mut out);
    let at = plan.epoch;
    objects.value(object, Write { sequence, at }, &mut out);
    out.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::RateProfile;
    use std::collections::BTreeMap;

    #[test]
    fn every_member_stands_for_as_many() {
        let periodic = Schedule::Periodic {
            period: 1,
            low: 1.0,
            high: 1.0,
            intensity: RateProfile::constant(1.0),
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
