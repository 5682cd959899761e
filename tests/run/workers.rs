//! The number of workers decides who sends the load, not what is sent.

use crate::common::command::shell;
use crate::common::{Testbed, events, output, store};
use crate::play::Run;
use serde_json::Value;
use std::collections::BTreeMap;

/// Fewer services than workers, an object that all clients share, Events with shared etcd leases.
const WORKLOAD: &str = "apiVersion: etcdmark/v1alpha2
kind: Workload
metadata: {name: workers, description: some of everything}
spec:
  cluster: {nodes: 30, services: 3, endpointsPerService: 150, apiservers: 3}
  actors:
    - {name: node-leases, kind: nodeLease, period: 1s}
    - {name: node-status, kind: nodeStatus, rate: 20}
    - {name: events, kind: event, rate: 100, seriesShare: 0.3}
    - {name: endpoints, kind: endpoints, rate: 20}
    - {name: endpointslices, kind: endpointSlice, rate: 20}
    - {name: leader-leases, kind: leaderLease, period: 500ms}
    - {name: apiserver-leases, kind: apiserverLease, period: 1s}
    - {name: list, kind: list, rate: 5, resource: leases}
    - {name: probe, kind: probe, rate: 50, writes: true}
  phases: {settle: 0s, warmup: 0s, duration: 3s, drain: 30s}
  limits: {default: 60s}
";

/// Calls that this etcd has answered, by method and code.
fn answered(testbed: &Testbed) -> BTreeMap<String, u64> {
    let page = testbed
        .runtime
        .block_on(store::metrics(&testbed.endpoints()));
    let lines = page.lines().filter_map(|line| {
        let (labels, n) = line
            .strip_prefix("grpc_server_handled_total{")?
            .rsplit_once(' ')?;
        Some((labels.to_owned(), n.parse().ok()?))
    });
    lines.collect()
}

#[test]
fn the_load_is_the_same_with_any_number_of_workers() {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), WORKLOAD).unwrap();
    let mut all = Vec::new();
    for workers in ["1", "2", "4"] {
        let testbed = Testbed::new();
        let endpoints = testbed.endpoints();
        let workload = file.path().to_str().unwrap();
        let args = [workload, "--endpoints", &endpoints, "--workers", workers];
        let ended = Run::start(&[&args, &["--seed", "5", "--quiet"]]).finish();
        assert!(ended.said.is_well(), "{:?}", ended.said);
        let counts = |class: &Value| {
            let counts = &class["figures"]["counts"];
            let name = class["class"]["name"].as_str().unwrap().to_owned();
            let sent = ["offered", "ok", "failed"].map(|of| counts[of].as_u64().unwrap());
            (name, sent)
        };
        let classes = ended.result["classes"].as_array().unwrap();
        let classes: BTreeMap<_, _> = classes.iter().map(counts).collect();
        // What populate, the sweep and the cleanup send besides depends on how objects fall into pages.
        let answered = answered(&testbed).into_iter();
        let grants = answered.filter(|(labels, _)| labels.contains("grpc_method=\"LeaseGrant\""));
        let grants: u64 = grants.map(|(_, n)| n).sum();
        all.push((classes, grants));
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
}

/// A closed loop of 800 clients where a process may open 300 files: each client is there, none needs a file.
#[test]
fn a_closed_loop_has_all_its_clients_however_few_files_may_be_open() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("out");
    let run = format!(
        "ulimit -n 300 && exec \"$ETCDMARK\" run node-heartbeats --nodes 2000 --warmup 0s --duration 3s --quiet \
         --set phases.settle=0s --set actors.node-leases.concurrency=800 --set primary=[] --out {}",
        out.display()
    );
    let said = output(&mut shell("bash", &run));
    assert!(said.is_well(), "{said:?}");
    let in_flight = events(&out).into_iter().filter(|e| e["type"] == "interval");
    let most = in_flight.filter_map(|e| e["in_flight"].as_u64()).max();
    // At the instant of an interval some clients are between two requests.
    assert!((700..=810).contains(&most.unwrap()), "{most:?}");
}
