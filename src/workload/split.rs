//! Resources that get a store of their own, whatever the workload says: what `--overrides` and `--split` ask for.

use super::file::StoreSpec;
use super::stores::resource;
use crate::kube::Resource;

/// The longest name that a store may have.
const LONGEST: usize = 63;

/// One further store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The flag that asks for it, for messages.
    pub flag: &'static str,
    /// What is routed to it; not empty.
    pub resources: Vec<Resource>,
}

impl Split {
    /// `events,leases+nodes`: one store for each word, with `+` several resources in one. The error quotes what is
    /// wrong, to stand behind the flag's name.
    ///
    /// # Errors
    /// A word that is no resource, or one that is given twice.
    pub fn parse(flag: &'static str, list: &str) -> Result<Vec<Split>, String> {
        let mut splits: Vec<Split> = Vec::new();
        for store in list.split(',') {
            let mut resources = Vec::new();
            for word in store.split('+').map(str::trim) {
                let found = resource(word)?;
                let twice = splits.iter().flat_map(|s| &s.resources).chain(&resources);
                if twice.into_iter().any(|r| *r == found) {
                    return Err(format!(
                        "names {word} twice: a resource belongs to exactly one etcd"
                    ));
                }
                resources.push(found);
            }
            splits.push(Split { flag, resources });
        }
        Ok(splits)
    }

    /// `events`, `leases-nodes`: its resources' names.
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.resources.iter().map(|r| r.plural()).collect();
        let all = names.join("-");
        match names.first() {
            Some(first) if all.len() > LONGEST => format!("{first}-and-{}-more", names.len() - 1),
            _ => all,
        }
    }
}

/// Adds a store for each split, in order, after the workload's own. What the workload's stores say of these resources
/// gives way; returns one line for each that does. The store that is left without any resource is dropped, unless
/// it is the last one: that takes the rest.
pub(super) fn split(specs: &mut Vec<StoreSpec>, splits: &[Split]) -> Vec<String> {
    let mut told = Vec::new();
    if splits.is_empty() {
        return told;
    }
    let first = specs.first().map_or("main".to_owned(), |s| s.name.clone());
    let mut kept = Vec::new();
    for mut spec in std::mem::take(specs) {
        let lines = give_way(&mut spec, splits);
        let emptied = !lines.is_empty() && spec.resources.as_ref().is_some_and(Vec::is_empty);
        told.extend(lines);
        if !emptied {
            kept.push(spec);
        }
    }
    if kept.is_empty() {
        kept.push(StoreSpec {
            name: first,
            resources: None,
        });
    }
    for s in splits {
        let name = free_name(&kept, s.name());
        kept.push(StoreSpec {
            name,
            resources: Some(s.resources.iter().map(|r| r.plural().to_owned()).collect()),
        });
    }
    *specs = kept;
    told
}

/// Takes the splits' resources from a store that names them; one line per split that it loses some to.
fn give_way(spec: &mut StoreSpec, splits: &[Split]) -> Vec<String> {
    let Some(names) = &mut spec.resources else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for s in splits {
        let leaves = |name: &String| s.resources.iter().any(|r| r.plural() == name);
        let leaving: Vec<String> = names.iter().filter(|n| leaves(n)).cloned().collect();
        if !leaving.is_empty() {
            names.retain(|n| !leaves(n));
            let (store, leaving) = (&spec.name, leaving.join(", "));
            lines.push(format!(
                "{} moves {leaving} out of the workload's store {store:?}",
                s.flag
            ));
        }
    }
    lines
}

fn free_name(taken: &[StoreSpec], wanted: String) -> String {
    let is_free = |name: &str| taken.iter().all(|s| s.name != name);
    if is_free(&wanted) {
        return wanted;
    }
    let mut numbered = (2..).map(|n| format!("{wanted}-{n}"));
    numbered.find(|name| is_free(name)).unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, resources: Option<&[&str]>) -> StoreSpec {
        StoreSpec {
            name: name.to_owned(),
            resources: resources.map(|r| r.iter().map(|r| (*r).to_owned()).collect()),
        }
    }

    fn after(mut specs: Vec<StoreSpec>, splits: &[&[Resource]]) -> (Vec<StoreSpec>, Vec<String>) {
        let splits: Vec<Split> = splits
            .iter()
            .map(|r| Split {
                flag: "--split",
                resources: r.to_vec(),
            })
            .collect();
        let told = split(&mut specs, &splits);
        (specs, told)
    }

    #[test]
    fn each_split_is_a_store_after_the_workloads_own() {
        let (specs, told) = after(
            Vec::new(),
            &[&[Resource::Events], &[Resource::Leases, Resource::Nodes]],
        );
        let main = spec("main", None);
        let events = spec("events", Some(&["events"]));
        let rest = spec("leases-nodes", Some(&["leases", "nodes"]));
        assert_eq!(specs, [main, events, rest]);
        assert_eq!(told, Vec::<String>::new());
    }

    #[test]
    fn the_workloads_stores_give_way_and_it_is_said() {
        let file = || {
            vec![
                spec("main", None),
                spec("events", Some(&["events", "leases"])),
            ]
        };
        let (specs, told) = after(file(), &[&[Resource::Events]]);
        let [left, new] = ["leases", "events"].map(|r| vec![r]);
        let expected = [
            spec("main", None),
            spec("events", Some(&left)),
            spec("events-2", Some(&new)),
        ];
        assert_eq!(specs, expected);
        assert_eq!(
            told,
            ["--split moves events out of the workload's store \"events\""]
        );
        // Nothing left: the store goes, and its name is free.
        let (specs, told) = after(file(), &[&[Resource::Events], &[Resource::Leases]]);
        let names: Vec<&str> = specs.iter().map(|s| s.name.as_str()).collect();
        assert_eq!((names, told.len()), (vec!["main", "events", "leases"], 2));
        // The last one takes the rest.
        let (specs, _) = after(vec![spec("a", Some(&["events"]))], &[&[Resource::Events]]);
        assert_eq!(specs[0], spec("a", None));
    }

    #[test]
    fn a_list_is_stores_and_their_resources() {
        let stores = |list: &str| -> Vec<String> {
            let splits = Split::parse("--split", list).unwrap();
            splits.iter().map(Split::name).collect()
        };
        assert_eq!(stores("events"), ["events"]);
        assert_eq!(stores("events, leases+nodes"), ["events", "leases-nodes"]);
        for (list, message) in [
            (
                "evnts",
                "\"evnts\" is not a resource; did you mean \"events\"?",
            ),
            ("events,", "\"\" is not a resource; known: leases, nodes,"),
            ("internal", "\"internal\" is not a resource"),
            ("events,leases+events", "names events twice"),
            ("events+events", "names events twice"),
        ] {
            let said = Split::parse("--split", list).unwrap_err();
            assert!(said.starts_with(message), "{list}: {said}");
        }
    }

    #[test]
    fn a_name_is_never_too_long() {
        let resources = Resource::ALL.to_vec();
        let name = Split {
            flag: "",
            resources,
        }
        .name();
        assert!(name.len() <= LONGEST, "{name}");
    }
}
