//! How much a run is going to write into a store: for preflight, before anything is written.

use super::populate::created;
use super::run::{LIVE_RAMP, populations};
use crate::kube::actors::{Model, Step, model};
use crate::kube::{Kind, ObjectRef, Objects, Write};
use crate::schedule;
use crate::schedule::Stripe;
use crate::workload::{Actor, ActorKind, Plan, Schedule};
use std::time::Duration;

/// A run without an end is estimated for this long.
const OPEN_ENDED: Duration = Duration::from_secs(600);
/// Sessions of an actor that are looked at for what one of them writes.
const SAMPLE: u64 = 256;

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
        let (writes, bytes) = session(plan, store, &objects, actor, model.as_mut());
        let sessions = schedule::expected(&actor.schedule, model.members(), 0, length);
        all.closed_loop |= sessions.is_none() && writes > 0.0;
        let sessions = sessions.unwrap_or(0.0);
        all.writes = all.writes.saturating_add((sessions * writes) as u64);
        all.bytes = all.bytes.saturating_add((sessions * bytes) as u64);
        if let ActorKind::Event { series_share, .. } = actor.kind
            && writes > 0.0
        {
            let created = sessions * (1.0 - series_share);
            all.keys = all.keys.saturating_add(created as u64);
        }
    }
    all
}

/// Writes, and their bytes, that a session of the actor makes in that store, on average.
fn session(
    plan: &Plan,
    store: usize,
    objects: &Objects,
    actor: &Actor,
    model: &mut dyn Model,
) -> (f64, f64) {
    // A periodic schedule's members are all there are; arrivals are numbered without end.
    let (n, stride) = match actor.schedule {
        Schedule::Periodic { .. } => {
            let members = model.members();
            (members.min(SAMPLE), members / members.clamp(1, SAMPLE))
        }
        _ => (SAMPLE, 1),
    };
    let (mut writes, mut bytes) = (0u64, 0u64);
    for i in 0..n {
        let Some(session) = model.session(i * stride, 0) else {
            continue;
        };
        let object = session.object;
        if plan.store_of(object.kind.resource()) != store {
            continue;
        }
        let made = session.steps.iter().filter(|s| {
            matches!(
                s,
                Step::Create(..) | Step::Update { .. } | Step::CompactorTxn(_)
            )
        });
        let made = made.count() as u64;
        if made > 0 {
            writes += made;
            bytes += made * size(objects, plan, object, 1);
        }
    }
    let n = n.max(1) as f64;
    (writes as f64 / n, bytes as f64 / n)
}

/// Bytes of an object's key and of that write's value.
fn size(objects: &Objects, plan: &Plan, object: ObjectRef, sequence: u32) -> u64 {
    let mut out = Vec::new();
    objects.key(object, &mut out);
    let sequence = match object.kind {
        Kind::Event => 0,
        _ => sequence,
    };
    let at = plan.epoch;
    objects.value(object, Write { sequence, at }, &mut out);
    out.len() as u64
}
