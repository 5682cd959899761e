//! Keys by resource: what stands after `/registry/` in them.

use super::manifest::HOME;
use crate::etcd::control::{ControlClient, ControlError};
use crate::rpc::prefix_end;
use std::collections::BTreeMap;

/// The resource of a key, of which `rest` is what follows `/registry/`: up to the next slash; `services` and API
/// groups one step deeper.
pub fn segment(rest: &str) -> String {
    let mut parts = rest.splitn(3, '/');
    let (one, two, three) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    match (two, three) {
        (Some(two), Some(_)) if one == "services" || one.contains('.') => format!("{one}/{two}"),
        _ => one.to_owned(),
    }
}

/// A resource's name: bare under `/registry`, with its prefix elsewhere.
pub fn resource(prefix: &str, name: &str) -> String {
    match prefix {
        "/registry" => name.to_owned(),
        other => format!("{other}/{name}"),
    }
}

/// Whether a resource's name is that of Events, of whatever prefix.
pub fn is_events(name: &str) -> bool {
    name == "events" || name.ends_with("/events")
}

/// Keys by what stands after `base` up to the next slash; `services` and API groups one step deeper.
/// Steps from name to name: a read of one key and a count for each, whatever the store holds.
pub async fn by_segment(
    cluster: &ControlClient,
    base: &str,
) -> Result<BTreeMap<String, i64>, ControlError> {
    let mut counts = BTreeMap::new();
    let (mut from, end) = (base.as_bytes().to_vec(), prefix_end(base.as_bytes()));
    loop {
        let Some(first) = cluster.first_key(&from, &end).await? else {
            return Ok(counts);
        };
        let rest =
            String::from_utf8_lossy(first.get(base.len()..).unwrap_or_default()).into_owned();
        let name = if base.strip_suffix('/') == Some(HOME) {
            rest.split('/').next().unwrap_or_default().to_owned()
        } else {
            segment(&rest)
        };
        let slash = if rest.len() > name.len() { "/" } else { "" };
        let prefix = format!("{base}{name}{slash}").into_bytes();
        let (start, stop) = match slash {
            // A key that ends here, alone.
            "" => (first.clone(), [&first[..], b"\0"].concat()),
            _ => (prefix.clone(), prefix_end(&prefix)),
        };
        // Names that are not UTF-8 cannot be found again by their text: step over this one key.
        if !first.starts_with(&prefix) {
            from = [&first[..], b"\0"].concat();
            continue;
        }
        *counts.entry(name).or_insert(0) += cluster.count(&start, &stop).await?;
        from = stop;
    }
}
