//! An etcd that another process started, on this machine: whether it has cores of its own.

use crate::common::Testbed;
use crate::common::command::{BINARY, shell};
use crate::common::results::json;

/// A short run on this etcd from these cores; whether it is said to share them.
fn shares(testbed: &Testbed, cores: &str) -> bool {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let script = format!(
        "taskset -c {cores} {BINARY} run node-heartbeats --nodes 10 --warmup 0s --set phases.settle=0s --duration 1s --quiet \
         --endpoints {} --out {}",
        testbed.endpoints(),
        out.display()
    );
    let said = shell("sh", &script).output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    let result = json(&out.join("result.json"));
    let shares = result["validity"]["inputs"]["shares_cores_with_etcd"].as_bool();
    let shares = shares.unwrap_or_else(|| panic!("{said:?}"));
    assert_eq!(text.contains("doubtful: shares "), shares, "{text}");
    shares
}

#[test]
fn an_etcd_on_other_cores_is_not_said_to_share_them() {
    let cores = std::thread::available_parallelism().unwrap().get();
    if cores < 2 {
        return;
    }
    let testbed = Testbed::new();
    assert!(shares(&testbed, "0"));
    let pid = testbed.etcd.members()[0].pid().unwrap();
    let pin = shell("sh", &format!("taskset -acp 1 {pid}"))
        .output()
        .unwrap();
    assert!(pin.status.success(), "{pin:?}");
    assert!(!shares(&testbed, "0"));
    assert!(shares(&testbed, "1"));
}
