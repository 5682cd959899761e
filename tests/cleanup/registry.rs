//! A run on `/registry` itself that kept its keys, and what came to that etcd afterwards.

use crate::common::{Output, Testbed, command, output};
use etcd_client::{LeaseGrantOptions, PutOptions};

/// A short run on `/registry` that keeps its keys: 20 Nodes, CSINodes and Leases.
fn kept(testbed: &Testbed) -> Output {
    let out = tempfile::tempdir().unwrap();
    let ended = output(
        command(&["run", "node-heartbeats", "--nodes", "20", "--quiet"])
            .args(["--set", "actors.node-leases.period=1s"])
            .args(["--set", "phases.settle=0s", "--warmup", "0s"])
            .args(["--duration", "2s", "--keep-data", "--run-id", "kept"])
            .args(["--prefix", "/registry", "--yes-this-etcd-is-mine"])
            .args(["--endpoints", &testbed.endpoints(), "--out"])
            .arg(out.path().join("out")),
    );
    assert!(ended.is_well(), "{ended:?}");
    assert!(
        ended
            .words()
            .contains("--run-id kept --yes-this-etcd-is-mine"),
        "the command that is printed runs: {ended:?}"
    );
    ended
}

fn cleanup(testbed: &Testbed, more: &[&str]) -> Output {
    let endpoints = testbed.endpoints();
    let all = ["cleanup", "--endpoints", &endpoints, "--all"];
    crate::common::etcdmark(&[&all, more].concat())
}

const MINE: &str = "--yes-this-etcd-is-mine";

#[test]
fn a_live_clusters_leases_survive_the_cleanup_of_a_kept_run() {
    let testbed = Testbed::new();
    kept(&testbed);
    let before = testbed.keys();
    assert_eq!(before.len(), 61, "{before:?}");
    let refused = cleanup(&testbed, &[]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains(MINE), "{refused:?}");
    assert_eq!(testbed.keys(), before);

    // The etcd serves coordination.k8s.io/leases of a cluster from now on.
    let live = [
        "/registry/leases/kube-node-lease/worker-1",
        "/registry/leases/kube-system/kube-controller-manager",
    ];
    let mut client = testbed.client();
    testbed.runtime.block_on(async {
        let id = LeaseGrantOptions::new().with_id(77);
        client.lease_grant(3600, Some(id)).await.unwrap();
        let lease = || PutOptions::new().with_lease(77);
        for key in live {
            client.put(key, "live", Some(lease())).await.unwrap();
        }
    });
    let all = testbed.keys();
    for flags in [&[][..], &[MINE], &[MINE, "--force"]] {
        let refused = cleanup(&testbed, flags);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert_eq!(testbed.keys(), all, "{refused:?}");
    }
    let refused = cleanup(&testbed, &[MINE]);
    assert!(
        refused
            .stderr
            .contains("2 keys under /registry are not this run's")
            && refused.stderr.contains("the run's last known revision is"),
        "{refused:?}"
    );

    // A newer revision of one of the run's own keys is somebody's too.
    testbed.runtime.block_on(async {
        for key in live {
            client.delete(key, None).await.unwrap();
        }
    });
    let node = before.iter().find(|k| k.contains("/minions/")).unwrap();
    let (value, lease) = ("adopted", PutOptions::new().with_lease(77));
    let adopt = client.put(node.as_str(), value, Some(lease));
    testbed.runtime.block_on(adopt).unwrap();
    let refused = cleanup(&testbed, &[MINE]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains(node), "{refused:?}");
    assert_eq!(testbed.keys(), before);

    // Alone again, and with the flag, the rest goes.
    let delete = client.delete(node.as_str(), None);
    testbed.runtime.block_on(delete).unwrap();
    let said = cleanup(&testbed, &[MINE]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stdout.starts_with("run kept: 59 keys deleted"),
        "{said:?}"
    );
    assert_eq!(testbed.keys(), Vec::<String>::new());
    let ids = testbed.runtime.block_on(client.leases()).unwrap();
    let ids: Vec<i64> = ids
        .leases()
        .iter()
        .map(etcd_client::LeaseStatus::id)
        .collect();
    assert_eq!(ids, [77], "no lease of somebody's is revoked");
}

#[test]
fn a_planted_manifest_deletes_nothing() {
    let testbed = Testbed::new();
    let mut client = testbed.client();
    let live = "/registry/leases/kube-node-lease/worker-1";
    let plant = |run: &str, prefix: &str| {
        format!(
            "{{\"version\":1,\"etcdmark\":\"0.1.0\",\"runId\":\"{run}\",\"prefix\":\"{prefix}\",\"planHash\":\"h\",\
             \"seed\":1,\"epochUnixNs\":1,\"phase\":\"measure\",\"populated\":1,\"createdUnixNs\":1,\
             \"lastRevision\":9000000}}"
        )
    };
    testbed.runtime.block_on(async {
        client.put(live, "live", None).await.unwrap();
        let manifest = "/registry-etcdmark/planted/.etcdmark";
        let text = plant("planted", "/registry");
        client.put(manifest, text, None).await.unwrap();
    });
    let refused = cleanup(&testbed, &[MINE]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("1 key under /registry is not this run's")
            && refused.stderr.contains("but the run began after revision"),
        "{refused:?}"
    );
    assert_eq!(testbed.keys().len(), 2);

    // Nor does a manifest reach for another run's keys.
    testbed.runtime.block_on(async {
        let manifest = "/registry-etcdmark/planted/.etcdmark";
        let text = plant("planted", "/registry-etcdmark/other");
        client.put(manifest, text, None).await.unwrap();
        let other = "/registry-etcdmark/other/leases/a";
        client.put(other, "x", None).await.unwrap();
    });
    let refused = cleanup(&testbed, &[MINE, "--force"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.stderr.contains("cannot read the manifest"),
        "{refused:?}"
    );
    assert_eq!(testbed.keys().len(), 3);
}
