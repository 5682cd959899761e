//! Where Kubernetes clusters keep their objects in a store (kube-apiserver's `--etcd-prefix`), found from the keys.

use super::manifest::HOME;
use super::others::denied;
use crate::etcd::control::{ControlClient, ControlError};
use crate::rpc::prefix_end;

/// Keys that are looked at.
const LOOKS: usize = 256;
/// Directories above a resource: `/registry`, `/kubernetes.io`, `/tenants/a/registry`.
const DEPTH: usize = 4;
/// kube-apiserver's default.
const USUAL: &str = "/registry";

/// Names of resources in keys that one kube-apiserver or another has always: those of the groups without a dot in their
/// directory. The others are told by their group.
const RESOURCES: [&str; 30] = [
    "clusterrolebindings",
    "clusterroles",
    "configmaps",
    "controllerrevisions",
    "cronjobs",
    "csinodes",
    "daemonsets",
    "deployments",
    "endpointslices",
    "events",
    "flowschemas",
    "ingress",
    "jobs",
    "leases",
    "masterleases",
    "minions",
    "namespaces",
    "networkpolicies",
    "peerserverleases",
    "persistentvolumes",
    "pods",
    "priorityclasses",
    "prioritylevelconfigurations",
    "ranges",
    "replicasets",
    "rolebindings",
    "secrets",
    "serviceaccounts",
    "statefulsets",
    "storageclasses",
];

/// Prefixes under which resources of Kubernetes lie, without a trailing slash, in their order. Steps over what it has
/// found, and looks at no more than some hundred keys: a store of many other directories may hide one.
///
/// # Errors
/// When etcd cannot be asked.
pub async fn kubernetes_prefixes(cluster: &ControlClient) -> Result<Vec<String>, ControlError> {
    let mut found = Vec::new();
    let mut from = b"\0".to_vec();
    for _ in 0..LOOKS {
        let first = match cluster.first_key(&from, b"\0").await {
            Err(e) if denied(&e) => return Ok(vec![USUAL.to_owned()]),
            first => first?,
        };
        let Some(key) = first else { break };
        let text = String::from_utf8_lossy(&key);
        if text.starts_with(&format!("{HOME}/")) {
            from = prefix_end(format!("{HOME}/").as_bytes());
        } else if let Some(prefix) = prefix_of(&text) {
            from = prefix_end(format!("{prefix}/").as_bytes());
            found.push(prefix);
        } else {
            from = past(&key);
        }
    }
    Ok(found)
}

/// The prefix of a key of Kubernetes.
fn prefix_of(key: &str) -> Option<String> {
    let parts: Vec<&str> = key.strip_prefix('/')?.split('/').collect();
    if parts[0] == "registry" && parts.len() > 1 {
        return Some(USUAL.to_owned());
    }
    // A resource has something in front of it, and at least a name behind it.
    let at = (1..parts.len().saturating_sub(1)).find(|i| is_resource(parts[*i], parts[*i + 1]))?;
    (at <= DEPTH).then(|| format!("/{}", parts[..at].join("/")))
}

fn is_resource(part: &str, next: &str) -> bool {
    RESOURCES.contains(&part)
        || part.ends_with(".k8s.io")
        || (part == "services" && matches!(next, "specs" | "endpoints"))
}

/// Past a key's directory, so that a large one takes one step.
fn past(key: &[u8]) -> Vec<u8> {
    let slashes = key.iter().enumerate().filter(|(_, b)| **b == b'/');
    match slashes.map(|(at, _)| at).take(DEPTH).last() {
        Some(at) if at > 0 => prefix_end(&key[..=at]),
        _ => [key, b"\0"].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_found_from_a_key() {
        for (key, prefix) in [
            ("/registry/anything", Some("/registry")),
            ("/kubernetes.io/pods/a/b", Some("/kubernetes.io")),
            (
                "/kubernetes.io/apiextensions.k8s.io/customresourcedefinitions/x",
                Some("/kubernetes.io"),
            ),
            (
                "/tenants/a/registry/services/specs/ns/s",
                Some("/tenants/a/registry"),
            ),
            ("/app/services/web", None),
            ("/app/config", None),
            ("/pods/a", None),
            ("compact_rev_key", None),
            ("/registry", None),
            ("registry/pods/a/b", None),
        ] {
            assert_eq!(prefix_of(key).as_deref(), prefix, "{key}");
        }
        assert_eq!(past(b"/app/config/a/b/c"), b"/app/config/a0");
        assert_eq!(past(b"/app/config"), b"/app0");
        assert_eq!(past(b"/z"), b"/z\0");
        assert_eq!(past(b"z"), b"z\0");
    }
}
