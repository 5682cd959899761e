//! Events (stored as v1, whichever API they came by): client-go `tools/record` for kubelet and the
//! controllers, `tools/events` for the scheduler.

use super::meta::{Managed, Meta, Reference};
use super::proto::envelope;
use crate::clock::UnixNanos;

/// Who reports, and in which form.
#[derive(Clone, Copy, Debug)]
pub enum Reporter<'a> {
    /// kubelet on a node: source has component and host.
    Kubelet {
        /// The node.
        host: &'a str,
    },
    /// A controller of kube-controller-manager, by its component's name.
    Controller {
        /// `replicaset-controller` …
        component: &'a str,
        /// reportingComponent is set too (not by the correlator's aggregates).
        reporting: bool,
    },
    /// The scheduler, through events.k8s.io: eventTime and action instead of counts.
    Scheduler {
        /// `default-scheduler-HOST`.
        instance: &'a str,
        /// eventTime.
        at: UnixNanos,
    },
}

/// An Event with all that varies.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// `OBJ.HEX16`.
    pub name: &'a str,
    /// Of the Event and of what it is about.
    pub namespace: &'a str,
    /// Of the Event.
    pub uid: &'a str,
    /// creationTimestamp, Unix seconds.
    pub created: u64,
    /// Unix seconds of the write (managedFields).
    pub written: u64,
    /// involvedObject: kind, apiVersion.
    pub about: (&'a str, &'a str),
    /// involvedObject's name.
    pub about_name: &'a str,
    /// involvedObject's UID.
    pub about_uid: &'a str,
    /// involvedObject's resourceVersion.
    pub about_version: &'a str,
    /// involvedObject's fieldPath.
    pub field_path: &'a str,
    /// `Started` …
    pub reason: &'a str,
    /// For people; in parts.
    pub message: &'a [&'a str],
    /// Who.
    pub reporter: Reporter<'a>,
    /// firstTimestamp, Unix seconds (not the scheduler's).
    pub first: u64,
    /// lastTimestamp; of the scheduler's series: lastObservedTime.
    pub last: UnixNanos,
    /// How often seen; 1 on create.
    pub count: u64,
}

impl Event<'_> {
    /// Appends the stored value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let meta = Meta {
            name: self.name,
            namespace: self.namespace,
            uid: self.uid,
            created: Some(self.created),
            ..Meta::default()
        };
        let series = self.count > 1;
        let (manager, api_version, fields) = match self.reporter {
            Reporter::Kubelet { .. } => ("kubelet", "v1", KUBELET),
            Reporter::Controller {
                reporting: true, ..
            } => ("kube-controller-manager", "v1", CONTROLLER),
            Reporter::Controller {
                reporting: false, ..
            } => ("kube-controller-manager", "v1", AGGREGATE),
            Reporter::Scheduler { .. } if series => {
                ("kube-scheduler", "events.k8s.io/v1", SCHEDULER_SERIES)
            }
            Reporter::Scheduler { .. } => ("kube-scheduler", "events.k8s.io/v1", SCHEDULER),
        };
        let managed = Managed {
            manager,
            api_version,
            at: self.written,
            fields: &[fields],
            subresource: "",
        };
        let (component, host, reporting, instance) = match self.reporter {
            Reporter::Kubelet { host } => ("kubelet", host, "kubelet", host),
            Reporter::Controller {
                component,
                reporting: true,
            } => (component, "", component, ""),
            Reporter::Controller {
                component,
                reporting: false,
            } => (component, "", "", ""),
            Reporter::Scheduler { instance, .. } => ("", "", "default-scheduler", instance),
        };
        let (event_time, action) = match self.reporter {
            Reporter::Scheduler { at, .. } => (Some(at), "Binding"),
            _ => (None, ""),
        };
        let counted = event_time.is_none();
        envelope("v1", "Event", out, |o| {
            meta.encode(o, &[managed]);
            let about = Reference {
                kind: self.about.0,
                namespace: self.namespace,
                name: self.about_name,
                uid: self.about_uid,
                api_version: self.about.1,
                resource_version: self.about_version,
                field_path: self.field_path,
            };
            about.encode(2, o);
            o.string(3, self.reason);
            o.parts(4, self.message);
            o.message(5, |s| {
                s.string(1, component);
                s.string(2, host);
            });
            o.time(6, counted.then_some(self.first));
            o.time(7, counted.then_some(self.last / 1_000_000_000));
            o.int(8, if counted { self.count } else { 0 });
            o.string(9, "Normal");
            o.micro_time(10, event_time);
            if series && !counted {
                o.message(11, |s| {
                    s.int(1, self.count);
                    s.micro_time(2, Some(self.last));
                });
            }
            o.string(12, action);
            o.string(14, reporting);
            o.string(15, instance);
        });
    }
}

const KUBELET: &str = concat!(
    r#"{"f:count":{},"f:firstTimestamp":{},"f:involvedObject":{},"f:lastTimestamp":{},"f:message":{},"#,
    r#""f:reason":{},"f:reportingComponent":{},"f:reportingInstance":{},"#,
    r#""f:source":{"f:component":{},"f:host":{}},"f:type":{}}"#
);
const CONTROLLER: &str = concat!(
    r#"{"f:count":{},"f:firstTimestamp":{},"f:involvedObject":{},"f:lastTimestamp":{},"f:message":{},"#,
    r#""f:reason":{},"f:reportingComponent":{},"f:source":{"f:component":{}},"f:type":{}}"#
);
const AGGREGATE: &str = concat!(
    r#"{"f:count":{},"f:firstTimestamp":{},"f:involvedObject":{},"f:lastTimestamp":{},"f:message":{},"#,
    r#""f:reason":{},"f:source":{"f:component":{}},"f:type":{}}"#
);
const SCHEDULER: &str = concat!(
    r#"{"f:action":{},"f:eventTime":{},"f:note":{},"f:reason":{},"f:regarding":{},"#,
    r#""f:reportingController":{},"f:reportingInstance":{},"f:type":{}}"#
);
const SCHEDULER_SERIES: &str = concat!(
    r#"{"f:action":{},"f:eventTime":{},"f:note":{},"f:reason":{},"f:regarding":{},"#,
    r#""f:reportingController":{},"f:reportingInstance":{},"#,
    r#""f:series":{".":{},"f:count":{},"f:lastObservedTime":{}},"f:type":{}}"#
);
