//! The plan: a workload after every override, with nothing left to decide. The engine reads this and
//! nothing else.

use super::traffic::Traffic;
use crate::clock::{self, Nanos, UnixNanos};
use crate::kube::actors::{Model, Scope, Settings};
use crate::kube::{ActorKind, Cluster};
use crate::kube::{OpClass, Resource};
use crate::rpc::WireKind;
use crate::schedule::Schedule;
use crate::target::Target;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Everything a run needs to know. Deterministic parts (seed, epoch, cluster, actors) enter `hash`.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The workload's name.
    pub name: String,
    /// Hex SHA-256 over all that decides keys, values and intended instants.
    pub hash: String,
    /// Names the run's prefix and its result directory.
    pub run_id: String,
    /// Seed of every generator.
    pub seed: u64,
    /// Wall instant from which creation times and event names count (part of the manifest, so that a
    /// resumed populate writes the same bytes).
    pub epoch: UnixNanos,
    /// `/registry-etcdmark/RUN`, or `/registry`. No trailing slash.
    pub prefix: String,
    /// The hollow cluster.
    pub cluster: Cluster,
    /// One or more etcd clusters; every resource is routed to exactly one.
    pub stores: Vec<Store>,
    /// The sources of traffic.
    pub actors: Vec<Actor>,
    /// Response-time limit per op class.
    pub limits: Limits,
    /// What must hold, or the exit code is 99.
    pub thresholds: Vec<Threshold>,
    /// A threshold that is undecided has failed, too.
    pub strict: bool,
    /// At most four metrics for comparison, e.g. `node-lease/update:p99`.
    pub primary: Vec<String>,
    /// How long each phase lasts.
    pub phases: Phases,
    /// How the load is generated.
    pub load: Load,
    /// How the store is filled.
    pub populate: Populate,
    /// Leave the keys in the store after the run.
    pub keep_data: bool,
    /// Sweep the store after the run and compare with the engine's state.
    pub verify: bool,
    /// Which guards stop the run.
    pub guards: Vec<GuardKind>,
    /// Allow a store that holds a live cluster's keys.
    pub allow_live_cluster: bool,
    /// How long populate and closed loops' clients take to come up ([`Plan::ramp_up`]); zero: at once.
    pub ramp: Duration,
    /// The effective workload, for the result's header.
    pub source: serde_json::Value,
    /// Where in an experiment this run stands, for the result's header; none for a run of its own.
    pub trial: Option<TrialCoordinates>,
    /// End after populate and leave the keys: the store is to be a snapshot, from which the same plan goes on.
    pub populate_only: bool,
    /// Its etcds were given a quota to run into: they need not have room for all that is going to be written.
    pub may_fill: bool,
}

impl Plan {
    /// When client `i` of `n` begins, after `start`: at once, or in its turn of the ramp.
    pub fn begins(&self, start: Nanos, i: u64, n: u64) -> Nanos {
        let ramp = clock::nanos(self.ramp);
        start.saturating_add(ramp / n.max(1) * i)
    }

    /// The earliest instant at which populate may go on after a share of its objects, 0–1: at once, or where the rate rises
    /// from 0 over the ramp and fills the store at its end.
    pub fn fills(&self, start: Nanos, share: f64) -> Nanos {
        let ramp = clock::nanos(self.ramp) as f64;
        start.saturating_add((ramp * share.clamp(0.0, 1.0).sqrt()) as Nanos)
    }

    /// The mean distance of two Events, ns: Event i is named as if it had happened i such steps after
    /// the epoch.
    pub fn event_spacing(&self) -> Nanos {
        let stores = self.stores.len();
        Traffic::new(&self.actors, &self.cluster, stores, self.seed).event_spacing()
    }

    /// The model of one of its actors.
    pub fn model(&self, actor: &Actor) -> Box<dyn Model> {
        actor.model(&self.cluster, self.stores.len(), self.seed)
    }

    /// Lets load and populate come up over `ramp`: a rate's own ramp from 0 is stretched to it, any other rate
    /// gets one before it is as planned, clients begin one after the other. The warm-up lasts at least as long.
    pub fn ramp_up(&mut self, ramp: Duration) {
        self.ramp = ramp;
        let duration = clock::nanos(ramp);
        for actor in &mut self.actors {
            let profile = match &mut actor.schedule {
                Schedule::Arrivals { rate, .. } => rate,
                Schedule::Periodic { intensity, .. } => intensity,
                Schedule::Closed { .. } => continue,
            };
            match profile.segments.first_mut() {
                Some(first) if first.from == 0.0 && first.to > 0.0 => {
                    first.duration = first.duration.max(duration);
                }
                _ => profile.ramp_in(duration),
            }
        }
        self.phases.warmup = self.phases.warmup.max(ramp);
    }
}

/// Which trial of an experiment a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialCoordinates {
    /// The experiment's name.
    pub experiment: String,
    /// The arm's name.
    pub arm: String,
    /// Which block, from 1.
    pub block: u32,
    /// Which trial of the whole experiment, from 1, in the order in which they are played.
    pub trial: u32,
    /// Its place in its block, from 1.
    pub order: u32,
}

/// One etcd cluster of the run.
#[derive(Clone, Debug)]
pub struct Store {
    /// Its name in results, e.g. `main`, `events`.
    pub name: String,
    /// What is routed to it. Every resource is in exactly one store.
    pub resources: Vec<Resource>,
    /// How to reach it.
    pub target: Target,
}

/// One source of traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct Actor {
    /// Its name in the workload file.
    pub name: String,
    /// What it models.
    pub kind: ActorKind,
    /// The fields of its kind.
    pub settings: Settings,
    /// When its sessions are intended.
    pub schedule: Schedule,
}

impl Actor {
    /// Whether it sends what etcd takes, instead of what is due.
    pub fn is_closed_loop(&self) -> bool {
        matches!(self.schedule, Schedule::Closed { .. })
    }

    /// Time between two requests of each member; none for arrivals at a rate and closed loops.
    pub fn period(&self) -> Option<Duration> {
        match self.schedule {
            Schedule::Periodic { period, .. } => Some(Duration::from_nanos(period)),
            _ => None,
        }
    }

    /// Its model.
    pub(super) fn model(&self, cluster: &Cluster, stores: usize, seed: u64) -> Box<dyn Model> {
        (self.kind.model)(&Scope {
            settings: &self.settings,
            cluster,
            stores: stores as u64,
            schedule: &self.schedule,
            seed,
        })
    }
}

/// Response-time limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    by_class: Vec<Nanos>,
}

impl Limits {
    /// The same limit for every op class.
    pub fn all(limit: Duration) -> Self {
        let ns = clock::nanos(limit);
        Limits {
            by_class: vec![ns; OpClass::COUNT],
        }
    }

    /// Sets one.
    pub fn set(&mut self, class: OpClass, limit: Duration) {
        self.by_class[class as usize] = clock::nanos(limit);
    }

    /// The limit of an op class, ns.
    pub fn of(&self, class: OpClass) -> Nanos {
        self.by_class[class as usize]
    }
}

/// What must hold, or the exit code is 99.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The condition.
    pub rule: crate::human::threshold::Threshold,
    /// It ends the load when it has failed, after so long a part of the measure phase.
    pub abort_after: Option<Duration>,
}

/// How long each phase lasts.
#[derive(Clone, Debug, PartialEq)]
pub struct Phases {
    /// Quiet time after populate.
    pub settle: Duration,
    /// Same load as measured, recorded and excluded from the summary.
    pub warmup: Duration,
    /// The measured time; none = until stopped.
    pub duration: Option<Duration>,
    /// How long unanswered operations are waited for at the end.
    pub drain: Duration,
}

/// How the load is generated.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Engine threads.
    pub workers: usize,
    /// Connections per store, over all workers; rounded up to the same number for each member and worker.
    pub connections: usize,
    /// Operations in flight, over all workers.
    pub max_in_flight: usize,
    /// What happens to an operation that is due while the cap is reached.
    pub at_cap: AtCap,
    /// Which wire.
    pub wire: WireKind,
    /// Spin the last microseconds before an instant instead of sleeping.
    pub spin: bool,
    /// Attempts of one step, conflicts included.
    pub max_attempts: u32,
}

/// What happens to an operation that is due while the in-flight cap is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AtCap {
    /// The request waits; its response time counts from its intended instant.
    Queue,
    /// The request is dropped once it is late, and counts as skipped.
    Skip,
}

/// How the store is filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Populate {
    /// Puts per transaction (1 = the shape Kubernetes uses).
    pub max_ops: usize,
    /// Bytes per transaction.
    pub max_bytes: usize,
    /// Transactions in flight.
    pub concurrency: usize,
}

/// Conditions that stop a run in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuardKind {
    /// db size above 80 % of the quota.
    Quota,
    /// Any alarm.
    Alarm,
    /// A leader change.
    LeaderChange,
    /// No quorum for 10 s.
    Quorum,
}
