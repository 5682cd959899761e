//! The sections of `spec`, one function each: defaults filled in, values checked.

use super::check::{MAX_OBJECTS, size, span, whole};
use super::file::{ActorSpec, ClusterSpec, LoadSpec, PhasesSpec, PopulateSpec, Spec};
use super::kind_texts::one_that_does_not_scale;
use super::plan::{Actor, Limits, Phases, Populate, Threshold};
use super::thresholds::{LoadClasses, op_class, primary, threshold};
use crate::document::FieldError;
use crate::human::units::{Length, Span};
use crate::kube::Cluster;
use crate::kube::KubernetesVersion;
use crate::kube::OpClass;
use std::time::Duration;

/// The hollow cluster; what is left out follows from the nodes.
pub(super) fn cluster(
    spec: &mut ClusterSpec,
    kubernetes_version: KubernetesVersion,
) -> Result<Cluster, FieldError> {
    let nodes = whole(
        "cluster.nodes",
        *spec.nodes.get_or_insert(1000),
        1,
        MAX_OBJECTS,
    )?;
    let pods_per_node = whole(
        "cluster.podsPerNode",
        *spec.pods_per_node.get_or_insert(30),
        0,
        10_000,
    )?;
    let namespaces = *spec.namespaces.get_or_insert(nodes.div_ceil(100));
    let services = *spec.services.get_or_insert((nodes / 10).max(1));
    let behind = nodes * pods_per_node / 2;
    let endpoints = *spec
        .endpoints_per_service
        .get_or_insert((behind / services.max(1)).clamp(1, 1000));
    Ok(Cluster {
        kubernetes_version,
        nodes,
        namespaces: whole("cluster.namespaces", namespaces, 1, MAX_OBJECTS)?,
        pods_per_node,
        services: whole("cluster.services", services, 0, MAX_OBJECTS)?,
        endpoints_per_service: whole("cluster.endpointsPerService", endpoints, 1, 100_000)?,
        images_per_node: whole(
            "cluster.imagesPerNode",
            *spec.images_per_node.get_or_insert(25),
            0,
            1_000,
        )?,
        apiservers: whole(
            "cluster.apiservers",
            *spec.apiservers.get_or_insert(3),
            1,
            100,
        )?,
        leader_locks: whole(
            "cluster.leaderLocks",
            *spec.leader_locks.get_or_insert(10),
            0,
            100_000,
        )?,
    })
}

/// A name or a kind given twice is refused, and so is a workload without actors.
pub(super) fn distinct(actors: &[ActorSpec]) -> Result<(), FieldError> {
    if actors.is_empty() {
        let message =
            "is empty; name at least one actor, such as {name: node-leases, kind: nodeLease}";
        return Err(FieldError::at("actors", message));
    }
    for (i, a) in actors.iter().enumerate() {
        crate::document::check_name(&format!("actors.{i}.name"), &a.name)?;
        if actors[..i].iter().any(|b| b.name == a.name) {
            return Err(FieldError::at(
                format!("actors.{i}.name"),
                format!("{:?} is given twice", a.name),
            ));
        }
        if let Some(b) = actors[..i].iter().find(|b| b.kind == a.kind) {
            let kind = a.kind.name;
            let message = format!(
                "{kind} is also the kind of actor {:?}; a workload has one actor of a kind",
                b.name
            );
            return Err(FieldError::at(format!("actors.{}.kind", a.name), message));
        }
    }
    Ok(())
}

/// Scaling that would change nothing is a mistake.
pub(super) fn effective_scaling(load: &LoadSpec, actors: &[Actor]) -> Result<(), FieldError> {
    let open = |a: &Actor| !a.is_closed_loop();
    if actors.iter().any(|a| a.kind.conduct.scales && open(a)) {
        return Ok(());
    }
    let set = [
        ("load.rateScale", load.rate_scale.is_some_and(|s| s != 1.0)),
        (
            "load.rateRamp",
            load.rate_ramp.is_some_and(|r| !r.0.is_zero()),
        ),
    ];
    match set.into_iter().find(|(_, set)| *set) {
        None => Ok(()),
        Some((path, _)) => {
            let message = format!(
                "has no effect, because every actor is closed-loop, {}; remove it",
                one_that_does_not_scale()
            );
            Err(FieldError::at(path, message))
        }
    }
}

/// A cluster in which an actor would not be like Kubernetes is refused.
pub(super) fn realistic(cluster: &Cluster, actors: &[Actor]) -> Result<(), FieldError> {
    let ceilings = actors.iter().flat_map(|a| a.kind.conduct.ceilings);
    for ceiling in ceilings {
        let n = (ceiling.value)(cluster);
        if n > ceiling.most {
            let n = crate::human::grouped(n);
            let message = format!("{n} is too many: {}", ceiling.advice);
            let path = format!("cluster.{}", ceiling.field);
            return Err(FieldError::at(path, message));
        }
    }
    Ok(())
}

/// Limits per op class.
pub(super) fn limits(spec: &mut Spec) -> Result<Limits, FieldError> {
    let default = *spec
        .limits
        .entry("default".to_owned())
        .or_insert(Span::seconds(1));
    let mut limits = Limits::all(default.0);
    for class in OpClass::ALL {
        if let Some(limit) = class.own_limit() {
            limits.set(*class, limit);
        }
    }
    for (name, limit) in &spec.limits {
        let path = format!("limits.{name}");
        if name != "default" {
            let class = op_class(name).map_err(|m| FieldError::at(&path, m))?;
            limits.set(class, limit.0);
        }
        span(&path, *limit, Span(Duration::from_micros(1)))?;
    }
    Ok(limits)
}

/// Thresholds, and the primary metrics checked.
pub(super) fn judged(spec: &Spec, sent: &LoadClasses) -> Result<Vec<Threshold>, FieldError> {
    if spec.primary.len() > 4 {
        let message = format!("{} metrics are given; use at most 4", spec.primary.len());
        return Err(FieldError::at("primary", message));
    }
    for (i, p) in spec.primary.iter().enumerate() {
        primary(&format!("primary.{i}"), p, sent)?;
    }
    let each = spec.thresholds.iter().enumerate();
    each.map(|(i, t)| threshold(&format!("thresholds.{i}"), t, sent))
        .collect()
}

/// Phases' lengths.
pub(super) fn phases(spec: &mut PhasesSpec) -> Result<Phases, FieldError> {
    let zero = Span::seconds(0);
    let settle = span(
        "phases.settle",
        *spec.settle.get_or_insert(Span::seconds(1)),
        zero,
    )?;
    let warmup = span(
        "phases.warmup",
        *spec.warmup.get_or_insert(Span::seconds(5)),
        zero,
    )?;
    let drain = span(
        "phases.drain",
        *spec.drain.get_or_insert(Span::seconds(10)),
        zero,
    )?;
    let duration = match *spec.duration.get_or_insert(Length::For(Span::seconds(30))) {
        Length::Forever => None,
        Length::For(d) => Some(span("phases.duration", d, Span::seconds(1))?.0),
    };
    Ok(Phases {
        settle: settle.0,
        warmup: warmup.0,
        duration,
        drain: drain.0,
    })
}

/// How the store is filled.
pub(super) fn populate(spec: &mut PopulateSpec) -> Result<Populate, FieldError> {
    let max_ops = whole(
        "populate.maxOps",
        *spec.max_ops.get_or_insert(128),
        1,
        100_000,
    )?;
    let max_bytes = *spec.max_bytes.get_or_insert(1 << 20);
    let max_bytes = whole("populate.maxBytes", max_bytes, 1 << 10, 1 << 30)?;
    let concurrency = whole(
        "populate.concurrency",
        *spec.concurrency.get_or_insert(16),
        1,
        10_000,
    )?;
    Ok(Populate {
        max_ops: size(max_ops),
        max_bytes: size(max_bytes),
        concurrency: size(concurrency),
    })
}
