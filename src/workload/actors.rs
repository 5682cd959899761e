//! From an actor as written to an actor of the plan, defaults filled in on the way.

use super::arrivals::{Paths, schedule};
use super::check::{number, span, whole};
use super::file::{ActorSpec, Kind, LoadSpec};
use super::kinds::LISTED;
use super::plan::Actor;
use crate::document::FieldError;
use crate::document::hint;
use crate::human::units::Span;
use crate::kube::Resource;
use crate::kube::{ActorKind, Cluster};

/// Fills in and checks one actor of a workload with so many stores.
pub(super) fn actor(
    spec: &mut ActorSpec,
    cluster: &Cluster,
    stores: usize,
    load: &LoadSpec,
) -> Result<Actor, FieldError> {
    let at = |field: &str| format!("actors.{}.{field}", spec.name);
    let paths = Paths { prefix: at("") };
    let schedule = schedule(spec, &paths, cluster, load)?;
    let kind = kind(spec, &paths, cluster, stores)?;
    let (members, field) = spec.kind.population(cluster);
    if members == 0 {
        let message = format!(
            "0 leaves actor {:?} ({}) without work; use at least 1",
            spec.name,
            spec.kind.name()
        );
        return Err(FieldError::at(format!("cluster.{field}"), message));
    }
    Ok(Actor {
        name: spec.name.clone(),
        kind,
        schedule,
    })
}

/// The actor's own settings; one that belongs to another kind is refused.
fn kind(
    spec: &mut ActorSpec,
    paths: &Paths,
    cluster: &Cluster,
    stores: usize,
) -> Result<ActorKind, FieldError> {
    let owners = [
        (spec.series_share.is_some(), "seriesShare", Kind::Event),
        (spec.ttl.is_some(), "ttl", Kind::Event),
        (spec.standbys.is_some(), "standbys", Kind::LeaderLease),
        (spec.resource.is_some(), "resource", Kind::List),
        (spec.writes.is_some(), "writes", Kind::Probe),
    ];
    for (set, field, owner) in owners {
        if set && owner != spec.kind {
            let message = format!(
                "only kind {} supports it; this actor has kind {}",
                owner.name(),
                spec.kind.name()
            );
            return Err(FieldError::at(paths.of(field), message));
        }
    }
    Ok(match spec.kind {
        Kind::NodeLease => ActorKind::NodeLease,
        Kind::NodeStatus => ActorKind::NodeStatus,
        Kind::Event => {
            let share = *spec.series_share.get_or_insert(0.1);
            number(
                &paths.of("seriesShare"),
                share,
                share < 1.0,
                0.0,
                1.0,
                "from 0 to below 1",
            )?;
            let ttl = span(
                &paths.of("ttl"),
                *spec.ttl.get_or_insert(Span::seconds(3600)),
                Span::seconds(1),
            )?;
            ActorKind::Event {
                series_share: share,
                ttl: ttl.0,
            }
        }
        Kind::LeaderLease => {
            let standbys = *spec
                .standbys
                .get_or_insert(cluster.apiservers.saturating_sub(1));
            ActorKind::LeaderLease {
                standbys: whole(&paths.of("standbys"), standbys, 0, 1_000)?,
            }
        }
        Kind::ApiserverLease => ActorKind::ApiserverLease,
        Kind::Endpoints => ActorKind::Endpoints,
        Kind::EndpointSlice => ActorKind::EndpointSlice,
        Kind::Compactor => ActorKind::Compactor {
            stores: stores as u64,
        },
        Kind::Defragmenter => ActorKind::Defragmenter,
        Kind::List => {
            let name = spec.resource.get_or_insert_with(|| "nodes".to_owned());
            let found = LISTED.into_iter().find(|r| r.plural() == name);
            let resource = found.ok_or_else(|| {
                let known = LISTED.map(Resource::plural);
                let message = format!("{name:?} cannot be listed{}", hint(name, &known));
                FieldError::at(paths.of("resource"), message)
            })?;
            ActorKind::List { resource }
        }
        Kind::Probe => ActorKind::Probe {
            writes: *spec.writes.get_or_insert(false),
        },
    })
}
