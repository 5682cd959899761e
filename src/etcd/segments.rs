//! Keys by resource: what stands after `/registry/` in them.

use super::control::{Cluster, ControlError, RangeSpec, prefix_end};
use std::collections::BTreeMap;

/// Where each run of etcdmark has a directory of its own.
const HOME_SLASH: &str = "/registry-etcdmark/";

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

/// Keys by what stands after `base` up to the next slash; `services` and API groups one step deeper.
/// Steps from name to name: a read of one key and a count for each, whatever the store holds.
pub async fn by_segment(
    cluster: &Cluster,
    base: &str,
) -> Result<BTreeMap<String, i64>, ControlError> {
    let mut counts = BTreeMap::new();
    let (mut from, end) = (base.as_bytes().to_vec(), prefix_end(base.as_bytes()));
    loop {
        let spec = RangeSpec {
            limit: 1,
            keys_only: true,
            ..RangeSpec::new(&from, &end)
        };
        let Some(first) = cluster.range(spec).await?.kvs.into_iter().next() else {
            return Ok(counts);
        };
        let rest =
            String::from_utf8_lossy(first.key().get(base.len()..).unwrap_or_default()).into_owned();
        let name = if base == HOME_SLASH {
            rest.split('/').next().unwrap_or_default().to_owned()
        } else {
            segment(&rest)
        };
        let slash = if rest.len() > name.len() { "/" } else { "" };
        let prefix = format!("{base}{name}{slash}").into_bytes();
        let (start, stop) = match slash {
            // A key that ends here, alone.
            "" => (first.key().to_vec(), [first.key(), b"\0"].concat()),
            _ => (prefix.clone(), prefix_end(&prefix)),
        };
        // Names that are not UTF-8 cannot be found again by their text: step over this one key.
        if !first.key().starts_with(&prefix) {
            from = [first.key(), b"\0"].concat();
            continue;
        }
        *counts.entry(name).or_insert(0) += cluster.count(&start, &stop).await?;
        from = stop;
    }
}
