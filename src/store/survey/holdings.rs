//! What a store holds: keys by resource, and the sizes of a few of each.

use super::{OTHER, OURS, Survey, element};
use crate::etcd::control::{ControlClient, ControlError, RangeSpec};
use crate::rpc::prefix_end;
use crate::store::manifest::HOME;
use crate::store::others::COMPACTOR;
use crate::store::prefixes::kubernetes_prefixes;
use crate::store::segments::{by_segment, resource};

/// Values that are read of each resource to learn their sizes.
const SAMPLE: i64 = 20;

/// Counts keys by resource, reads a few values of each for their sizes, and the compactor's key.
pub(super) async fn holdings(cluster: &ControlClient, s: &mut Survey) -> Result<(), ControlError> {
    match cluster.get(COMPACTOR).await {
        Ok(Some(kv)) => {
            let revision = String::from_utf8_lossy(kv.value()).parse().unwrap_or(0);
            s.compactor = Some((kv.version(), revision));
        }
        Ok(None) => {}
        Err(e) => s.compactor_unread = Some(e.to_string()),
    }
    for prefix in kubernetes_prefixes(cluster).await? {
        let named = resource(&prefix, "");
        hold(cluster, s, &format!("{prefix}/"), &named).await?;
    }
    for run in by_segment(cluster, &format!("{HOME}/")).await?.into_keys() {
        hold(cluster, s, &format!("{HOME}/{run}/"), OURS).await?;
    }
    rest(cluster, s).await
}

async fn hold(
    cluster: &ControlClient,
    s: &mut Survey,
    base: &str,
    prefix: &str,
) -> Result<(), ControlError> {
    for (resource, keys) in by_segment(cluster, base).await? {
        if resource.starts_with(".etcdmark") {
            continue;
        }
        let row = s
            .resources
            .entry(format!("{prefix}{resource}"))
            .or_default();
        row.keys = Some(row.keys.unwrap_or(0) + keys);
        let from = format!("{base}{resource}/").into_bytes();
        let to = prefix_end(&from);
        let spec = RangeSpec {
            limit: SAMPLE,
            ..RangeSpec::new(&from, &to)
        };
        // A few values more or less decide little: what cannot be read is left out.
        let Ok(page) = cluster.range(spec).await else {
            continue;
        };
        for kv in &page.kvs {
            *row.sample.entry(element(kv)).or_default() += 1;
        }
    }
    Ok(())
}

/// Keys that are in no resource: what lies between the ranges that were counted.
async fn rest(cluster: &ControlClient, s: &mut Survey) -> Result<(), ControlError> {
    let mut counted: Vec<Vec<u8>> = s
        .prefixes
        .iter()
        .map(|p| format!("{p}/").into_bytes())
        .chain([format!("{HOME}/").into_bytes()])
        .collect();
    counted.sort();
    counted.dedup();
    let mut from = b"\0".to_vec();
    let ends = counted
        .into_iter()
        .map(|prefix| (prefix.clone(), prefix_end(&prefix)));
    for (to, next) in ends.chain([(b"\0".to_vec(), Vec::new())]) {
        let spec = RangeSpec {
            limit: SAMPLE,
            ..RangeSpec::new(&from, &to)
        };
        if from != to || to == b"\0" {
            let page = cluster.range(spec).await?;
            if page.count > 0 {
                let row = s.resources.entry(OTHER.to_owned()).or_default();
                row.keys = Some(row.keys.unwrap_or(0) + page.count);
                for kv in &page.kvs {
                    *row.sample.entry(element(kv)).or_default() += 1;
                }
            }
        }
        from = next;
    }
    Ok(())
}
