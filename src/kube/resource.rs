//! The resources etcdmark writes, with the names they have in a key, in a workload's `stores` and in
//! kube-apiserver's `--etcd-servers-overrides`.

use serde::{Deserialize, Serialize};

/// A Kubernetes resource that has objects in etcd, or one of etcdmark's own keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Resource {
    /// coordination.k8s.io Leases: node heartbeats, leader election, apiserver identity.
    Leases,
    /// Nodes, under `minions`.
    Nodes,
    /// storage.k8s.io CSINodes.
    CsiNodes,
    /// Events (v1), with an etcd lease.
    Events,
    /// Endpoints, under `services/endpoints`.
    Endpoints,
    /// discovery.k8s.io EndpointSlices.
    EndpointSlices,
    /// The apiservers' own TTL leases (`masterleases`, `peerserverleases`).
    MasterLeases,
    /// The probe's key, the compactor's key: not a Kubernetes resource; always in the first store.
    Internal,
}

impl Resource {
    /// All resources, in key order of no meaning.
    pub const ALL: [Resource; 8] = [
        Resource::Leases,
        Resource::Nodes,
        Resource::CsiNodes,
        Resource::Events,
        Resource::Endpoints,
        Resource::EndpointSlices,
        Resource::MasterLeases,
        Resource::Internal,
    ];

    /// The API group ("" is core).
    pub fn group(self) -> &'static str {
        match self {
            Resource::Leases => "coordination.k8s.io",
            Resource::CsiNodes => "storage.k8s.io",
            Resource::EndpointSlices => "discovery.k8s.io",
            _ => "",
        }
    }

    /// The lowercase plural, as in `--etcd-servers-overrides=GROUP/PLURAL#…` and in a workload's `stores`.
    pub fn plural(self) -> &'static str {
        match self {
            Resource::Leases => "leases",
            Resource::Nodes => "nodes",
            Resource::CsiNodes => "csinodes",
            Resource::Events => "events",
            Resource::Endpoints => "endpoints",
            Resource::EndpointSlices => "endpointslices",
            Resource::MasterLeases => "masterleases",
            Resource::Internal => "internal",
        }
    }

    /// Every place where its objects are: [`Resource::key_prefix`], and for the apiservers' TTL leases two.
    pub fn key_prefixes(self) -> Vec<&'static str> {
        match self {
            Resource::MasterLeases => vec![self.key_prefix(), "peerserverleases"],
            other => vec![other.key_prefix()],
        }
    }

    /// What stands between the registry prefix and the namespace or name
    /// (k8s.io/kubernetes `pkg/kubeapiserver/default_storage_factory_builder.go`).
    pub fn key_prefix(self) -> &'static str {
        match self {
            Resource::Nodes => "minions",
            Resource::Endpoints => "services/endpoints",
            Resource::Internal => "etcdmark",
            other => other.plural(),
        }
    }
}
