//! `--medium`: what a run on an emulated medium says, as whom it works, and that nothing outlives it.

use crate::common::command::BINARY;
use crate::common::etcd::etcd_path;
use crate::common::files::copy_executable;
use crate::common::{command, json, output, processes};
use crate::play::{QUICK, Run};
use etcdmark::local::{Files, Medium};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

const NOBODY: u32 = 65534;

fn write(dir: &Path, spec: &str) -> String {
    let path = dir.join("medium.yaml");
    let text = format!(
        "apiVersion: etcdmark/v1alpha2\nkind: Medium\nmetadata: {{name: mine}}\nspec: {spec}\n"
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn args<'a>(etcd: &'a Path, medium: &'a str) -> [&'a str; 4] {
    ["--etcd", etcd.to_str().unwrap(), "--medium", medium]
}

#[test]
fn the_result_says_what_was_emulated_beside_what_etcd_found() {
    let home = tempfile::tempdir().unwrap();
    let medium = write(home.path(), "{files: wal, sync: {constant: 4ms}}");
    let wal = home.path().join("wal");
    let etcd = etcd_path();
    let apart = ["--wal-dir", wal.to_str().unwrap(), "--duration", "3s"];
    let run = Run::start(&[&QUICK, &args(&etcd, &medium), &apart]).finish();
    run.assert_went_well();
    let info = &run.result["header"]["stores"][0]["members"][0]["medium"];
    assert_eq!(info["name"], "mine", "{info}");
    assert_eq!(info["spec"]["sync"]["constant"], "4ms");
    assert!(info["wal"]["overhead_ns"].as_u64().is_some(), "{info}");
    let member = &run.result["stores"][0]["members"][0];
    let files = member["medium"].as_array().unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
    let figures = &files[0];
    assert_eq!(figures["file"], "wal");
    assert!(figures["syncs"].as_u64() > Some(0), "{figures}");
    assert_eq!(figures["asked_mean_ns"], 4e6);
    let etcds = member["fsync_mean"].as_f64().unwrap() * 1e9;
    let cost =
        info["wal"]["base_ns"].as_f64().unwrap() + info["wal"]["overhead_ns"].as_f64().unwrap();
    assert!(etcds >= 4e6 - cost, "{etcds} {member}");
    assert!(
        run.said.stdout.contains("medium  etcd-0 mine on "),
        "{}",
        run.said.stdout
    );
    // A log without its database is of no use to anybody.
    assert_eq!(std::fs::read_dir(&wal).unwrap().count(), 0);
}

#[test]
fn members_can_have_media_of_their_own() {
    let home = tempfile::tempdir().unwrap();
    let medium = write(home.path(), "{files: wal, sync: {constant: 3ms}}");
    let (etcd, first) = (etcd_path(), format!("1={medium}"));
    let three = [
        "--members",
        "3",
        "--medium-member",
        &first,
        "--duration",
        "2s",
    ];
    let run = Run::start(&[&QUICK, &args(&etcd, &medium)[..2], &three]).finish();
    run.assert_went_well();
    for member in run.result["stores"][0]["members"].as_array().unwrap() {
        let slow = member["member"] == "etcd-1";
        let figures = member["medium"].as_array().unwrap();
        assert_eq!(figures.is_empty(), !slow, "{member}");
    }
}

#[test]
fn it_takes_no_root() {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let medium = write(home.path(), "{sync: {constant: 3ms}}");
    // Where the user finds both binaries.
    let bring = |from: &Path, name: &str| copy_executable(from, &home.path().join(name));
    let etcd = bring(&etcd_path(), "etcd");
    let etcdmark = bring(BINARY.as_ref(), "etcdmark");
    let out = home.path().join("out");
    let mut run = Command::new(etcdmark);
    run.arg("run")
        .args(QUICK)
        .args(args(&etcd, &medium))
        .args(["--duration", "2s", "--out"])
        .arg(&out)
        .env_clear()
        .current_dir(home.path());
    if rustix::process::geteuid().is_root() {
        run.uid(NOBODY).gid(NOBODY);
    }
    let said = output(&mut run);
    assert!(said.is_well(), "{said:?}");
    let result = json(&out.join("result.json"));
    let files = &result["stores"][0]["members"][0]["medium"];
    assert_eq!(files[0]["file"], "db", "{files}");
    assert_eq!(files[1]["file"], "wal", "{files}");
    assert!(files[1]["syncs"].as_u64() > Some(0), "{files}");
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(out.join("result.json")).unwrap().uid();
    assert_ne!(owner, 0, "it ran as nobody");
}

#[test]
fn no_etcd_outlives_an_etcdmark_that_was_killed_while_syncs_are_held() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    // So slow that the kill meets a held sync for sure.
    let medium = write(home.path(), "{files: wal, sync: {constant: 200ms}}");
    let etcd = etcd_path();
    let named = ["--data-dir", data.to_str().unwrap(), "--duration", "300s"];
    let mut run = Run::start(&[&QUICK, &args(&etcd, &medium), &named]);
    run.until_second(1);
    let dir = data.to_str().unwrap().to_owned() + "/etcd-0";
    let found = processes::with_argument(&format!("--data-dir={dir}"));
    assert_eq!(found.len(), 1, "{found:?}");
    run.signal(Signal::KILL);
    let _ = run.finish();
    processes::until_none_with_argument(&dir);
}

#[test]
fn a_wrong_medium_is_refused_before_anything_is_started() {
    let home = tempfile::tempdir().unwrap();
    let etcd = etcd_path();
    let refused = |args: &[&str], says: &[&str]| {
        let all: Vec<&OsStr> = ["run", "node-heartbeats", "--etcd"]
            .iter()
            .map(OsStr::new)
            .chain([etcd.as_os_str()])
            .chain(args.iter().map(OsStr::new))
            .collect();
        let said = output(command(&all).current_dir(home.path()));
        let stderr = said.stderr;
        assert_eq!(said.code, 2, "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
        for word in says {
            assert!(stderr.contains(word), "{args:?}: {stderr}");
        }
        assert!(!home.path().join("etcdmark-results").exists());
    };
    refused(
        &["--medium", "nvme"],
        &["medium \"nvme\"", "local-nvme", "presets: "],
    );
    let file = write(home.path(), "{sync: {constant: 2}}");
    refused(&["--medium", &file], &["medium.yaml:4:", "2", "100ms"]);
    // Nothing can be held for a microsecond only.
    let fast = write(home.path(), "{sync: {constant: 1us}}");
    refused(
        &["--medium", &fast],
        &[
            "medium mine has a median sync time of 1us",
            "emulation overhead",
            "can only slow",
        ],
    );
    refused(
        &["--medium", "hdd", "--etcd-flag=--unsafe-no-fsync"],
        &["--unsafe-no-fsync", "does not sync"],
    );
    refused(
        &["--medium-member", "1=hdd"],
        &["--medium-member 1", "1 member"],
    );
    refused(
        &["--medium-member", "hdd"],
        &["--medium-member \"hdd\"", "0=hdd"],
    );
    refused(
        &["--etcd-flag=--wal-dir=/tmp/x"],
        &["--etcd-flag", "--wal-dir"],
    );
}

#[test]
fn the_example_of_the_reference_is_a_medium() {
    let page = include_str!("../../docs/reference/media.md");
    let yaml = page.split("```yaml\n").nth(1).unwrap();
    let yaml = yaml.split("```").next().unwrap();
    let medium = Medium::parse("media.md", yaml).unwrap();
    assert_eq!(medium.files, Files::Wal);
}

#[test]
fn media_of_two_stores_draw_times_of_their_own() {
    let home = tempfile::tempdir().unwrap();
    let spec = "{sync: {quantiles: [{p: 0.5, value: 2ms}, {p: 1, value: 8ms}]}}";
    let medium = write(home.path(), spec);
    let etcd = etcd_path();
    let split = ["--split", "leases", "--duration", "1s"];
    let run = Run::start(&[&QUICK, &args(&etcd, &medium), &split]).finish();
    run.assert_went_well();
    let stores = run.result["header"]["stores"].as_array().unwrap();
    let seeds: Vec<_> = stores
        .iter()
        .map(|s| s["members"][0]["medium"]["seed"].as_u64().unwrap())
        .collect();
    assert_eq!(seeds.len(), 2, "{seeds:?}");
    assert_ne!(seeds[0], seeds[1]);
}
