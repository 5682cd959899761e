//! Keys of etcdmark's without a manifest, and manifests whose keys are not gone.

use crate::common::{Testbed, etcdmark};
use etcdmark::etcd::control::ControlClient;
use etcdmark::store::manifest::{self, Manifest};
use etcdmark::target::Target;

#[test]
fn keys_without_a_manifest_are_listed_and_go_when_told() {
    let testbed = Testbed::new();
    let mut client = testbed.client();
    let endpoints = testbed.endpoints();
    let theirs = ["/registry-etcdmark", "/registry-etcdmarks/a/b", "/z"];
    testbed.runtime.block_on(async {
        let lost = (0..1200).map(|i| format!("/registry-etcdmark/lost/leases/n{i}"));
        for key in lost.chain(theirs.map(str::to_owned)) {
            client.put(key, "x", None).await.unwrap();
        }
        let target = Target::plain(testbed.etcd.endpoints());
        let cluster = ControlClient::connect(&target).await.unwrap();
        let kept = Manifest::new("kept", "/registry-etcdmark/kept", "h", 1, 2);
        let kept = manifest::acquire(&cluster, kept).await.unwrap();
        let key = "/registry-etcdmark/kept/leases/a";
        client.put(key, "x", None).await.unwrap();
        assert!(!kept.release().await.unwrap(), "its keys are not gone");
    });
    let cleanup = |more: &[&str]| {
        let said = etcdmark(&[&["cleanup", "--endpoints", &endpoints], more].concat());
        (said.code, said.words(), said.stderr)
    };
    let count = || testbed.keys().len();
    let command = format!("etcdmark cleanup --endpoints {endpoints} --orphans");
    let listed = format!(
        "/registry-etcdmark/lost/: 1,200 keys without a manifest, not deleted; to delete them, run: {command}"
    );

    // Inspect shows commands that work, and none for what is not a run's.
    let strangers = ["/registry-etcdmark//x", "/registry-etcdmark/alone"];
    testbed.runtime.block_on(async {
        for key in strangers {
            client.put(key, "x", None).await.unwrap();
        }
    });
    let seen = etcdmark(&["inspect", "--endpoints", &endpoints]).words();
    for shown in [
        format!("/registry-etcdmark/lost (without a manifest; delete: {command})"),
        format!(
            "/registry-etcdmark/kept (delete: etcdmark cleanup --endpoints {endpoints} --run-id kept)"
        ),
        "/registry-etcdmark/alone (not a run's: cleanup leaves it)".to_owned(),
    ] {
        assert!(seen.contains(&shown), "{shown}: {seen}");
    }
    let (code, said, _) = cleanup(&[]);
    assert!(code == 0 && said.contains(&listed), "{said}");
    testbed.runtime.block_on(async {
        for key in strangers {
            client.delete(key, None).await.unwrap();
        }
        let target = Target::plain(testbed.etcd.endpoints());
        let cluster = ControlClient::connect(&target).await.unwrap();
        let kept = Manifest::new("kept", "/registry-etcdmark/kept", "h", 1, 2);
        let kept = manifest::acquire(&cluster, kept).await.unwrap();
        client
            .put("/registry-etcdmark/kept/leases/a", "x", None)
            .await
            .unwrap();
        assert!(!kept.release().await.unwrap(), "its keys are not gone");
    });

    let (code, _, stderr) = cleanup(&["--run-id", "lost"]);
    assert!(code == 2 && stderr.contains("--orphans"), "{stderr}");
    let (code, said, _) = cleanup(&[]);
    assert!(code == 0 && said.contains(&listed), "{said}");
    assert!(said.starts_with("run kept: 1 key deleted"), "{said}");
    assert_eq!(count(), 1203);
    let (code, said, _) = cleanup(&["--all"]);
    assert!(code == 0 && said == listed, "{said}");
    assert_eq!(count(), 1203);
    // A run of that name does not take them for its own, and says what does away with them.
    let run = [
        "run",
        "node-heartbeats",
        "--run-id",
        "lost",
        "--allow-live-cluster",
    ];
    let refused = etcdmark(&[&run[..], &["--endpoints", &endpoints]].concat());
    assert!(
        refused.code == 2 && refused.stderr.contains("cleanup --orphans"),
        "{refused:?}"
    );
    let (code, said, _) = cleanup(&["--orphans"]);
    let deleted =
        "/registry-etcdmark/lost/: 1,200 keys without a manifest deleted, 0 leases revoked";
    assert!(code == 0 && said.starts_with(deleted), "{said}");
    assert_eq!(testbed.keys(), theirs);
    let (code, said, _) = cleanup(&["--orphans"]);
    assert!(code == 0 && said.starts_with("nothing to delete"), "{said}");
}
