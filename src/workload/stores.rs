//! Which store each resource is routed to.

use super::file::StoreSpec;
use crate::document::FieldError;
use crate::document::hint;
use crate::kube::Resource;

/// A store of the workload: a name and what is routed to it. The target comes later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutedStore {
    pub name: String,
    /// What is routed to it; [`Resource::Internal`] is always in the first.
    pub resources: Vec<Resource>,
}

/// Fills in and checks the stores: every resource that is needed is in exactly one.
pub(super) fn stores(
    specs: &mut Vec<StoreSpec>,
    needed: &[Resource],
) -> Result<Vec<RoutedStore>, FieldError> {
    if specs.is_empty() {
        specs.push(StoreSpec {
            name: "main".to_owned(),
            resources: None,
        });
    }
    let mut taken: Vec<(Resource, String)> = Vec::new();
    let mut rest = None;
    for (i, spec) in specs.iter().enumerate() {
        crate::document::check_name(&format!("stores.{i}.name"), &spec.name)?;
        if specs[..i].iter().any(|s| s.name == spec.name) {
            return Err(FieldError::at(
                format!("stores.{i}.name"),
                format!("{:?} is given twice", spec.name),
            ));
        }
        let path = format!("stores.{}.resources", spec.name);
        let Some(names) = &spec.resources else {
            if let Some(first) = rest.replace(i) {
                let first: &str = &specs[first].name;
                let message = format!(
                    "is missing here and in store {first:?}; only one store may take all other resources"
                );
                return Err(FieldError::at(path, message));
            }
            continue;
        };
        if names.is_empty() {
            return Err(FieldError::at(
                path,
                "is empty; name a resource, or omit resources to take all other resources",
            ));
        }
        for name in names {
            let resource = resource(name).map_err(|m| FieldError::at(&path, m))?;
            if let Some((_, other)) = taken.iter().find(|(r, _)| *r == resource) {
                let message = format!(
                    "{name:?} is already in store {other:?}; a resource belongs to exactly one store"
                );
                return Err(FieldError::at(path, message));
            }
            taken.push((resource, spec.name.clone()));
        }
    }
    if let Some(i) = rest {
        let free = routable().filter(|r| taken.iter().all(|(t, _)| t != r));
        specs[i].resources = Some(free.map(|r| r.plural().to_owned()).collect());
    } else {
        for r in needed {
            if taken.iter().all(|(t, _)| t != r) {
                let message = format!(
                    "no store has {:?}; add it to a store, or omit resources in one store",
                    r.plural()
                );
                return Err(FieldError::at("stores", message));
            }
        }
    }
    Ok(routed(specs))
}

fn routed(specs: &[StoreSpec]) -> Vec<RoutedStore> {
    let mut stores: Vec<RoutedStore> = specs
        .iter()
        .map(|s| RoutedStore {
            name: s.name.clone(),
            resources: s
                .resources
                .iter()
                .flatten()
                .filter_map(|n| resource(n).ok())
                .collect(),
        })
        .collect();
    // What nothing needs still has a home, so that a lookup never fails.
    let homeless: Vec<Resource> = Resource::ALL
        .into_iter()
        .filter(|r| stores.iter().all(|s| !s.resources.contains(r)))
        .collect();
    if let Some(first) = stores.first_mut() {
        first.resources.extend(homeless);
    }
    stores
}

fn routable() -> impl Iterator<Item = Resource> {
    Resource::ALL
        .into_iter()
        .filter(|r| *r != Resource::Internal)
}

/// A resource that can be routed, by its name.
pub(super) fn resource(name: &str) -> Result<Resource, String> {
    routable().find(|r| r.plural() == name).ok_or_else(|| {
        let names: Vec<&str> = routable().map(Resource::plural).collect();
        format!("{name:?} is not a resource{}", hint(name, &names))
    })
}
