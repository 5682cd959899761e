//! How much a run is going to write into a store: for preflight, before anything is written.

use super::populate::created;
use super::run::populations;
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

/// (keys, bytes of keys and values) that populate and load write into the store of that index. Closed loops
/// write as fast as they can, which nobody knows before.
pub(crate) fn estimate(plan: &Plan, store: usize) -> (u64, u64) {
    let objects = Objects::new(
        &plan.cluster,
        plan.seed,
        plan.epoch,
        plan.event_spacing(),
        &plan.prefix,
    );
    let size = |object: ObjectRef, sequence| {
        let mut out = Vec::new();
        objects.key(object, &mut out);
        objects.value(
            object,
            Write {
                sequence,
                at: plan.epoch,
            },
            &mut out,
        );
        out.len() as u64
    };
    let (mut keys, mut bytes) = (0u64, 0u64);
    for p in populations(plan)
        .iter()
        .filter(|p| plan.store_of(p.kind.resource()) == store)
    {
        let n = p.cells.saturating_mul(p.per_cell);
        keys = keys.saturating_add(n);
        bytes = bytes.saturating_add(n.saturating_mul(size(
            ObjectRef {
                kind: p.kind,
                index: 0,
            },
            created(p.kind),
        )));
    }
    let length = plan.phases.warmup + plan.phases.duration.unwrap_or(OPEN_ENDED);
    let length = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    for actor in &plan.actors {
        let mut model = model(&actor.kind, &plan.cluster, Stripe::WHOLE, plan.seed);
        let members = model.members();
        // What the first sessions write, each on average.
        let (mut sessions, mut creates, mut written) = (0u64, 0u64, 0u64);
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
                    written += size(session.object, u32::from(!create));
                }
            }
        }
        let n = schedule::expected(&actor.schedule, members, 0, length).unwrap_or(0.0);
        let of = |sum: u64| (n * sum as f64 / sessions.max(1) as f64) as u64;
        keys = keys.saturating_add(of(creates));
        bytes = bytes.saturating_add(of(written));
    }
    (keys, bytes)
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
