//! From an actor as written to an actor of the plan, defaults filled in on the way.

use super::arrivals::{Paths, schedule};
use super::file::{ActorSpec, LoadSpec};
use super::own_fields;
use super::plan::Actor;
use crate::document::FieldError;
use crate::kube::Cluster;

/// Fills in and checks one actor of a workload.
pub(super) fn actor(
    spec: &mut ActorSpec,
    cluster: &Cluster,
    load: &LoadSpec,
) -> Result<Actor, FieldError> {
    let at = |field: &str| format!("actors.{}.{field}", spec.name);
    let paths = Paths { prefix: at("") };
    let schedule = schedule(spec, &paths, cluster, load)?;
    own_fields::complete(spec, |field| paths.of(field), cluster)?;
    let members = spec.kind.members;
    if (members.count)(cluster) == 0 {
        let message = format!(
            "0 leaves actor {:?} ({}) without work; use at least 1",
            spec.name, spec.kind.name
        );
        return Err(FieldError::at(
            format!("cluster.{}", members.field),
            message,
        ));
    }
    Ok(Actor {
        name: spec.name.clone(),
        kind: spec.kind,
        settings: spec.own.clone(),
        schedule,
    })
}
