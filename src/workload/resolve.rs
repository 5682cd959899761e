//! A workload file with nothing left to decide: defaults filled in, everything checked, ready to become
//! a [`Plan`] once the stores' targets are known.

use super::actors::actor;
use super::check::{self, span};
use super::file::WorkloadFile;
use super::hash::plan_hash;
use super::load_shape::load;
use super::plan::{Actor, GuardKind, Limits, Load, Phases, Plan, Populate, Store, Threshold};
use super::sections::{
    cluster, distinct, effective_scaling, judged, limits, phases, populate, realistic,
};
use super::stores::{RoutedStore, stores};
use super::traffic::{ClassRate, Traffic};
use crate::clock::UnixNanos;
use crate::document::{DocumentError, FieldError};
use crate::human::numbers;
use crate::human::units::Span;
use crate::kube::Cluster;
use crate::kube::KubernetesVersion;
use crate::kube::Resource;
use crate::target::Target;
use std::collections::BTreeSet;

/// A checked workload. Everything of a [`Plan`] that does not depend on where and when it runs.
#[derive(Clone, Debug)]
pub struct ResolvedWorkload {
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
    pub actors: Vec<Actor>,
    pub limits: Limits,
    pub thresholds: Vec<Threshold>,
    pub phases: Phases,
    pub load: Load,
    pub populate: Populate,
    /// What should be said of it once: stores of the file that gave way.
    pub notes: Vec<String>,
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
    /// Allow a store that holds a live cluster's keys.
    pub allow_live_cluster: bool,
}

impl ResolvedWorkload {
    /// Fills in and checks. The error names the field; the caller knows where it was set.
    pub(super) fn new(mut file: WorkloadFile) -> Result<Self, FieldError> {
        crate::document::check_name("metadata.name", &file.metadata.name)?;
        let spec = &mut file.spec;
        let version = *spec
            .kubernetes_version
            .get_or_insert(KubernetesVersion::V1_37);
        let seed = *spec.seed.get_or_insert(1);
        let cluster = cluster(&mut spec.cluster, version)?;
        distinct(&spec.actors)?;
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
        let store_count = spec.stores.len().max(1);
        let actors = spec
            .actors
            .iter_mut()
            .map(|a| actor(a, &cluster, &shape))
            .collect::<Result<Vec<_>, _>>()?;
        effective_scaling(&shape, &actors)?;
        realistic(&cluster, &actors)?;
        let traffic = Traffic::new(&actors, &cluster, store_count, seed);
        let stores = stores(&mut spec.stores, &traffic.resources())?;
        let limits = limits(spec)?;
        let thresholds = judged(spec, &traffic.nameable())?;
        let phases = phases(&mut spec.phases)?;
        let load = load(&mut spec.load, &traffic.rates(), &actors, &limits)?;
        let populate = populate(&mut spec.populate)?;
        let hash = plan_hash(seed, &cluster, &stores, spec);
        Ok(ResolvedWorkload {
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
            notes: Vec::new(),
        })
    }

    /// The plan of a run. `targets` are in the order of [`ResolvedWorkload::stores`].
    pub fn into_plan(self, targets: Vec<Target>, run: RunSettings) -> Result<Plan, DocumentError> {
        if targets.len() != self.stores.len() {
            let names: Vec<&str> = self.stores.iter().map(|s| s.name.as_str()).collect();
            let (names, stores) = (names.join(", "), self.stores.len());
            return Err(DocumentError::Targets {
                stores,
                names,
                targets: targets.len(),
            });
        }
        let source = serde_json::to_value(&self.file).unwrap_or_default();
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
            strict: false,
            primary: self.file.spec.primary,
            phases: self.phases,
            load: self.load,
            populate: self.populate,
            keep_data: run.keep_data,
            verify: run.verify,
            guards: run.guards,
            allow_live_cluster: run.allow_live_cluster,
            ramp: std::time::Duration::ZERO,
            source,
            trial: None,
            populate_only: false,
            may_fill: false,
        })
    }

    /// Resources of which its actors have objects: what a store can hold.
    pub fn resources(&self) -> BTreeSet<Resource> {
        self.traffic().resources().into_iter().collect()
    }

    /// Requests per second of every op class of the load, at its peak.
    pub fn rates(&self) -> Vec<ClassRate> {
        self.traffic().rates()
    }

    /// Keys that are written before the load.
    pub fn populated_keys(&self) -> u64 {
        self.traffic().populated_keys()
    }

    /// What is to be said of actors whose period or rate is too long or low for the phases: that they may play nothing. One
    /// sentence each.
    pub fn hardly_played(&self) -> Vec<String> {
        let Some(measure) = self.phases.duration else {
            return Vec::new();
        };
        let load = self.phases.warmup + measure;
        let say = |(name, due, periodic): (&str, f64, bool)| {
            let change = match periodic {
                true => "its period shorter",
                false => "its rate higher",
            };
            format!(
                "actor {name} may play nothing: {due:.2} of its sessions are due in the {} of warm-up and measure phase; make \
                 phases.duration longer, or {change}",
                numbers::seconds(load.as_secs_f64())
            )
        };
        let all = self.traffic().due(crate::clock::nanos(load)).into_iter();
        all.filter(|(_, due, _)| *due < 1.0).map(say).collect()
    }

    /// Whether that is so of all its actors together.
    pub fn plays_nothing(&self) -> bool {
        let Some(measure) = self.phases.duration else {
            return false;
        };
        let load = crate::clock::nanos(self.phases.warmup + measure);
        let due = self.traffic().due(load);
        !self.actors.iter().any(Actor::is_closed_loop)
            && due.iter().map(|(_, n, _)| n).sum::<f64>() < 1.0
    }

    fn traffic(&self) -> Traffic<'_> {
        let stores = self.stores.len();
        Traffic::new(&self.actors, &self.cluster, stores, self.seed)
    }

    /// The effective file as YAML.
    pub fn yaml(&self) -> String {
        serde_saphyr::to_string(&self.file).unwrap_or_default()
    }

    /// The effective file as JSON, for the result's header.
    pub fn json(&self) -> serde_json::Value {
        serde_json::to_value(&self.file).unwrap_or_default()
    }
}
