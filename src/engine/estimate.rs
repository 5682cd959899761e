//! How much a run is going to write into a store: for preflight, before anything is written.

use super::populate::created;
use super::run::populations;
use crate::kube::actors::{Step, model};
use crate::kube::{ObjectRef, Objects, Write};
use crate::schedule;
use crate::schedule::Stripe;
use crate::workload::{ActorKind, Plan};
use std::time::Duration;

/// A run without an end is estimated for this long.
const OPEN_ENDED: Duration = Duration::from_secs(600);

/// (keys, bytes of keys and values) that populate and load write into the store of that index.
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
        let Some(session) = model.session(0, 0) else {
            continue;
        };
        let writes = session
            .steps
            .iter()
            .any(|s| matches!(s, Step::Create(..) | Step::Update { .. }));
        if !writes || plan.store_of(session.object.kind.resource()) != store {
            continue;
        }
        let n =
            schedule::expected(&actor.schedule, model.members(), 0, length).unwrap_or(0.0) as u64;
        bytes = bytes.saturating_add(n.saturating_mul(size(session.object, 1)));
        if matches!(actor.kind, ActorKind::Event { .. }) {
            keys = keys.saturating_add(n);
        }
    }
    (keys, bytes)
}
