//! What the validity judgement is given: the run's own figures, nothing else.

use crate::measure::validity::{self, Validity, ValidityInputs};
use crate::report::event::Environment;
use crate::report::result::{ClientFigures, Figures, Series};
use std::collections::BTreeMap;

/// What the run left to judge by.
pub(super) struct Evidence<'a> {
    pub(super) environment: &'a Environment,
    pub(super) total: &'a Figures,
    /// Open-loop operations offered.
    pub(super) offered: u64,
    /// Open-loop operations that succeeded within the measure phase.
    pub(super) ok_within: u64,
    /// And those that etcd refused: that is said by the misses, not by the word saturated.
    pub(super) refused_within: u64,
    /// Length of the measure phase.
    pub(super) seconds: f64,
    /// Members were away, or a store failed.
    pub(super) outage: bool,
    pub(super) interrupted: bool,
    pub(super) saturated_records: u64,
    pub(super) client: &'a ClientFigures,
    pub(super) host: &'a BTreeMap<String, Series>,
}

pub(super) fn judge(e: &Evidence<'_>) -> Validity {
    let c = e.client;
    let sampled = c.samples > 0 && c.wall_seconds > 0.0;
    let cpus = f64::from(e.environment.cpus.max(1));
    let cores = e.environment.cpu_quota.map_or(cpus, |q| q.min(cpus));
    let backlog_end = c.in_flight_end + c.queued_end;
    // What a steady load has in flight at any instant is not a shortfall; what it has in excess, or what was
    // there from the beginning and was answered in between, is.
    // What waits for an etcd that is away is no steady load: that has in flight what it achieves × how long it takes.
    let service = e.total.successes.map_or(0.0, |s| s.mean_ns / 1e9);
    let served = e.ok_within as f64 / e.seconds.max(1e-9) * service;
    let steady = (backlog_end as f64).min(c.backlog_mean).min(served);
    let steady = steady.round() as u64;
    let steady = steady.saturating_sub(c.backlog_start);
    validity::judge(&ValidityInputs {
        schedule_lag_p99: e.total.schedule_lag.map(|l| l.p99_ns),
        response_p99: e.total.headline.and_then(|h| h.p99.value()),
        offered: (e.offered > 0).then_some(e.offered),
        achieved: (e.ok_within + steady).min(e.offered),
        refused: e.refused_within,
        outage: e.outage,
        interrupted: e.interrupted,
        backlog_end: (e.offered > 0).then_some(backlog_end),
        backlog_mean: (e.offered > 0).then_some(c.backlog_mean),
        in_flight_seconds: sampled.then_some(c.in_flight_seconds),
        service_seconds: sampled.then_some(c.service_seconds),
        client_cpu_share: sampled.then(|| c.cpu_seconds / c.wall_seconds / cores),
        runtime_busy_share: sampled.then_some(c.busiest_worker),
        steal_share: steal_share(e.host, cpus),
        shares_cores_with_etcd: e.environment.shares_cores_with_etcd,
        cpus: e.environment.cpus,
        cpu_quota: e.environment.cpu_quota,
        clock_source: e.environment.clock_source.clone(),
        saturated_records: e.saturated_records,
        wall_jump: Some(c.wall_jump),
    })
}

/// Share of the host's CPU time that the hypervisor took away.
fn steal_share(host: &BTreeMap<String, Series>, cores: f64) -> Option<f64> {
    let steal = host.get("cpu.steal_seconds").filter(|s| s.seconds > 0.0)?;
    let cores = host.get("cpu.count").map_or(cores, |s| s.end.max(1.0));
    Some(steal.increase / steal.seconds / cores)
}
