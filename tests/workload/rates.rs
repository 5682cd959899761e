//! Every rate of the built-in workloads beside its source: Kubernetes' code, and what was recorded of a
//! kube-apiserver 1.37.2 with its etcd (two apiservers, fifty hollow nodes, up to an hour) and of a kind cluster.

use super::set;
use etcdmark::kube::OpClass;
use etcdmark::workload::ResolvedWorkload;

/// Seconds between two requests of one member, or requests per second and member.
enum Value {
    Every(f64),
    PerSecond(f64),
}
use Value::{Every, PerSecond};

/// What it is counted by.
type Of = fn(&ResolvedWorkload) -> f64;
const NODE: Of = |r| r.cluster.nodes as f64;
const LOCK: Of = |r| r.cluster.leader_locks as f64;
const STANDBY: Of = |r| (r.cluster.leader_locks * (r.cluster.apiservers - 1)) as f64;
const STANDBYS_2: Of = |r| (r.cluster.leader_locks * 2) as f64;
const APISERVER: Of = |r| r.cluster.apiservers as f64;
const SERVICE: Of = |r| r.cluster.services as f64;
const ONE: Of = |_| 1.0;

#[rustfmt::skip]
const RATES: &[(&str, OpClass, Of, Value, &str)] = &[
    ("node-heartbeats", OpClass::NodeLeaseUpdate, NODE, Every(10.2), "kubelet.go: 40 s x 0.25, JitterUntil 0.04; recorded 10.005 to 10.41 s, mean 10.211"),
    ("node-heartbeats", OpClass::NodeStatusUpdate, NODE, Every(306.0), "kubelet_node_status.go: first tick of 10 s x U(1, 1.04) after 300 s; recorded 305 to 307 s unchanged"),
    ("leader-leases", OpClass::LeaderLeaseUpdate, LOCK, Every(2.0), "leaderelection.go renew: wait.Until 2 s; recorded p50 2.006 s, kind 2.008 s"),
    ("leader-leases", OpClass::LeaderLeaseGet, STANDBYS_2, Every(3.2), "leaderelection.go acquire: JitterUntil 2 s, 1.2 added; recorded 2.07 to 4.21 s, kind mean 3.26 s"),
    ("leader-leases", OpClass::ApiserverLeaseUpdate, APISERVER, Every(10.2), "server.go: 10 s, jitter 0.04; recorded 10.01 to 10.40 s, mean 10.20"),
    ("leader-leases", OpClass::MasterLeaseList, APISERVER, Every(10.0), "reconcilers/lease.go: wait.Until 10 s; recorded every 10.00 s"),
    ("leader-leases", OpClass::MasterLeaseGet, APISERVER, PerSecond(0.2), "masterlease and peer lease; recorded 10.00 s each"),
    ("leader-leases", OpClass::MasterLeaseGrant, APISERVER, PerSecond(0.2), "a new lease of 15 s each time; recorded with both"),
    ("leader-leases", OpClass::MasterLeaseUpdate, APISERVER, PerSecond(0.2), "recorded with both"),
    ("cluster", OpClass::NodeLeaseUpdate, NODE, Every(10.2), "as node-heartbeats"),
    ("cluster", OpClass::NodeStatusUpdate, NODE, Every(306.0), "as node-heartbeats"),
    ("cluster", OpClass::LeaderLeaseUpdate, LOCK, Every(2.0), "as leader-leases"),
    ("cluster", OpClass::LeaderLeaseGet, STANDBY, Every(3.2), "as leader-leases"),
    ("cluster", OpClass::ApiserverLeaseUpdate, APISERVER, Every(10.2), "as leader-leases"),
    ("cluster", OpClass::MasterLeaseGet, APISERVER, PerSecond(0.2), "as leader-leases"),
    ("cluster", OpClass::MasterLeaseGrant, APISERVER, PerSecond(0.2), "as leader-leases"),
    ("cluster", OpClass::MasterLeaseUpdate, APISERVER, PerSecond(0.2), "as leader-leases"),
    ("cluster", OpClass::MasterLeaseList, APISERVER, Every(10.0), "as leader-leases"),
    ("cluster", OpClass::CompactorTxn, APISERVER, Every(300.0), "compact.go: DefaultCompactInterval; recorded every 300.00 s"),
    ("cluster", OpClass::CompactorCompact, ONE, Every(300.0), "only the winner compacts; recorded likewise"),
    ("events", OpClass::EventCreate, NODE, PerSecond(0.05 * 0.9), "30 pods per node, one hour each, 6 Events (recorded: 5.2 at start, 1 at the end); a tenth are series"),
    ("cluster", OpClass::EventCreate, NODE, PerSecond(0.05 * 0.9), "as events"),
    ("cluster", OpClass::EventGet, NODE, PerSecond(0.05 * 0.1), "a PATCH is a Range and a Txn; recorded so"),
    ("cluster", OpClass::EventPatch, NODE, PerSecond(0.05 * 0.1), "a tenth of the Events, chosen: client-go's aggregation depends on what fails"),
    ("cluster", OpClass::EventGrant, APISERVER, PerSecond(2.0 / 60.0), "lease_manager.go: 60 s or 1,000 Events; recorded per events client, two per apiserver"),
    ("cluster", OpClass::EndpointSliceUpdate, SERVICE, PerSecond(0.08), "150 endpoints per service, which come and go hourly: 300 changes / 3,600 s"),
    ("cluster", OpClass::EndpointsUpdate, SERVICE, PerSecond(0.08), "the same changes"),
];

#[test]
fn every_rate_has_a_source() {
    let mut wrong = Vec::new();
    for (workload, class, of, value, source) in RATES {
        let r = set(workload, &[]).unwrap();
        let all = r.rates();
        let rates = all.iter().filter(|c| c.class == *class);
        let each = rates.filter_map(|c| c.per_second).sum::<f64>() / of(&r);
        let (found, right) = match value {
            Every(seconds) => (1.0 / each, *seconds),
            PerSecond(rate) => (each, *rate),
        };
        if (found / right - 1.0).abs() > 1e-3 {
            wrong.push(format!(
                "{workload} {}: {found}, should be {right} ({source})",
                class.name()
            ));
        }
    }
    for workload in ["cluster", "node-heartbeats", "leader-leases"] {
        for c in set(workload, &[]).unwrap().rates() {
            if !RATES.iter().any(|r| r.0 == workload && r.1 == c.class) {
                wrong.push(format!(
                    "{workload} {} ({:?}/s): no source",
                    c.class.name(),
                    c.per_second
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
