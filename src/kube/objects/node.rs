//! Nodes and CSINodes, as kubemark's hollow kubelet registers and reports them: capacity, OS image
//! and runtime are its own (kubernetes `pkg/kubemark/hollow_kubelet.go`).

use super::meta::{Managed, Meta, Owner};
use super::proto::{Proto, envelope};

/// A Node: registration, kube-controller-manager's additions, status.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// Name; also hostname and providerID.
    pub name: &'a str,
    /// UID.
    pub uid: &'a str,
    /// creationTimestamp and the pressure conditions' lastTransitionTime, Unix seconds.
    pub created: u64,
    /// InternalIP.
    pub ip: &'a str,
    /// kubelet's port.
    pub kubelet_port: u64,
    /// `v1.37.2`.
    pub kubelet_version: &'a str,
    /// The controller-manager's ttl annotation is there.
    pub ttl: bool,
    /// The controller-manager's pod CIDR, once given.
    pub pod_cidr: Option<&'a str>,
    /// When the controller-manager wrote these two, Unix seconds.
    pub managed_by_controller: u64,
    /// The not-ready taint is still there.
    pub tainted: bool,
    /// The status after registration; none = as registered.
    pub status: Option<NodeStatus<'a>>,
}

/// What kubelet reports after registration.
#[derive(Clone, Copy, Debug)]
pub struct NodeStatus<'a> {
    /// lastHeartbeatTime and managedFields, Unix seconds.
    pub heartbeat: u64,
    /// Ready's lastTransitionTime, Unix seconds.
    pub ready_since: u64,
    /// Encoded images ([`encode_image`]), largest first, in pieces.
    pub images: &'a [&'a [u8]],
}

/// Appends an entry of status.images: names (digest first, then tag) and size in bytes.
pub fn encode_image(names: &[&str], size: u64, out: &mut Vec<u8>) {
    Proto::new(out).message(8, |i| {
        for name in names {
            i.string(1, name);
        }
        i.int(2, size);
    });
}

impl Node<'_> {
    /// Appends the stored value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let meta = Meta {
            name: self.name,
            uid: self.uid,
            created: Some(self.created),
            labels: &[
                ("beta.kubernetes.io/arch", "amd64"),
                ("beta.kubernetes.io/os", "linux"),
                ("kubernetes.io/arch", "amd64"),
                ("kubernetes.io/hostname", self.name),
                ("kubernetes.io/os", "linux"),
            ],
            annotations: if self.ttl {
                &[("node.alpha.kubernetes.io/ttl", "0")]
            } else {
                &[]
            },
            ..Meta::default()
        };
        let cidr = self.pod_cidr.unwrap_or_default();
        let controller: &[&str] = match (self.ttl, self.pod_cidr) {
            (true, Some(_)) => &["{", F_TTL, ",", F_CIDR, cidr, F_CIDR_END, "}"],
            (true, None) => &["{", F_TTL, "}"],
            (false, _) => &["{", F_CIDR, cidr, F_CIDR_END, "}"],
        };
        let images = self
            .status
            .is_some_and(|s| s.images.iter().any(|piece| !piece.is_empty()));
        let status = [F_STATUS, if images { r#","f:images":{}}}"# } else { "}}" }];
        let entry = |manager, at, fields, subresource| Managed {
            manager,
            api_version: "v1",
            at,
            fields,
            subresource,
        };
        let mut managed = [
            entry(
                "kube-controller-manager",
                self.managed_by_controller,
                controller,
                "",
            ),
            entry("kubelet", self.created, &[F_REGISTRATION], ""),
            entry(
                "kubelet",
                self.status.map_or(0, |s| s.heartbeat),
                &status,
                "status",
            ),
        ];
        let by_controller = self.ttl || self.pod_cidr.is_some();
        // Entries are sorted by time, then by manager: with equal times the controller-manager's
        // stands first.
        if by_controller && self.managed_by_controller > self.created {
            managed.swap(0, 1);
        }
        let from = usize::from(!by_controller);
        let to = 2 + usize::from(self.status.is_some());
        envelope("v1", "Node", out, |o| {
            meta.encode(o, &managed[from..to]);
            o.message(2, |s| self.encode_spec(s));
            o.message(3, |s| self.encode_status(s));
        });
    }

    fn encode_spec(&self, s: &mut Proto<'_>) {
        s.string(1, self.pod_cidr.unwrap_or_default());
        s.string(2, "");
        s.parts(3, &["kubemark://", self.name]);
        s.int(4, 0);
        if self.tainted {
            s.message(5, |t| {
                t.string(1, "node.kubernetes.io/not-ready");
                t.string(2, "");
                t.string(3, "NoSchedule");
            });
        }
        if let Some(cidr) = self.pod_cidr {
            s.string(7, cidr);
        }
    }

    fn encode_status(&self, s: &mut Proto<'_>) {
        // Capacity, then allocatable: the same for a hollow node.
        for tag in [1, 2] {
            for (resource, quantity) in [
                ("cpu", "1"),
                ("ephemeral-storage", "0"),
                ("memory", "3840Mi"),
                ("pods", "110"),
            ] {
                s.message(tag, |e| {
                    e.string(1, resource);
                    e.message(2, |q| q.string(1, quantity));
                });
            }
        }
        s.string(3, "");
        self.encode_conditions(s);
        for (kind, address) in [("InternalIP", self.ip), ("Hostname", self.name)] {
            s.message(5, |a| {
                a.string(1, kind);
                a.string(2, address);
            });
        }
        s.message(6, |d| d.message(1, |e| e.int(1, self.kubelet_port)));
        s.message(7, |i| {
            for (tag, value) in (1..).zip([
                "",
                "",
                "",
                "3.16.0-0.bpo.4-amd64",
                "Debian GNU/Linux 7 (wheezy)",
                "fakeRuntime://0.1.0",
                self.kubelet_version,
                "",
                "linux",
                "amd64",
            ]) {
                i.string(tag, value);
            }
            // runningInUserNamespace, newer than k8s-pb 0.9.
            i.int(12, 0);
        });
        for piece in self.status.map_or(&[] as &[&[u8]], |s| s.images) {
            s.raw(piece);
        }
        for feature in [
            "ExtendWebSocketsToKubelet",
            "InPlacePodLevelResourcesVerticalScaling",
            "InPlacePodVerticalScalingInitContainers",
            "RestartAllContainersOnContainerExits",
        ] {
            s.string(14, feature);
        }
    }

    fn encode_conditions(&self, s: &mut Proto<'_>) {
        let heartbeat = self.status.map_or(self.created, |s| s.heartbeat);
        let (ready, reason, message, since) = match self.status {
            Some(s) => (
                "True",
                "KubeletReady",
                "kubelet is posting ready status",
                s.ready_since,
            ),
            None => (
                "False",
                "KubeletNotReady",
                "CSINode is not yet initialized",
                self.created,
            ),
        };
        for (kind, status, since, reason, message) in [
            (
                "MemoryPressure",
                "False",
                self.created,
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
            (
                "DiskPressure",
                "False",
                self.created,
                "KubeletHasNoDiskPressure",
                "kubelet has no disk pressure",
            ),
            (
                "PIDPressure",
                "False",
                self.created,
                "KubeletHasSufficientPID",
                "kubelet has sufficient PID available",
            ),
            ("Ready", ready, since, reason, message),
        ] {
            s.message(4, |c| {
                c.string(1, kind);
                c.string(2, status);
                c.time(3, Some(heartbeat));
                c.time(4, Some(since));
                c.string(5, reason);
                c.string(6, message);
            });
        }
    }
}

/// A CSINode of a node without CSI drivers.
#[derive(Clone, Copy, Debug)]
pub struct CsiNode<'a> {
    /// The node.
    pub name: &'a str,
    /// Of the CSINode.
    pub uid: &'a str,
    /// Of the Node.
    pub node_uid: &'a str,
    /// creationTimestamp and managedFields, Unix seconds.
    pub created: u64,
}

impl CsiNode<'_> {
    /// Appends the stored value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let meta = Meta {
            name: self.name,
            uid: self.uid,
            created: Some(self.created),
            annotations: &[("storage.alpha.kubernetes.io/migrated-plugins", MIGRATED)],
            owner: Some(Owner {
                kind: "Node",
                name: self.name,
                uid: self.node_uid,
                controller: false,
            }),
            ..Meta::default()
        };
        let fields = [
            r#"{"f:metadata":{"f:annotations":{".":{},"f:storage.alpha.kubernetes.io/migrated-plugins":{}},"#,
            r#""f:ownerReferences":{".":{},"k:{\"uid\":\""#,
            self.node_uid,
            r#"\"}":{}}}}"#,
        ];
        let managed = Managed {
            manager: "kubelet",
            api_version: "storage.k8s.io/v1",
            at: self.created,
            fields: &fields,
            subresource: "",
        };
        envelope("storage.k8s.io/v1", "CSINode", out, |o| {
            meta.encode(o, &[managed]);
            o.string(2, "");
            // status, newer than k8s-pb 0.9.
            o.string(3, "");
        });
    }
}

const MIGRATED: &str = concat!(
    "kubernetes.io/aws-ebs,kubernetes.io/azure-disk,kubernetes.io/azure-file,kubernetes.io/cinder,",
    "kubernetes.io/gce-pd,kubernetes.io/portworx-volume,kubernetes.io/vsphere-volume"
);
const F_TTL: &str =
    r#""f:metadata":{"f:annotations":{".":{},"f:node.alpha.kubernetes.io/ttl":{}}}"#;
const F_CIDR: &str = r#""f:spec":{"f:podCIDR":{},"f:podCIDRs":{".":{},"v:\""#;
const F_CIDR_END: &str = r#"\"":{}}}"#;
const F_REGISTRATION: &str = concat!(
    r#"{"f:metadata":{"f:labels":{".":{},"f:beta.kubernetes.io/arch":{},"f:beta.kubernetes.io/os":{},"#,
    r#""f:kubernetes.io/arch":{},"f:kubernetes.io/hostname":{},"f:kubernetes.io/os":{}}},"#,
    r#""f:spec":{"f:providerID":{}}}"#
);
const F_STATUS: &str = concat!(
    r#"{"f:status":{"f:conditions":{"k:{\"type\":\"DiskPressure\"}":{"f:lastHeartbeatTime":{}},"#,
    r#""k:{\"type\":\"MemoryPressure\"}":{"f:lastHeartbeatTime":{}},"#,
    r#""k:{\"type\":\"PIDPressure\"}":{"f:lastHeartbeatTime":{}},"#,
    r#""k:{\"type\":\"Ready\"}":{"f:lastHeartbeatTime":{},"f:lastTransitionTime":{},"f:message":{},"#,
    r#""f:reason":{},"f:status":{}}}"#
);
