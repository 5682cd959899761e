//! kube-apiserver's `--etcd-servers-overrides`, taken as it is: `group/resource#URL;URL`, with commas between
//! overrides (k8s.io/apiserver `pkg/server/options/etcd.go`).

use super::CliError;
use crate::document::nearest;
use crate::kube::Resource;
use crate::target::Target;
use crate::workload::Split;

/// Resources that have an etcd of their own, and its servers as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// At least one; several when several overrides name the same servers.
    pub resources: Vec<Resource>,
    /// At least one.
    pub servers: Vec<String>,
}

/// A store that an override names.
#[derive(Clone, Debug)]
pub struct OverrideEtcd {
    /// What it holds.
    pub resources: Vec<Resource>,
    /// How to reach it: as the main one, but for its servers.
    pub target: Target,
}

impl OverrideEtcd {
    /// The store's name.
    pub fn name(&self) -> String {
        self.split().name()
    }

    /// As a change to the workload.
    pub fn split(&self) -> Split {
        Split {
            flag: "--overrides",
            resources: self.resources.clone(),
        }
    }
}

/// The stores of these overrides (servers as [`super::cluster_flags::urls`] left them) beside `main`, and what should
/// be said: an override that names main's own servers is none.
///
/// # Errors
/// When two of them, or one and main, share some servers and not all.
pub fn stores(
    overrides: Vec<Override>,
    main: &Target,
) -> Result<(Vec<OverrideEtcd>, Vec<String>), CliError> {
    let (mut stores, mut notes): (Vec<OverrideEtcd>, Vec<String>) = (Vec::new(), Vec::new());
    for o in overrides {
        let names: Vec<String> = o.resources.iter().map(|r| name(*r)).collect();
        let names = names.join(", ");
        let others = stores.iter().map(|s| &s.target.endpoints);
        for theirs in std::iter::once(&main.endpoints).chain(others) {
            let Some(shared) = o.servers.iter().find(|s| theirs.contains(s)) else {
                continue;
            };
            let same =
                theirs.len() == o.servers.len() && o.servers.iter().all(|s| theirs.contains(s));
            if !same {
                return Err(CliError::usage(format!(
                    "--overrides {names}: {shared} also belongs to another etcd of this command ({}): give both \
                     the same servers, or give each its own servers",
                    theirs.join(", ")
                )));
            }
        }
        if o.servers.iter().all(|s| main.endpoints.contains(s)) {
            notes.push(format!(
                "--overrides {names}: these are the servers of --endpoints, so this is not a separate store"
            ));
            continue;
        }
        let mut target = Target {
            endpoints: o.servers,
            metrics_endpoints: Vec::new(),
            named_by: None,
            ..main.clone()
        };
        if let Some(tls) = &mut target.tls {
            // The name of --kind's certificates is not that of other servers.
            tls.server_name = None;
        }
        stores.push(OverrideEtcd {
            resources: o.resources,
            target,
        });
    }
    Ok((stores, notes))
}

/// What a resource is called in an override: `/events`, `coordination.k8s.io/leases`.
pub fn name(resource: Resource) -> String {
    match resource {
        // Not an API resource, but kube-apiserver asks for its storage by this name
        // (kubernetes `pkg/controlplane/instance.go`).
        Resource::MasterLeases => "/apiServerIPInfo".to_owned(),
        other => format!("{}/{}", other.group(), other.plural()),
    }
}

/// Every resource that can be given an etcd of its own.
fn known() -> impl Iterator<Item = Resource> {
    Resource::ALL
        .into_iter()
        .filter(|r| *r != Resource::Internal)
}

/// Parses the values of `--overrides`, in order. Those that name the same servers are one.
///
/// # Errors
/// A usage error that quotes the override, says what is wrong with it, and what would be right.
pub fn parse(values: &[String]) -> Result<Vec<Override>, CliError> {
    let mut all: Vec<Override> = Vec::new();
    for piece in values.iter().flat_map(|v| v.split(',')).map(str::trim) {
        let (resource, servers) =
            one(piece).map_err(|why| CliError::usage(format!("--overrides {piece:?} {why}")))?;
        if all.iter().any(|o| o.resources.contains(&resource)) {
            return Err(CliError::usage(format!(
                "--overrides names {} twice: a resource belongs to exactly one etcd",
                name(resource)
            )));
        }
        let mut sorted = servers.clone();
        sorted.sort_unstable();
        let same = all.iter_mut().find(|o| {
            let mut theirs = o.servers.clone();
            theirs.sort_unstable();
            theirs == sorted
        });
        match same {
            Some(o) => o.resources.push(resource),
            None => all.push(Override {
                resources: vec![resource],
                servers,
            }),
        }
    }
    Ok(all)
}

fn one(piece: &str) -> Result<(Resource, Vec<String>), String> {
    const FORM: &str =
        "RESOURCE#URL;URL, such as /events#https://10.0.0.1:2379;https://10.0.0.2:2379";
    let (left, right) = match piece.split_once('#') {
        Some((left, right)) if !right.contains('#') => (left, right),
        Some(_) => {
            return Err(
                "has two #: separate overrides with commas, not with semicolons".to_owned(),
            );
        }
        None if piece.starts_with("http://") || piece.starts_with("https://") => {
            return Err(
                "has no resource: separate the servers of one override with semicolons, and overrides with commas"
                    .to_owned(),
            );
        }
        None if piece.is_empty() => return Err(format!("is empty; write {FORM}")),
        None => {
            return Err(format!(
                "has no # between resource and servers; write {FORM}"
            ));
        }
    };
    let resource = resource(left)?;
    let servers: Vec<String> = right.split(';').map(|s| s.trim().to_owned()).collect();
    if servers.iter().any(String::is_empty) {
        return Err(format!(
            "has an empty server; write {FORM} (in quotes, because the shell treats a semicolon as the end of \
             the command)"
        ));
    }
    Ok((resource, servers))
}

/// `/events`, `coordination.k8s.io/leases` → the resource, or what is wrong with the name.
fn resource(text: &str) -> Result<Resource, String> {
    if let Some(found) = known().find(|r| name(*r) == text) {
        return Ok(found);
    }
    let last = text.rsplit('/').next().unwrap_or_default();
    // Names that mean a resource and are not what kube-apiserver calls it: key prefixes, singulars, other groups.
    let named = |r: &Resource| {
        r.plural().eq_ignore_ascii_case(last)
            || r.key_prefix().rsplit('/').next() == Some(last)
            || name(*r)
                .rsplit('/')
                .next()
                .is_some_and(|n| n.eq_ignore_ascii_case(last))
    };
    let Some(meant) = known().find(named) else {
        let names: Vec<String> = known().map(name).collect();
        let plurals = known().map(|r| r.plural());
        let hint = nearest(last, plurals).and_then(|p| known().find(|r| r.plural() == p));
        let hint = hint.map_or(String::new(), |r| format!("did you mean {}? ", name(r)));
        return Err(format!(
            "names a resource that etcdmark does not write; {hint}known: {}",
            names.join(", ")
        ));
    };
    let right = name(meant);
    Err(if text.starts_with("/registry/") {
        format!("names a key, but kube-apiserver expects GROUP/RESOURCE; write {right}")
    } else if text == "events.k8s.io/events" {
        format!(
            "has no effect in kube-apiserver, which stores the Events of both API groups under {right}; write {right}"
        )
    } else if text.contains('/') {
        format!("is not kube-apiserver's name of this resource; write {right}")
    } else {
        format!("has no API group, but kube-apiserver expects GROUP/RESOURCE; write {right}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(values: &[&str]) -> Result<Vec<Override>, String> {
        let values: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
        parse(&values).map_err(|e| e.message)
    }

    fn of(resources: &[Resource], servers: &[&str]) -> Override {
        Override {
            resources: resources.to_vec(),
            servers: servers.iter().map(|s| (*s).to_owned()).collect(),
        }
    }

    #[test]
    fn takes_what_kube_apiserver_takes() {
        let all = parsed(&[
            "/events#https://a:2379;https://b:2379,coordination.k8s.io/leases#http://c:2379",
            "/nodes#http://d:1",
        ]);
        let expected = [
            of(&[Resource::Events], &["https://a:2379", "https://b:2379"]),
            of(&[Resource::Leases], &["http://c:2379"]),
            of(&[Resource::Nodes], &["http://d:1"]),
        ];
        assert_eq!(all.unwrap(), expected);
        for resource in known() {
            let value = format!("{}#http://a:1", name(resource));
            assert_eq!(
                parsed(&[&value]).unwrap(),
                [of(&[resource], &["http://a:1"])]
            );
        }
    }

    #[test]
    fn the_same_servers_are_one_etcd() {
        let all = parsed(&["/events#http://a:1;http://b:1,/nodes#http://b:1;http://a:1"]).unwrap();
        let both = of(
            &[Resource::Events, Resource::Nodes],
            &["http://a:1", "http://b:1"],
        );
        assert_eq!(all, [both]);
    }

    #[test]
    fn common_mistakes_get_a_hint() {
        for (value, says) in [
            (
                "/registry/events#http://a:1",
                "names a key, but kube-apiserver expects GROUP/RESOURCE; write /events",
            ),
            ("/registry/minions#http://a:1", "write /nodes"),
            (
                "events#http://a:1",
                "has no API group, but kube-apiserver expects GROUP/RESOURCE; write /events",
            ),
            ("leases#http://a:1", "write coordination.k8s.io/leases"),
            (
                "/leases#http://a:1",
                "is not kube-apiserver's name of this resource; write coordination.k8s.io/leases",
            ),
            ("/masterleases#http://a:1", "write /apiServerIPInfo"),
            ("v1/events#http://a:1", "write /events"),
            (
                "events.k8s.io/events#http://a:1",
                "has no effect in kube-apiserver",
            ),
            (
                "/events#http://a:1,http://b:1",
                "\"http://b:1\" has no resource: separate the servers of one override with semicolons",
            ),
            (
                "/events#http://a:1;/nodes#http://b:1",
                "has two #: separate overrides with commas",
            ),
            (
                "/events",
                "has no # between resource and servers; write RESOURCE#URL;URL",
            ),
            ("", "is empty"),
            ("/events#http://a:1;", "has an empty server"),
            ("/events#", "has an empty server"),
            (
                "/evnets#http://a:1",
                "did you mean /events? known: coordination.k8s.io/leases, /nodes",
            ),
            (
                "x.io/zebras#http://a:1",
                "a resource that etcdmark does not write; known: coordination.k8s.io/leases",
            ),
            (
                "/events#http://a:1,/events#http://b:1",
                "names /events twice",
            ),
        ] {
            let message = parsed(&[value]).unwrap_err();
            assert!(message.contains(says), "{value}: {message}");
            assert!(message.starts_with("--overrides "), "{message}");
        }
    }
}
