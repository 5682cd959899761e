//! A workload file with nothing left to decide: defaults filled in, everything checked, ready to become
//! a [`Plan`] once the stores' targets are known.

use super::actors::actor;
use super::check::{self, MAX_OBJECTS, size, span, whole};
use super::error::{FieldError, WorkloadError};
use super::file::{ActorSpec, ClusterSpec, Kind, PhasesSpec, PopulateSpec, Spec, WorkloadFile};
use super::hash::plan_hash;
use super::load_shape::load;
use super::plan::{
    Actor, Cluster, GuardKind, KubernetesVersion, Limits, Load, Phases, Plan, Populate, Store,
    Threshold,
};
use super::rates::{ClassRate, class_rates, populated_keys};
use super::stores::{RoutedStore, stores};
use super::thresholds::{op_class, primary, sent, threshold};
use super::units::{Length, Span};
use crate::clock::UnixNanos;
use crate::engine::Control;
use crate::etcd::Target;
use std::time::Duration;

/// A checked workload. Everything of a [`Plan`] that does not depend on where and when it runs.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The file after overrides with every default written out: what `etcdmark show` prints.
    pub file: WorkloadFile,
    /// Hex SHA-256 over all that decides keys, values and intended instants.
    pub hash: String,
    /// Seed of every generator.
    pub seed: u64,
    /// The hollow cluster.
    pub cluster: Cluster,
    /// Stores, without targets.
    pub stores: Vec<RoutedStore>,
    /// Actors.
    pub actors: Vec<Actor>,
    /// Limits.
    pub limits: Limits,
    /// Thresholds.
    pub thresholds: Vec<Threshold>,
    /// Phases.
    pub phases: Phases,
    /// Load.
    pub load: Load,
    /// Populate.
    pub populate: Populate,
}

/// What a [`Plan`] needs beside the workload.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// Names the run's prefix and result directory.
    pub run_id: String,
    /// Wall instant from which creation times and event names count.
    pub epoch: UnixNanos,
    /// `/registry-etcdmark/RUN`, or `/registry`. No trailing slash.
    pub prefix: String,
    /// Leave the keys in the store.
    pub keep_data: bool,
    /// Sweep the store after the run.
    pub verify: bool,
    /// Which guards stop the run.
    pub guards: Vec<GuardKind>,
    /// Drain or stop from outside.
    pub control: Control,
}

impl Resolved {
    /// Fills in and checks. The error names the field; the caller knows where it was set.
    pub(super) fn new(mut file: WorkloadFile) -> Result<Self, FieldError> {
        let spec = &mut file.spec;
        let version = *spec
            .kubernetes_version
            .get_or_insert(KubernetesVersion::V1_37);
        let seed = *spec.seed.get_or_insert(1);
        let cluster = cluster(&mut spec.cluster, version)?;
        let kinds = distinct(&spec.actors)?;
        if let Some(s) = spec.load.rate_scale {
            check::number(
                "load.rateScale",
                s,
                s > 0.0,
                0.0,
                1e6,
                "above 0 and at most 1,000,000",
            )?;
        }
        if let Some(ramp) = spec.load.rate_ramp {
            span("load.rateRamp", ramp, Span::seconds(0))?;
        }
        let shape = spec.load.clone();
        let actors = spec
            .actors
            .iter_mut()
            .map(|a| actor(a, &cluster, &shape))
            .collect::<Result<Vec<_>, _>>()?;
        realistic_endpoints(&cluster, &kinds)?;
        let stores = stores(&mut spec.stores, &kinds)?;
        let limits = limits(spec)?;
        let thresholds = judged(spec, &kinds, &actors)?;
        let phases = phases(&mut spec.phases)?;
        let load = load(
            &mut spec.load,
            &class_rates(&cluster, &actors),
            &actors,
            &limits,
        )?;
        let populate = populate(&mut spec.populate)?;
        let hash = plan_hash(seed, &cluster, &stores, spec);
        if !file.metadata.name.is_empty() {
            check::name("metadata.name", &file.metadata.name)?;
        }
        Ok(Resolved {
            file,
            hash,
            seed,
            cluster,
            stores,
            actors,
            limits,
            thresholds,
            phases,
            load,
            populate,
        })
    }

    /// The plan of a run. `targets` are in the order of [`Resolved::stores`].
    pub fn into_plan(self, targets: Vec<Target>, run: RunSettings) -> Result<Plan, WorkloadError> {
        if targets.len() != self.stores.len() {
            let names: Vec<&str> = self.stores.iter().map(|s| s.name.as_str()).collect();
            let (names, stores) = (names.join(", "), self.stores.len());
            return Err(WorkloadError::Targets {
                stores,
                names,
                targets: targets.len(),
            });
        }
        let stores = self.stores.into_iter().zip(targets);
        Ok(Plan {
            name: self.file.metadata.name,
            hash: self.hash,
            run_id: run.run_id,
            seed: self.seed,
            epoch: run.epoch,
            prefix: run.prefix,
            cluster: self.cluster,
            stores: stores
                .map(|(s, target)| Store {
                    name: s.name,
                    resources: s.resources,
                    target,
                })
                .collect(),
            actors: self.actors,
            limits: self.limits,
            thresholds: self.thresholds,
            primary: self.file.spec.primary,
            phases: self.phases,
            load: self.load,
            populate: self.populate,
            keep_data: run.keep_data,
            verify: run.verify,
            guards: run.guards,
            control: run.control,
        })
    }

    /// Requests per second of every op class of the load, at its peak.
    pub fn rates(&self) -> Vec<ClassRate> {
        class_rates(&self.cluster, &self.actors)
    }

    /// Keys that are written before the load.
    pub fn populated_keys(&self) -> u64 {
        populated_keys(&self.cluster, &self.actors)
    }

    /// The effective file as YAML.
    pub fn yaml(&self) -> String {
        serde_saphyr::to_string(&self.file).unwrap_or_default()
    }
}

fn cluster(
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

/// The actors' kinds; a name or a kind given twice is refused, and so is a workload without actors.
fn distinct(actors: &[ActorSpec]) -> Result<Vec<Kind>, FieldError> {
    if actors.is_empty() {
        let message =
            "is empty; name at least one actor, such as {name: node-leases, kind: nodeLease}";
        return Err(FieldError::at("actors", message));
    }
    for (i, a) in actors.iter().enumerate() {
        check::name(&format!("actors.{i}.name"), &a.name)?;
        if actors[..i].iter().any(|b| b.name == a.name) {
            return Err(FieldError::at(
                format!("actors.{i}.name"),
                format!("{:?} is given twice", a.name),
            ));
        }
        if let Some(b) = actors[..i].iter().find(|b| b.kind == a.kind) {
            let kind = a.kind.name();
            let message = format!(
                "{kind} is also the kind of actor {:?}; a workload has one actor of a kind",
                b.name
            );
            return Err(FieldError::at(format!("actors.{}.kind", a.name), message));
        }
    }
    Ok(actors.iter().map(|a| a.kind).collect())
}

fn realistic_endpoints(cluster: &Cluster, kinds: &[Kind]) -> Result<(), FieldError> {
    if cluster.endpoints_per_service > 1000 && kinds.contains(&Kind::Endpoints) {
        let n = check::grouped(cluster.endpoints_per_service);
        let message = format!(
            "{n} is more than Endpoints hold (Kubernetes cuts them at 1,000); use at most 1,000, or no endpoints actor"
        );
        return Err(FieldError::at("cluster.endpointsPerService", message));
    }
    Ok(())
}

fn limits(spec: &mut Spec) -> Result<Limits, FieldError> {
    let default = *spec
        .limits
        .entry("default".to_owned())
        .or_insert(Span::seconds(1));
    let mut limits = Limits::all(default.0);
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

fn judged(spec: &Spec, kinds: &[Kind], actors: &[Actor]) -> Result<Vec<Threshold>, FieldError> {
    let sent = sent(kinds, actors);
    if spec.primary.len() > 4 {
        let message = format!(
            "{} metrics are given; at most 4, so that a comparison stays a test",
            spec.primary.len()
        );
        return Err(FieldError::at("primary", message));
    }
    for (i, p) in spec.primary.iter().enumerate() {
        primary(&format!("primary.{i}"), p, &sent)?;
    }
    let each = spec.thresholds.iter().enumerate();
    each.map(|(i, t)| threshold(&format!("thresholds.{i}"), t, &sent))
        .collect()
}

fn phases(spec: &mut PhasesSpec) -> Result<Phases, FieldError> {
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

fn populate(spec: &mut PopulateSpec) -> Result<Populate, FieldError> {
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
