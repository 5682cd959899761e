//! Endpoints that are no voting members: learners, and the gRPC proxy.

use super::preflight::Connection;
use crate::etcd::control::{ControlClient, MemberEntry, MemberStatus};

/// What is said of a learner.
pub(super) const LEARNER: &str =
    "it is a learner, which serves no load; promote it (etcdctl member promote) to use it";

/// The same without its learners, which are told as not used; all of them where there is nothing else.
pub(super) fn without_learners(connection: Connection) -> Connection {
    let Connection {
        cluster,
        members,
        mut down,
    } = connection;
    let each = cluster.each().to_vec();
    if members.iter().all(|m| m.is_learner) || each.len() != members.len() {
        return Connection {
            cluster,
            members,
            down,
        };
    }
    let (mut voters, mut usable) = (Vec::new(), Vec::new());
    for (member, client) in members.into_iter().zip(each) {
        if member.is_learner {
            down.push((member.endpoint, LEARNER.to_owned()));
        } else {
            voters.push(member);
            usable.push(client);
        }
    }
    Connection {
        cluster: ControlClient::of(usable),
        members: voters,
        down,
    }
}

/// The endpoints behind which a proxy answers: it lists itself as the only member, with the id 0, and hands `Status` on
/// (etcd `server/proxy/grpcproxy/cluster.go`).
pub fn proxies(members: &[MemberStatus], entries: &[MemberEntry]) -> Vec<String> {
    let proxy = !entries.is_empty() && entries.iter().all(|e| e.id == 0);
    let endpoints = members.iter().map(|m| m.endpoint.clone());
    endpoints.filter(|_| proxy).collect()
}

/// What is said of them.
pub fn proxy_note(proxies: &[String]) -> Option<String> {
    let first = proxies.first()?;
    Some(format!(
        "{first} is a gRPC proxy (etcd grpc-proxy): figures of etcd are those of whichever member answered it, members and \
         their outages are not seen, and lists are not streamed; name the members themselves to measure etcd"
    ))
}
