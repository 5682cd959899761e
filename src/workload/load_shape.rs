//! Workers, connections and what may be in flight, sized by what the workload sends.

use super::check::{size, whole};
use super::file::LoadSpec;
use super::plan::{Actor, AtCap, Limits, Load};
use super::traffic::ClassRate;
use crate::document::FieldError;
use crate::human::units::Span;
use crate::rpc::WireKind;
use crate::schedule::Schedule;

/// Fills in and checks how the load is generated.
pub(super) fn load(
    spec: &mut LoadSpec,
    rates: &[ClassRate],
    actors: &[Actor],
    limits: &Limits,
) -> Result<Load, FieldError> {
    spec.rate_scale.get_or_insert(1.0);
    spec.rate_ramp.get_or_insert(Span::seconds(0));
    let workers = *spec.workers.get_or_insert_with(default_workers);
    let workers = whole("load.workers", workers, 1, 256)?;
    let in_flight = *spec
        .max_in_flight
        .get_or_insert(default_in_flight(rates, actors, limits).max(workers));
    let in_flight = whole("load.maxInFlight", in_flight, 1, 1_000_000)?;
    // An etcd behind TLS allows 250 streams per connection (the default of Go's HTTP/2 server).
    let connections = *spec
        .connections
        .get_or_insert(in_flight.div_ceil(250).clamp(8, 64).max(workers));
    let connections = whole("load.connections", connections, 1, 10_000)?;
    // A worker with nothing to send on, or nothing to send, would leave its part of the load out.
    for (field, n) in [
        ("load.maxInFlight", in_flight),
        ("load.connections", connections),
    ] {
        if n < workers {
            let message = format!(
                "{n} is fewer than the {workers} workers; use at least {workers}, or fewer workers"
            );
            return Err(FieldError::at(field, message));
        }
    }
    let max_attempts = whole(
        "load.maxAttempts",
        *spec.max_attempts.get_or_insert(5),
        1,
        1_000,
    )?;
    Ok(Load {
        workers: size(workers),
        connections: size(connections),
        max_in_flight: size(in_flight),
        at_cap: *spec.at_cap.get_or_insert(AtCap::Queue),
        wire: *spec.wire.get_or_insert(WireKind::H2),
        spin: *spec.spin.get_or_insert(false),
        max_attempts: u32::try_from(max_attempts).unwrap_or(1_000),
    })
}

/// One up to 4 cores, then one per 4 cores: the rest is etcd's, or the kernel's.
fn default_workers() -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    (cores / 4).clamp(1, 64)
}

/// Little's law: `Σ rate × limit` are in flight when every answer takes as long as its limit. Ten times
/// that, so that a stall of ten limits is met by queueing at the target and not by the generator.
fn default_in_flight(rates: &[ClassRate], actors: &[Actor], limits: &Limits) -> u64 {
    let open: f64 = rates
        .iter()
        // What nobody waits for has no part in it.
        .filter(|r| r.class.own_limit().is_none())
        .filter_map(|r| r.per_second.map(|p| p * limits.of(r.class) as f64 / 1e9))
        .sum();
    let closed: u64 = actors
        .iter()
        .map(|a| match a.schedule {
            Schedule::Closed { concurrency } => concurrency,
            _ => 0,
        })
        .sum();
    ((10.0 * open).ceil() as u64).clamp(64, 10_000).max(closed)
}
