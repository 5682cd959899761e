//! What the endpoint controllers write for a service: one EndpointSlice per at most 100 endpoints
//! (k8s.io/endpointslice), one Endpoints object for all up to 1,000
//! (kubernetes `pkg/controller/endpoint`).

use super::meta::{Managed, Meta, Owner, Reference};
use super::proto::{Proto, envelope};

/// Beyond this many addresses an Endpoints object is truncated, and says so.
pub const MAX_ADDRESSES: usize = 1000;

const TRIGGER: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// One pod behind a service.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint<'a> {
    /// Pod IP.
    pub ip: &'a str,
    /// Pod name.
    pub pod: &'a str,
    /// Pod UID.
    pub pod_uid: &'a str,
    /// Node name.
    pub node: &'a str,
    /// The pod is going away: not ready, still serving, terminating.
    pub terminating: bool,
}

/// What both kinds have in common.
#[derive(Clone, Copy, Debug)]
pub struct ServiceMeta<'a> {
    /// The service; also its `app` label.
    pub service: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// UID of the object written.
    pub uid: &'a str,
    /// creationTimestamp, Unix seconds.
    pub created: u64,
    /// Unix seconds of the write (managedFields).
    pub written: u64,
    /// The last-change-trigger-time annotation, RFC 3339; the controllers leave it out when they
    /// know of no trigger.
    pub trigger: Option<&'a str>,
}

/// An EndpointSlice of IPv4 addresses with one port, 80/TCP.
#[derive(Clone, Copy, Debug)]
pub struct EndpointSlice<'a> {
    /// Of the slice.
    pub meta: ServiceMeta<'a>,
    /// `SERVICE-xxxxx`.
    pub name: &'a str,
    /// Of the Service.
    pub service_uid: &'a str,
    /// metadata.generation: 1 on create, then one more with each write.
    pub generation: u64,
    /// Whether there is any endpoint: without, the ports are left out too.
    pub populated: bool,
}

impl EndpointSlice<'_> {
    /// Appends the stored value; `endpoints` writes each with [`SliceWriter::endpoint`].
    pub fn encode(&self, out: &mut Vec<u8>, endpoints: impl FnOnce(&mut SliceWriter<'_, '_>)) {
        let trigger = [(TRIGGER, self.meta.trigger.unwrap_or_default())];
        let meta = Meta {
            name: self.name,
            // The service's name and a dash, as far as the slice's name has it.
            generate_name: self
                .name
                .get(..self.meta.service.len() + 1)
                .unwrap_or_default(),
            namespace: self.meta.namespace,
            uid: self.meta.uid,
            generation: self.generation,
            created: Some(self.meta.created),
            labels: &[
                ("app", self.meta.service),
                (
                    "endpointslice.kubernetes.io/managed-by",
                    "endpointslice-controller.k8s.io",
                ),
                ("kubernetes.io/service-name", self.meta.service),
            ],
            annotations: if self.meta.trigger.is_some() {
                &trigger
            } else {
                &[]
            },
            owner: Some(Owner {
                kind: "Service",
                name: self.meta.service,
                uid: self.service_uid,
                controller: true,
            }),
        };
        let fields = [
            r#"{"f:addressType":{},"#,
            if self.populated {
                r#""f:endpoints":{},"#
            } else {
                ""
            },
            r#""f:metadata":{"#,
            if self.meta.trigger.is_some() {
                F_TRIGGER
            } else {
                ""
            },
            r#""f:generateName":{},"f:labels":{".":{},"f:app":{},"#,
            r#""f:endpointslice.kubernetes.io/managed-by":{},"f:kubernetes.io/service-name":{}},"#,
            r#""f:ownerReferences":{".":{},"k:{\"uid\":\""#,
            self.service_uid,
            if self.populated {
                r#"\"}":{}}},"f:ports":{}}"#
            } else {
                r#"\"}":{}}}}"#
            },
        ];
        let managed = Managed {
            manager: "kube-controller-manager",
            api_version: "discovery.k8s.io/v1",
            at: self.meta.written,
            fields: &fields,
            subresource: "",
        };
        envelope("discovery.k8s.io/v1", "EndpointSlice", out, |o| {
            meta.encode(o, &[managed]);
            endpoints(&mut SliceWriter {
                slice: o,
                namespace: self.meta.namespace,
            });
            if self.populated {
                o.message(3, |p| {
                    p.string(1, "80-80");
                    p.string(2, "TCP");
                    p.int(3, 80);
                });
            }
            o.string(4, "IPv4");
        });
    }
}

/// Writes the endpoints of a slice, one after the other.
pub struct SliceWriter<'a, 'b> {
    slice: &'a mut Proto<'b>,
    namespace: &'a str,
}

impl SliceWriter<'_, '_> {
    /// Appends one.
    pub fn endpoint(&mut self, endpoint: &Endpoint<'_>) {
        self.slice.message(2, |e| {
            e.string(1, endpoint.ip);
            e.message(2, |c| {
                c.int(1, u64::from(!endpoint.terminating));
                c.int(2, 1);
                c.int(3, u64::from(endpoint.terminating));
            });
            pod(self.namespace, endpoint).encode(4, e);
            e.string(6, endpoint.node);
        });
    }
}

/// An Endpoints object with one subset and one port, 80/TCP.
#[derive(Clone, Copy, Debug)]
pub struct Endpoints<'a> {
    /// Of the object, which has the service's name.
    pub meta: ServiceMeta<'a>,
    /// Addresses were left out (more than [`MAX_ADDRESSES`]).
    pub truncated: bool,
    /// Whether there is any address: without, there is no subset.
    pub populated: bool,
}

impl Endpoints<'_> {
    /// Appends the stored value; `addresses` writes each ready one with
    /// [`AddressWriter::address`], sorted by IP (as text), then by UID.
    pub fn encode(&self, out: &mut Vec<u8>, addresses: impl FnOnce(&mut AddressWriter<'_, '_>)) {
        let mut annotations = [("", ""); 2];
        let mut n = 0;
        if let Some(trigger) = self.meta.trigger {
            annotations[n] = (TRIGGER, trigger);
            n += 1;
        }
        if self.truncated {
            annotations[n] = ("endpoints.kubernetes.io/over-capacity", "truncated");
            n += 1;
        }
        let meta = Meta {
            name: self.meta.service,
            namespace: self.meta.namespace,
            uid: self.meta.uid,
            created: Some(self.meta.created),
            labels: &[
                ("app", self.meta.service),
                ("endpoints.kubernetes.io/managed-by", "endpoint-controller"),
            ],
            annotations: &annotations[..n],
            ..Meta::default()
        };
        let f_annotations = match (self.meta.trigger, self.truncated) {
            (Some(_), true) => F_TRIGGER_TRUNCATED,
            (Some(_), false) => F_TRIGGER,
            (None, true) => F_TRUNCATED,
            (None, false) => "",
        };
        let fields = [
            r#"{"f:metadata":{"#,
            f_annotations,
            r#""f:labels":{".":{},"f:app":{},"f:endpoints.kubernetes.io/managed-by":{}}}"#,
            if self.populated {
                r#","f:subsets":{}}"#
            } else {
                "}"
            },
        ];
        let managed = Managed {
            manager: "kube-controller-manager",
            api_version: "v1",
            at: self.meta.written,
            fields: &fields,
            subresource: "",
        };
        envelope("v1", "Endpoints", out, |o| {
            meta.encode(o, &[managed]);
            if !self.populated {
                return;
            }
            o.message(2, |s| {
                addresses(&mut AddressWriter {
                    subset: s,
                    namespace: self.meta.namespace,
                });
                s.message(3, |p| {
                    p.string(1, "80-80");
                    p.int(2, 80);
                    p.string(3, "TCP");
                });
            });
        });
    }
}

/// Writes the addresses of an Endpoints object, one after the other.
pub struct AddressWriter<'a, 'b> {
    subset: &'a mut Proto<'b>,
    namespace: &'a str,
}

impl AddressWriter<'_, '_> {
    /// Appends one.
    pub fn address(&mut self, endpoint: &Endpoint<'_>) {
        self.subset.message(1, |a| {
            a.string(1, endpoint.ip);
            pod(self.namespace, endpoint).encode(2, a);
            a.string(3, "");
            a.string(4, endpoint.node);
        });
    }
}

fn pod<'a>(namespace: &'a str, endpoint: &Endpoint<'a>) -> Reference<'a> {
    Reference {
        kind: "Pod",
        namespace,
        name: endpoint.pod,
        uid: endpoint.pod_uid,
        ..Reference::default()
    }
}

const F_TRIGGER: &str =
    r#""f:annotations":{".":{},"f:endpoints.kubernetes.io/last-change-trigger-time":{}},"#;
const F_TRUNCATED: &str =
    r#""f:annotations":{".":{},"f:endpoints.kubernetes.io/over-capacity":{}},"#;
const F_TRIGGER_TRUNCATED: &str = concat!(
    r#""f:annotations":{".":{},"f:endpoints.kubernetes.io/last-change-trigger-time":{},"#,
    r#""f:endpoints.kubernetes.io/over-capacity":{}},"#
);
