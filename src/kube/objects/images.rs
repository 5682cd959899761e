//! The images in a Node's status: encoded once per cluster, each node showing most of them.

use super::node::encode_image;
use crate::kube::names::mix;

/// How many of the cluster's images a node lacks.
const ABSENT: usize = 16;

const SERVICES: [&str; 8] = [
    "checkout-api",
    "ingest-worker",
    "ledger",
    "search-indexer",
    "notifier",
    "edge-proxy",
    "billing",
    "ml-serving",
];

/// Every image of the cluster, largest first as kubelet reports them, with where each ends.
#[derive(Debug)]
pub(super) struct Images {
    encoded: Vec<u8>,
    ends: Vec<usize>,
    per_node: usize,
}

impl Images {
    /// Realistic ones, about 250 B each: a repository's digest and tag names and a size. At most
    /// 1,000 per node (kubelet's default is 50).
    pub(super) fn new(per_node: u64, seed: u64) -> Self {
        let per_node = per_node.min(1000) as usize;
        let count = if per_node == 0 { 0 } else { per_node + ABSENT };
        let (mut encoded, mut ends) = (Vec::new(), vec![0]);
        let mut size = 3_900_000_000;
        for i in 0..count {
            let hash: [u64; 4] = std::array::from_fn(|k| mix(seed ^ mix((4 * i + k) as u64)));
            let repository = format!(
                "europe-west4-docker.pkg.dev/acme-platform-prod/workloads/{}-{i:03}",
                SERVICES[(hash[0] % 8) as usize]
            );
            let [a, b, c, d] = hash;
            let digest = format!("{repository}@sha256:{a:016x}{b:016x}{c:016x}{d:016x}");
            let tag = format!("{repository}:v{}.{}.{}", a % 4, b % 40, c % 20);
            encode_image(&[&digest, &tag], size, &mut encoded);
            ends.push(encoded.len());
            // Falls by up to 12 % from image to image.
            size -= size / 1000 * (d % 120);
        }
        Images {
            encoded,
            ends,
            per_node,
        }
    }

    /// A node's images: all but a run of [`ABSENT`] that its hash chooses, in two pieces.
    pub(super) fn of_node(&self, hash: u64) -> [&[u8]; 2] {
        let kept = (hash % (self.per_node as u64 + 1)) as usize;
        let piece = |from: usize, to: usize| match (self.ends.get(from), self.ends.get(to)) {
            (Some(&from), Some(&to)) => &self.encoded[from..to],
            _ => &[],
        };
        [piece(0, kept), piece(kept + ABSENT, self.per_node + ABSENT)]
    }
}
