//! What a workload sends per second and writes beforehand: for `validate`, and to size what is in flight.

use super::arrivals::peak;
use super::file::Kind;
use super::plan::Actor;
use crate::kube::actors::list_class;
use crate::kube::{ActorKind, Cluster};
use crate::kube::{OpClass, Resource};
use crate::schedule::Schedule;

/// An op class of the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassRate {
    /// Which.
    pub class: OpClass,
    /// Per second at the profile's peak; none in a closed loop.
    pub per_second: Option<f64>,
}

/// Sessions per second at the actor's peak; none in a closed loop.
pub fn peak_rate(actor: &Actor, cluster: &Cluster) -> Option<f64> {
    match &actor.schedule {
        Schedule::Arrivals { rate, .. } => Some(peak(rate)),
        Schedule::Periodic {
            period,
            low,
            high,
            intensity,
            ..
        } => {
            let (members, _) = Kind::of(&actor.kind).population(cluster);
            Some(members as f64 * peak(intensity) / (*period as f64 / 1e9 * (low + high) / 2.0))
        }
        Schedule::Closed { .. } => None,
    }
}

/// Requests per second of every op class of the load, at its peak.
pub fn class_rates(cluster: &Cluster, actors: &[Actor]) -> Vec<ClassRate> {
    actors.iter().flat_map(|a| of_actor(cluster, a)).collect()
}

fn of_actor(cluster: &Cluster, actor: &Actor) -> Vec<ClassRate> {
    use OpClass as C;
    let rate = peak_rate(actor, cluster);
    let times = |factor: f64| rate.map(|r| r * factor);
    let rows: Vec<(OpClass, Option<f64>)> = match actor.kind {
        ActorKind::NodeLease => vec![(C::NodeLeaseUpdate, rate)],
        ActorKind::NodeStatus => vec![(C::NodeStatusUpdate, rate)],
        ActorKind::Event { series_share, .. } => {
            // Two events clients per apiserver; a lease is shared for 60 s or 1,000 Events
            // (apiserver pkg/storage/etcd3/lease_manager.go).
            let managers = 2.0 * cluster.apiservers as f64;
            let grants = rate.map(|r| (r / 1000.0).max((managers / 60.0).min(r)));
            let mut rows = vec![
                (C::EventCreate, times(1.0 - series_share)),
                (C::EventGrant, grants),
            ];
            if series_share > 0.0 {
                rows.extend([
                    (C::EventGet, times(series_share)),
                    (C::EventPatch, times(series_share)),
                ]);
            }
            rows
        }
        ActorKind::LeaderLease { standbys } => {
            let mut rows = vec![(C::LeaderLeaseUpdate, rate)];
            if standbys > 0 {
                rows.push((C::LeaderLeaseGet, times(standbys as f64)));
            }
            rows
        }
        ActorKind::ApiserverLease => {
            // Masterlease and, from 1.36, peer lease: each Range, LeaseGrant, Txn; the masterlease also a list.
            let leases = if cluster.kubernetes_version.has_peer_leases() {
                2.0
            } else {
                1.0
            };
            vec![
                (C::ApiserverLeaseUpdate, rate),
                (C::MasterLeaseGet, times(leases)),
                (C::MasterLeaseGrant, times(leases)),
                (C::MasterLeaseUpdate, times(leases)),
                (C::MasterLeaseList, rate),
            ]
        }
        ActorKind::Endpoints => vec![(C::EndpointsUpdate, rate)],
        ActorKind::EndpointSlice => vec![(C::EndpointSliceUpdate, rate)],
        ActorKind::Compactor { stores } => {
            let stores = stores as f64;
            vec![
                (C::CompactorTxn, times(stores)),
                // One of a store's wins.
                (
                    C::CompactorCompact,
                    times(stores / cluster.apiservers.max(1) as f64),
                ),
            ]
        }
        // One of each member, which the file does not know: one at least.
        ActorKind::Defragmenter => vec![(C::Defragment, rate)],
        ActorKind::List { resource } => vec![(list_class(resource), rate)],
        ActorKind::Probe { writes } => {
            let mut rows = vec![(C::ProbeGet, rate)];
            if writes {
                rows.push((C::ProbeUpdate, rate));
            }
            rows
        }
    };
    rows.into_iter()
        .map(|(class, per_second)| ClassRate { class, per_second })
        .collect()
}

/// Keys that are written before the load.
pub fn populated_keys(cluster: &Cluster, actors: &[Actor]) -> u64 {
    let keys = |a: &Actor| match a.kind {
        ActorKind::NodeLease => cluster.nodes,
        ActorKind::NodeStatus => 2 * cluster.nodes,
        ActorKind::LeaderLease { .. } => cluster.leader_locks,
        ActorKind::ApiserverLease => cluster.apiservers,
        ActorKind::Endpoints => cluster.services,
        ActorKind::EndpointSlice => cluster
            .services
            .saturating_mul(cluster.slices_per_service()),
        ActorKind::Probe { writes } => u64::from(writes),
        ActorKind::List { resource } => listed_keys(cluster, actors, resource),
        ActorKind::Event { .. } | ActorKind::Compactor { .. } | ActorKind::Defragmenter => 0,
    };
    actors.iter().map(keys).fold(0, u64::saturating_add)
}

/// Keys that are written for a list alone, as no other actor needs them.
fn listed_keys(cluster: &Cluster, actors: &[Actor], resource: Resource) -> u64 {
    let (keys, other) = match resource {
        Resource::Nodes => (cluster.nodes, ActorKind::NodeStatus),
        Resource::Leases => (cluster.nodes, ActorKind::NodeLease),
        Resource::Endpoints => (cluster.services, ActorKind::Endpoints),
        Resource::EndpointSlices => {
            let slices = cluster.slices_per_service();
            (
                cluster.services.saturating_mul(slices),
                ActorKind::EndpointSlice,
            )
        }
        _ => return 0,
    };
    let shared = actors.iter().any(|a| a.kind == other);
    if shared { 0 } else { keys }
}

/// Mean distance of two Events at the actor's first rate, ns: event i's name says epoch + i × this.
/// One second when there is no event actor or it is closed-loop.
pub fn event_spacing_ns(cluster: &Cluster, actors: &[Actor]) -> u64 {
    let event = actors
        .iter()
        .find(|a| matches!(a.kind, ActorKind::Event { .. }));
    match event.and_then(|a| peak_rate(a, cluster)) {
        Some(rate) if rate > 0.0 => (1e9 / rate).round().max(1.0) as u64,
        _ => crate::clock::SECOND,
    }
}
