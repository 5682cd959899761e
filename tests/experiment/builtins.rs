//! The built-in experiments: each is a file that resolves; a closer look at what came of those that have an expectation
//! of their own.

use crate::common::json;
use crate::common::schema::assert_fits;
use crate::desk::{Desk, file};
use crate::killed::{killed_and_gone_on_with, results};
use etcdmark::experiment::{BUILTINS, Changes, ExperimentSource};
use etcdmark::local::BinaryChoice;
use serde_json::Value;

#[test]
fn every_builtin_resolves_in_both_forms_and_fits_the_schema() {
    let schema = etcdmark::experiment::schema::file_schema();
    for builtin in BUILTINS {
        let source = ExperimentSource::load(builtin.name).unwrap();
        assert_eq!(source.file.metadata.name, builtin.name);
        let document: Value = serde_saphyr::from_str(builtin.text).unwrap();
        assert_fits(&schema, &document, builtin.name);
        for smoke in [true, false] {
            let changes = Changes {
                smoke,
                ..Changes::default()
            };
            match source.resolve(&changes, &etcdmark::analyses::ALL) {
                Ok(experiment) => assert_eq!(experiment.plan.smoke, smoke),
                // Where only one version of etcd is, there is nothing to compare.
                Err(e) => assert!(
                    versions() < 2 && e.to_string().contains("needs at least 2"),
                    "{}: {e}",
                    builtin.name
                ),
            }
        }
    }
}

/// How many of the series 3.4 to 3.7 are here.
fn versions() -> usize {
    let here = |series: &&&str| {
        let choice = BinaryChoice {
            version: Some((**series).to_owned()),
            ..BinaryChoice::default()
        };
        choice.find().is_ok()
    };
    ["3.4", "3.5", "3.6", "3.7"].iter().filter(here).count()
}

#[test]
fn list_and_show_name_them() {
    let desk = Desk::new(&file(""));
    let list = desk.etcdmark(&["experiment", "list"]);
    assert_eq!(list.code, 0);
    for builtin in BUILTINS {
        assert!(list.stdout.contains(builtin.name), "{list:?}");
        assert_eq!(
            desk.etcdmark(&["experiment", "show", builtin.name]).stdout,
            builtin.text
        );
    }
    let plan = desk.etcdmark(&["experiment", "show", "x.yaml", "--plan", "--smoke"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["trials"].as_array().unwrap().len(), 2);
}

#[test]
fn versions_is_played_on_every_etcd_that_is_here() {
    let here = versions();
    let Some((desk, said)) = killed_and_gone_on_with("versions") else {
        assert!(here < 2);
        return;
    };
    assert!(
        said.stdout
            .starts_with("smoke test, no conclusion: etcd 3."),
        "{said:?}"
    );
    for level in ["level steady", "level with-lists"] {
        assert!(said.stdout.contains(level), "{said:?}");
    }
    let plan = json(&desk.out().join("plan.json"));
    assert_eq!(plan["skippedArms"].as_array().unwrap().len(), 4 - here);
    let results = results(&desk);
    assert_eq!(results.len(), 2 * here);
    for (trial, result) in results {
        let version = result["header"]["stores"][0]["members"][0]["version"]
            .as_str()
            .unwrap();
        assert!(
            version.starts_with(trial["arm"].as_str().unwrap()),
            "{version}"
        );
        assert_eq!(result["verify"]["lost"], 0);
        let lists: Vec<&Value> = result["classes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|c| c["class"]["name"] == "list/nodes")
            .collect();
        if trial["level"] == "steady" {
            assert!(
                lists.iter().all(|l| l["figures"]["counts"]["offered"] == 0),
                "{lists:?}"
            );
        } else {
            // Every answer holds a hundred Nodes of some kilobytes each.
            let counts = &lists[0]["figures"]["counts"];
            assert!(counts["ok"].as_u64() >= Some(2), "{counts}");
        }
    }
}

/// Whose writes fail when Events have filled an etcd is no matter of how fast this machine is.
#[test]
fn split_events_shields_lease_renewals_from_a_full_quota() {
    let (desk, said) = killed_and_gone_on_with("split-events").unwrap();
    for (trial, result) in results(&desk) {
        let directory = desk.out().join(trial["directory"].as_str().unwrap());
        let stores = result["header"]["stores"].as_array().unwrap();
        let events = stores.iter().find(|s| s["name"] == "events");
        assert_eq!(events.is_some(), trial["arm"] != "shared", "{stores:?}");
        if let Some(events) = events {
            assert_eq!(events["resources"], serde_json::json!(["events"]));
        }
        assert_eq!(result["verify"]["lost"], 0);
        let counts = |class: &str| {
            let all = result["classes"].as_array().unwrap();
            let class = all.iter().find(|c| c["class"]["name"] == class).unwrap();
            class["figures"]["counts"].clone()
        };
        let full = |class: &str| counts(class)["errors"]["no-space"]["count"].as_u64();
        let noted = json(&directory.join("after.json"));
        if trial["level"] == "maintenance" {
            assert_eq!(full("node-lease/update"), None);
            let members = result["defragmentations"].as_array().unwrap();
            assert!(members.len() >= stores.len(), "{members:?}");
            assert!(noted["slowest"]["defragmentation"].is_number(), "{noted}");
            let compacted = noted["compactions"].as_object().unwrap();
            assert_eq!(compacted.len(), stores.len(), "{noted}");
            continue;
        }
        // Events fill an etcd in each arm; renewals fail where it is theirs too, and nowhere else.
        assert!(full("event/create") > Some(0), "{}", counts("event/create"));
        let renewals = counts("node-lease/update");
        if trial["arm"] == "shared" {
            assert!(full("node-lease/update") > Some(0), "{renewals}");
            assert!(noted["silent"].as_f64() > Some(0.0), "{noted}");
        } else {
            assert_eq!(renewals["failed"], 0, "{renewals}");
            assert_eq!(renewals["errors"], serde_json::json!({}), "{renewals}");
        }
    }
    for part in [
        "Lease renewals p99 at 300 Events/s, against shared: split ",
        "; at a full quota of 3 MiB ",
        " of Lease renewals fail in shared, none in split",
        "; split costs ",
        "a full quota\nlevel  arm ",
        "pauses: longest defragmentation",
        "the etcds of an arm and etcdmark share this machine",
    ] {
        assert!(said.stdout.contains(part), "no {part:?} in {}", said.stdout);
    }
    // What is shown is a function of the files.
    assert_eq!(desk.etcdmark(&["report", "out"]).stdout, said.stdout);
}

#[test]
fn media_shows_what_one_writer_and_many_get() {
    let Some((desk, said)) = killed_and_gone_on_with("media") else {
        return;
    };
    let result = desk.result();
    let trials = result["trials"].as_array().unwrap();
    let done = |t: &&Value| t["state"] == "done";
    let of = |arm: &str, level: &str| {
        trials
            .iter()
            .filter(done)
            .find(|t| t["arm"] == arm && t["level"] == level)
    };
    // A held sync takes at least as long as the medium asks for, however busy the machine is.
    let openai = trials.iter().find(|t| t["arm"] == "openai-2018").unwrap();
    let fsync = openai["values"]["etcd:fsync"]["value"].as_f64().unwrap();
    assert!(fsync > 0.0015, "{said:?}");
    assert!(
        said.stdout
            .contains("elections: none; no other member can replace"),
        "{said:?}"
    );
    let data = result["data"].as_array().unwrap();
    assert_eq!(data.len(), 3);
    for arm in data {
        let name = arm["arm"].as_str().unwrap();
        if of(name, "nodes-100").is_none() || of(name, "saturated").is_none() {
            continue;
        }
        let writer = &arm["oneWriter"];
        let number = |v: &Value| v.as_f64().unwrap();
        let one = number(&writer["writesPerSecond"]);
        // A write waits for its sync, and one sync at most is done for each write where one writes at a time.
        assert!(one < number(&writer["syncsPerSecond"]), "{arm}");
        assert!(number(&writer["many"]["writesPerSecond"]) > one, "{arm}");
        assert!(number(&writer["many"]["writesPerSync"]) > 1.0, "{arm}");
        let syncs = &arm["syncs"][0]["syncs"];
        let within = syncs["withinNs"].as_object().unwrap();
        assert_eq!(within.len(), 14, "{arm}");
        assert_eq!(within["8192000000"], syncs["count"], "{arm}");
        if name == "openai-2018" {
            assert_eq!(within["1000000"], 0.0, "{arm}");
        }
    }
}

#[test]
fn slow_member_keeps_the_leader_where_it_was_pinned() {
    let Some((desk, said)) = killed_and_gone_on_with("slow-member") else {
        return;
    };
    let result = desk.result();
    for trial in result["trials"].as_array().unwrap() {
        let run = desk.out().join(trial["directory"].as_str().unwrap());
        let run = json(&run.join("result.json"));
        let members = run["header"]["stores"][0]["members"].as_array().unwrap();
        let leader = members.iter().find(|m| m["leader"] == true).unwrap();
        assert_eq!(leader["name"], "etcd-0", "{said:?}");
        let named = |name: &str| {
            let found = members.iter().find(|m| m["name"] == name);
            found.map(|m| m["medium"]["name"].as_str().unwrap())
        };
        let media = match trial["arm"].as_str().unwrap() {
            "none-slow" => ["local-ssd", "local-ssd"],
            "slow-follower" | "slow-follower-asked" => ["local-ssd", "hdd"],
            "slow-leader" => ["hdd", "local-ssd"],
            _ => ["stalls", "local-ssd"],
        };
        assert_eq!(named("etcd-0"), Some(media[0]), "{said:?}");
        if let Some(second) = named("etcd-1") {
            assert_eq!(second, media[1], "{said:?}");
        }
    }
    // The leader is looked at again: it stayed, or it is said that it did not.
    let moved = said.stdout.contains("etcd-0 should lead main, but");
    let data = result["data"].as_array().unwrap();
    let changed = data.iter().any(|a| a["leaderChanges"] != 0.0);
    assert_eq!(moved, changed, "{said:?}");
    assert_eq!(
        said.stdout.contains("elections: the leader did not change"),
        !changed,
        "{said:?}"
    );
}

#[test]
fn defrag_stops_the_arm_that_it_shall() {
    let (desk, said) = killed_and_gone_on_with("defrag").unwrap();
    for (trial, result) in results(&desk) {
        let turns = result["defragmentations"].as_array().unwrap();
        let expected = usize::from(trial["arm"] == "defragmented");
        assert_eq!(turns.len(), expected, "{turns:?}");
        assert!(turns.iter().all(|t| t["error"].is_null()), "{turns:?}");
        assert_eq!(result["verify"]["lost"], 0);
    }
    let data = &desk.result()["data"];
    assert_eq!(data[0]["arm"], "defragmented");
    let (took, size) = (&data[0]["seconds"], &data[0]["sizeAfter"]);
    let (took, size) = (took.as_f64().unwrap(), size.as_f64().unwrap());
    // 500 Nodes of 10 kB each.
    assert!(size > 4e6, "{data}");
    assert_eq!(data[0]["perGb"].as_f64(), Some(took / size * 1e9), "{data}");
    assert!(
        said.stdout
            .starts_with("smoke test, no conclusion: a defragmentation blocks a member for "),
        "{said:?}"
    );
}
