//! Objects against what a real kube-apiserver stored: every recorded value is reproduced byte for
//! byte from the names, UIDs and times in it, and the objects of a hollow cluster decode to what a
//! cluster would hold.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use etcdmark::kube::names::{Text, apiserver_id};
use etcdmark::kube::objects as ours;
use etcdmark::kube::{Cluster, KubernetesVersion};
use etcdmark::kube::{Kind, ObjectRef, Objects, Write};
use k8s_pb::api::coordination::v1::Lease;
use k8s_pb::api::core::v1::{Endpoints, Event, Node};
use k8s_pb::api::discovery::v1::EndpointSlice;
use k8s_pb::api::storage::v1::CSINode;
use k8s_pb::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time};
use k8s_pb::apimachinery::pkg::runtime::Unknown;
use prost::Message;
use std::collections::BTreeSet;

const SECOND: u64 = 1_000_000_000;
const EPOCH: u64 = 1_795_380_000 * SECOND + 123_456_789;
const AT: u64 = 1_795_380_100 * SECOND + 654_321_987;
const SPACING: u64 = 20_000_000;

// ---- decoding ----

fn unwrap_envelope(value: &[u8]) -> (String, Vec<u8>) {
    assert_eq!(&value[..4], b"k8s\0");
    assert!(value.ends_with(&[0x1a, 0, 0x22, 0]));
    let unknown = Unknown::decode(&value[4..]).unwrap();
    let meta = unknown.type_meta.unwrap();
    (
        format!("{} {}", meta.api_version.unwrap(), meta.kind.unwrap()),
        unknown.raw.unwrap(),
    )
}

fn decode<T: Message + Default>(value: &[u8]) -> T {
    T::decode(&unwrap_envelope(value).1[..]).unwrap()
}

fn seconds(t: &Option<Time>) -> u64 {
    t.as_ref().unwrap().seconds.unwrap() as u64
}

fn nanos(t: &Option<MicroTime>) -> u64 {
    let t = t.as_ref().unwrap();
    t.seconds.unwrap() as u64 * SECOND + t.nanos.unwrap() as u64
}

fn managed_at(meta: &ObjectMeta, entry: usize) -> u64 {
    seconds(&meta.managed_fields[entry].time)
}

fn fields(meta: &ObjectMeta, entry: usize) -> serde_json::Value {
    let raw = meta.managed_fields[entry]
        .fields_v1
        .as_ref()
        .unwrap()
        .raw
        .as_ref()
        .unwrap();
    serde_json::from_slice(raw).unwrap()
}

// ---- recorded values, rebuilt from what was extracted from them ----

struct Fixture {
    key: String,
    value: Vec<u8>,
}

fn fixtures() -> Vec<Fixture> {
    use base64::Engine;
    include_str!("fixtures/objects.jsonl")
        .lines()
        .map(|line| {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            Fixture {
                key: json["key"].as_str().unwrap().to_owned(),
                value: base64::engine::general_purpose::STANDARD
                    .decode(json["value"].as_str().unwrap())
                    .unwrap(),
            }
        })
        .collect()
}

fn rebuild_lease(value: &[u8], out: &mut Vec<u8>) {
    let Lease { metadata, spec } = decode(value);
    let (meta, spec) = (metadata.unwrap(), spec.unwrap());
    let (name, uid) = (meta.name(), meta.uid());
    let (created, written) = (seconds(&meta.creation_timestamp), managed_at(&meta, 0));
    let renewed = nanos(&spec.renew_time);
    if meta.namespace() == "kube-node-lease" {
        let node_uid = meta.owner_references[0].uid();
        ours::NodeLease {
            node: name,
            uid,
            node_uid,
            created,
            written,
            renewed,
        }
        .encode(out);
    } else if name.starts_with("apiserver-") {
        let peer = meta.annotations.get("kubernetes.io/peer-advertise-address");
        ours::ApiserverLease {
            name,
            uid,
            hostname: &meta.labels["kubernetes.io/hostname"],
            peer_address: peer.map(String::as_str),
            holder_uid: spec.holder_identity().split_once('_').unwrap().1,
            created,
            written,
            renewed,
        }
        .encode(out);
    } else {
        ours::LeaderLease {
            name,
            uid,
            holder: spec.holder_identity(),
            created,
            written,
            acquired: nanos(&spec.acquire_time),
            renewed,
            transitions: spec.lease_transitions() as u64,
        }
        .encode(out);
    }
}

fn rebuild_event(value: &[u8], out: &mut Vec<u8>) {
    let event: Event = decode(value);
    let meta = event.metadata.clone().unwrap();
    let about = event.involved_object.clone().unwrap();
    let source = event.source.clone().unwrap();
    let scheduled = event
        .event_time
        .as_ref()
        .is_some_and(|t| t.seconds.is_some());
    let reporter = if scheduled {
        ours::Reporter::Scheduler {
            instance: event.reporting_instance(),
            at: nanos(&event.event_time),
        }
    } else if source.component() == "kubelet" {
        ours::Reporter::Kubelet {
            host: source.host(),
        }
    } else {
        ours::Reporter::Controller {
            component: source.component(),
            reporting: !event.reporting_component().is_empty(),
        }
    };
    ours::Event {
        name: meta.name(),
        namespace: meta.namespace(),
        uid: meta.uid(),
        created: seconds(&meta.creation_timestamp),
        written: managed_at(&meta, 0),
        about: (about.kind(), about.api_version()),
        about_name: about.name(),
        about_uid: about.uid(),
        about_version: about.resource_version(),
        field_path: about.field_path(),
        reason: event.reason(),
        message: &[event.message()],
        reporter,
        first: if scheduled {
            0
        } else {
            seconds(&event.first_timestamp)
        },
        last: if scheduled {
            0
        } else {
            seconds(&event.last_timestamp) * SECOND
        },
        count: event.count() as u64,
    }
    .encode(out);
}

fn rebuild_node(value: &[u8], out: &mut Vec<u8>) {
    let node: Node = decode(value);
    let (meta, spec, status) = (
        node.metadata.unwrap(),
        node.spec.unwrap(),
        node.status.unwrap(),
    );
    let mut images = Vec::new();
    for image in &status.images {
        let names: Vec<&str> = image.names.iter().map(String::as_str).collect();
        ours::encode_image(&names, image.size_bytes() as u64, &mut images);
    }
    let controller = meta
        .managed_fields
        .iter()
        .position(|m| m.manager() == "kube-controller-manager");
    let reported = meta
        .managed_fields
        .iter()
        .any(|m| m.subresource() == "status");
    let ready = &status.conditions[3];
    let pieces: [&[u8]; 1] = [&images];
    ours::Node {
        name: meta.name(),
        uid: meta.uid(),
        created: seconds(&meta.creation_timestamp),
        ip: status.addresses[0].address(),
        kubelet_port: status
            .daemon_endpoints
            .unwrap()
            .kubelet_endpoint
            .unwrap()
            .port() as u64,
        kubelet_version: status.node_info.as_ref().unwrap().kubelet_version(),
        ttl: !meta.annotations.is_empty(),
        pod_cidr: (!spec.pod_cidr().is_empty()).then(|| spec.pod_cidr()),
        managed_by_controller: controller.map_or(0, |entry| managed_at(&meta, entry)),
        tainted: !spec.taints.is_empty(),
        status: reported.then(|| ours::NodeStatus {
            heartbeat: seconds(&ready.last_heartbeat_time),
            ready_since: seconds(&ready.last_transition_time),
            images: &pieces,
        }),
    }
    .encode(out);
}

fn rebuild_csi_node(value: &[u8], out: &mut Vec<u8>) {
    let meta = decode::<CSINode>(value).metadata.unwrap();
    ours::CsiNode {
        name: meta.name(),
        uid: meta.uid(),
        node_uid: meta.owner_references[0].uid(),
        created: seconds(&meta.creation_timestamp),
    }
    .encode(out);
}

fn service_meta<'a>(meta: &'a ObjectMeta) -> ours::ServiceMeta<'a> {
    ours::ServiceMeta {
        service: &meta.labels["app"],
        namespace: meta.namespace(),
        uid: meta.uid(),
        created: seconds(&meta.creation_timestamp),
        written: managed_at(meta, 0),
        trigger: meta
            .annotations
            .get("endpoints.kubernetes.io/last-change-trigger-time")
            .map(String::as_str),
    }
}

fn rebuild_slice(value: &[u8], out: &mut Vec<u8>) {
    let slice: EndpointSlice = decode(value);
    let meta = slice.metadata.unwrap();
    ours::EndpointSlice {
        meta: service_meta(&meta),
        name: meta.name(),
        service_uid: meta.owner_references[0].uid(),
        generation: meta.generation() as u64,
        populated: !slice.endpoints.is_empty(),
    }
    .encode(out, |w| {
        for endpoint in &slice.endpoints {
            let pod = endpoint.target_ref.as_ref().unwrap();
            w.endpoint(&ours::Endpoint {
                ip: &endpoint.addresses[0],
                pod: pod.name(),
                pod_uid: pod.uid(),
                node: endpoint.node_name(),
                terminating: endpoint.conditions.as_ref().unwrap().terminating(),
            });
        }
    });
}

fn rebuild_endpoints(value: &[u8], out: &mut Vec<u8>) {
    let endpoints: Endpoints = decode(value);
    let meta = endpoints.metadata.unwrap();
    let addresses: Vec<_> = endpoints
        .subsets
        .iter()
        .flat_map(|s| &s.addresses)
        .collect();
    ours::Endpoints {
        meta: service_meta(&meta),
        truncated: false,
        populated: !addresses.is_empty(),
    }
    .encode(out, |w| {
        for address in addresses {
            let pod = address.target_ref.as_ref().unwrap();
            w.address(&ours::Endpoint {
                ip: address.ip(),
                pod: pod.name(),
                pod_uid: pod.uid(),
                node: address.node_name(),
                terminating: false,
            });
        }
    });
}

fn rebuild_apiserver_lease(key: &str, value: &[u8], out: &mut Vec<u8>) {
    let endpoints: Endpoints = decode(value);
    let meta = endpoints.metadata.unwrap();
    let subset = &endpoints.subsets[0];
    let (ip, generation) = (subset.addresses[0].ip(), meta.generation() as u64);
    if key.starts_with("/registry/masterleases/") {
        ours::MasterLease { ip, generation }.encode(out);
    } else {
        let identity = &meta.labels["apiserverIdentity"];
        let port = subset.ports[0].port() as u64;
        ours::PeerLease {
            identity,
            ip,
            port,
            generation,
        }
        .encode(out);
    }
}

#[test]
fn recorded_values_are_reproduced_byte_for_byte() {
    let mut kinds = BTreeSet::new();
    for Fixture { key, value } in fixtures() {
        let kind = key.split('/').nth(2).unwrap().to_owned();
        let mut out = Vec::new();
        match kind.as_str() {
            "leases" => rebuild_lease(&value, &mut out),
            "events" => rebuild_event(&value, &mut out),
            "minions" => rebuild_node(&value, &mut out),
            "csinodes" => rebuild_csi_node(&value, &mut out),
            "endpointslices" => rebuild_slice(&value, &mut out),
            "services" => rebuild_endpoints(&value, &mut out),
            _ => rebuild_apiserver_lease(&key, &value, &mut out),
        }
        assert_eq!(
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(&value),
            "{key}: {} bytes, recorded {}",
            out.len(),
            value.len()
        );
        assert_eq!(out, value, "{key}");
        kinds.insert(kind);
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}

// ---- the hollow cluster's objects ----

fn cluster() -> Cluster {
    Cluster {
        kubernetes_version: KubernetesVersion::V1_37,
        nodes: 5000,
        namespaces: 4,
        pods_per_node: 30,
        services: 10,
        endpoints_per_service: 250,
        images_per_node: 25,
        apiservers: 3,
        leader_locks: 4,
    }
}

fn objects() -> Objects {
    Objects::new(&cluster(), 42, EPOCH, SPACING, "/registry-etcdmark/t1")
}

fn key(objects: &Objects, kind: Kind, index: u64) -> String {
    let mut out = Vec::new();
    objects.key(ObjectRef { kind, index }, &mut out);
    String::from_utf8(out).unwrap()
}

fn value(objects: &Objects, kind: Kind, index: u64, sequence: u32) -> Vec<u8> {
    let mut out = b"before".to_vec();
    objects.value(
        ObjectRef { kind, index },
        Write { sequence, at: AT },
        &mut out,
    );
    assert!(out.starts_with(b"before"), "value appends");
    out.split_off(6)
}

#[test]
fn keys_are_kubernetes_own_after_the_prefix() {
    let o = objects();
    for (kind, index, expected) in [
        (
            Kind::NodeLease,
            7,
            "/leases/kube-node-lease/hollow-node-00007",
        ),
        (Kind::Node, 7, "/minions/hollow-node-00007"),
        (Kind::CsiNode, 7, "/csinodes/hollow-node-00007"),
        (
            Kind::LeaderLease,
            0,
            "/leases/kube-system/kube-controller-manager",
        ),
        (Kind::LeaderLease, 1, "/leases/kube-system/kube-scheduler"),
        (Kind::LeaderLease, 2, "/leases/kube-system/controller-02"),
        (Kind::MasterLease, 1, "/masterleases/192.168.0.11"),
        (
            Kind::Endpoints,
            6,
            "/services/endpoints/load-2/small-service-6",
        ),
        (Kind::Probe, 0, "/etcdmark/probe"),
    ] {
        assert_eq!(
            key(&o, kind, index),
            format!("/registry-etcdmark/t1{expected}")
        );
    }
    let id = apiserver_id("control-plane-2");
    assert_eq!(id.as_str().len(), "apiserver-".len() + 26);
    for (kind, at) in [
        (Kind::ApiserverLease, "leases/kube-system"),
        (Kind::PeerLease, "peerserverleases"),
    ] {
        assert_eq!(
            key(&o, kind, 2),
            format!("/registry-etcdmark/t1/{at}/{}", id.as_str())
        );
    }
    // 250 endpoints: three slices a service; slice 20 is the third of service 6.
    let slice = key(&o, Kind::EndpointSlice, 20);
    let name = slice.strip_prefix("/registry-etcdmark/t1/endpointslices/load-2/small-service-6-");
    assert_eq!(name.unwrap().len(), 5);
    let event = key(&o, Kind::Event, 8);
    let (object, hex) = event.rsplit_once('.').unwrap();
    assert_eq!(hex, format!("{:x}", EPOCH + 8 * SPACING));
    assert!(
        object.starts_with("/registry-etcdmark/t1/events/load-1/small-deployment-1-"),
        "{object}"
    );
}

#[test]
fn every_key_and_uid_is_its_own_and_depends_on_nothing_else() {
    let (o, again) = (objects(), objects());
    let (mut keys, mut uids) = (BTreeSet::new(), BTreeSet::new());
    // The compactor's key holds a revision, not an object.
    for kind in Kind::ALL.into_iter().filter(|k| *k != Kind::CompactRev) {
        let count = match kind {
            Kind::Probe => 1,
            Kind::LeaderLease | Kind::ApiserverLease | Kind::MasterLease | Kind::PeerLease => 3,
            Kind::Endpoints => 10,
            Kind::EndpointSlice => 30,
            _ => 500,
        };
        for index in 0..count {
            assert!(keys.insert(key(&o, kind, index)), "{kind:?} {index}");
            let bytes = value(&o, kind, index, 1);
            assert_eq!(bytes, value(&again, kind, index, 1));
            if !matches!(kind, Kind::Probe | Kind::MasterLease | Kind::PeerLease) {
                let uid = metadata(kind, &bytes).uid().to_owned();
                assert_eq!(uid.len(), 36);
                assert!(uids.insert(uid), "{kind:?} {index}");
            }
        }
    }
}

fn metadata(kind: Kind, bytes: &[u8]) -> ObjectMeta {
    let meta = match kind {
        Kind::NodeLease | Kind::LeaderLease | Kind::ApiserverLease => {
            decode::<Lease>(bytes).metadata
        }
        Kind::Node => decode::<Node>(bytes).metadata,
        Kind::CsiNode => decode::<CSINode>(bytes).metadata,
        Kind::Event => decode::<Event>(bytes).metadata,
        Kind::EndpointSlice => decode::<EndpointSlice>(bytes).metadata,
        _ => decode::<Endpoints>(bytes).metadata,
    };
    meta.unwrap()
}

/// k8s-pb writes the same bytes for the same object, where its schemas know every field.
#[test]
fn values_equal_the_encoding_of_k8s_pb() {
    fn same<T: Message + Default>(raw: &[u8]) {
        assert_eq!(T::decode(raw).unwrap().encode_to_vec(), raw);
    }
    let o = objects();
    // The compactor's key holds a revision, not an object.
    for kind in Kind::ALL.into_iter().filter(|k| *k != Kind::CompactRev) {
        let large = matches!(kind, Kind::Endpoints | Kind::EndpointSlice | Kind::Node);
        for index in (0..2000).step_by(if large { 397 } else { 13 }) {
            for sequence in [0, 1, 2, 3, 99, 100, 501, 70_000] {
                let bytes = value(&o, kind, index, sequence);
                if kind == Kind::Probe {
                    continue;
                }
                let (_, raw) = unwrap_envelope(&bytes);
                match kind {
                    Kind::NodeLease | Kind::LeaderLease | Kind::ApiserverLease => {
                        same::<Lease>(&raw)
                    }
                    Kind::Event => same::<Event>(&raw),
                    Kind::EndpointSlice => same::<EndpointSlice>(&raw),
                    Kind::Node => {
                        // The one newer field is unknown to k8s-pb: two bytes fewer, and nothing else.
                        let again = Node::decode(&raw[..]).unwrap().encode_to_vec();
                        assert_eq!(again.len() + 2, raw.len());
                    }
                    Kind::CsiNode => {
                        let again = CSINode::decode(&raw[..]).unwrap().encode_to_vec();
                        assert_eq!(again, raw[..raw.len() - 2]);
                        assert!(raw.ends_with(&[0x1a, 0]));
                    }
                    _ => same::<Endpoints>(&raw),
                }
            }
        }
    }
}

#[test]
fn a_node_lease_says_who_when_and_for_how_long() {
    let o = objects();
    let bytes = value(&o, Kind::NodeLease, 4321, 5);
    assert_eq!(unwrap_envelope(&bytes).0, "coordination.k8s.io/v1 Lease");
    let lease: Lease = decode(&bytes);
    let (meta, spec) = (lease.metadata.unwrap(), lease.spec.unwrap());
    assert_eq!(
        (meta.name(), meta.namespace()),
        ("hollow-node-04321", "kube-node-lease")
    );
    assert_eq!(seconds(&meta.creation_timestamp), EPOCH / SECOND);
    let node_uid = metadata(Kind::Node, &value(&o, Kind::Node, 4321, 0))
        .uid()
        .to_owned();
    let owner = &meta.owner_references[0];
    assert_eq!(
        (owner.kind(), owner.name(), owner.api_version()),
        ("Node", "hollow-node-04321", "v1")
    );
    assert_eq!(owner.uid(), node_uid);
    assert_eq!(spec.holder_identity(), "hollow-node-04321");
    assert_eq!(spec.lease_duration_seconds(), 40);
    assert_eq!(nanos(&spec.renew_time), AT / 1000 * 1000);
    assert_eq!(managed_at(&meta, 0), AT / SECOND);
    let owners = &fields(&meta, 0)["f:metadata"]["f:ownerReferences"];
    assert!(
        owners[format!("k:{{\"uid\":\"{node_uid}\"}}")].is_object(),
        "{owners}"
    );
}

#[test]
fn a_node_registers_and_then_reports() {
    let o = objects();
    let created: Node = decode(&value(&o, Kind::Node, 4, 0));
    assert!(created.spec.unwrap().taints.len() == 1);
    assert!(created.status.unwrap().images.is_empty());

    let bytes = value(&o, Kind::Node, 4, 3);
    assert_eq!(unwrap_envelope(&bytes).0, "v1 Node");
    let node: Node = decode(&bytes);
    let (meta, spec, status) = (
        node.metadata.unwrap(),
        node.spec.unwrap(),
        node.status.unwrap(),
    );
    assert_eq!(meta.uid(), created.metadata.unwrap().uid());
    assert_eq!(meta.labels["kubernetes.io/hostname"], "hollow-node-00004");
    assert_eq!(spec.pod_cidr(), "10.0.4.0/24");
    assert_eq!(spec.pod_cid_rs, ["10.0.4.0/24"]);
    assert!(spec.taints.is_empty());
    let conditions: Vec<_> = status
        .conditions
        .iter()
        .map(|c| (c.r#type(), c.status()))
        .collect();
    let expected = [
        ("MemoryPressure", "False"),
        ("DiskPressure", "False"),
        ("PIDPressure", "False"),
        ("Ready", "True"),
    ];
    assert_eq!(conditions, expected);
    for condition in &status.conditions {
        assert_eq!(seconds(&condition.last_heartbeat_time), AT / SECOND);
        assert!(seconds(&condition.last_transition_time) <= EPOCH / SECOND + 1);
    }
    assert_eq!(status.node_info.unwrap().kubelet_version(), "v1.37.2");
    assert_eq!(status.images.len(), 25);
    let sizes: Vec<_> = status.images.iter().map(|i| i.size_bytes()).collect();
    assert!(
        sizes.is_sorted_by(|a, b| a >= b) && sizes[24] > 1_000_000,
        "{sizes:?}"
    );
    for image in &status.images {
        let (repository, digest) = image.names[0].split_once("@sha256:").unwrap();
        assert!(digest.len() == 64 && image.names[1].starts_with(&format!("{repository}:v")));
        assert!(
            (200..300).contains(&image.encoded_len()),
            "{}",
            image.encoded_len()
        );
    }
    let managers: Vec<_> = meta
        .managed_fields
        .iter()
        .map(|m| (m.manager(), m.subresource()))
        .collect();
    assert_eq!(
        managers,
        [
            ("kube-controller-manager", ""),
            ("kubelet", ""),
            ("kubelet", "status")
        ]
    );
    assert_eq!(managed_at(&meta, 2), AT / SECOND);
    for entry in 0..3 {
        assert!(fields(&meta, entry).is_object());
    }
    // Another node shows other images.
    let other: Node = decode(&value(&o, Kind::Node, 5, 3));
    assert_ne!(other.status.unwrap().images, status.images);
}

#[test]
fn events_tell_the_lives_of_pods() {
    let o = objects();
    let mut reasons = Vec::new();
    for index in 0..7 * 30 {
        let event: Event = decode(&value(&o, Kind::Event, index, 0));
        let meta = event.metadata.clone().unwrap();
        let about = event.involved_object.clone().unwrap();
        let at = EPOCH + index * SPACING;
        let key = key(&o, Kind::Event, index);
        assert!(key.ends_with(&format!("/events/{}/{}", meta.namespace(), meta.name())));
        assert_eq!(meta.name(), format!("{}.{at:x}", about.name()));
        assert_eq!(about.namespace(), meta.namespace());
        assert_eq!(seconds(&meta.creation_timestamp), at / SECOND);
        assert_eq!(managed_at(&meta, 0), AT / SECOND);
        assert!(fields(&meta, 0).is_object());
        assert_eq!(event.r#type(), "Normal");
        let (pod, reason) = o.object_of_event(index);
        assert_eq!(event.reason(), reason);
        let pod_name: Text = o.names().pod(pod);
        if reason == "SuccessfulCreate" {
            assert_eq!(
                (about.kind(), about.api_version()),
                ("ReplicaSet", "apps/v1")
            );
            assert_eq!(
                event.message(),
                format!("Created pod: {}", pod_name.as_str())
            );
        } else {
            assert_eq!((about.kind(), about.api_version()), ("Pod", "v1"));
            assert_eq!(about.name(), pod_name.as_str());
        }
        if reason == "Scheduled" {
            assert_eq!(nanos(&event.event_time), at / 1000 * 1000);
            let node = o.names().node(o.names().pod_node(pod));
            assert!(event.message().ends_with(&format!(" to {}", node.as_str())));
        } else {
            assert_eq!(event.count(), 1);
            assert_eq!(seconds(&event.first_timestamp), at / SECOND);
            assert_eq!(seconds(&event.last_timestamp), at / SECOND);
        }
        reasons.push(reason);

        let patched: Event = decode(&value(&o, Kind::Event, index, 4));
        assert_eq!(patched.metadata.clone().unwrap().uid(), meta.uid());
        if reason == "Scheduled" {
            let series = patched.series.unwrap();
            assert_eq!(series.count(), 5);
            assert_eq!(nanos(&series.last_observed_time), AT / 1000 * 1000);
        } else {
            assert_eq!(patched.count(), 5);
            assert_eq!(seconds(&patched.first_timestamp), at / SECOND);
            assert_eq!(seconds(&patched.last_timestamp), AT / SECOND);
        }
    }
    assert_eq!(
        reasons[7..14],
        [
            "SuccessfulCreate",
            "Scheduled",
            "Pulling",
            "Pulled",
            "Created",
            "Started",
            "Killing"
        ]
    );
}

#[test]
fn slices_hold_a_hundred_endpoints_each_and_roll() {
    let o = objects();
    let mut pods = BTreeSet::new();
    for (slice, count) in [(18, 100), (19, 100), (20, 50)] {
        let bytes = value(&o, Kind::EndpointSlice, slice, 0);
        assert_eq!(
            unwrap_envelope(&bytes).0,
            "discovery.k8s.io/v1 EndpointSlice"
        );
        let slice: EndpointSlice = decode(&bytes);
        let meta = slice.metadata.clone().unwrap();
        assert_eq!(
            (meta.generate_name(), meta.generation()),
            ("small-service-6-", 1)
        );
        assert_eq!(meta.labels["kubernetes.io/service-name"], "small-service-6");
        assert_eq!(meta.owner_references[0].name(), "small-service-6");
        assert_eq!(
            meta.annotations["endpoints.kubernetes.io/last-change-trigger-time"],
            "2026-11-22T20:41:40Z"
        );
        assert!(fields(&meta, 0)["f:endpoints"].is_object());
        assert_eq!(slice.address_type(), "IPv4");
        assert_eq!(
            (slice.ports[0].port(), slice.ports[0].protocol()),
            (80, "TCP")
        );
        assert_eq!(slice.endpoints.len(), count);
        for endpoint in slice.endpoints {
            assert!(endpoint.addresses[0].parse::<std::net::Ipv4Addr>().is_ok());
            let conditions = endpoint.conditions.unwrap();
            assert!(conditions.ready() && conditions.serving() && !conditions.terminating());
            assert!(endpoint.node_name.unwrap().starts_with("hollow-node-0"));
            let pod = endpoint.target_ref.unwrap();
            assert_eq!((pod.kind(), pod.namespace()), ("Pod", "load-2"));
            assert!(pods.insert((pod.name().to_owned(), pod.uid().to_owned())));
        }
    }
    // Whole-object Endpoints list the same pods.
    let endpoints: Endpoints = decode(&value(&o, Kind::Endpoints, 6, 0));
    let listed: BTreeSet<_> = endpoints.subsets[0]
        .addresses
        .iter()
        .map(|a| a.target_ref.as_ref().unwrap())
        .map(|pod| (pod.name().to_owned(), pod.uid().to_owned()))
        .collect();
    assert_eq!(listed, pods);
    let ips: Vec<_> = endpoints.subsets[0]
        .addresses
        .iter()
        .map(|a| a.ip())
        .collect();
    assert!(ips.is_sorted());

    let step = |n| decode::<EndpointSlice>(&value(&o, Kind::EndpointSlice, 18, n));
    let (zero, one, two) = (step(0), step(1), step(2));
    assert_eq!(one.metadata.unwrap().generation(), 2);
    let conditions = one.endpoints[0].conditions.unwrap();
    assert!(!conditions.ready() && conditions.serving() && conditions.terminating());
    assert_eq!(one.endpoints[0].target_ref, zero.endpoints[0].target_ref);
    assert_eq!(one.endpoints[1..], zero.endpoints[1..]);
    assert_ne!(two.endpoints[0].target_ref, zero.endpoints[0].target_ref);
    assert!(two.endpoints[0].conditions.unwrap().ready());
    assert_eq!(two.endpoints[1..], zero.endpoints[1..]);
    let endpoints: Endpoints = decode(&value(&o, Kind::Endpoints, 6, 1));
    assert_eq!(endpoints.subsets[0].addresses.len(), 249);
}

#[test]
fn endpoints_are_truncated_at_a_thousand_and_a_service_may_be_empty() {
    let sized = |endpoints_per_service| {
        let cluster = Cluster {
            endpoints_per_service,
            ..cluster()
        };
        Objects::new(&cluster, 1, EPOCH, SPACING, "/r")
    };
    let endpoints: Endpoints = decode(&value(&sized(1200), Kind::Endpoints, 0, 0));
    assert_eq!(endpoints.subsets[0].addresses.len(), 1000);
    let annotations = endpoints.metadata.unwrap().annotations;
    assert_eq!(
        annotations["endpoints.kubernetes.io/over-capacity"],
        "truncated"
    );
    for sequence in 0..3 {
        let empty: Endpoints = decode(&value(&sized(0), Kind::Endpoints, 0, sequence));
        assert!(empty.subsets.is_empty());
        let empty: EndpointSlice = decode(&value(&sized(0), Kind::EndpointSlice, 0, sequence));
        assert!(empty.endpoints.is_empty() && empty.ports.is_empty());
    }
}

#[test]
fn the_control_planes_leases() {
    let o = objects();
    let lease: Lease = decode(&value(&o, Kind::LeaderLease, 0, 9));
    let (meta, spec) = (lease.metadata.unwrap(), lease.spec.unwrap());
    assert_eq!(meta.managed_fields[0].manager(), "kube-controller-manager");
    assert_eq!(
        (spec.lease_duration_seconds(), spec.lease_transitions()),
        (15, 0)
    );
    assert_eq!(nanos(&spec.acquire_time), EPOCH / 1000 * 1000);
    assert_eq!(nanos(&spec.renew_time), AT / 1000 * 1000);
    let lease: Lease = decode(&value(&o, Kind::ApiserverLease, 1, 9));
    let (meta, spec) = (lease.metadata.unwrap(), lease.spec.unwrap());
    assert_eq!(
        meta.annotations["kubernetes.io/peer-advertise-address"],
        "192.168.0.11:6443"
    );
    assert!(
        spec.holder_identity()
            .starts_with(&format!("{}_", meta.name()))
    );
    assert_eq!(spec.lease_duration_seconds(), 3600);
    let before_1_36 = Cluster {
        kubernetes_version: KubernetesVersion::V1_35,
        ..cluster()
    };
    let old = Objects::new(&before_1_36, 42, EPOCH, SPACING, "/r");
    let lease: Lease = decode(&value(&old, Kind::ApiserverLease, 1, 9));
    assert!(lease.metadata.unwrap().annotations.is_empty());
    for kind in [Kind::MasterLease, Kind::PeerLease] {
        let endpoints: Endpoints = decode(&value(&o, kind, 1, 9));
        assert_eq!(endpoints.metadata.unwrap().generation(), 10);
        assert_eq!(endpoints.subsets[0].addresses[0].ip(), "192.168.0.11");
    }
}
