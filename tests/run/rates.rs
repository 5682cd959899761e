//! What a plan says of its rates is what is offered: estimates, caps and `validate` stand on it.

use crate::play::Run;
use etcdmark::kube::OpClass;
use etcdmark::workload::{Overrides, Source};

/// One actor of each kind, fast enough to be counted; with what a kind can do beside its default.
const ACTORS: &str = "
    - {name: node-leases, kind: nodeLease, rate: 100}
    - {name: node-status, kind: nodeStatus, rate: 50}
    - {name: events, kind: event, rate: 60, seriesShare: 0.5}
    - {name: leader-leases, kind: leaderLease, period: 200ms}
    - {name: apiserver-leases, kind: apiserverLease, period: 400ms}
    - {name: endpoints, kind: endpoints, rate: 40}
    - {name: endpointslices, kind: endpointSlice, rate: 40}
    - {name: lists, kind: list, resource: leases, rate: 10}
    - {name: probe, kind: probe, rate: 60, writes: true}
    - {name: compactor, kind: compactor, period: 400ms}
    - {name: defragmenter, kind: defragmenter, period: 1s}
";
const SECONDS: f64 = 10.0;

#[test]
fn every_kind_of_actor_offers_what_its_rates_say() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("all.yaml");
    let text = format!(
        "apiVersion: etcdmark/v1alpha2\nkind: Workload\nmetadata: {{name: all}}\nspec:\n  cluster: {{nodes: 50}}\n  \
         actors:{ACTORS}  phases: {{settle: 0s, warmup: 0s, duration: {SECONDS}s}}\n"
    );
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let plan = Source::load(path).unwrap();
    let rates = plan.resolve(&Overrides::new()).unwrap().rates();
    let etcd = crate::common::etcd::etcd_flags();
    let etcd: Vec<&str> = etcd.iter().map(String::as_str).collect();
    let run = Run::start(&[&[path, "--quiet"], &etcd]).finish();
    let classes = run.result["classes"].as_array().unwrap();
    for rate in rates {
        // A short run grants each client's first lease, not what comes later.
        if rate.class == OpClass::EventGrant {
            continue;
        }
        let name = rate.class.name();
        let row = classes.iter().find(|c| c["class"]["name"] == name);
        let row = row.unwrap_or_else(|| panic!("{name} is not in {classes:?}"));
        let offered = row["figures"]["counts"]["offered"].as_f64().unwrap();
        let said = rate.per_second.unwrap() * SECONDS;
        // Chance, the ends of periods, and creates in place of updates.
        let slack = 2.5 * said.sqrt() + 0.05 * said + 3.0;
        assert!(
            (offered - said).abs() <= slack,
            "{name}: {offered} offered, {said} said"
        );
    }
}
