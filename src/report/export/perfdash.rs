//! PerfData of SIG Scalability's perfdash (k8s.io/kubernetes/test/e2e/perftype), as clusterloader2 writes its API
//! responsiveness: `Perc50`, `Perc90`, `Perc99` in ms. JSON has no +∞: a percentile that is a miss has no bucket, and the
//! item of the metric `Missed` tells it.

use super::{Named, operations, response, service};
use crate::report::result::{ClassResult, RunResult};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PerfData {
    version: &'static str,
    data_items: Vec<DataItem>,
}

#[derive(Debug, Serialize)]
struct DataItem {
    data: BTreeMap<&'static str, f64>,
    unit: &'static str,
    labels: BTreeMap<&'static str, String>,
}

/// Items of every op class, distinguished by the label `Metric`.
///
/// # Errors
/// None in practice: every field can be written as JSON.
pub fn render(r: &RunResult) -> Result<String, serde_json::Error> {
    let data = PerfData {
        version: "v1",
        data_items: r.classes.iter().flat_map(items).collect(),
    };
    Ok(serde_json::to_string_pretty(&data)? + "\n")
}

fn items(c: &ClassResult) -> Vec<DataItem> {
    let f = &c.figures;
    let count = operations(f);
    if count == 0 {
        return Vec::new();
    }
    let item = |metric: &str, unit, data: BTreeMap<&'static str, f64>| DataItem {
        data,
        unit,
        labels: BTreeMap::from([
            ("Metric", metric.to_owned()),
            ("Class", c.class.name.clone()),
            ("Verb", c.class.verb.to_uppercase()),
            ("Resource", c.class.resource.clone()),
            // perfdash takes it off before it tells items apart.
            ("Count", count.to_string()),
        ]),
    };
    let all = [
        item("ResponseTime", "ms", buckets(&response(f))),
        item("ServiceTime", "ms", buckets(&service(f))),
        item(
            "Missed",
            "%",
            BTreeMap::from([("Share", f.miss_share * 100.0)]),
        ),
        item(
            "Achieved",
            "1/s",
            BTreeMap::from([("Rate", f.achieved_rate)]),
        ),
    ];
    all.into_iter().filter(|i| !i.data.is_empty()).collect()
}

fn buckets(all: &[Named]) -> BTreeMap<&'static str, f64> {
    let named = all.iter().filter_map(|(name, _, quantile)| {
        let bucket = match *name {
            "p50" => "Perc50",
            "p90" => "Perc90",
            "p99" => "Perc99",
            _ => return None,
        };
        // Whole nanoseconds.
        Some((bucket, (quantile.finite()? * 1e9).round() / 1e6))
    });
    named.collect()
}
