//! etcd leases: what a cleanup asks of them grows with the Events, not with their square.

use crate::common::store::metrics;
use crate::common::{Testbed, etcdmark};
use etcd_client::{Client, LeaseGrantOptions, PutOptions, Txn, TxnOp};
use etcdmark::etcd::control::ControlClient;
use etcdmark::store::manifest::{self, Manifest};
use etcdmark::target::Target;

/// Keys on a lease, as kube-apiserver shares them.
const ON_A_LEASE: i64 = 1000;
/// Leases of the run, and of somebody else.
const LEASES: i64 = 40;

async fn fill(client: &mut Client, base: &str, first: i64) {
    for lease in first..first + LEASES {
        let id = LeaseGrantOptions::new().with_id(lease);
        client.lease_grant(3600, Some(id)).await.unwrap();
    }
    let puts: Vec<TxnOp> = (0..LEASES * ON_A_LEASE)
        .map(|i| {
            // Names sort by anything but the lease, as those of Events do by namespace.
            let key = format!(
                "{base}/events/default/e{:06}",
                i * 7919 % (LEASES * ON_A_LEASE)
            );
            let lease = PutOptions::new().with_lease(first + i / ON_A_LEASE);
            TxnOp::put(key, "x", Some(lease))
        })
        .collect();
    for batch in puts.chunks(125) {
        client
            .txn(Txn::new().and_then(batch.to_vec()))
            .await
            .unwrap();
    }
}

/// What an etcd has handled of a method, and the bytes that it has sent.
async fn handled(testbed: &Testbed, method: &str) -> (f64, f64) {
    let page = metrics(&testbed.endpoints()).await;
    let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    let name = format!("grpc_method=\"{method}\"");
    let rpcs = page
        .lines()
        .filter(|l| l.starts_with("grpc_server_handled_total") && l.contains(&name));
    let sent = page
        .lines()
        .filter(|l| l.starts_with("etcd_network_client_grpc_sent_bytes_total"));
    (rpcs.map(value).sum(), sent.map(value).sum())
}

#[test]
fn cleanup_asks_each_of_its_leases_once_and_nobody_elses() {
    let testbed = Testbed::new();
    let prefix = "/registry-etcdmark/events";
    let mut client = testbed.client();
    testbed.runtime.block_on(async {
        let target = Target::plain(testbed.etcd.endpoints());
        let cluster = ControlClient::connect(&target).await.unwrap();
        let claim = manifest::acquire(&cluster, Manifest::new("events", prefix, "h", 1, 2)).await;
        claim.unwrap().leave().await.unwrap();
        fill(&mut client, prefix, 1000).await;
        fill(&mut client, "/registry", 5000).await;
    });
    let before = testbed
        .runtime
        .block_on(handled(&testbed, "LeaseTimeToLive"));
    let said = etcdmark(&["cleanup", "--endpoints", &testbed.endpoints()]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stdout
            .starts_with("run events: 40,000 keys deleted, 40 leases revoked"),
        "{said:?}"
    );
    let after = testbed
        .runtime
        .block_on(handled(&testbed, "LeaseTimeToLive"));
    let (asked, sent) = (after.0 - before.0, after.1 - before.1);
    assert_eq!(asked, LEASES as f64, "LeaseTimeToLive");
    // Twice the names of its keys, with their revisions.
    let names = (LEASES * ON_A_LEASE) as f64 * 150.0;
    assert!(sent < names, "{sent} bytes, more than {names}");
    println!("{asked} LeaseTimeToLive, {sent} bytes sent");
    assert_eq!(testbed.keys().len() as i64, LEASES * ON_A_LEASE);
    let left = testbed.runtime.block_on(client.leases()).unwrap();
    assert!(left.leases().iter().all(|l| l.id() >= 5000));
    assert_eq!(left.leases().len() as i64, LEASES);
}
