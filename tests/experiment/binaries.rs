//! Which etcd was played: path, full version and contents are the plan's, and every trial's.

use crate::common::{self, json};
use crate::desk::{Desk, file};
use serde_json::Value;
use std::path::Path;

/// An etcd of its own bytes.
fn wrapped(path: &Path, comment: &str) {
    let etcd = common::etcd_binary().find().unwrap().path;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let body = format!("# {comment}\nexec {} \"$@\"", etcd.display());
    common::script(path, &body);
}

#[test]
fn another_binary_at_the_same_path_is_another_plan() {
    let desk = Desk::new("");
    let home = desk.home.path();
    let (old, new) = (home.join("p1/etcd"), home.join("p2/etcd"));
    wrapped(&old, "old");
    wrapped(&new, "new");
    let text = file("")
        .replace(
            "    - name: plain\n",
            &format!(
                "    - name: plain\n      etcd: {{path: {:?}}}\n",
                old.display().to_string()
            ),
        )
        .replace(
            "etcd: {flags: [\"--backend-batch-limit=10\"]}",
            &format!("etcd: {{path: {:?}}}", new.display().to_string()),
        );
    std::fs::write(home.join("x.yaml"), text).unwrap();
    let said = desk.play(&["--smoke"]);
    assert!(said.is_well(), "{said:?}");
    let plan = json(&desk.out().join("plan.json"));
    let binary = |arm: usize| &plan["arms"][arm]["stores"][0]["binary"];
    assert_ne!(binary(0)["sha256"], binary(1)["sha256"]);
    for (arm, path) in [(0, &old), (1, &new)] {
        let real = path.canonicalize().unwrap();
        assert_eq!(binary(arm)["path"], real.display().to_string());
        assert_eq!(binary(arm)["sha256"].as_str().unwrap().len(), 64);
    }
    for trial in plan["trials"].as_array().unwrap() {
        let at = desk.out().join(trial["directory"].as_str().unwrap());
        let arm = usize::from(trial["arm"] != "plain");
        let header = &json(&at.join("result.json"))["header"];
        let played: &Value = &header["stores"][0]["members"][0]["binary"];
        assert_eq!(played, binary(arm), "{trial}");
    }
    let aside = home.join("aside");
    for (from, to) in [(&old, &aside), (&new, &old), (&aside, &new)] {
        std::fs::rename(from, to).unwrap();
    }
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("it holds another plan"), "{said:?}");
}

#[test]
fn copies_of_one_binary_are_no_two_arms() {
    let desk = Desk::new("");
    let home = desk.home.path();
    wrapped(&home.join("p1/etcd"), "same");
    wrapped(&home.join("p2/etcd"), "same");
    let text = file("")
        .replace(
            "    - name: plain\n",
            "    - name: plain\n      etcd: {path: p1/etcd}\n",
        )
        .replace(
            "etcd: {flags: [\"--backend-batch-limit=10\"]}",
            "etcd: {path: p2/etcd}",
        );
    std::fs::write(home.join("x.yaml"), text).unwrap();
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr
            .contains("arms plain and small-batch are the same"),
        "{said:?}"
    );
}

#[test]
fn a_pre_release_is_not_the_release() {
    let desk = Desk::new("");
    let rc = "echo 'etcd Version: 3.7.3-rc.1'";
    let etcd = common::script(&desk.home.path().join("etcd"), rc);
    let text = file("").replace(
        "etcd: {flags: [\"--backend-batch-limit=10\"]}",
        &format!(
            "etcd: {{path: {:?}, version: 3.7.3}}",
            etcd.display().to_string()
        ),
    );
    std::fs::write(desk.home.path().join("x.yaml"), &text).unwrap();
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("3.7.3-rc.1"), "{said:?}");
    let rc = text.replace("version: 3.7.3", "version: 3.7.3-rc.1");
    std::fs::write(desk.home.path().join("x.yaml"), rc).unwrap();
    let said = desk.etcdmark(&["experiment", "show", "x.yaml", "--plan"]);
    let plan: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(plan["arms"][1]["stores"][0]["version"], "3.7.3-rc.1");
}
