//! Ways from here to a member of a kind cluster: its published port, else its node's address.

use super::nodes::Node;
use std::fmt;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How a member is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessPath {
    /// A port published on the engine's machine (kind's extraPortMappings).
    Published,
    /// The node's address in the engine's network: Linux with a local engine.
    NodeAddress,
}

impl fmt::Display for AccessPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AccessPath::Published => "published port",
            AccessPath::NodeAddress => "node address",
        })
    }
}

/// One address to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub path: AccessPath,
    /// Host, without brackets.
    pub host: String,
    pub port: u16,
}

impl Candidate {
    /// `https://host:port`.
    pub fn url(&self, secure: bool) -> String {
        format!(
            "{}://{}",
            if secure { "https" } else { "http" },
            self.authority()
        )
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether the server's certificate holds this host whatever happened since: 127.0.0.1 is in every
    /// one, a node's address may have changed at a restart.
    pub fn is_in_certificate(&self) -> bool {
        self.host == "127.0.0.1" || self.host == "::1" || self.host == "localhost"
    }
}

/// The addresses to try for a node's etcd at `port`, the best first.
pub fn candidates(node: &Node, port: u16) -> Vec<Candidate> {
    let published = node
        .ports
        .get(&format!("{port}/tcp"))
        .into_iter()
        .flatten()
        .map(|(host, port)| {
            // Published on all addresses: the loopback one is among them.
            let host = if matches!(host.as_str(), "" | "0.0.0.0" | "::") {
                "127.0.0.1"
            } else {
                host
            };
            Candidate {
                path: AccessPath::Published,
                host: host.to_owned(),
                port: *port,
            }
        });
    let addresses = node.addresses.iter().map(|host| Candidate {
        path: AccessPath::NodeAddress,
        host: host.clone(),
        port,
    });
    let mut all: Vec<Candidate> = Vec::new();
    for candidate in published.chain(addresses) {
        if !all.contains(&candidate) {
            all.push(candidate);
        }
    }
    all
}

/// Whether somebody accepts a connection there. TLS decides later whether it is the right one.
pub fn answers(candidate: &Candidate) -> bool {
    let Ok(mut addresses) = (candidate.host.as_str(), candidate.port).to_socket_addrs() else {
        return false;
    };
    addresses.any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok())
}

/// What to tell a user whose member cannot be reached: what was tried and how to get a way.
pub fn explain(node: &Node, port: u16, tried: &[Candidate], control_planes: usize) -> String {
    let list = tried
        .iter()
        .map(|c| format!("{} {}", c.path, c.authority()))
        .collect::<Vec<_>>()
        .join(", ");
    let published = tried.iter().any(|c| c.path == AccessPath::Published);
    let mut text = format!("cannot reach etcd of node {} from here", node.name);
    if !published {
        text += &format!(": its port {port} is not published");
    }
    match list.as_str() {
        "" => {}
        list => {
            text += &format!(
                "{} no answer from {list} (Docker Desktop or a remote engine?)",
                if published { ":" } else { " and" }
            )
        }
    }
    text += &format!(
        ". Either publish etcd's port when you create the cluster:\n\n  cat <<EOF | kind create cluster --name {} --config -\n  \
         kind: Cluster\n  apiVersion: kind.x-k8s.io/v1alpha4\n  nodes:\n",
        node.cluster
    );
    for i in 0..u16::try_from(control_planes.max(1)).unwrap_or(1) {
        text += &format!(
            "  - role: control-plane\n    extraPortMappings:\n    - {{containerPort: {port}, hostPort: {}, \
             listenAddress: 127.0.0.1}}\n",
            32379u16.saturating_add(i)
        );
    }
    text += "  EOF\n\n";
    let pid = if node.pid > 0 {
        node.pid.to_string()
    } else {
        "PID".to_owned()
    };
    text += &format!(
        "or, on Linux as root with a local engine, run etcdmark in the node's network namespace: nsenter -t \
         {pid} -n etcdmark …"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        Node {
            name: "demo-control-plane".into(),
            cluster: "demo".into(),
            role: "control-plane".into(),
            state: "running".into(),
            pid: 4242,
            ports: [
                ("6443/tcp".to_owned(), vec![("127.0.0.1".to_owned(), 41231)]),
                (
                    "2379/tcp".to_owned(),
                    vec![("0.0.0.0".to_owned(), 32379), ("::".to_owned(), 32379)],
                ),
            ]
            .into(),
            addresses: vec!["172.18.0.2".into(), "fc00:f853:ccd:e793::2".into()],
        }
    }

    #[test]
    fn the_published_port_comes_first() {
        let urls: Vec<String> = candidates(&node(), 2379)
            .iter()
            .map(|c| c.url(true))
            .collect();
        let want = [
            "https://127.0.0.1:32379",
            "https://172.18.0.2:2379",
            "https://[fc00:f853:ccd:e793::2]:2379",
        ];
        assert_eq!(urls, want);
        let other: Vec<AccessPath> = candidates(&node(), 12379).iter().map(|c| c.path).collect();
        assert_eq!(
            other,
            [AccessPath::NodeAddress, AccessPath::NodeAddress],
            "6443 is not etcd's"
        );
    }

    #[test]
    fn only_someone_who_listens_answers() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("address").port();
        let here = Candidate {
            path: AccessPath::Published,
            host: "127.0.0.1".into(),
            port,
        };
        assert!(answers(&here));
        drop(listener);
        assert!(!answers(&here));
    }

    #[test]
    fn the_explanation_has_what_to_type() {
        let mut node = node();
        node.ports.clear();
        node.addresses.truncate(1);
        let text = explain(&node, 2379, &candidates(&node, 2379), 3);
        assert!(text.starts_with("cannot reach etcd of node demo-control-plane from here: its port 2379 is not published and no answer from node address 172.18.0.2:2379 "), "{text}");
        for part in [
            "kind create cluster --name demo",
            "containerPort: 2379, hostPort: 32381",
            "nsenter -t 4242 -n etcdmark",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}
