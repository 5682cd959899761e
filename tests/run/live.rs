//! A store that belongs to a Kubernetes cluster.

use crate::common::{Testbed, etcdmark, events};
use crate::play::{QUICK, Run};

#[test]
fn a_live_cluster_is_refused_or_loaded_gently_and_keeps_its_keys() {
    let testbed = Testbed::new();
    let mut client = testbed.client();
    let key = "/registry/namespaces/default";
    testbed
        .runtime
        .block_on(client.put(key, "x", None))
        .unwrap();
    let endpoints = testbed.endpoints();
    let given = ["--endpoints", &endpoints, "--duration", "2s"];

    let refused = Run::start(&[&QUICK, &given]).finish();
    assert_eq!(refused.said.code, 2, "{:?}", refused.said);
    assert!(
        refused.said.stderr.contains("--allow-live-cluster"),
        "{:?}",
        refused.said
    );

    let ended = Run::start(&[&QUICK, &given, &["--allow-live-cluster"]]).finish();
    ended.assert_went_well();
    let all = events(&ended.out());
    let note = |words: &str| {
        let said = |e: &&serde_json::Value| {
            e["type"] == "note" && e["text"].as_str().unwrap().contains(words)
        };
        assert!(all.iter().any(|e| said(&e)), "no note of {words}");
    };
    note("a store in use (1 key of a live Kubernetes cluster under /registry/)");
    note("the guards quota, alarm, leader-change, quorum are active");

    // So is the filling: its rate rises for 30 s.
    let filled = ended.result["populate"]["seconds"].as_f64();
    assert!(filled >= Some(25.0), "{filled:?}");

    // 60 renewals a second in the end; a triangle of 30 s before.
    let offered: Vec<u64> = all
        .iter()
        .filter(|e| e["type"] == "interval" && e["phase"] == "warmup")
        .map(|e| {
            e["classes"]["node-lease/update"]["offered"]
                .as_u64()
                .unwrap_or(0)
        })
        .collect();
    assert!(offered.len() >= 29, "{offered:?}");
    let sum = |s: &[u64]| s.iter().sum::<u64>();
    let (first, last) = (sum(&offered[..10]), sum(&offered[offered.len() - 10..]));
    // 100 and 500, if nothing came late.
    assert!(first < 200 && last > 2 * first, "{offered:?}");

    let left = etcdmark(&["cleanup", "--endpoints", &endpoints, "--all"]);
    assert_eq!(left.code, 0, "{left:?}");
    assert_eq!(testbed.keys(), [key]);
}
