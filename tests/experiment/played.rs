//! An experiment that is played to its end, shown again, and gone on with.

use crate::common::schema::{assert_fits, validator};
use crate::common::{events, json};
use crate::desk::{Desk, file};
use etcdmark::experiment::schema::{file_schema, result_schema};
use serde_json::{Value, json};

#[test]
fn arms_are_played_in_blocks_and_the_result_is_made_of_their_files() {
    let desk = Desk::new(&file("  smoke: {blocks: 2}\n"));
    let said = desk.play(&["--smoke", "--seed", "5"]);
    assert!(said.is_well(), "{said:?}");
    assert!(said.stderr.contains("trial 1 of 4: arm "), "{said:?}");
    assert!(
        said.stdout.contains("an interval needs at least 6"),
        "{said:?}"
    );

    let plan = json(&desk.out().join("plan.json"));
    let trials = plan["trials"].as_array().unwrap();
    for block in trials.chunks(2) {
        assert_eq!(block[0]["seed"], block[1]["seed"], "one seed in a block");
        assert_ne!(block[0]["arm"], block[1]["arm"]);
    }
    assert_ne!(trials[0]["seed"], trials[2]["seed"]);
    for trial in trials {
        let result = json(
            &desk
                .out()
                .join(trial["directory"].as_str().unwrap())
                .join("result.json"),
        );
        let header = &result["header"];
        assert_eq!(header["experiment"], "tiny");
        for field in ["arm", "block", "trial", "order", "seed"] {
            assert_eq!(header[field], trial[field], "{field}");
        }
        assert_eq!(result["outcome"]["outcome"], "completed");
        assert_eq!(result["verify"]["lost"], 0);
    }
    // The same traffic in a block: the same plan, the same keys, on another etcd.
    let header = |i: usize| {
        json(
            &desk
                .out()
                .join(trials[i]["directory"].as_str().unwrap())
                .join("result.json"),
        )["header"]
            .clone()
    };
    assert_eq!(header(0)["plan_hash"], header(1)["plan_hash"]);
    assert_eq!(header(0)["prefix"], header(1)["prefix"]);
    assert_ne!(
        header(0)["stores"][0]["cluster_id"],
        header(1)["stores"][0]["cluster_id"]
    );

    let written = std::fs::read_to_string(desk.out().join("experiment.json")).unwrap();
    let result: Value = serde_json::from_str(&written).unwrap();
    assert_fits(&result_schema(), &result, "experiment.json");
    assert_eq!(result["complete"], true);
    // Rebuilt from the trials' files alone, byte for byte.
    std::fs::remove_file(desk.out().join("experiment.json")).unwrap();
    let again = desk.etcdmark(&["report", "out", "-o", "json"]);
    assert_eq!((again.code, again.stdout.as_str()), (0, written.as_str()));
    let text = desk.etcdmark(&["report", "out"]);
    assert_eq!(text.stdout, said.stdout);
    let hgrm = desk.etcdmark(&["report", "out", "-o", "hgrm"]);
    assert!(
        hgrm.code == 2 && hgrm.stderr.contains("name the directory of a trial"),
        "{hgrm:?}"
    );
    let trial = format!("out/{}", trials[0]["directory"].as_str().unwrap());
    assert_eq!(desk.etcdmark(&["report", &trial]).code, 0);

    // The same command again finds everything done; another seed is another plan.
    let again = desk.play(&["--smoke", "--seed", "5"]);
    assert_eq!(again.code, said.code, "{again:?}");
    assert!(
        again.stderr.contains("4 of 4 trials are already complete"),
        "{again:?}"
    );
    assert!(!again.stderr.contains("trial 1 of 4"), "{again:?}");
    let other = desk.play(&["--smoke", "--seed", "6"]);
    assert_eq!(other.code, 2, "{other:?}");
    assert!(
        other.stderr.contains(
            "--out out: it holds another plan (tiny, 2 blocks, seed 5, smoke test; hash "
        ),
        "{other:?}"
    );

    // A longer experiment goes on in the same directory; a shorter one would leave trials out.
    let blocks = |n: u32| {
        let text = file(&format!("  smoke: {{blocks: {n}}}\n"));
        std::fs::write(desk.home.path().join("x.yaml"), text).unwrap();
        desk.play(&["--smoke", "--seed", "5"])
    };
    let longer = blocks(3);
    assert!(longer.is_well(), "{longer:?}");
    let done = "4 of 6 trials are already complete";
    assert!(longer.stderr.contains(done), "{longer:?}");
    assert_eq!(desk.result()["trials"].as_array().unwrap().len(), 6);
    assert_eq!(json(&desk.out().join("plan.json"))["blocks"], 3);
    let shorter = blocks(2);
    assert_eq!(shorter.code, 2, "{shorter:?}");
    let why = "it holds an experiment of 3 blocks, and this plan has 2; use --blocks 3 or more";
    assert!(shorter.stderr.contains(why), "{shorter:?}");
}

#[test]
fn an_invalid_trial_is_played_once_more_and_a_torn_one_again() {
    let desk = Desk::new(&file("  sweep: {nodes: [10, 20]}\n"));
    let first = desk.play(&["--smoke", "--quiet"]);
    assert!(first.is_well(), "{first:?}");
    let names: Vec<String> = desk
        .trials()
        .into_iter()
        .filter(|n| !n.ends_with(".invalid"))
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(
        names.iter().any(|n| n.ends_with("-nodes-20-plain")),
        "{names:?}"
    );
    let path = |name: &str| desk.out().join("trials").join(name);
    let header = |name: &str| events(&path(name))[0]["t0_unix_ns"].as_u64().unwrap();
    let before: Vec<u64> = names.iter().map(|n| header(n)).collect();
    // One says that it was invalid for the first time, one lost its end as a killed one does, the others are done.
    let mut result = json(&path(&names[0]).join("result.json"));
    result["validity"]["verdict"] = json!("invalid");
    std::fs::write(path(&names[0]).join("result.json"), result.to_string()).unwrap();
    let _ = std::fs::remove_dir_all(path(&format!("{}.invalid", names[0])));
    std::fs::remove_file(path(&names[1]).join("result.json")).unwrap();
    let shown = desk.etcdmark(&["report", "out"]);
    assert!(shown.stdout.starts_with("incomplete, "), "{shown:?}");
    let again = desk.play(&["--smoke", "--quiet"]);
    assert!(again.is_well(), "{again:?}");
    let after: Vec<u64> = names.iter().map(|n| header(n)).collect();
    assert!(after[0] > before[0] && after[1] > before[1], "played again");
    assert_eq!(after[2..], before[2..], "not played again");
    let aside = path(&format!("{}.invalid", names[0]));
    assert_eq!(
        json(&aside.join("result.json"))["header"]["t0_unix_ns"],
        before[0]
    );
    assert_eq!(desk.result()["trials"][0]["repeated"], true);
    assert_eq!(desk.result()["complete"], true);
}

#[test]
fn the_schema_of_files_refuses_what_the_code_refuses() {
    let validator = validator(&file_schema());
    let good: Value = serde_saphyr::from_str(&file("")).unwrap();
    assert!(validator.is_valid(&good));
    let mut bad = good.clone();
    bad["spec"]["arms"][0]["colour"] = json!("red");
    assert!(!validator.is_valid(&bad));
    let mut bad = good;
    bad["spec"].as_object_mut().unwrap().remove("question");
    assert!(!validator.is_valid(&bad));
}

#[test]
fn an_arm_may_have_an_emulated_medium() {
    let flags = "etcd: {flags: [\"--backend-batch-limit=10\"]}";
    let desk = Desk::new(&file("").replace(flags, "etcd: {medium: slow.yaml}"));
    let medium = "apiVersion: etcdmark/v1alpha2\nkind: Medium\nmetadata: {name: slow}\n\
                  spec: {files: wal, sync: {constant: 20ms}}\n";
    std::fs::write(desk.home.path().join("slow.yaml"), medium).unwrap();
    let said = desk.play(&["--smoke"]);
    assert!(said.is_well(), "{said:?}");
    let plan = json(&desk.out().join("plan.json"));
    assert_eq!(plan["arms"][1]["stores"][0]["medium"]["name"], "slow");
    let trials = plan["trials"].as_array().unwrap();
    for trial in trials {
        let directory = desk.out().join(trial["directory"].as_str().unwrap());
        let result = json(&directory.join("result.json"));
        let medium = &result["header"]["stores"][0]["members"][0]["medium"]["name"];
        if trial["arm"] == "plain" {
            assert_eq!(*medium, Value::Null);
            continue;
        }
        assert_eq!(*medium, "slow");
        // Every renewal waits for a sync of the log: the least that it can take, whatever else the machine does.
        let renewals = &result["classes"][0];
        assert_eq!(renewals["class"]["name"], "node-lease/update");
        let least = renewals["figures"]["service"]["min_ns"].as_u64();
        assert!(least >= Some(5_000_000), "{least:?}");
    }
}
