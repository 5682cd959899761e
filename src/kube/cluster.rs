//! The hollow cluster: how much of what there is.

use super::KubernetesVersion;
use serde::{Deserialize, Serialize};

/// The hollow cluster's size and shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Kubernetes version whose request shapes are used.
    pub kubernetes_version: KubernetesVersion,
    /// Hollow nodes.
    pub nodes: u64,
    /// Namespaces that pods, services and events are spread over.
    pub namespaces: u64,
    /// Pods per node (they size services and name events; no Pod object is written yet).
    pub pods_per_node: u64,
    /// Services, each with Endpoints and EndpointSlices.
    pub services: u64,
    /// Endpoints per service.
    pub endpoints_per_service: u64,
    /// Images in each Node's status (kubelet's nodeStatusMaxImages is 50).
    pub images_per_node: u64,
    /// kube-apiservers: each has an identity Lease, a masterlease, event lease managers.
    pub apiservers: u64,
    /// Leader-election locks (the first two are kube-controller-manager and kube-scheduler).
    pub leader_locks: u64,
}

impl Cluster {
    /// EndpointSlices per service: at most 100 endpoints each (`--max-endpoints-per-slice`).
    pub fn slices_per_service(&self) -> u64 {
        self.endpoints_per_service.div_ceil(100).max(1)
    }
}
