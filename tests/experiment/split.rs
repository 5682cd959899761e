//! `--split`, and the arms of `split-events`: what flags add to a file's arms, what is refused, what is left out.

use crate::common::{self, Output};
use crate::desk::{Desk, file};
use crate::killed::results;
use etcdmark::experiment::builtin;
use serde_json::{Value, json};

fn show(desk: &Desk, name: &str, args: &[&str]) -> Output {
    desk.etcdmark(&[&["experiment", "show", name, "--plan"], args].concat())
}

fn plan(desk: &Desk, name: &str, args: &[&str]) -> Value {
    let said = show(desk, name, args);
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.stdout).unwrap()
}

/// The stores of an arm, each with where its data lie.
fn stores<'a>(plan: &'a Value, arm: &str) -> Vec<(&'a str, Option<&'a str>)> {
    let mut arms = plan["arms"].as_array().unwrap().iter();
    let arm = arms
        .find(|a| a["name"] == arm)
        .unwrap_or_else(|| panic!("{plan}"));
    let stores = arm["stores"].as_array().unwrap().iter();
    let store = |s: &'a Value| (s["store"].as_str().unwrap(), s["dataDir"].as_str());
    stores.map(store).collect()
}

#[test]
fn flags_add_arms_to_those_of_split_events() {
    let desk = Desk::new(&file(""));
    std::fs::create_dir(desk.home.path().join("other")).unwrap();
    let args = [
        "--dir",
        "other",
        "--split",
        "leases",
        "--split",
        "events,leases+nodes",
    ];
    let made = plan(&desk, "split-events", &args);
    assert_eq!(made["baseline"], "shared");
    assert_eq!(stores(&made, "shared"), [("main", None)]);
    assert_eq!(stores(&made, "split"), [("main", None), ("events", None)]);
    // Only the Events' etcd lies there.
    let dir = [("main", None), ("events", Some("other"))];
    assert_eq!(stores(&made, "dir-other"), dir);
    let leases = [("main", None), ("leases", None)];
    assert_eq!(stores(&made, "split-leases"), leases);
    let both = [("main", None), ("events", None), ("leases-nodes", None)];
    assert_eq!(stores(&made, "split-events-leases.nodes"), both);

    let all = "leases,nodes,csinodes,events,endpoints,endpointslices,masterleases";
    let made = plan(&desk, "split-events", &["--split", all]);
    // One for each, and one for etcdmark's own keys and the compactors'.
    assert_eq!(stores(&made, "split-7-stores").len(), 8);
}

#[test]
fn a_wrong_split_is_refused_by_name() {
    let desk = Desk::new(&file(""));
    for (args, message) in [
        (
            &["--split", "evnts"][..],
            "--split evnts: split: \"evnts\" is not a resource; did you mean \"events\"?",
        ),
        (
            &["--split", "events,"],
            "--split events,: split: \"\" is not a resource; known: leases",
        ),
        (
            &["--split", "events+events"],
            "names events twice: a resource belongs to exactly one etcd",
        ),
        (
            &["--split", "leases", "--split", "leases"],
            "--split leases: given twice; name it once",
        ),
        (
            &["--dir", "missing"],
            "--dir missing: stores.1.etcd.dataDir: missing: No such file or directory",
        ),
        (
            &["--dir", "/sys"],
            "--dir /sys: stores.1.etcd.dataDir: /sys: cannot write in it: Permission denied",
        ),
        (
            &["--dir", "x.yaml"],
            "stores.1.etcd.dataDir: x.yaml: not a directory",
        ),
    ] {
        let said = desk.etcdmark(&[&["experiment", "split-events", "--smoke"], args].concat());
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains(message), "{args:?}: {}", said.stderr);
    }
    let said = show(&desk, "x.yaml", &["--split", "leases"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains(
            "--split leases: tiny cannot make arms from it, because its file has no forEach.split; experiments that can: split-events"
        ),
        "{said:?}"
    );
    // Whether anybody writes the resource is a matter of the workload.
    let text = file("  forEach: {keepArms: true, split: {name: \"{name}\", split: \"{split}\"}}\n");
    let said = show(
        &Desk::new(&text),
        "x.yaml",
        &["--split", "leases,endpoints"],
    );
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains(
            "--split leases,endpoints: split: no actor of the workload writes endpoints; the actors write: leases, nodes"
        ),
        "{said:?}"
    );
}

#[test]
fn events_in_memory_are_left_out_where_there_is_none_and_it_is_said() {
    let text = builtin("split-events").unwrap().text;
    let nowhere = text.replace("dataDir: /dev/shm", "dataDir: /nonexistent/shm");
    assert_ne!(text, nowhere);
    let desk = Desk::new(&nowhere);
    let made = plan(&desk, "x.yaml", &[]);
    assert_eq!(made["arms"].as_array().unwrap().len(), 2);
    let left = &made["skippedArms"][0];
    assert_eq!(left["arm"], "tmpfs");
    let reason = left["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("dataDir: /nonexistent/shm: No such file or directory"),
        "{reason}"
    );
    // Too little room, as in many containers.
    let script = format!(
        "sed \"s,/nonexistent/shm,$DIR,\" {:?} > \"$DIR/x.yaml\"; $ETCDMARK experiment show \"$DIR/x.yaml\" --plan",
        desk.home.path().join("x.yaml")
    );
    if let Some(out) = common::with_small_disk("64m", &script) {
        let made: Value =
            serde_json::from_str(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"));
        let reason = made["skippedArms"][0]["reason"].as_str().unwrap();
        assert!(
            reason.contains("are free; the measurement needs 256 MiB"),
            "{reason}"
        );
    }
}

#[test]
fn an_arm_that_splits_gives_each_its_etcd() {
    let text =
        file("  forEach: {keepArms: true, split: {name: \"apart-{name}\", split: \"{split}\"}}\n");
    let desk = Desk::new(&text);
    let list = "leases,nodes+csinodes";
    let said = desk.play(&[
        "--smoke",
        "--split",
        list,
        "--arm",
        "plain",
        "--arm",
        "apart-leases-nodes.csinodes",
    ]);
    assert!(said.is_well(), "{said:?}");
    for (trial, result) in results(&desk) {
        let mut held = Vec::new();
        for store in result["header"]["stores"].as_array().unwrap() {
            held.push((store["name"].as_str().unwrap(), store["resources"].clone()));
        }
        if trial["arm"] == "plain" {
            assert_eq!(held.len(), 1, "{held:?}");
        } else {
            assert_eq!(held[1], ("leases", json!(["leases"])));
            assert_eq!(held[2].0, "nodes-csinodes");
            // Every renewal went to the etcd of Leases, and to no other.
            let revisions = |store: &str| {
                let of = &result["outcome"]["revisions"][store];
                of[1].as_i64().unwrap() - of[0].as_i64().unwrap()
            };
            let class = &result["classes"][0];
            assert_eq!(class["class"]["name"], "node-lease/update");
            assert_eq!(class["class"]["store"], "leases");
            let written = class["figures"]["counts"]["revisions"].as_i64().unwrap();
            assert!(revisions("leases") >= written && written > 0, "{result}");
            assert!(revisions("main") < written, "{result}");
        }
        assert_eq!(result["verify"]["lost"], 0);
    }
}
