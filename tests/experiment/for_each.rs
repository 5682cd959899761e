//! `--dir`, `--wal-dir` and `--medium`: arms of the file's templates, and what is wrong with them.

use crate::common::{self, Output, json};
use crate::desk::{Desk, file};
use serde_json::Value;

const TEMPLATES: &str = "  forEach:
    dir: {name: \"on-{name}\", etcd: {dataDir: \"{dir}\"}}
    medium: {name: \"{name}\", description: \"as {medium}\", etcd: {medium: \"{medium}\"}}
";

/// A desk with directories on it.
fn desk(more: &str, dirs: &[&str]) -> Desk {
    let desk = Desk::new(&file(more));
    for dir in dirs {
        std::fs::create_dir_all(desk.home.path().join(dir)).unwrap();
    }
    desk
}

fn plan(desk: &Desk, args: &[&str]) -> Value {
    let said = show(desk, args);
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.stdout).unwrap()
}

fn show(desk: &Desk, args: &[&str]) -> Output {
    desk.etcdmark(&[&["experiment", "show", "x.yaml", "--plan"], args].concat())
}

fn names(plan: &Value) -> Vec<&str> {
    let arms = plan["arms"].as_array().unwrap();
    arms.iter().map(|a| a["name"].as_str().unwrap()).collect()
}

#[test]
fn flags_make_arms_of_the_files_templates() {
    let desk = desk(TEMPLATES, &["nvme", "a/etcd", "b/etcd", "log"]);
    let dirs = ["--dir", "nvme", "--dir", "a/etcd", "--dir", "b/etcd"];
    let made = plan(&desk, &[&dirs[..], &["--medium", "hdd"]].concat());
    assert_eq!(
        names(&made),
        ["on-nvme", "on-a-etcd", "on-b-etcd", "hdd"],
        "the file's own arms are not played"
    );
    assert_eq!(made["baseline"], "on-nvme");
    let store = |plan: &Value, arm: usize| plan["arms"][arm]["stores"][0].clone();
    assert_eq!(store(&made, 1)["dataDir"], "a/etcd");
    assert_eq!(store(&made, 1)["walDir"], Value::Null);
    assert_eq!(store(&made, 3)["medium"]["name"], "hdd");
    assert_eq!(made["arms"][3]["description"], "as hdd");
    let note = made["notes"][0].as_str().unwrap();
    assert!(
        note.starts_with("arms on-nvme, on-a-etcd, on-b-etcd are on the same disk ("),
        "{note}"
    );

    let once = plan(&desk, &[&dirs[..], &["--wal-dir", "log"]].concat());
    assert_eq!(names(&once)[0], "on-nvme-wal-log");
    assert!((0..3).all(|i| store(&once, i)["walDir"] == "log"), "{once}");
    let each = plan(
        &desk,
        &[
            "--dir",
            "nvme",
            "--wal-dir",
            "nvme",
            "--dir",
            "nvme",
            "--wal-dir",
            "log",
        ],
    );
    assert_eq!(names(&each), ["on-nvme", "on-nvme-wal-log"]);
    assert_eq!(store(&each, 1)["walDir"], "log");
    let chosen = plan(
        &desk,
        &[&dirs[..], &["--arm", "on-nvme", "--arm", "on-b-etcd"]].concat(),
    );
    assert_eq!(names(&chosen), ["on-nvme", "on-b-etcd"]);
}

#[test]
fn a_file_may_keep_its_arms_beside_those_made() {
    let more = format!("{TEMPLATES}    keepArms: true\n  baseline: small-batch\n");
    let desk = desk(&more, &["nvme"]);
    let made = plan(&desk, &["--dir", "nvme"]);
    assert_eq!(names(&made), ["plain", "small-batch", "on-nvme"]);
    assert_eq!(made["baseline"], "small-batch");
}

#[test]
fn wrong_flags_and_templates_are_refused_by_name() {
    let desk = desk(TEMPLATES, &["nvme", "log"]);
    std::fs::write(desk.home.path().join("file"), "").unwrap();
    let medium = "apiVersion: etcdmark/v1alpha2\nkind: Medium\nmetadata: {name: m}\nspec:\n  sync: {constant: 2}\n";
    std::fs::write(desk.home.path().join("wrong.yaml"), medium).unwrap();
    for (args, message) in [
        (
            &["--dir", "missing"][..],
            "--dir missing: etcd.dataDir: missing: No such file or directory",
        ),
        (
            &["--dir", "file"],
            "--dir file: etcd.dataDir: file: not a directory",
        ),
        (
            &["--dir", "/sys"],
            "--dir /sys: etcd.dataDir: /sys: cannot write in it: Permission denied",
        ),
        (
            &["--dir", "log", "--wal-dir", "missing"],
            "--dir nvme --wal-dir missing: etcd.walDir: missing: No such file or directory",
        ),
        (
            &["--dir", "nvme"],
            "error: --dir nvme: given twice; name it once",
        ),
        (
            &["--dir", "./nvme"],
            "arms on-nvme and on-nvme-2 are the same",
        ),
        (
            &["--wal-dir", "log", "--wal-dir", "log"],
            "--wal-dir: 2 with 1 --dir: name one for all of them, or one for each",
        ),
        (
            &["--medium", "hddd"],
            "--medium hddd: etcd.medium: medium \"hddd\": no such preset and no such file; did you mean \"hdd\"?",
        ),
        (
            &["--medium", "wrong.yaml"],
            "--medium wrong.yaml: etcd.medium: wrong.yaml:5:20: constant: \"2\" is not a duration",
        ),
    ] {
        let said = desk.play(&[&["--smoke", "--dir", "nvme"], args].concat());
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains(message), "{args:?}: {}", said.stderr);
    }
    // A plan may be made for another machine.
    let made = plan(&desk, &["--dir", "nvme", "--dir", "/theirs/gp3"]);
    assert_eq!(names(&made), ["on-nvme", "on-gp3"]);
    let note = "arm on-gp3: /theirs/gp3 is not on this machine, so nothing is known of it";
    assert!(
        made["notes"].as_array().unwrap().iter().any(|n| n == note),
        "{made}"
    );
    let said = show(&desk, &["--dir", "nvme"]);
    assert!(
        said.stderr.contains(
            "--dir nvme: makes only one arm, but at least 2 are needed: name another one"
        ),
        "{said:?}"
    );

    let none = Desk::new(&file(""));
    let said = show(&none, &["--medium", "hdd"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr
            .contains("--medium hdd: tiny cannot make arms from it, because its file has no forEach.medium; experiments that can: media"),
        "{said:?}"
    );
    for (template, message) in [
        (
            "  forEach:\n    dir: {name: fast, etcd: {dataDir: \"{dir}\"}}\n",
            "x.yaml:24:17: forEach.dir.name: does not contain {name}",
        ),
        (
            "  forEach:\n    medium: {name: \"{name}\", etcd: {medium: hdd}}\n",
            "forEach.medium: does not contain {medium}, so its arms would be identical",
        ),
        (
            "  forEach:\n    disk: {name: \"{name}\"}\n",
            "x.yaml:24:5: unknown key \"disk\"",
        ),
    ] {
        let said = show(&Desk::new(&file(template)), &[]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains(message), "{template}: {}", said.stderr);
    }
}

#[test]
fn made_arms_are_played() {
    let desk = desk(TEMPLATES, &["a", "b", "log"]);
    let said = desk.play(&[
        "--smoke",
        "--dir",
        "a",
        "--dir",
        "b",
        "--wal-dir",
        "a",
        "--wal-dir",
        "log",
    ]);
    assert!(said.is_well(), "{said:?}");
    assert!(
        said.stderr
            .contains("arms on-a, on-b-wal-log are on the same disk"),
        "{said:?}"
    );
    assert!(said.stdout.contains("are on the same disk"), "{said:?}");
    let result = desk.result();
    assert_eq!(result["notes"], result["plan"]["notes"]);
    for trial in result["trials"].as_array().unwrap() {
        let trial = desk.out().join(trial["directory"].as_str().unwrap());
        let result = json(&trial.join("result.json"));
        assert_eq!(result["verify"]["lost"], 0);
    }
    // Nothing stays in the directories.
    for dir in ["a", "b", "log"] {
        let left = std::fs::read_dir(desk.home.path().join(dir)).unwrap();
        assert_eq!(left.count(), 0, "{dir}");
    }
}

#[test]
fn a_disk_that_is_nearly_full_is_refused() {
    let script = r#"mkdir "$DIR/a"; $ETCDMARK experiment media --medium hdd --dir "$DIR/a" --out "$DIR/out""#;
    if let Some(out) = common::with_small_disk("200m", script) {
        let stderr = out.stderr;
        assert_eq!(out.code, 2, "{stderr}");
        for part in [
            "/a: etcd.dataDir: ",
            "200 MiB of 200 MiB are free; the measurement needs 256 MiB",
            "name another directory",
        ] {
            assert!(stderr.contains(part), "no {part:?} in {stderr}");
        }
    }
}

#[test]
fn a_medium_faster_than_its_base_is_refused_before_any_trial() {
    let desk = desk(TEMPLATES, &["a"]);
    let medium = "apiVersion: etcdmark/v1alpha2\nkind: Medium\nmetadata: {name: fast}\nspec:\n  sync: {constant: 1ns}\n";
    std::fs::write(desk.home.path().join("fast.yaml"), medium).unwrap();
    let said = desk.play(&["--smoke", "--dir", "a", "--medium", "fast.yaml"]);
    if said.code == 2 && said.stderr.contains("seccomp") {
        eprintln!("not tested: {}", said.stderr);
        return;
    }
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("arm fast: "), "{said:?}");
    assert!(!said.stderr.contains("trial 1 of"), "{said:?}");
    assert!(!desk.out().exists(), "{said:?}");
}
