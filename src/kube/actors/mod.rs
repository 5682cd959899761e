//! The sources of traffic, one file each. An actor says which objects it needs before the load
//! ([`Model::population`]) and, for each arrival, which object is touched by which steps
//! ([`Model::session`]). It knows no clock, no wire and no state of the store.

mod apiserver_lease;
mod compactor;
mod defragmenter;
mod endpoint_slice;
mod endpoints;
mod event;
mod kind;
mod leader_lease;
mod list;
mod node_lease;
mod node_status;
mod probe;
mod script;
mod session;
mod step;

pub use kind::ActorKind;
pub use list::list_class;
pub use script::{Of, Row, Script, Think};
pub use session::{Session, Turn};
pub use step::{LeaseUse, Population, Step};

use crate::kube::{Cluster, KubernetesVersion};
use crate::schedule::Stripe;

/// What every actor answers.
pub trait Model: std::fmt::Debug + Send {
    /// Objects that must exist before the load, with the op class that creates them.
    fn population(&self) -> Vec<Population>;

    /// Members of a periodic schedule: how many chains there are in the whole plan.
    fn members(&self) -> u64;

    /// The session of the `index`-th arrival (open or closed loop), or of the member `index` (periodic
    /// schedule) at its `occurrence`-th time. None when this part of the plan has nothing to do.
    fn session(&mut self, index: u64, occurrence: u64) -> Option<Session>;

    /// Every op class that its sessions can send.
    fn classes(&self) -> Vec<crate::kube::OpClass>;
}

/// The model of an actor, for one part of the plan.
pub fn model(kind: &ActorKind, cluster: &Cluster, part: Stripe, seed: u64) -> Box<dyn Model> {
    let version: KubernetesVersion = cluster.kubernetes_version;
    match kind {
        ActorKind::NodeLease => Box::new(node_lease::NodeLease {
            nodes: cluster.nodes,
            part,
        }),
        ActorKind::NodeStatus => Box::new(node_status::NodeStatus {
            nodes: cluster.nodes,
            part,
        }),
        ActorKind::Event { series_share, ttl } => Box::new(event::Event::new(
            *series_share,
            ttl.as_secs(),
            cluster.apiservers,
            part,
            seed,
        )),
        ActorKind::LeaderLease { standbys } => Box::new(leader_lease::LeaderLease {
            locks: cluster.leader_locks,
            standbys: *standbys,
        }),
        ActorKind::ApiserverLease => Box::new(apiserver_lease::ApiserverLease {
            apiservers: cluster.apiservers,
            peer_leases: version.has_peer_leases(),
        }),
        ActorKind::Endpoints => Box::new(endpoints::Endpoints {
            services: cluster.services,
            part,
        }),
        ActorKind::EndpointSlice => Box::new(endpoint_slice::EndpointSlice {
            services: cluster.services,
            slices: cluster.slices_per_service(),
            part,
        }),
        ActorKind::Compactor { stores } => Box::new(compactor::Compactor {
            members: cluster.apiservers.saturating_mul(*stores),
        }),
        ActorKind::Defragmenter => Box::new(defragmenter::Defragmenter),
        ActorKind::List { resource } => Box::new(list::List::new(*resource, cluster, part)),
        ActorKind::Probe { writes } => Box::new(probe::Probe { writes: *writes }),
    }
}
