//! What is wrong is said before anything is started: where, what, and what would be right.

use crate::common;
use crate::desk::{Desk, file};

#[test]
fn a_wrong_file_names_line_column_and_the_nearest_right_word() {
    let good = file("");
    for (from, to, message) in [
        (
            "  question:",
            "  quest:",
            "x.yaml:6:3: unknown key \"quest\"; did you mean \"question\"?",
        ),
        (
            "    - name: plain",
            "    - nam: plain",
            "x.yaml:14:7: unknown key \"nam\"; did you mean \"name\"?",
        ),
        (
            "name: small-batch",
            "name: Small_Batch",
            "x.yaml:15:13: arms.1.name: \"Small_Batch\" is not a valid name; use up to 40",
        ),
        (
            "name: small-batch",
            "name: plain",
            "x.yaml:15:13: arms.1.name: \"plain\" is given twice",
        ),
        (
            "node-lease/update:p99",
            "node-lease/updat:p99",
            "x.yaml:19:7: primary.0: \"node-lease/updat:p99\": \"node-lease/updat\" is neither an op class nor all, etcd or \
             client; did you mean \"node-lease/update\"?",
        ),
        (
            "- node-lease/update:p99",
            "- node-lease/update:p99\n    - node-lease/update :p99",
            "x.yaml:20:7: primary.1: \"node-lease/update :p99\" is given twice",
        ),
        (
            "- etcd:rss",
            "- etcd:rss\n    - etcd:rss",
            "x.yaml:22:7: metrics.1: \"etcd:rss\" is given twice",
        ),
        (
            "node-lease/update:p99",
            "event/create:p99",
            "x.yaml:19:7: primary.0: \"event/create:p99\" in arm plain: no actor sends event/create; the workload sends: all, \
             node-lease/update, node-status/update",
        ),
        (
            "etcd:rss",
            "etcd:rs",
            "x.yaml:21:7: metrics.0: \"etcd:rs\": \"rs\" is not one of its figures; did you mean \"rss\"?",
        ),
        (
            "cluster.nodes=20",
            "cluster.nods=20",
            "x.yaml:10:9: set cluster.nods=20: unknown field \"cluster.nods\"; did you mean",
        ),
        (
            "cluster.nodes=20",
            "cluster.nodes=0",
            "x.yaml:10:9: set cluster.nodes=0: cluster.nodes: 0 is out of range; use 1 to",
        ),
        (
            "name: node-heartbeats",
            "name: node-heartbeat",
            "workload \"node-heartbeat\": no such built-in and no such file; did you mean",
        ),
        (
            "duration: 1s",
            "duration: forever",
            "phases.duration is forever, but a trial must end",
        ),
        (
            "flags: [\"--backend-batch-limit=10\"]",
            "flags: [\"--data-dir=/x\"]",
            "arm small-batch: --etcd-flag --data-dir=/x: etcdmark sets --data-dir itself",
        ),
        (
            "etcd: {flags: [\"--backend-batch-limit=10\"]}",
            "etcd: {dataDir: /nonexistent}",
            "x.yaml:17:23: arms.1.etcd.dataDir: /nonexistent: No such file or directory",
        ),
        (
            "etcd: {flags: [\"--backend-batch-limit=10\"]}",
            "split: evnts",
            "x.yaml:17:14: arms.1.split: \"evnts\" is not a resource; did you mean \"events\"?",
        ),
        (
            "etcd: {flags: [\"--backend-batch-limit=10\"]}",
            "split: leases,nodes+leases",
            "x.yaml:17:14: arms.1.split: names leases twice: a resource belongs to exactly one etcd",
        ),
        (
            "etcd: {flags: [\"--backend-batch-limit=10\"]}",
            "split: leases,events",
            "x.yaml:17:14: arms.1.split: no actor of the workload writes events; the actors write: leases, nodes, csinodes",
        ),
        (
            "etcd: {flags: [\"--backend-batch-limit=10\"]}",
            "split: leases\n      stores: [{name: main}]",
            "x.yaml:17:14: arms.1.split: cannot be combined with stores; remove one of them",
        ),
        (
            "etcd: {flags: [\"--backend-batch-limit=10\"]}",
            "etcd: {medium: hddd}",
            "x.yaml:17:22: arms.1.etcd.medium: medium \"hddd\": no such preset and no such file; did you mean \
             \"hdd\"?",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let desk = Desk::new(&good.replacen(from, to, 1));
        let said = desk.play(&["--smoke"]);
        assert_eq!(said.code, 2, "{to}: {said:?}");
        assert!(
            said.stderr.starts_with("error: ") && said.stderr.contains(message),
            "{to}: {}",
            said.stderr
        );
        assert!(!desk.out().exists(), "{to}");
    }
}

#[test]
fn added_keys_are_checked_too() {
    for (more, message) in [
        (
            "  baseline: plane\n",
            "x.yaml:23:13: baseline: this experiment has no arm \"plane\"; did you mean \"plain\"?",
        ),
        (
            "  blocks: 5\n",
            "x.yaml:23:11: 5 blocks; use 6 to 1000, because fewer give no interval",
        ),
        (
            "  analysis: comparison\n",
            "analysis: \"comparison\" is not known; did you mean \"compare\"?",
        ),
        (
            "  sweep: {nodes: [10], rateScale: [1]}\n",
            "sweep: give exactly one of rateScale, nodes and levels",
        ),
        (
            "  sweep: {nodes: [10, 10]}\n",
            "level \"nodes-10\" is given twice",
        ),
        (
            "  sweep: {rateScale: [-1]}\n",
            "rateScale -1: load.rateScale: -1 is out of range",
        ),
    ] {
        let desk = Desk::new(&file(more));
        let said = desk.play(&[]);
        assert_eq!(said.code, 2, "{more}: {said:?}");
        assert!(said.stderr.contains(message), "{more}: {}", said.stderr);
    }
}

#[test]
fn a_wrong_flag_names_the_flag() {
    let desk = Desk::new(&file(""));
    for (args, message) in [
        (
            &["--arm", "plane"][..],
            "--arm plane: this experiment has no arm \"plane\"; did you mean \"plain\"?",
        ),
        (
            &["--arm", "plain"],
            "--arm plain: 1 arm is left, but the analysis compare needs at least 2",
        ),
        (&["--blocks", "2"], "--blocks 2: 2 blocks; use 6 to 1000"),
        (
            &["--blocks", "2000"],
            "--blocks 2000: 2000 blocks; use 6 to 1000\n",
        ),
        (
            &["--smoke", "--blocks", "7"],
            "--blocks 7: a smoke test has its own number of blocks",
        ),
        (
            &["--level", "a"],
            "--level a: this experiment has no levels to choose from; remove it",
        ),
        (&["--rung", "a"], "--rung is now called --level"),
        (&["--pairs", "6"], "--pairs is now called --blocks"),
        (
            &["--smoke", "--set", "cluster.nods=1"],
            "--set cluster.nods=1: unknown field",
        ),
    ] {
        let said = desk.play(args);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains(message), "{args:?}: {}", said.stderr);
    }
    for flag in ["--arm", "--level", "--dir"] {
        let said = desk.etcdmark(&["experiment", "show", "media", flag, "."]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains("add --plan"), "{said:?}");
    }
    let said = desk.etcdmark(&["experiment", "version"]);
    assert_eq!(said.code, 2);
    assert!(
        said.stderr
            .contains("no such built-in and no such file; did you mean \"versions\"?"),
        "{said:?}"
    );
    let said = desk.etcdmark(&["experiment"]);
    assert!(
        said.code == 2 && said.stderr.contains("name a built-in experiment"),
        "{said:?}"
    );
}

#[test]
fn a_directory_with_something_else_in_it_is_left_alone() {
    let desk = Desk::new(&file(""));
    std::fs::create_dir(desk.out()).unwrap();
    std::fs::write(desk.out().join("mine"), "x").unwrap();
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr
            .contains("--out out: the directory contains mine but no plan.json"),
        "{said:?}"
    );
}

#[test]
fn files_of_another_version_are_refused_in_one_line() {
    for (version, remedy) in [
        (
            1,
            "read these results with the etcdmark that wrote them, or name a new directory",
        ),
        (9, "use a newer etcdmark"),
    ] {
        let desk = Desk::new(&file(""));
        std::fs::create_dir(desk.out()).unwrap();
        let plan = format!("{{\"version\": {version}, \"pairs\": 6, \"rungs\": []}}\n");
        std::fs::write(desk.out().join("plan.json"), &plan).unwrap();
        let line = format!(
            "error: --out out: plan.json has format version {version}, but this etcdmark reads only version 2: {remedy}\n"
        );
        for said in [desk.play(&["--smoke"]), desk.etcdmark(&["report", "out"])] {
            assert_eq!((said.code, said.stderr.as_str()), (1, line.as_str()));
        }
        let left = std::fs::read_to_string(desk.out().join("plan.json")).unwrap();
        assert_eq!(left, plan, "it is left as it was");
    }
}

#[test]
fn an_etcd_that_does_not_start_shows_its_last_log_lines() {
    let home = tempfile::tempdir().unwrap();
    let body = "[ \"$1\" = --version ] && echo 'etcd Version: 3.5.9' && exit\necho 'the disk is on fire' >&2\nexit 3";
    let etcd = common::script(&home.path().join("etcd"), body);
    let arm = format!("etcd: {{path: {:?}}}", etcd.display().to_string());
    let text = file("").replace("etcd: {flags: [\"--backend-batch-limit=10\"]}", &arm);
    let desk = Desk::new(&text);
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr
            .contains("arm small-batch: etcd member etcd-0 ended"),
        "{said:?}"
    );
    assert!(said.stderr.contains("the disk is on fire"), "{said:?}");
    // Every arm is tried before the first trial, whichever it is of.
    assert!(!said.stderr.contains("trial 1 of"), "{said:?}");
    assert!(!desk.out().exists(), "nothing was played");
}

#[test]
fn a_port_that_is_taken_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let flag = format!("--listen-metrics-urls=http://127.0.0.1:{port}");
    let desk = Desk::new(&file("").replace("--backend-batch-limit=10", &flag));
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("arm small-batch: "), "{said:?}");
    assert!(said.stderr.contains("address already in use"), "{said:?}");
    // Whichever arm came first: nothing stays of what could not be played.
    let trials = desk.trials();
    assert!(
        trials.iter().all(|t| !t.contains("small-batch")),
        "{trials:?}"
    );
    assert_eq!(desk.out().exists(), !trials.is_empty());
}

#[test]
fn a_quota_that_etcd_warns_of_and_one_that_nothing_fits_in_are_said() {
    let quota = |bytes: &str| {
        let flag = format!("--quota-backend-bytes={bytes}");
        Desk::new(&file("").replace("--backend-batch-limit=10", &flag))
    };
    let warning = "the quota of 16 GiB exceeds etcd's suggested maximum of 8 GiB";
    let desk = quota("17179869184");
    let plan = desk.etcdmark(&["experiment", "show", "x.yaml", "--plan"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let note = plan["notes"][0].as_str().unwrap();
    assert!(
        note.starts_with("arm small-batch: ") && note.contains(warning),
        "{note}"
    );
    let run = |flag: &str| {
        let load = ["run", "node-heartbeats", "--nodes", "5", "--warmup", "0s"];
        let tail = [
            "--duration",
            "1s",
            "--out",
            "of-run",
            "-q",
            "--etcd-flag",
            flag,
        ];
        let etcd = common::etcd::etcd_flags();
        let etcd: Vec<&str> = etcd.iter().map(String::as_str).collect();
        desk.etcdmark(&[&load[..], &tail, &etcd].concat())
    };
    let said = run("--quota-backend-bytes=17179869184");
    assert!(said.is_well(), "{said:?}");
    assert!(said.words().contains(warning), "{said:?}");

    std::fs::remove_dir_all(desk.home.path().join("of-run")).unwrap();
    let small = "--etcd-flag --quota-backend-bytes=4096: an empty database already has 20 KiB, so etcd would refuse every write; use a larger value";
    let said = run("--quota-backend-bytes=4096");
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains(small), "{said:?}");
    let desk = quota("4096");
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 2, "{said:?}");
    let small = format!("arm small-batch: {small}");
    assert!(said.stderr.contains(&small), "{said:?}");
    assert!(!desk.out().exists());
}

#[test]
fn an_empty_directory_of_the_users_stays_when_nothing_was_played() {
    let home = tempfile::tempdir().unwrap();
    let body = "[ \"$1\" = --version ] && echo 'etcd Version: 3.5.9' && exit\nexit 3";
    let etcd = common::script(&home.path().join("etcd"), body);
    let arm = |flags: &str| {
        format!(
            "etcd: {{path: {:?}, flags: [{flags}]}}",
            etcd.display().to_string()
        )
    };
    let text = file("")
        .replace(
            "    - name: plain\n",
            &format!("    - name: plain\n      {}\n", arm("")),
        )
        .replace(
            "etcd: {flags: [\"--backend-batch-limit=10\"]}",
            &arm("\"--a=1\""),
        );
    let desk = Desk::new(&text);
    let made = desk.etcdmark(&["experiment", "x.yaml", "--smoke", "--out", "a/b"]);
    assert_eq!(made.code, 1, "{made:?}");
    assert!(
        !desk.home.path().join("a").exists(),
        "what was made for it goes, parents too"
    );
    std::fs::create_dir(desk.out()).unwrap();
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(std::fs::read_dir(desk.out()).unwrap().count(), 0);
}
