//! What there is to say of a kind of actor, as data: how a workload file names and configures it, when its sessions
//! are due, and what the engine must know of it.

use super::{Field, Model, Settings};
use crate::kube::Cluster;
use crate::schedule::{Process, Schedule};
use std::time::Duration;

/// A kind of actor.
#[derive(Debug)]
pub struct Definition {
    /// In a workload file: `nodeLease`.
    pub name: &'static str,
    /// What it does, for the reference page and the schema.
    pub about: &'static str,
    /// Fields that it has beside those of every actor.
    pub fields: &'static [Field],
    /// When its sessions are due unless the file says so.
    pub arrivals: DefaultArrivals,
    /// Forms in which its arrivals may be given.
    pub forms: &'static [Form],
    /// Which part of the cluster it is sized by.
    pub members: Members,
    /// In what it differs from most kinds.
    pub conduct: Exceptions,
    /// Makes its model.
    pub model: fn(&Scope<'_>) -> Box<dyn Model>,
}

/// How a kind's arrivals may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `period`: each member has a chain of its own.
    Period,
    /// `rate`, `ratePerNode` or `ratePerService`.
    Rate,
    /// `concurrency`: a closed loop.
    Concurrency,
}

impl Form {
    /// Of actors that act on an object of no member's.
    pub const RATES: &'static [Form] = &[Form::Rate, Form::Concurrency];
    /// Of clocks.
    pub const PERIOD: &'static [Form] = &[Form::Period];
    /// Of members whose clocks may be overridden, to ask for raw speed.
    pub const ALL: &'static [Form] = &[Form::Period, Form::Rate, Form::Concurrency];
}

/// A kind's arrivals when the file says nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DefaultArrivals {
    /// A period, and the factors between which it is uniformly distributed.
    Period {
        /// The period.
        every: Duration,
        /// Lower factor.
        low: f64,
        /// Upper factor.
        high: f64,
    },
    /// A period that only the user can choose.
    PeriodRequired {
        /// What the user is told who left it out, after "is missing; ".
        advice: &'static str,
    },
    /// Per second.
    Rate(f64),
    /// Per second and node.
    PerNode(f64),
    /// Per second and service.
    PerService(f64),
}

/// How many members there are: by a field of `cluster`.
#[derive(Clone, Copy, Debug)]
pub struct Members {
    pub field: &'static str,
    /// How many it says.
    pub count: fn(&Cluster) -> u64,
}

impl Members {
    /// The nodes.
    pub const NODES: Members = Members {
        field: "nodes",
        count: |c| c.nodes,
    };
    /// The namespaces.
    pub const NAMESPACES: Members = Members {
        field: "namespaces",
        count: |c| c.namespaces,
    };
    /// The services.
    pub const SERVICES: Members = Members {
        field: "services",
        count: |c| c.services,
    };
    /// The kube-apiservers.
    pub const APISERVERS: Members = Members {
        field: "apiservers",
        count: |c| c.apiservers,
    };
    /// The leader-election locks.
    pub const LEADER_LOCKS: Members = Members {
        field: "leaderLocks",
        count: |c| c.leader_locks,
    };
    /// One, in every cluster.
    pub const ONE: Members = Members {
        field: "nodes",
        count: |_| 1,
    };
}

/// In what a kind differs from most.
#[derive(Clone, Copy, Debug)]
pub struct Exceptions {
    /// `rateScale` and `rateRamp` apply.
    pub scales: bool,
    /// The first instants of its members are spread over one period; else they come after one.
    pub spread: bool,
    /// Members whose factors of the period differ from those of [`DefaultArrivals::Period`].
    pub tail: Option<Apart>,
    /// How arrivals at a rate are spaced.
    pub process: Process,
    /// Event i of the run happened i mean intervals of its arrivals after the epoch.
    pub dates_events: bool,
    /// What it does to a whole etcd, said of the store of this name: it needs an etcd that is the user's own.
    pub whole_etcd: Option<fn(&str) -> String>,
    /// What the cluster must not exceed.
    pub ceilings: &'static [Ceiling],
}

impl Exceptions {
    /// Most kinds'.
    pub const USUAL: Exceptions = Exceptions {
        scales: true,
        spread: true,
        tail: None,
        process: Process::Poisson,
        dates_events: false,
        whole_etcd: None,
        ceilings: &[],
    };
}

/// The last members of a kind, whose loops have another jitter than those of the first.
#[derive(Clone, Copy, Debug)]
pub struct Apart {
    /// What they are, for the reference page.
    pub about: &'static str,
    /// The first of them.
    pub from: fn(&Cluster) -> u64,
    /// Lower factor.
    pub low: f64,
    /// Upper factor.
    pub high: f64,
}

/// The largest value of a field of `cluster` with which a kind is like Kubernetes.
#[derive(Clone, Copy, Debug)]
pub struct Ceiling {
    /// The field.
    pub field: &'static str,
    /// Its value.
    pub value: fn(&Cluster) -> u64,
    /// The largest.
    pub most: u64,
    /// What the user is told, after "N is too many: ".
    pub advice: &'static str,
}

/// For what a model is made.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The actor's own fields.
    pub settings: &'a Settings,
    /// The hollow cluster.
    pub cluster: &'a Cluster,
    /// Stores of the workload.
    pub stores: u64,
    /// When its sessions begin.
    pub schedule: &'a Schedule,
    /// The plan's seed.
    pub seed: u64,
}
