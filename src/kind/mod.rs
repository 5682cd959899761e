//! `--kind NAME`: a kind cluster's etcd as a [`Target`], found through the container engine's client.
//!
//! Control-plane containers by their labels → etcd's flags from kubeadm's manifest → certificates, read
//! through the engine into memory → a way to each member. Metrics come through the same endpoints. The
//! endpoints are never synced from the member list: members advertise their nodes' addresses, which a
//! published port would be left for.

pub mod engine;
pub mod error;
pub mod manifest;
pub mod nodes;
pub mod reach;

#[cfg(test)]
mod tests;

pub use error::KindError;

use super::target::{Pem, Target, TlsMaterial};
use crate::clock::{self, Nanos, SECOND};
use engine::{Engine, Output, Runner};
use manifest::Flags;
use nodes::Node;
use reach::{AccessPath, Candidate};
use std::time::Duration;

/// A kind cluster's etcd.
#[derive(Clone, Debug)]
pub struct KindCluster {
    /// How to reach it; `owned` is false: the rules for live clusters hold.
    pub target: Target,
    /// The members that are used, in the order of `target.endpoints`.
    pub members: Vec<KindMember>,
    /// What the user should know, e.g. a node that is stopped.
    pub notes: Vec<String>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindMember {
    /// Node container.
    pub node: String,
    /// etcd member name.
    pub name: String,
    /// Its URL.
    pub endpoint: String,
    /// How it is reached.
    pub path: AccessPath,
}

/// Finds the etcd of the kind cluster `name`. Blocks for some engine commands (0.1 s each).
pub fn find(name: &str) -> Result<Target, KindError> {
    discover(name).map(|cluster| cluster.target)
}

/// How long a node's ports may refuse connections: etcd's dial timeout, `--dial-timeout` by default.
const BOOT: Nanos = 2 * SECOND;

/// As [`find`], with the members and what the user should know.
pub fn discover(name: &str) -> Result<KindCluster, KindError> {
    // In the seconds after a container has started its ports refuse connections.
    let until = clock::now() + BOOT;
    loop {
        match discover_with(&Engine::from_environment()?, &reach::answers, name) {
            Err(KindError::NoWay(_)) if clock::now() < until => {
                std::thread::sleep(Duration::from_millis(200));
            }
            found => return found,
        }
    }
}

/// As [`discover`], with the engine's client and the reachability test given.
pub fn discover_with(
    engine: &dyn Runner,
    answers: &dyn Fn(&Candidate) -> bool,
    name: &str,
) -> Result<KindCluster, KindError> {
    let all = containers(engine)?;
    let (control_planes, mut notes) = choose(engine, &all, name)?;
    let mut members = Vec::new();
    let (mut secure, mut outside_certificate) = (false, false);
    let mut first_flags = None;
    for node in &control_planes {
        let flags = flags(engine, node)?;
        let (tls, port) = flags.client_url();
        let tried = reach::candidates(node, port);
        let Some(found) = tried.iter().find(|candidate| answers(candidate)) else {
            return Err(KindError::NoWay(reach::explain(
                node,
                port,
                &tried,
                control_planes.len(),
            )));
        };
        secure |= tls;
        outside_certificate |= !found.is_in_certificate();
        members.push(KindMember {
            node: node.name.clone(),
            name: flags.member().unwrap_or(&node.name).to_owned(),
            endpoint: found.url(tls),
            path: found.path,
        });
        first_flags.get_or_insert((*node, flags));
    }
    let mut target = Target::plain(members.iter().map(|m| m.endpoint.clone()).collect());
    if let Some((node, flags)) = first_flags.filter(|_| secure) {
        let mut tls = certificates(engine, node, &flags)?;
        // A node's address can change at a restart while its certificate does not; localhost stays in it.
        tls.server_name = outside_certificate.then(|| "localhost".to_owned());
        target.tls = Some(tls);
    }
    let ways = members
        .iter()
        .map(|m| format!("{} by {} {}", m.node, m.path, m.endpoint))
        .collect::<Vec<_>>();
    notes.insert(0, format!("kind cluster {name}: {}", ways.join(", ")));
    Ok(KindCluster {
        target,
        members,
        notes,
    })
}

/// Every container of every kind cluster.
fn containers(engine: &dyn Runner) -> Result<Vec<Node>, KindError> {
    let filter = format!("label={}", nodes::CLUSTER_LABEL);
    let list = engine.run(&["ps", "-a", "-q", "--no-trunc", "--filter", &filter])?;
    if !list.success {
        return Err(KindError::EngineDown {
            message: list.stderr,
        });
    }
    let ids = String::from_utf8_lossy(&list.stdout).into_owned();
    let ids: Vec<&str> = ids.split_ascii_whitespace().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let args: Vec<&str> = ["container", "inspect"].into_iter().chain(ids).collect();
    let inspect = succeed(engine, &args)?;
    nodes::parse(&inspect.stdout).map_err(|e| KindError::Answer {
        command: format!("{} container inspect", engine.program()),
        message: e.to_string(),
    })
}

/// The running control planes of a cluster, and notes on the others. Pure but for one look into a
/// stopped node, for the message.
fn choose<'a>(
    engine: &dyn Runner,
    all: &'a [Node],
    name: &str,
) -> Result<(Vec<&'a Node>, Vec<String>), KindError> {
    let cluster: Vec<&Node> = all.iter().filter(|n| n.cluster == name).collect();
    if cluster.is_empty() {
        let existing = nodes::describe_clusters(all, name);
        return Err(KindError::NoCluster {
            name: name.to_owned(),
            existing,
        });
    }
    let planes: Vec<&Node> = cluster
        .iter()
        .copied()
        .filter(|n| n.is_control_plane())
        .collect();
    if planes.is_empty() {
        let nodes = cluster
            .iter()
            .map(|n| format!("{} ({})", n.name, n.role))
            .collect::<Vec<_>>()
            .join(", ");
        return Err(KindError::NoControlPlane {
            name: name.to_owned(),
            nodes,
        });
    }
    let (running, down): (Vec<&Node>, Vec<&Node>) = planes.iter().partition(|n| n.is_running());
    let Some(first) = down.first() else {
        return Ok((running, Vec::new()));
    };
    let names = down
        .iter()
        .map(|n| n.name.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    let verb = if first.state == "paused" {
        "unpause"
    } else {
        "start"
    };
    let remedy = format!("{} {verb} {names}", engine.program());
    if running.len() * 2 > planes.len() {
        let note = |n: &&Node| {
            format!(
                "{} is {}: its member gets no load (to start it: `{remedy}`)",
                n.name, n.state
            )
        };
        return Ok((running, down.iter().map(note).collect()));
    }
    let etcd = if planes.len() > 1 {
        format!(
            "so {} of {} etcd members are down and there is no quorum",
            down.len(),
            planes.len()
        )
    } else {
        match stopped_member(engine, first) {
            Some(member) => format!("so its etcd (member {member}) is not running"),
            None => "so its etcd is not running".to_owned(),
        }
    };
    Err(KindError::NotRunning {
        node: first.name.clone(),
        state: first.state.clone(),
        etcd,
        remedy,
    })
}

/// The member of a node in which nothing can be run: `cp` still reads its files.
fn stopped_member(engine: &dyn Runner, node: &Node) -> Option<String> {
    let from = format!("{}:{}", node.name, manifest::FILE);
    let tar = engine
        .run(&["cp", &from, "-"])
        .ok()
        .filter(|o| o.success)?
        .stdout;
    let yaml = std::str::from_utf8(manifest::first_of_tar(&tar)?).ok()?;
    manifest::parse(yaml).ok()?.member().map(str::to_owned)
}

fn flags(engine: &dyn Runner, node: &Node) -> Result<Flags, KindError> {
    let file = manifest::FILE;
    let read = engine.run(&["exec", &node.name, "cat", file])?;
    if !read.success {
        return Err(if read.stderr.contains("No such file") {
            KindError::NoEtcd {
                node: node.name.clone(),
                file: file.to_owned(),
            }
        } else {
            let command = format!("{} exec {} cat {file}", engine.program(), node.name);
            KindError::Command {
                command,
                message: read.stderr,
            }
        });
    }
    let bad = |message: String| KindError::Manifest {
        node: node.name.clone(),
        file: file.to_owned(),
        message,
    };
    let yaml = std::str::from_utf8(&read.stdout).map_err(|e| bad(e.to_string()))?;
    manifest::parse(yaml).map_err(bad)
}

/// CA, client certificate and key, into memory only.
fn certificates(engine: &dyn Runner, node: &Node, flags: &Flags) -> Result<TlsMaterial, KindError> {
    let pem = |file: &str| -> Result<Option<Pem>, KindError> {
        let read = engine.run(&["exec", &node.name, "cat", file])?;
        let is_pem = read.stdout.windows(10).any(|w| w == b"-----BEGIN");
        Ok((read.success && is_pem).then(|| Pem {
            bytes: read.stdout,
            named_by: format!("node {}:", node.name),
            path: file.to_owned(),
        }))
    };
    let missing = |what: &str, tried: String| KindError::NoCertificate {
        node: node.name.clone(),
        what: what.to_owned(),
        tried,
    };
    let ca_file = flags.ca_file();
    let ca = pem(&ca_file)?.ok_or_else(|| missing("etcd's CA certificate", ca_file))?;
    let pairs = flags.client_pairs();
    for (cert, key) in &pairs {
        if let Some(cert) = pem(cert)?
            && let Some(key) = pem(key)?
        {
            return Ok(TlsMaterial {
                ca: Some(ca),
                cert: Some(cert),
                key: Some(key),
                ..TlsMaterial::default()
            });
        }
    }
    let tried = pairs
        .iter()
        .map(|(cert, _)| cert.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    Err(missing("a client certificate with its key", tried))
}

fn succeed(engine: &dyn Runner, args: &[&str]) -> Result<Output, KindError> {
    let out = engine.run(args)?;
    if out.success {
        return Ok(out);
    }
    let command = format!("{} {}", engine.program(), args.join(" "));
    Err(KindError::Command {
        command,
        message: out.stderr,
    })
}
