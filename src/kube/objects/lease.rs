//! Leases (coordination.k8s.io/v1): a node's heartbeat, a leader's lock, an apiserver's identity.

use super::meta::{Managed, Meta, Owner};
use super::proto::{Proto, envelope};
use crate::clock::UnixNanos;

const API_VERSION: &str = "coordination.k8s.io/v1";

/// kubelet's heartbeat in kube-node-lease (k8s.io/component-helpers `apimachinery/lease`).
#[derive(Clone, Copy, Debug)]
pub struct NodeLease<'a> {
    /// The node: name of the Lease, holder and owner.
    pub node: &'a str,
    /// Of the Lease.
    pub uid: &'a str,
    /// Of the Node.
    pub node_uid: &'a str,
    /// creationTimestamp, Unix seconds.
    pub created: u64,
    /// Unix seconds of the write (managedFields).
    pub written: u64,
    /// renewTime (whole µs count).
    pub renewed: UnixNanos,
}

impl NodeLease<'_> {
    /// Appends the stored value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let meta = Meta {
            name: self.node,
            namespace: "kube-node-lease",
            uid: self.uid,
            created: Some(self.created),
            owner: Some(Owner {
                kind: "Node",
                name: self.node,
                uid: self.node_uid,
                controller: false,
            }),
            ..Meta::default()
        };
        let fields = [
            r#"{"f:metadata":{"f:ownerReferences":{".":{},"k:{\"uid\":\""#,
            self.node_uid,
            r#"\"}":{}}},"f:spec":{"f:holderIdentity":{},"f:leaseDurationSeconds":{},"f:renewTime":{}}}"#,
        ];
        lease(&meta, "kubelet", self.written, &fields, out, |spec| {
            spec.string(1, self.node);
            spec.int(2, 40);
            spec.micro_time(4, Some(self.renewed));
        });
    }
}

/// A leader-election lock in kube-system (client-go `tools/leaderelection/resourcelock`).
#[derive(Clone, Copy, Debug)]
pub struct LeaderLease<'a> {
    /// The lock's name, and the field manager's.
    pub name: &'a str,
    /// Of the Lease.
    pub uid: &'a str,
    /// `HOST_UID`.
    pub holder: &'a str,
    /// creationTimestamp, Unix seconds.
    pub created: u64,
    /// Unix seconds of the write (managedFields).
    pub written: u64,
    /// acquireTime.
    pub acquired: UnixNanos,
    /// renewTime.
    pub renewed: UnixNanos,
    /// leaseTransitions.
    pub transitions: u64,
}

impl LeaderLease<'_> {
    /// Appends the stored value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let meta = Meta {
            name: self.name,
            namespace: "kube-system",
            uid: self.uid,
            created: Some(self.created),
            ..Meta::default()
        };
        let fields = [concat!(
            r#"{"f:spec":{"f:acquireTime":{},"f:holderIdentity":{},"f:leaseDurationSeconds":{},"#,
            r#""f:leaseTransitions":{},"f:renewTime":{}}}"#
        )];
        lease(&meta, self.name, self.written, &fields, out, |spec| {
            spec.string(1, self.holder);
            spec.int(2, 15);
            spec.micro_time(3, Some(self.acquired));
            spec.micro_time(4, Some(self.renewed));
            spec.int(5, self.transitions);
        });
    }
}

/// An apiserver's identity in kube-system (kubernetes `pkg/controlplane/apiserver/server.go`).
#[derive(Clone, Copy, Debug)]
pub struct ApiserverLease<'a> {
    /// `apiserver-ID`.
    pub name: &'a str,
    /// Of the Lease.
    pub uid: &'a str,
    /// Its host's name.
    pub hostname: &'a str,
    /// `IP:PORT` for the peer proxy; since 1.36.
    pub peer_address: Option<&'a str>,
    /// UID of this start of the apiserver: the holder is `NAME_UID`.
    pub holder_uid: &'a str,
    /// creationTimestamp, Unix seconds.
    pub created: u64,
    /// Unix seconds of the write (managedFields).
    pub written: u64,
    /// renewTime.
    pub renewed: UnixNanos,
}

impl ApiserverLease<'_> {
    /// Appends the stored value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let peer = [(
            "kubernetes.io/peer-advertise-address",
            self.peer_address.unwrap_or_default(),
        )];
        let meta = Meta {
            name: self.name,
            namespace: "kube-system",
            uid: self.uid,
            created: Some(self.created),
            labels: &[
                ("apiserver.kubernetes.io/identity", "kube-apiserver"),
                ("kubernetes.io/hostname", self.hostname),
            ],
            annotations: if self.peer_address.is_some() {
                &peer
            } else {
                &[]
            },
            ..Meta::default()
        };
        let annotations = match self.peer_address {
            Some(_) => r#""f:annotations":{".":{},"f:kubernetes.io/peer-advertise-address":{}},"#,
            None => "",
        };
        let fields = [
            r#"{"f:metadata":{"#,
            annotations,
            r#""f:labels":{".":{},"f:apiserver.kubernetes.io/identity":{},"f:kubernetes.io/hostname":{}}},"#,
            r#""f:spec":{"f:holderIdentity":{},"f:leaseDurationSeconds":{},"f:renewTime":{}}}"#,
        ];
        lease(
            &meta,
            "kube-apiserver",
            self.written,
            &fields,
            out,
            |spec| {
                spec.parts(1, &[self.name, "_", self.holder_uid]);
                spec.int(2, 3600);
                spec.micro_time(4, Some(self.renewed));
            },
        );
    }
}

fn lease(
    meta: &Meta<'_>,
    manager: &str,
    written: u64,
    fields: &[&str],
    out: &mut Vec<u8>,
    spec: impl FnOnce(&mut Proto<'_>),
) {
    envelope(API_VERSION, "Lease", out, |o| {
        let managed = [Managed {
            manager,
            api_version: API_VERSION,
            at: written,
            fields,
            subresource: "",
        }];
        meta.encode(o, &managed);
        o.message(2, spec);
    });
}
