//! The hollow cluster's objects: for each [`ObjectRef`], its key and the value of each of its writes,
//! byte for byte what kube-apiserver 1.37 would store.
//!
//! Each kind is a plain struct of all that varies in it, which writes itself in one pass (Go's
//! always-written empty fields and the few fields newer than `k8s-pb` included). Tests hold the bytes
//! to recorded values and to `k8s-pb`'s encoding.

mod apiserver;
mod cluster;
mod event;
mod images;
mod lease;
mod meta;
mod node;
mod proto;
mod rollout;
mod service;

pub use apiserver::{MasterLease, PeerLease};
pub use cluster::reported_by_scheduler;
pub use event::{Event, Reporter};
pub use lease::{ApiserverLease, LeaderLease, NodeLease};
pub use node::{CsiNode, Node, NodeStatus, encode_image};
pub use service::{
    AddressWriter, Endpoint, EndpointSlice, Endpoints, MAX_ADDRESSES, ServiceMeta, SliceWriter,
};

use super::Resource;
use super::names::Names;
use crate::clock::UnixNanos;
use crate::kube::Cluster;
use images::Images;
use std::sync::Arc;

/// Which family of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Lease in kube-node-lease; index = node.
    NodeLease,
    /// Node; index = node.
    Node,
    /// CSINode; index = node.
    CsiNode,
    /// Leader-election Lease in kube-system; index = lock (0 kube-controller-manager, 1 kube-scheduler, then others).
    LeaderLease,
    /// apiserver identity Lease in kube-system; index = apiserver.
    ApiserverLease,
    /// masterleases/IP; index = apiserver.
    MasterLease,
    /// peerserverleases/ID; index = apiserver.
    PeerLease,
    /// Event; index = arrival number of the event actor (unique in a run).
    Event,
    /// Endpoints; index = service.
    Endpoints,
    /// EndpointSlice; index = service × slices per service + slice.
    EndpointSlice,
    /// etcdmark's probe key; index = 0.
    Probe,
    /// The compactors' one key; index = the apiserver whose compactor writes it.
    CompactRev,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 12] = [
        Kind::NodeLease,
        Kind::Node,
        Kind::CsiNode,
        Kind::LeaderLease,
        Kind::ApiserverLease,
        Kind::MasterLease,
        Kind::PeerLease,
        Kind::Event,
        Kind::Endpoints,
        Kind::EndpointSlice,
        Kind::Probe,
        Kind::CompactRev,
    ];

    /// Its resource, which routes it to a store.
    pub fn resource(self) -> Resource {
        match self {
            Kind::NodeLease | Kind::LeaderLease | Kind::ApiserverLease => Resource::Leases,
            Kind::Node => Resource::Nodes,
            Kind::CsiNode => Resource::CsiNodes,
            Kind::MasterLease | Kind::PeerLease => Resource::MasterLeases,
            Kind::Event => Resource::Events,
            Kind::Endpoints => Resource::Endpoints,
            Kind::EndpointSlice => Resource::EndpointSlices,
            Kind::Probe | Kind::CompactRev => Resource::Internal,
        }
    }
}

/// One object of the hollow cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Family.
    pub kind: Kind,
    /// Number within the family.
    pub index: u64,
}

/// Which write of an object: its value is a function of (seed, epoch, object, write).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// 0 = the create, n = the n-th update.
    pub sequence: u32,
    /// The wall instant the write is intended for (renewTime of a Lease, lastHeartbeatTime of a Node …).
    pub at: UnixNanos,
}

/// k8s.io/apiserver `pkg/storage/etcd3/compact.go`.
const COMPACT_REV_KEY: &str = "compact_rev_key";

/// The object factory of one hollow cluster. Pure and cheap to share (a `Clone` shares all); holds
/// pre-encoded templates, nothing per object.
#[derive(Clone, Debug)]
pub struct Objects {
    inner: Arc<Inner>,
    literal_compact_key: bool,
}

#[derive(Debug)]
struct Inner {
    cluster: Cluster,
    names: Names,
    epoch: UnixNanos,
    event_spacing_ns: u64,
    prefix: String,
    images: Images,
    kubelet_version: String,
}

impl Objects {
    /// `prefix` is `/registry-etcdmark/RUN` (no trailing slash); `epoch` is the wall instant from which
    /// creation times and event names count; `event_spacing_ns` is the mean distance of two events, so
    /// that event i's name and firstTimestamp say `epoch + i × spacing`.
    pub fn new(
        cluster: &Cluster,
        seed: u64,
        epoch: UnixNanos,
        event_spacing_ns: u64,
        prefix: &str,
    ) -> Self {
        Objects {
            literal_compact_key: false,
            inner: Arc::new(Inner {
                names: Names::new(cluster, seed),
                epoch,
                event_spacing_ns,
                prefix: prefix.to_owned(),
                images: Images::new(cluster.images_per_node, seed),
                kubelet_version: format!("v{}.2", cluster.kubernetes_version.name()),
                cluster: cluster.clone(),
            }),
        }
    }

    /// The cluster's names.
    pub fn names(&self) -> &Names {
        &self.inner.names
    }

    /// Whether the compactor's key is kube-apiserver's own (`compact_rev_key`, outside any prefix) or lies
    /// under this cluster's prefix.
    #[must_use]
    pub fn with_literal_compact_key(mut self, literal: bool) -> Self {
        self.literal_compact_key = literal;
        self
    }

    /// Appends the object's key.
    pub fn key(&self, object: ObjectRef, out: &mut Vec<u8>) {
        if object.kind == Kind::CompactRev && self.literal_compact_key {
            return out.extend_from_slice(COMPACT_REV_KEY.as_bytes());
        }
        let i = object.index;
        let names = self.names();
        let mut key = |parts: &[&str]| {
            out.extend_from_slice(self.inner.prefix.as_bytes());
            for part in parts {
                out.push(b'/');
                out.extend_from_slice(part.as_bytes());
            }
        };
        match object.kind {
            Kind::NodeLease => key(&["leases", "kube-node-lease", names.node(i).as_str()]),
            Kind::Node => key(&["minions", names.node(i).as_str()]),
            Kind::CsiNode => key(&["csinodes", names.node(i).as_str()]),
            Kind::LeaderLease => key(&["leases", "kube-system", names.leader_lock(i).as_str()]),
            Kind::ApiserverLease => key(&["leases", "kube-system", names.apiserver(i).as_str()]),
            Kind::MasterLease => key(&["masterleases", names.apiserver_ip(i).as_str()]),
            Kind::PeerLease => key(&["peerserverleases", names.apiserver(i).as_str()]),
            Kind::Event => {
                let (namespace, name) = self.event_name(i);
                key(&["events", namespace.as_str(), name.as_str()]);
            }
            Kind::Endpoints => {
                key(&[
                    "services/endpoints",
                    names.namespace(i).as_str(),
                    names.service(i).as_str(),
                ]);
            }
            Kind::EndpointSlice => {
                let service = i / self.inner.cluster.slices_per_service();
                let name = names.endpoint_slice(service, i);
                key(&[
                    "endpointslices",
                    names.namespace(service).as_str(),
                    name.as_str(),
                ]);
            }
            Kind::Probe => key(&["etcdmark", "probe"]),
            Kind::CompactRev => key(&["etcdmark", COMPACT_REV_KEY]),
        }
    }

    /// Appends the value of that write of the object.
    pub fn value(&self, object: ObjectRef, write: Write, out: &mut Vec<u8>) {
        let i = object.index;
        match object.kind {
            Kind::NodeLease => self.node_lease(i, write, out),
            Kind::Node => self.node(i, write, out),
            Kind::CsiNode => self.csi_node(i, out),
            Kind::LeaderLease => self.leader_lease(i, write, out),
            Kind::ApiserverLease => self.apiserver_lease(i, write, out),
            Kind::MasterLease => self.master_lease(i, write, out),
            Kind::PeerLease => self.peer_lease(i, write, out),
            Kind::Event => self.event(i, write, out),
            Kind::Endpoints => self.endpoints(i, write, out),
            Kind::EndpointSlice => self.endpoint_slice(i, write, out),
            // The compactor's value is a revision, which only its session knows.
            Kind::CompactRev => out.push(b'0'),
            Kind::Probe => {
                out.extend_from_slice(
                    format!("etcdmark probe, write {}\n", write.sequence).as_bytes(),
                );
            }
        }
    }
}

fn seconds(at: UnixNanos) -> u64 {
    at / crate::clock::SECOND
}
