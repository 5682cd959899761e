//! Whose a page of `--metrics-endpoints` is: what it says itself, not where it stands.

use crate::common::bare_etcd::BareEtcd;
use crate::common::etcd::of_three;
use crate::common::{Testbed, etcdmark, events};
use crate::members::leader;
use crate::play::{QUICK, Run};
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn pages_in_another_order_and_of_another_etcd_are_not_mixed_up() {
    let testbed = Testbed::of(of_three());
    let foreign = BareEtcd::start("http", &[]);
    let endpoints = testbed.etcd.endpoints();
    let leads = leader(&testbed);
    // The leader's page stands first, that of one follower last; instead of the other's there is another etcd's.
    let follower = (leads + 1) % 3;
    let missing = (leads + 2) % 3;
    let given = [leads, missing, follower].map(|i| endpoints[i].clone());
    let at = [follower, missing, leads].map(|i| endpoints[i].clone());
    let pages = [&given[0], &foreign.url, &given[2]].map(String::as_str);
    let access = [
        "--endpoints",
        &at.join(","),
        "--metrics-endpoints",
        &pages.join(","),
    ];

    let ended = Run::start(&[&QUICK, &access, &["--duration", "2s"]]).finish();
    ended.assert_went_well();
    let events = events(&ended.out());
    let mut led: BTreeMap<&str, bool> = BTreeMap::new();
    for event in events.iter().filter(|e| e["type"] == "server") {
        let leader = event["values"]["raft.is_leader"] == 1.0;
        led.insert(event["member"].as_str().unwrap(), leader);
    }
    let name = |i: usize| format!("etcd-{i}");
    let want = BTreeMap::from([(name(leads), true), (name(follower), false)]);
    let led: BTreeMap<String, bool> = led.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    assert_eq!(led, want);
    let words = ended.said.words();
    assert!(words.contains("which is not of this etcd"), "{words}");
    assert!(words.contains(&foreign.url), "{words}");

    let said = etcdmark(&[&["inspect", "-o", "json"], &access[..]].concat());
    let seen: Value = serde_json::from_str(&said.stdout).unwrap();
    let known = |m: &Value| {
        (
            m["name"].as_str().unwrap().to_owned(),
            !m["fsyncMean"].is_null(),
        )
    };
    let members = seen["members"].as_array().unwrap();
    let members: BTreeMap<String, bool> = members.iter().map(known).collect();
    let want = BTreeMap::from([
        (name(leads), true),
        (name(follower), true),
        (name(missing), false),
    ]);
    assert_eq!(members, want);
    let notes = seen["notes"].to_string();
    assert!(notes.contains("which is not of this etcd"), "{notes}");
    let unknown = format!(
        "no page of --metrics-endpoints is that of {}, so",
        endpoints[missing]
    );
    assert!(notes.contains(&unknown), "{notes}");
}
