//! An etcd whose data lie in memory: that is said before the load and in the result.

use crate::common::etcdmark;
use crate::common::results::json;

#[test]
fn data_in_memory_are_said_first_and_in_the_result() {
    let home = tempfile::tempdir().unwrap();
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let (out, data) = (home.path().join("out"), memory.path().join("data"));
    let (out, data) = (out.to_str().unwrap(), data.to_str().unwrap());
    let args = [
        "run",
        "node-heartbeats",
        "--nodes",
        "20",
        "--set",
        "phases.settle=0s",
        "--warmup",
        "0s",
        "--duration",
        "1s",
        "--out",
        out,
    ];
    let said = etcdmark(&[&args[..], &["--data-dir", data]].concat());
    assert!(said.is_well(), "{said:?}");
    let warning = "the data are in memory (tmpfs ";
    let first = said.stderr.find(warning).unwrap_or(usize::MAX);
    let measure = said.stderr.find("measure").unwrap_or(0);
    assert!(first < measure, "{}", said.stderr);
    assert!(said.words().contains("the data are in memory"), "{said:?}");
    let result = json(&home.path().join("out/result.json"));
    let notes = result["notes"].as_array().unwrap();
    let note = |n: &&serde_json::Value| n["text"].as_str().unwrap().starts_with(warning);
    assert_eq!(notes.iter().find(note).unwrap()["level"], "warning");
    let member = &result["header"]["stores"][0]["members"][0];
    let file_system = member["file_system"].as_str().unwrap();
    assert!(file_system.starts_with("tmpfs "), "{member}");
}

#[test]
fn an_emulated_medium_on_memory_is_none() {
    let home = tempfile::tempdir().unwrap();
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let (out, data) = (home.path().join("out"), memory.path().join("data"));
    let (out, data) = (out.to_str().unwrap(), data.to_str().unwrap());
    let args = ["run", "node-heartbeats", "--nodes", "20", "--medium", "hdd"];
    let phases = ["--set", "phases.settle=0s", "--warmup", "0s"];
    let rest = ["--duration", "1s", "--out", out, "--data-dir", data];
    let said = etcdmark(&[&args[..], &phases[..], &rest[..]].concat());
    assert!(said.is_well(), "{said:?}");
    assert!(!said.stderr.contains("in memory ("), "{said:?}");
    assert!(!said.stdout.contains("in memory ("), "{said:?}");
}
