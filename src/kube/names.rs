//! Names, suffixes, addresses and UIDs as functions of (seed, index).
//!
//! Alphabets and forms: k8s.io/apimachinery `pkg/util/rand/rand.go`, k8s.io/apiserver
//! `pkg/storage/names/generate.go`, `pkg/server/config.go` (apiserver identity), client-go
//! `tools/record/util` (Event names).

use crate::kube::Cluster;
use crate::rng::{GOLDEN, finalize};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};

/// What names are made of: no vowels, no digits that look like letters.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Short text on the stack: a name, a UID, an address. Longer than 120 bytes is cut (Kubernetes'
/// names here are at most 63).
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; 120],
    len: u8,
}

impl Text {
    /// Empty.
    pub const fn new() -> Self {
        Text {
            bytes: [0; 120],
            len: 0,
        }
    }

    /// Formatted.
    pub fn of(args: fmt::Arguments<'_>) -> Self {
        let mut text = Text::new();
        // Writing to a Text cannot fail.
        let _ = text.write_fmt(args);
        text
    }

    /// As a string.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }

    fn push(&mut self, s: &[u8]) {
        let from = usize::from(self.len);
        let n = s.len().min(self.bytes.len() - from);
        self.bytes[from..from + n].copy_from_slice(&s[..n]);
        self.len += n as u8;
    }

    /// Decimal, padded with zeros to `width` (the formatter of core costs five times as much).
    fn push_number(&mut self, mut n: u64, width: usize) {
        let mut digits = [b'0'; 24];
        let mut at = digits.len();
        while n > 0 || at == digits.len() {
            at -= 1;
            digits[at] = b'0' + (n % 10) as u8;
            n /= 10;
        }
        let at = at.min(digits.len() - width.min(20));
        self.push(&digits[at..]);
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.push(s.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// A pod of the hollow cluster: the pod in `slot` of `service` after `rollout` complete rollouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Service (and Deployment) it belongs to.
    pub service: u64,
    /// Which of the service's endpoints.
    pub slot: u64,
    /// How many pods held that slot before.
    pub rollout: u64,
}

/// What a UID is for: keeps the UIDs of different families apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum UidOf {
    /// The Node.
    Node,
    /// Its Lease.
    NodeLease,
    /// Its CSINode.
    CsiNode,
    /// A leader-election Lease.
    LeaderLease,
    /// The holder in it.
    LeaderHolder,
    /// An apiserver's identity Lease.
    ApiserverLease,
    /// The holder in it.
    ApiserverHolder,
    /// An Event.
    Event,
    /// A pod, by [`Names::pod_number`].
    Pod,
    /// A ReplicaSet, by service and rollout.
    ReplicaSet,
    /// A Service.
    Service,
    /// An Endpoints object.
    Endpoints,
    /// An EndpointSlice.
    EndpointSlice,
}

/// Every name of one hollow cluster.
#[derive(Clone, Debug)]
pub struct Names {
    seed: u64,
    node_width: usize,
    nodes: u64,
    namespaces: u64,
    services: u64,
    endpoints: u64,
    stride: u64,
}

impl Names {
    /// Zero counts are taken as one.
    pub fn new(cluster: &Cluster, seed: u64) -> Self {
        let nodes = cluster.nodes.max(1);
        Names {
            seed,
            node_width: ((nodes - 1).max(1).ilog10() as usize + 1).max(5),
            nodes,
            namespaces: cluster.namespaces.max(1),
            services: cluster.services.max(1),
            endpoints: cluster.endpoints_per_service.max(1),
            stride: coprime(mix(seed ^ 0x5eed), nodes),
        }
    }

    /// `hollow-node-00007`: five digits, more when the cluster needs them.
    pub fn node(&self, node: u64) -> Text {
        let mut text = Text::new();
        text.push(b"hollow-node-");
        text.push_number(node, self.node_width);
        text
    }

    /// `10.A.B.0/24`, one per node; the first octet counts on beyond 65,536 nodes.
    pub fn pod_cidr(&self, node: u64) -> Text {
        let [a, b, c] = cidr(node);
        Text::of(format_args!("{a}.{b}.{c}.0/24"))
    }

    /// The node's own address, in 172.16.0.0/12 (wraps after a million nodes).
    pub fn node_ip(&self, node: u64) -> Text {
        let n = node % (1 << 20);
        Text::of(format_args!(
            "172.{}.{}.{}",
            16 + (n >> 16),
            (n >> 8) & 255,
            n & 255
        ))
    }

    /// `load-3`: the namespace of a service, its Deployment, pods and Events.
    pub fn namespace(&self, service: u64) -> Text {
        let mut text = Text::new();
        text.push(b"load-");
        text.push_number(service % self.namespaces, 1);
        text
    }

    /// `small-service-7`.
    pub fn service(&self, service: u64) -> Text {
        let mut text = Text::new();
        text.push(b"small-service-");
        text.push_number(service, 1);
        text
    }

    /// `small-service-7-x4k2p`.
    pub fn endpoint_slice(&self, service: u64, index: u64) -> Text {
        let mut text = self.service(service);
        text.push(b"-");
        text.push(&suffix(self.hash(UidOf::EndpointSlice, index).0));
        text
    }

    /// `small-deployment-7-HASH`; the pod-template hash is new with each rollout.
    pub fn replica_set(&self, service: u64, rollout: u64) -> Text {
        let mut text = Text::new();
        text.push(b"small-deployment-");
        text.push_number(service, 1);
        text.push(b"-");
        let (hash, _) = self.hash(UidOf::ReplicaSet, self.replica_set_number(service, rollout));
        let mut decimal = Text::new();
        decimal.push_number(hash & 0xffff_ffff, 1);
        for digit in decimal.as_str().bytes() {
            // SafeEncodeString: each byte of the decimal hash, modulo the alphabet.
            text.push(&[ALPHABET[usize::from(digit) % 27]]);
        }
        text
    }

    /// `small-deployment-7-HASH-x4k2p`.
    pub fn pod(&self, pod: Pod) -> Text {
        let mut text = self.replica_set(pod.service, pod.rollout);
        text.push(b"-");
        text.push(&suffix(self.hash(UidOf::Pod, self.pod_number(pod)).1));
        text
    }

    /// A number per pod: dense over (service, slot), then rollout.
    pub fn pod_number(&self, pod: Pod) -> u64 {
        pod.rollout
            .wrapping_mul(self.services)
            .wrapping_add(pod.service)
            .wrapping_mul(self.endpoints)
            .wrapping_add(pod.slot)
    }

    /// The node a pod is on: pods are dealt to the nodes in rounds, in an order of the seed.
    pub fn pod_node(&self, pod: Pod) -> u64 {
        let n = self.pod_number(pod) % self.nodes;
        (u128::from(n) * u128::from(self.stride) % u128::from(self.nodes)) as u64
    }

    /// The pod's address, in its node's pod CIDR.
    pub fn pod_ip(&self, pod: Pod) -> Text {
        let [a, b, c] = cidr(self.pod_node(pod));
        let mut text = Text::new();
        for octet in [a, b, c] {
            text.push_number(u64::from(octet), 1);
            text.push(b".");
        }
        text.push_number(2 + self.pod_number(pod) / self.nodes % 250, 1);
        text
    }

    /// The number of a ReplicaSet, for its UID.
    pub fn replica_set_number(&self, service: u64, rollout: u64) -> u64 {
        rollout.wrapping_mul(self.services).wrapping_add(service)
    }

    /// `kube-controller-manager`, `kube-scheduler`, `controller-02` …
    pub fn leader_lock(&self, lock: u64) -> Text {
        match lock {
            0 => Text::of(format_args!("kube-controller-manager")),
            1 => Text::of(format_args!("kube-scheduler")),
            n => Text::of(format_args!("controller-{n:02}")),
        }
    }

    /// `control-plane-0`: the host of an apiserver (and of the leaders).
    pub fn control_plane(&self, apiserver: u64) -> Text {
        Text::of(format_args!("control-plane-{apiserver}"))
    }

    /// `192.168.0.10`: an apiserver's advertised address.
    pub fn apiserver_ip(&self, apiserver: u64) -> Text {
        let n = apiserver + 10;
        Text::of(format_args!("192.168.{}.{}", (n >> 8) & 255, n & 255))
    }

    /// `apiserver-` + 26 characters: see [`apiserver_id`].
    pub fn apiserver(&self, apiserver: u64) -> Text {
        apiserver_id(self.control_plane(apiserver).as_str())
    }

    /// `OBJ.HEX16`: the Event's wall instant in ns, in hex without leading zeros as `%x` prints it.
    pub fn event(&self, object: &str, at: u64) -> Text {
        let mut text = Text::new();
        text.push(object.as_bytes());
        text.push(b".");
        let width = (16 - at.leading_zeros() as usize / 4).max(1);
        for i in (0..width).rev() {
            text.push(&[HEX[(at >> (4 * i)) as usize & 15]]);
        }
        text
    }

    /// A v4-shaped UID, 36 characters.
    pub fn uid(&self, of: UidOf, index: u64) -> Text {
        let (a, b) = self.hash(of, index);
        let high = (a & !0xf000) | 0x4000;
        let low = (b & !(3 << 62)) | (2 << 62);
        let mut text = Text {
            bytes: [b'-'; 120],
            len: 36,
        };
        let mut at = 0;
        for i in 0..32 {
            let nibble = if i < 16 {
                high >> (60 - 4 * i)
            } else {
                low >> (124 - 4 * i)
            };
            text.bytes[at] = HEX[(nibble & 15) as usize];
            at += 1;
            if matches!(i, 7 | 11 | 15 | 19) {
                at += 1;
            }
        }
        text
    }

    /// 128 bits for (seed, family, index).
    pub fn hash(&self, of: UidOf, index: u64) -> (u64, u64) {
        let a = mix(mix(self.seed ^ (u64::from(of as u8) << 56)).wrapping_add(index));
        (a, mix(a ^ 0x9e37_79b9_7f4a_7c15))
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// kube-apiserver's identity: `apiserver-` and the lowercase base32 of the first 16 bytes of
/// SHA-256 over the length-prefixed (u16, big endian) host name and `kube-apiserver`.
pub fn apiserver_id(hostname: &str) -> Text {
    let mut hasher = Sha256::new();
    for part in [hostname, "kube-apiserver"] {
        hasher.update((part.len() as u16).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    let mut text = Text::of(format_args!("apiserver-"));
    let (mut bits, mut n) = (0u32, 0);
    for byte in &digest[..16] {
        bits = bits << 8 | u32::from(*byte);
        n += 8;
        while n >= 5 {
            n -= 5;
            text.push(&[b"abcdefghijklmnopqrstuvwxyz234567"[(bits >> n) as usize & 31]]);
        }
    }
    text.push(&[b"abcdefghijklmnopqrstuvwxyz234567"[(bits << (5 - n)) as usize & 31]]);
    text
}

/// One step of splitmix64: a bijection with full avalanche.
pub fn mix(x: u64) -> u64 {
    finalize(x.wrapping_add(GOLDEN))
}

fn suffix(mut hash: u64) -> [u8; 5] {
    std::array::from_fn(|_| {
        let c = ALPHABET[(hash % 27) as usize];
        hash /= 27;
        c
    })
}

fn cidr(node: u64) -> [u8; 3] {
    [
        10u8.wrapping_add((node >> 16) as u8),
        (node >> 8) as u8,
        node as u8,
    ]
}

/// The first number from `wanted` on that has no factor in common with `n`.
fn coprime(wanted: u64, n: u64) -> u64 {
    let gcd = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let from = wanted % n;
    (from..).find(|x| gcd(*x, n) == 1).unwrap_or(1)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::kube::KubernetesVersion;
    use std::collections::BTreeSet;

    pub(crate) fn cluster(nodes: u64) -> Cluster {
        Cluster {
            kubernetes_version: KubernetesVersion::V1_37,
            nodes,
            namespaces: 3,
            pods_per_node: 30,
            services: 7,
            endpoints_per_service: 250,
            images_per_node: 25,
            apiservers: 3,
            leader_locks: 4,
        }
    }

    #[test]
    fn the_recorded_apiserver_identity_follows_from_its_host_name() {
        assert_eq!(
            apiserver_id("second").as_str(),
            "apiserver-dkfznya22mietn46gjlcl6mbui"
        );
    }

    #[test]
    fn node_names_grow_with_the_cluster() {
        for (nodes, name) in [
            (1, "hollow-node-00007"),
            (100_000, "hollow-node-00007"),
            (100_001, "hollow-node-000007"),
            (1_000_000, "hollow-node-000007"),
        ] {
            assert_eq!(Names::new(&cluster(nodes), 1).node(7).as_str(), name);
        }
        let names = Names::new(&cluster(1_000_000), 1);
        assert_eq!(names.node(999_999).as_str(), "hollow-node-999999");
        assert_eq!(names.node(0).as_str(), "hollow-node-000000");
    }

    #[test]
    fn uids_are_v4_and_distinct() {
        let names = Names::new(&cluster(10), 42);
        let mut seen = BTreeSet::new();
        for of in [UidOf::Node, UidOf::Pod, UidOf::EndpointSlice] {
            for i in 0..1000 {
                let uid = names.uid(of, i).as_str().to_owned();
                let parts: Vec<usize> = uid.split('-').map(str::len).collect();
                assert_eq!(parts, [8, 4, 4, 4, 12], "{uid}");
                assert_eq!(&uid[14..15], "4");
                assert!("89ab".contains(&uid[19..20]), "{uid}");
                assert!(uid.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()));
                assert!(seen.insert(uid));
            }
        }
        assert_ne!(
            names.uid(UidOf::Node, 0),
            Names::new(&cluster(10), 43).uid(UidOf::Node, 0)
        );
    }

    #[test]
    fn pods_look_like_a_deployments_and_have_addresses_of_their_own() {
        let names = Names::new(&cluster(10), 42);
        let (mut seen, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        for service in 0..7 {
            for slot in 0..250 {
                let pod = Pod {
                    service,
                    slot,
                    rollout: 1,
                };
                let name = names.pod(pod).as_str().to_owned();
                let parts: Vec<&str> = name.split('-').collect();
                assert_eq!(
                    parts[..3],
                    ["small", "deployment", service.to_string().as_str()]
                );
                assert!(
                    parts[3].len() <= 10 && parts[3].bytes().all(|b| b"456789bcdf".contains(&b))
                );
                assert!(parts[4].len() == 5 && parts[4].bytes().all(|b| ALPHABET.contains(&b)));
                assert!(names.pod_node(pod) < 10);
                assert!(seen.insert(name));
                assert!(addresses.insert(names.pod_ip(pod).as_str().to_owned()));
            }
        }
    }

    #[test]
    fn event_names_are_the_hex_of_the_instant() {
        let names = Names::new(&cluster(10), 42);
        let at = 0x18ea_793d_12aa_d42a;
        assert_eq!(names.event("solo", at).as_str(), format!("solo.{at:x}"));
        assert_eq!(names.event("a", 0xabc).as_str(), "a.abc");
    }
}
