//! kind's node containers, from the engine's `inspect` (docker's shape, which podman and nerdctl share).
//! Labels decide, never names: `io.x-k8s.kind.cluster`, `io.x-k8s.kind.role`.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The label whose value is the cluster's name.
pub const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";
/// The label whose value is the node's role.
pub const ROLE_LABEL: &str = "io.x-k8s.kind.role";

/// One node container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Container name, `demo-control-plane`.
    pub name: String,
    /// Cluster.
    pub cluster: String,
    /// `control-plane`, `worker`, `external-load-balancer`.
    pub role: String,
    /// `running`, `exited`, `paused` …
    pub state: String,
    /// Process id of the node's init on the engine's machine; 0 when not running.
    pub pid: i64,
    /// Published ports: `2379/tcp` → (host address, host port).
    pub ports: BTreeMap<String, Vec<(String, u16)>>,
    /// Addresses in the engine's networks, IPv4 first.
    pub addresses: Vec<String>,
}

impl Node {
    /// Whether it runs etcd (unless that is external).
    pub fn is_control_plane(&self) -> bool {
        self.role == "control-plane"
    }

    /// Whether commands can be run in it.
    pub fn is_running(&self) -> bool {
        self.state == "running"
    }
}

/// The JSON of `inspect ID…` → nodes, by name; containers without kind's labels are left out.
pub fn parse(json: &[u8]) -> Result<Vec<Node>, serde_json::Error> {
    let containers: Vec<Container> = serde_json::from_slice(json)?;
    let mut nodes: Vec<Node> = containers
        .into_iter()
        .filter_map(Container::into_node)
        .collect();
    // control-plane, control-plane2 … control-plane10: by length first.
    nodes.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
    Ok(nodes)
}

/// "there are …; did you mean …?" for a name that is none of the clusters.
pub fn describe_clusters(nodes: &[Node], name: &str) -> String {
    let names: BTreeSet<&str> = nodes.iter().map(|n| n.cluster.as_str()).collect();
    if names.is_empty() {
        return "this container engine has no kind cluster (create one with `kind create cluster`; DOCKER_HOST \
                and the docker context select the engine)"
            .to_owned();
    }
    let list = names.iter().copied().collect::<Vec<_>>().join(", ");
    let similar = |n: &&&str| strsim::jaro_winkler(n, name) > 0.7;
    let score = |n: &&str| (strsim::jaro_winkler(n, name) * 1e6) as u64;
    match names.iter().filter(similar).max_by_key(|n| score(n)) {
        Some(nearest) => format!("existing clusters: {list}; did you mean --kind {nearest}?"),
        None => format!("existing clusters: {list}"),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    name: String,
    state: State,
    config: Config,
    network_settings: Option<NetworkSettings>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    #[serde(default)]
    pid: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    ports: Option<BTreeMap<String, Option<Vec<PortBinding>>>>,
    networks: Option<BTreeMap<String, Network>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PortBinding {
    #[serde(default)]
    host_ip: String,
    #[serde(default)]
    host_port: String,
}

#[derive(Deserialize)]
struct Network {
    #[serde(rename = "IPAddress", default)]
    v4: String,
    #[serde(rename = "GlobalIPv6Address", default)]
    v6: String,
}

impl Container {
    fn into_node(self) -> Option<Node> {
        let labels = self.config.labels?;
        let (cluster, role) = (
            labels.get(CLUSTER_LABEL)?.clone(),
            labels.get(ROLE_LABEL)?.clone(),
        );
        let (ports, networks) = match self.network_settings {
            Some(net) => (
                net.ports.unwrap_or_default(),
                net.networks.unwrap_or_default(),
            ),
            None => Default::default(),
        };
        let bindings = |bindings: Option<Vec<PortBinding>>| {
            let bindings = bindings.unwrap_or_default().into_iter();
            bindings
                .filter_map(|b| Some((b.host_ip, b.host_port.parse().ok()?)))
                .collect()
        };
        let networks: Vec<Network> = networks.into_values().collect();
        let v4 = networks.iter().map(|n| n.v4.clone());
        let addresses = v4
            .chain(networks.iter().map(|n| n.v6.clone()))
            .filter(|a| !a.is_empty())
            .collect();
        Some(Node {
            name: self.name.trim_start_matches('/').to_owned(),
            cluster,
            role,
            state: self.state.status,
            pid: self.state.pid,
            ports: ports
                .into_iter()
                .map(|(port, b)| (port, bindings(b)))
                .collect(),
            addresses,
        })
    }
}
