//! What each kind of actor is by default: its arrivals, its members and its op classes.

use super::check::MAX_RATE;
use super::file::Kind;
use crate::human::units::Span;
use crate::kube::{ActorKind, Cluster};
use crate::kube::{OpClass, Resource};
use crate::schedule::Process;

/// How a kind's arrivals may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Period,
    Rate,
    Concurrency,
}

/// A kind's arrivals when the file says nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum DefaultArrivals {
    /// Period and its factors.
    Period(Span, f64, f64),
    /// Per second.
    Rate(f64),
    /// Per second and node.
    PerNode(f64),
    /// Per second and service.
    PerService(f64),
}

impl Kind {
    /// Every kind, in the order of the reference page.
    pub const ALL: [Kind; 11] = [
        Kind::NodeLease,
        Kind::NodeStatus,
        Kind::Event,
        Kind::LeaderLease,
        Kind::ApiserverLease,
        Kind::Endpoints,
        Kind::EndpointSlice,
        Kind::Compactor,
        Kind::Defragmenter,
        Kind::List,
        Kind::Probe,
    ];

    /// The kind of an actor of the plan.
    pub fn of(kind: &ActorKind) -> Kind {
        match kind {
            ActorKind::NodeLease => Kind::NodeLease,
            ActorKind::NodeStatus => Kind::NodeStatus,
            ActorKind::Event { .. } => Kind::Event,
            ActorKind::LeaderLease { .. } => Kind::LeaderLease,
            ActorKind::ApiserverLease => Kind::ApiserverLease,
            ActorKind::Endpoints => Kind::Endpoints,
            ActorKind::EndpointSlice => Kind::EndpointSlice,
            ActorKind::Compactor { .. } => Kind::Compactor,
            ActorKind::Defragmenter => Kind::Defragmenter,
            ActorKind::List { .. } => Kind::List,
            ActorKind::Probe { .. } => Kind::Probe,
        }
    }

    /// As the file has it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::NodeLease => "nodeLease",
            Kind::NodeStatus => "nodeStatus",
            Kind::Event => "event",
            Kind::LeaderLease => "leaderLease",
            Kind::ApiserverLease => "apiserverLease",
            Kind::Endpoints => "endpoints",
            Kind::EndpointSlice => "endpointSlice",
            Kind::Compactor => "compactor",
            Kind::Defragmenter => "defragmenter",
            Kind::List => "list",
            Kind::Probe => "probe",
        }
    }

    /// Forms of arrival that make sense for it.
    pub(super) fn forms(self) -> &'static [Form] {
        match self {
            Kind::NodeLease | Kind::NodeStatus => &[Form::Period, Form::Rate, Form::Concurrency],
            Kind::LeaderLease | Kind::ApiserverLease | Kind::Compactor | Kind::Defragmenter => {
                &[Form::Period]
            }
            Kind::Event | Kind::Endpoints | Kind::EndpointSlice | Kind::List | Kind::Probe => {
                &[Form::Rate, Form::Concurrency]
            }
        }
    }

    /// Sources: kubelet `pkg/kubelet/kubelet.go` (lease 40 s × 0.25, JitterUntil 0.04; status report
    /// 5 min, `calculateDelay`), component-base `config/v1alpha1/defaults.go` (retryPeriod 2 s),
    /// apiserver `pkg/controlplane/apiserver/server.go` (identity lease 10 s) and
    /// `pkg/storage/etcd3/compact.go` (5 min).
    /// Events: 30 pods a node that live an hour and write 6 events each are 0.05/s and node.
    /// Endpoints: 150 pods a service that live an hour and flip readiness twice are 0.08/s and service.
    pub(super) fn arrivals(self) -> DefaultArrivals {
        match self {
            Kind::NodeLease | Kind::ApiserverLease => {
                DefaultArrivals::Period(Span::seconds(10), 1.0, 1.04)
            }
            Kind::NodeStatus => DefaultArrivals::Period(Span::seconds(300), 0.5, 1.5),
            Kind::LeaderLease => DefaultArrivals::Period(Span::seconds(2), 1.0, 1.2),
            Kind::Compactor => DefaultArrivals::Period(Span::seconds(300), 1.0, 1.0),
            // Its period has to be given: a night's would be no turn in most runs.
            Kind::Defragmenter => DefaultArrivals::Period(Span::seconds(86_400), 1.0, 1.0),
            Kind::Event => DefaultArrivals::PerNode(0.05),
            Kind::Endpoints | Kind::EndpointSlice => DefaultArrivals::PerService(0.08),
            Kind::List => DefaultArrivals::Rate(1.0),
            Kind::Probe => DefaultArrivals::Rate(50.0),
        }
    }

    /// How arrivals at a rate are spaced.
    pub(super) fn process(self) -> Process {
        if self == Kind::Probe {
            Process::Constant
        } else {
            Process::Poisson
        }
    }

    /// Whether `rateScale` and `rateRamp` apply: a probe stays quiet, a compactor and a cron job keep their clocks.
    pub(super) fn scales(self) -> bool {
        !matches!(self, Kind::Probe | Kind::Compactor | Kind::Defragmenter)
    }

    /// Whether the first instants of its members are spread over one period; a cron job's comes after one.
    pub(super) fn spread(self) -> bool {
        self != Kind::Defragmenter
    }

    /// Members of its population, each with a chain of periods of its own.
    pub(super) fn population(self, cluster: &Cluster) -> (u64, &'static str) {
        match self {
            Kind::NodeLease | Kind::NodeStatus => (cluster.nodes, "nodes"),
            Kind::LeaderLease => (cluster.leader_locks, "leaderLocks"),
            Kind::ApiserverLease | Kind::Compactor => (cluster.apiservers, "apiservers"),
            Kind::Endpoints | Kind::EndpointSlice => (cluster.services, "services"),
            Kind::Event => (cluster.namespaces, "namespaces"),
            Kind::Defragmenter | Kind::List | Kind::Probe => (1, "nodes"),
        }
    }

    /// Op classes of its load (the measured ones).
    pub(super) fn load_classes(self) -> &'static [OpClass] {
        use OpClass as C;
        match self {
            Kind::NodeLease => &[C::NodeLeaseUpdate, C::NodeLeaseGet],
            Kind::NodeStatus => &[C::NodeStatusUpdate],
            Kind::Event => &[C::EventCreate, C::EventGet, C::EventPatch, C::EventGrant],
            Kind::LeaderLease => &[C::LeaderLeaseUpdate, C::LeaderLeaseGet],
            Kind::ApiserverLease => &[
                C::ApiserverLeaseUpdate,
                C::MasterLeaseGet,
                C::MasterLeaseGrant,
                C::MasterLeaseUpdate,
                C::MasterLeaseList,
            ],
            Kind::Endpoints => &[C::EndpointsUpdate],
            Kind::EndpointSlice => &[C::EndpointSliceUpdate],
            Kind::Compactor => &[C::CompactorTxn, C::CompactorCompact],
            Kind::Defragmenter => &[C::Defragment],
            Kind::List => &[
                C::ListNodes,
                C::ListLeases,
                C::ListEvents,
                C::ListEndpoints,
                C::ListEndpointSlices,
            ],
            Kind::Probe => &[C::ProbeGet, C::ProbeUpdate],
        }
    }

    /// Resources it needs a store for.
    pub(super) fn resources(self) -> &'static [Resource] {
        match self {
            Kind::NodeLease | Kind::LeaderLease => &[Resource::Leases],
            Kind::NodeStatus => &[Resource::Nodes, Resource::CsiNodes],
            Kind::Event => &[Resource::Events],
            Kind::ApiserverLease => &[Resource::Leases, Resource::MasterLeases],
            Kind::Endpoints => &[Resource::Endpoints],
            Kind::EndpointSlice => &[Resource::EndpointSlices],
            Kind::List => &LISTED,
            Kind::Compactor | Kind::Defragmenter | Kind::Probe => &[Resource::Internal],
        }
    }
}

impl ActorKind {
    /// Whether an op class is about the resource that this actor lists; always, for the others.
    pub(super) fn touches(&self, resource: Resource) -> bool {
        match self {
            ActorKind::List { resource: listed } => *listed == resource,
            _ => true,
        }
    }
}

/// What a list actor can list.
pub(super) const LISTED: [Resource; 5] = [
    Resource::Nodes,
    Resource::Leases,
    Resource::Events,
    Resource::Endpoints,
    Resource::EndpointSlices,
];

/// What keeps a sum of rates sane.
pub(super) fn within_rate(rate: f64) -> bool {
    rate.is_finite() && rate <= MAX_RATE
}
