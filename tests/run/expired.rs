//! Events that expire while their series go on.

use crate::common::etcd::etcd_path;
use crate::play::Run;

#[test]
fn a_series_whose_event_has_expired_goes_on_with_a_new_one() {
    let etcd = etcd_path();
    // 64 Events, of which a series update chooses one, are six seconds of creates; etcd keeps each for two.
    let run = Run::start(&[&[
        "events",
        "--etcd",
        etcd.to_str().unwrap(),
        "--set",
        "cluster.nodes=10",
        "--set",
        "actors.events.ratePerNode=2",
        "--set",
        "actors.events.seriesShare=0.5",
        "--set",
        "actors.events.ttl=1s",
        "--set",
        "phases.settle=0s",
        "--warmup",
        "4s",
        "--duration",
        "4s",
        "--quiet",
    ]])
    .finish();
    let classes = run.result["classes"].as_array().unwrap();
    let patches = classes.iter().find(|c| c["class"]["name"] == "event/patch");
    let counts = &patches.expect("no patches").clone()["figures"]["counts"];
    assert!(counts["offered"].as_u64().unwrap() > 20, "{counts}");
    assert_eq!(counts["failed"], 0, "{counts}");
    run.assert_went_well();
}
