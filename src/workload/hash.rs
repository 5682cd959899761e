//! The plan's hash: equal for two runs if and only if they write the same keys and values at the same
//! intended instants (given the same prefix and epoch, which the manifest holds). Limits, thresholds,
//! phases' lengths, workers and connections do not enter it.

use super::file::Spec;
use super::stores::RoutedStore;
use crate::kube::Cluster;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Hex SHA-256 over canonical JSON (keys sorted, no white space).
pub(super) fn plan_hash(
    seed: u64,
    cluster: &Cluster,
    stores: &[RoutedStore],
    spec: &Spec,
) -> String {
    let stores: Vec<Value> = stores
        .iter()
        .map(|s| {
            let mut resources: Vec<&str> = s.resources.iter().map(|r| r.plural()).collect();
            resources.sort_unstable();
            json!({ "name": s.name, "resources": resources })
        })
        .collect();
    let document = json!({
        "v": 1,
        "seed": seed,
        "cluster": serde_json::to_value(cluster).unwrap_or_default(),
        "stores": stores,
        "actors": serde_json::to_value(&spec.actors).unwrap_or_default(),
        "rateScale": spec.load.rate_scale,
        "rateRamp": spec.load.rate_ramp,
    });
    canonical_sha256(&document)
}

/// Hex SHA-256 of a value as canonical JSON.
pub(crate) fn canonical_sha256(document: &Value) -> String {
    let mut text = String::new();
    canonical(document, &mut text);
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// Sorted whatever features serde_json was built with.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(&map[key.as_str()], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}
