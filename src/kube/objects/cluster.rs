//! The hollow cluster's nodes, Events and leases: which names, UIDs and times go into each object.

use super::{
    ApiserverLease, CsiNode, Event, LeaderLease, MasterLease, Node, NodeLease, NodeStatus, Objects,
    PeerLease, Reporter, Write, seconds,
};
use crate::clock::UnixNanos;
use crate::kube::names::{Pod, Text, UidOf};

/// A pod's life in Events, in this order; Event i is the (i mod 7)-th of pod i / 7.
const LIFECYCLE: [&str; 7] = [
    "SuccessfulCreate",
    "Scheduled",
    "Pulling",
    "Pulled",
    "Created",
    "Started",
    "Killing",
];

/// Whether Event `i` comes from the scheduler, by events.k8s.io.
pub fn reported_by_scheduler(i: u64) -> bool {
    LIFECYCLE[(i % 7) as usize] == "Scheduled"
}

const IMAGE: &str = "registry.k8s.io/pause:3.10";

impl Objects {
    pub(super) fn node_lease(&self, i: u64, write: Write, out: &mut Vec<u8>) {
        let names = self.names();
        NodeLease {
            node: names.node(i).as_str(),
            uid: names.uid(UidOf::NodeLease, i).as_str(),
            node_uid: names.uid(UidOf::Node, i).as_str(),
            created: seconds(self.inner.epoch),
            written: seconds(write.at),
            renewed: write.at,
        }
        .encode(out);
    }

    /// Write 0 registers the node (not ready, tainted, without images); the further ones are its
    /// status, ready one second after registration.
    pub(super) fn node(&self, i: u64, write: Write, out: &mut Vec<u8>) {
        let names = self.names();
        let created = seconds(self.inner.epoch);
        let registered = write.sequence > 0;
        let cidr = names.pod_cidr(i);
        let images = self.inner.images.of_node(names.hash(UidOf::Node, i).0);
        Node {
            name: names.node(i).as_str(),
            uid: names.uid(UidOf::Node, i).as_str(),
            created,
            ip: names.node_ip(i).as_str(),
            kubelet_port: 10250,
            kubelet_version: &self.inner.kubelet_version,
            ttl: registered,
            pod_cidr: registered.then_some(cidr.as_str()),
            managed_by_controller: created,
            tainted: !registered,
            status: registered.then_some(NodeStatus {
                heartbeat: seconds(write.at),
                ready_since: created + 1,
                images: &images,
            }),
        }
        .encode(out);
    }

    pub(super) fn csi_node(&self, i: u64, out: &mut Vec<u8>) {
        let names = self.names();
        CsiNode {
            name: names.node(i).as_str(),
            uid: names.uid(UidOf::CsiNode, i).as_str(),
            node_uid: names.uid(UidOf::Node, i).as_str(),
            created: seconds(self.inner.epoch),
        }
        .encode(out);
    }

    pub(super) fn leader_lease(&self, i: u64, write: Write, out: &mut Vec<u8>) {
        let names = self.names();
        let holder = names.uid(UidOf::LeaderHolder, i);
        let host = names.control_plane(0);
        LeaderLease {
            name: names.leader_lock(i).as_str(),
            uid: names.uid(UidOf::LeaderLease, i).as_str(),
            holder: Text::of(format_args!("{}_{}", host.as_str(), holder.as_str())).as_str(),
            created: seconds(self.inner.epoch),
            written: seconds(write.at),
            acquired: self.inner.epoch,
            renewed: write.at,
            transitions: 0,
        }
        .encode(out);
    }

    pub(super) fn apiserver_lease(&self, i: u64, write: Write, out: &mut Vec<u8>) {
        let names = self.names();
        let peer = Text::of(format_args!("{}:6443", names.apiserver_ip(i).as_str()));
        let has_peer = self.inner.cluster.kubernetes_version.has_peer_leases();
        ApiserverLease {
            name: names.apiserver(i).as_str(),
            uid: names.uid(UidOf::ApiserverLease, i).as_str(),
            hostname: names.control_plane(i).as_str(),
            peer_address: has_peer.then_some(peer.as_str()),
            holder_uid: names.uid(UidOf::ApiserverHolder, i).as_str(),
            created: seconds(self.inner.epoch),
            written: seconds(write.at),
            renewed: write.at,
        }
        .encode(out);
    }

    pub(super) fn master_lease(&self, i: u64, write: Write, out: &mut Vec<u8>) {
        let ip = self.names().apiserver_ip(i);
        MasterLease {
            ip: ip.as_str(),
            generation: u64::from(write.sequence) + 1,
        }
        .encode(out);
    }

    pub(super) fn peer_lease(&self, i: u64, write: Write, out: &mut Vec<u8>) {
        PeerLease {
            identity: self.names().apiserver(i).as_str(),
            ip: self.names().apiserver_ip(i).as_str(),
            port: 6443,
            generation: u64::from(write.sequence) + 1,
        }
        .encode(out);
    }

    /// What Event `i` is about: a pod of a rolling update over all services, and the reason. A
    /// `SuccessfulCreate` is about that pod's ReplicaSet.
    pub fn object_of_event(&self, i: u64) -> (Pod, &'static str) {
        let cluster = &self.inner.cluster;
        let (services, slots) = (
            cluster.services.max(1),
            cluster.endpoints_per_service.max(1),
        );
        let n = i / 7;
        let pod = Pod {
            service: n % services,
            slot: n / services % slots,
            rollout: n / services / slots,
        };
        (pod, LIFECYCLE[(i % 7) as usize])
    }

    fn event_instant(&self, i: u64) -> UnixNanos {
        self.inner
            .epoch
            .wrapping_add(i.wrapping_mul(self.inner.event_spacing_ns))
    }

    /// Namespace and name.
    pub(super) fn event_name(&self, i: u64) -> (Text, Text) {
        let names = self.names();
        let (pod, reason) = self.object_of_event(i);
        let about = if reason == LIFECYCLE[0] {
            names.replica_set(pod.service, pod.rollout)
        } else {
            names.pod(pod)
        };
        (
            names.namespace(pod.service),
            names.event(about.as_str(), self.event_instant(i)),
        )
    }

    /// Write n has count n + 1 and was last seen at the write's instant; the create has one instant,
    /// that of its name.
    pub(super) fn event(&self, i: u64, write: Write, out: &mut Vec<u8>) {
        let names = self.names();
        let at = self.event_instant(i);
        let (pod, reason) = self.object_of_event(i);
        let (namespace, pod_name) = (names.namespace(pod.service), names.pod(pod));
        let (pod_name, namespace) = (pod_name.as_str(), namespace.as_str());
        let replica_set = names.replica_set(pod.service, pod.rollout);
        let node = names.node(names.pod_node(pod));
        let node = node.as_str();
        // "small-deployment-7": what the container is called too.
        let container = replica_set
            .as_str()
            .rsplit_once('-')
            .map_or("", |(name, _)| name);
        let field_path = Text::of(format_args!("spec.containers{{{container}}}"));
        let (about_name, about_uid) = if reason == LIFECYCLE[0] {
            let number = names.replica_set_number(pod.service, pod.rollout);
            (replica_set.as_str(), names.uid(UidOf::ReplicaSet, number))
        } else {
            (pod_name, names.uid(UidOf::Pod, names.pod_number(pod)))
        };
        let scheduler = Text::of(format_args!(
            "default-scheduler-{}",
            names.control_plane(0).as_str()
        ));
        let kubelet = Reporter::Kubelet { host: node };
        let (message, reporter, field_path): (&[&str], _, _) = match reason {
            "SuccessfulCreate" => (
                &["Created pod: ", pod_name],
                Reporter::Controller {
                    component: "replicaset-controller",
                    reporting: true,
                },
                "",
            ),
            "Scheduled" => (
                &[
                    "Successfully assigned ",
                    namespace,
                    "/",
                    pod_name,
                    " to ",
                    node,
                ],
                Reporter::Scheduler {
                    instance: scheduler.as_str(),
                    at,
                },
                "",
            ),
            "Pulling" => (
                &["Pulling image \"", IMAGE, "\""],
                kubelet,
                field_path.as_str(),
            ),
            "Pulled" => (
                &[
                    "Successfully pulled image \"",
                    IMAGE,
                    "\" in 412ms (412ms including waiting). Image size: 320368 bytes.",
                ],
                kubelet,
                field_path.as_str(),
            ),
            "Created" => (&["Container created"], kubelet, field_path.as_str()),
            "Started" => (&["Container started"], kubelet, field_path.as_str()),
            _ => (
                &["Stopping container ", container],
                kubelet,
                field_path.as_str(),
            ),
        };
        Event {
            name: names.event(about_name, at).as_str(),
            namespace,
            uid: names.uid(UidOf::Event, i).as_str(),
            created: seconds(at),
            written: seconds(write.at),
            about: if reason == LIFECYCLE[0] {
                ("ReplicaSet", "apps/v1")
            } else {
                ("Pod", "v1")
            },
            about_name,
            about_uid: about_uid.as_str(),
            about_version: Text::of(format_args!("{}", 2000 + i)).as_str(),
            field_path,
            reason,
            message,
            reporter,
            first: seconds(at),
            last: if write.sequence == 0 { at } else { write.at },
            count: u64::from(write.sequence) + 1,
        }
        .encode(out);
    }
}
