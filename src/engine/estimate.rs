//! How much a run is going to write into a store: for preflight, before anything is written.

use super::prepare::LIVE_RAMP;
use super::writes::{populated, writes};
use crate::workload::Plan;
use std::time::Duration;

/// A run without an end is estimated for this long.
const OPEN_ENDED: Duration = Duration::from_secs(600);

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
    let mut all = Estimate::default();
    for (n, one) in populated(plan, store) {
        all.keys = all.keys.saturating_add(n);
        all.writes = all.writes.saturating_add(n);
        let bytes = n.saturating_mul(one.key + one.value);
        all.bytes = all.bytes.saturating_add(bytes);
    }
    // A live cluster's load comes up first.
    let warmup = match plan.allow_live_cluster {
        true => plan.phases.warmup.max(LIVE_RAMP),
        false => plan.phases.warmup,
    };
    let length = warmup + plan.phases.duration.unwrap_or(OPEN_ENDED);
    let length = crate::clock::nanos(length);
    for actor in writes(plan, store) {
        let each = actor.each(length);
        all.closed_loop |= each.is_none() && !actor.samples.is_empty();
        let of = |sum: u64| (each.unwrap_or(0.0) * sum as f64) as u64;
        let written = &actor.samples;
        let creates = written.iter().filter(|w| w.create).count() as u64;
        let bytes = written.iter().map(|w| w.key + w.value).sum();
        all.keys = all.keys.saturating_add(of(creates));
        all.writes = all.writes.saturating_add(of(written.len() as u64));
        all.bytes = all.bytes.saturating_add(of(bytes));
    }
    all
}
