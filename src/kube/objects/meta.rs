//! ObjectMeta, managedFields and ObjectReference as Go writes them: names, UIDs and the like are
//! there even when empty (k8s.io/apimachinery `pkg/apis/meta/v1/generated.pb.go`).

use super::proto::Proto;

/// metav1.ObjectMeta, as far as the written kinds use it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meta<'a> {
    pub(super) name: &'a str,
    pub(super) generate_name: &'a str,
    pub(super) namespace: &'a str,
    pub(super) uid: &'a str,
    pub(super) generation: u64,
    /// Unix seconds; none is the zero time.
    pub(super) created: Option<u64>,
    /// Sorted by key.
    pub(super) labels: &'a [(&'a str, &'a str)],
    /// Sorted by key.
    pub(super) annotations: &'a [(&'a str, &'a str)],
    pub(super) owner: Option<Owner<'a>>,
}

/// metav1.OwnerReference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner<'a> {
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) uid: &'a str,
    /// Controller and blockOwnerDeletion: both, or (kubelet's) neither.
    pub(super) controller: bool,
}

/// metav1.ManagedFieldsEntry, operation Update.
#[derive(Clone, Copy, Debug)]
pub(super) struct Managed<'a> {
    pub(super) manager: &'a str,
    pub(super) api_version: &'a str,
    /// Unix seconds.
    pub(super) at: u64,
    /// FieldsV1 JSON, in parts.
    pub(super) fields: &'a [&'a str],
    pub(super) subresource: &'a str,
}

impl Meta<'_> {
    /// Writes it as field 1.
    pub(super) fn encode(&self, object: &mut Proto<'_>, managed: &[Managed<'_>]) {
        object.message(1, |m| {
            m.string(1, self.name);
            m.string(2, self.generate_name);
            m.string(3, self.namespace);
            m.string(4, "");
            m.string(5, self.uid);
            m.string(6, "");
            m.int(7, self.generation);
            m.time(8, self.created);
            for (key, value) in self.labels {
                m.entry(11, key, value);
            }
            for (key, value) in self.annotations {
                m.entry(12, key, value);
            }
            if let Some(owner) = self.owner {
                m.message(13, |o| {
                    o.string(1, owner.kind);
                    o.string(3, owner.name);
                    o.string(4, owner.uid);
                    o.string(5, "v1");
                    if owner.controller {
                        o.int(6, 1);
                        o.int(7, 1);
                    }
                });
            }
            for entry in managed {
                m.message(17, |e| {
                    e.string(1, entry.manager);
                    e.string(2, "Update");
                    e.string(3, entry.api_version);
                    e.time(4, Some(entry.at));
                    e.string(6, "FieldsV1");
                    e.message(7, |f| f.parts(1, entry.fields));
                    e.string(8, entry.subresource);
                });
            }
        });
    }
}

/// v1.ObjectReference: all seven fields, always.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reference<'a> {
    pub(super) kind: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) uid: &'a str,
    pub(super) api_version: &'a str,
    pub(super) resource_version: &'a str,
    pub(super) field_path: &'a str,
}

impl Reference<'_> {
    pub(super) fn encode(&self, tag: u32, into: &mut Proto<'_>) {
        into.message(tag, |r| {
            r.string(1, self.kind);
            r.string(2, self.namespace);
            r.string(3, self.name);
            r.string(4, self.uid);
            r.string(5, self.api_version);
            r.string(6, self.resource_version);
            r.string(7, self.field_path);
        });
    }
}
