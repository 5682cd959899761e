//! Whose etcd it is: any key outside `/registry-etcdmark/` is somebody's.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use common::{Testbed, command, etcdmark, output};
use serde_json::Value;

/// What each store holds, and what is said of it.
const STORES: [(&[&str], &str); 6] = [
    (
        &[
            "/kubernetes.io/pods/a/web",
            "/kubernetes.io/events/a/e",
            "/kubernetes.io/routes/a/r",
        ],
        "3 keys of a live Kubernetes cluster under /kubernetes.io/",
    ),
    (
        &[
            "/tenants/a/registry/services/specs/a/web",
            "/tenants/b/registry/minions/n",
        ],
        "2 keys of a live Kubernetes cluster under /tenants/a/registry/ and /tenants/b/registry/",
    ),
    (
        &["compact_rev_key"],
        "1 key of a kube-apiserver (compact_rev_key)",
    ),
    (
        &["/app/config"],
        "1 key of others (for example \"/app/config\")",
    ),
    (
        &["/registry-etcdmarks"],
        "1 key of others (for example \"/registry-etcdmarks\")",
    ),
    (
        &["/registry-etcdmark"],
        "1 key of others (for example \"/registry-etcdmark\")",
    ),
];

fn put(testbed: &Testbed, keys: &[&str]) {
    let mut client = testbed.client();
    testbed.runtime.block_on(async {
        for key in keys {
            client.put(*key, "x", None).await.unwrap();
        }
    });
}

fn delete(testbed: &Testbed, keys: &[&str]) {
    let mut client = testbed.client();
    testbed.runtime.block_on(async {
        for key in keys {
            client.delete(*key, None).await.unwrap();
        }
    });
}

#[test]
fn a_store_with_anybodys_keys_is_not_loaded_without_a_word() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let out = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        let all = [
            "run",
            "node-heartbeats",
            "--nodes",
            "5",
            "--warmup",
            "0s",
            "--quiet",
        ];
        let all = [
            &all[..],
            &["--duration", "1s", "--endpoints", &endpoints],
            more,
        ]
        .concat();
        output(command(&all).arg("--out").arg(out.path().join("out")))
    };
    // Leftovers of etcdmark's own are nobody's.
    put(&testbed, &["/registry-etcdmark/lost/leases/a"]);
    let said = run(&[]);
    assert!(said.is_well(), "{said:?}");
    std::fs::remove_dir_all(out.path().join("out")).unwrap();
    for (keys, whose) in STORES {
        put(&testbed, keys);
        let all = testbed.keys();
        for more in [
            &[][..],
            &["--yes-this-etcd-is-mine"],
            &["--yes-this-etcd-is-mine", "--prefix", "/registry"],
        ] {
            let said = run(more);
            assert_eq!(said.code, 2, "{keys:?} {more:?}: {said:?}");
            assert!(
                said.stderr
                    .contains(&format!("holds {whose}, and the load"))
                    && said.stderr.contains("--allow-live-cluster"),
                "{more:?}: {said:?}"
            );
            assert_eq!(testbed.keys(), all);
        }
        // A compaction by hand is not the advice there.
        let said = etcdmark(&["cleanup", "--endpoints", &endpoints, "--orphans"]);
        assert!(
            said.code == 0 && !said.stdout.contains(" compact "),
            "{said:?}"
        );
        put(&testbed, &["/registry-etcdmark/lost/leases/a"]);
        delete(&testbed, keys);
    }
    // Allowed, it comes up slowly, and says why; the guards are on.
    put(&testbed, STORES[0].0);
    let mut flags = command(&["run", "node-heartbeats", "--nodes", "5", "--duration", "1s"]);
    let flags = flags.args([
        "--endpoints",
        &endpoints,
        "--allow-live-cluster",
        "-o",
        "json",
    ]);
    let said = output(flags.arg("--out").arg(out.path().join("out")));
    assert!(said.is_well(), "{said:?}");
    let result: Value = serde_json::from_str(&said.stdout).unwrap();
    let notes = result["notes"].to_string();
    for part in [
        "a store in use (3 keys of a live Kubernetes cluster under /kubernetes.io/)",
        "load ramp up over 30 s",
        "guards quota, alarm, leader-change, quorum are active",
    ] {
        assert!(notes.contains(part), "{notes}");
    }
}

#[test]
fn inspect_and_quota_plan_name_resources_under_any_prefix() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    for (keys, _) in STORES {
        put(&testbed, keys);
    }
    put(&testbed, &["/registry/events/a/e", "/registry/pods/a/p"]);
    let said = etcdmark(&["inspect", "--endpoints", &endpoints]);
    assert_eq!(said.code, 0, "{said:?}");
    for line in [
        "1  /kubernetes.io/events\n",
        "1  /kubernetes.io/pods\n",
        "1  /kubernetes.io/routes\n",
        "1  /tenants/a/registry/services/specs\n",
        "1  /tenants/b/registry/minions\n",
        "1  /registry/pods\n",
        "4  others (neither Kubernetes' nor etcdmark's)\n",
        "Events are 28.6 % of the keys of Kubernetes\n",
    ] {
        assert!(said.stdout.contains(line), "{line:?}: {}", said.stdout);
    }
    let said = etcdmark(&[
        "quota-plan",
        "--endpoints",
        &endpoints,
        "--window",
        "1s",
        "-o",
        "json",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    for name in ["/kubernetes.io/pods", "/tenants/b/registry/minions", "pods"] {
        assert!(
            said.stdout.contains(&format!("\"{name}\"")),
            "{name}: {}",
            said.stdout
        );
    }
}

/// Keys of an application beside a cluster's are not that cluster's; the compactor's key is.
#[test]
fn keys_beside_a_clusters_are_told_apart() {
    let testbed = Testbed::new();
    put(
        &testbed,
        &[
            "/registry/pods/a/web",
            "compact_rev_key",
            "/app/a",
            "/app/b",
        ],
    );
    let endpoints = testbed.endpoints();
    let said = etcdmark(&["run", "--endpoints", &endpoints, "--duration", "1s"]);
    assert_eq!(said.code, 2, "{said:?}");
    let holds =
        "holds 2 keys of a live Kubernetes cluster under /registry/, and 2 of others, and the load";
    assert!(said.stderr.contains(holds), "{said:?}");
}
