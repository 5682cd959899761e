//! Flags for the etcd and the workload of every arm, and arms on a kind cluster.

use crate::common;
use crate::desk::{Desk, file};
use crate::killed::results;
use etcd_client::Client;
use serde_json::Value;

const FLAGS: &str = "etcd: {flags: [\"--backend-batch-limit=10\"]}";

#[test]
fn flags_of_run_are_for_every_arm() {
    let desk = Desk::new(&file(""));
    std::fs::create_dir(desk.home.path().join("d")).unwrap();
    let etcd = common::etcd::etcd_path();
    let etcd = etcd.to_str().unwrap();
    let flags = ["--etcd-flag", "--snapshot-count=5000", "--data-dir", "d"];
    let of_etcd = ["--etcd", etcd, "--members", "3"];
    let of_load = ["--nodes", "7", "--duration", "2s"];
    let said = desk.play(&[&["--smoke"], &flags[..], &of_etcd, &of_load].concat());
    assert!(said.is_well(), "{said:?}");
    let plan = &desk.result()["plan"];
    for (arm, flags) in [(0, 1), (1, 2)] {
        let store = &plan["arms"][arm]["stores"][0];
        assert_eq!(store["flags"].as_array().unwrap().len(), flags, "{store}");
        assert_eq!(store["flags"][0], "--snapshot-count=5000");
        assert_eq!(
            (&store["members"], &store["dataDir"]),
            (&3.into(), &"d".into())
        );
    }
    for (_, result) in results(&desk) {
        assert_eq!(result["populate"]["done"], 21, "{}", result["populate"]);
        let phases = &result["header"]["plan"]["spec"]["phases"];
        assert_eq!(phases["duration"], "2s", "{phases}");
    }
}

#[test]
fn an_arm_shares_its_cores_with_the_client_only_where_that_is_asked_for() {
    if std::thread::available_parallelism().unwrap().get() < 2 {
        return;
    }
    let arms = file("").replace(FLAGS, "etcd: {pin: false}");
    let desk = Desk::new(&arms.replace("name: plain\n", "name: plain\n      etcd: {pin: true}\n"));
    let said = desk.play(&["--smoke"]);
    assert!(said.is_well(), "{said:?}");
    assert!(said.words().contains(", on the client's cores"), "{said:?}");
    for (arm, result) in results(&desk) {
        let shares = &result["validity"]["inputs"]["shares_cores_with_etcd"];
        assert_eq!(*shares, arm["arm"] == "small-batch", "{arm}");
    }
    // The flag is for every arm: then these are the same.
    let said = desk.play(&["--smoke", "--no-pin"]);
    assert!(
        said.code == 2
            && said
                .stderr
                .contains("--no-pin: is for the etcd of every arm"),
        "{said:?}"
    );
    let both = Desk::new(&file(""));
    let said = both.play(&["--smoke", "--no-pin"]);
    assert!(said.is_well(), "{said:?}");
    for (arm, result) in results(&both) {
        let shares = &result["validity"]["inputs"]["shares_cores_with_etcd"];
        assert_eq!(*shares, true, "{arm}");
    }
}

#[test]
fn arms_that_have_no_disk_say_so_before_they_are_played() {
    let desk = Desk::new(&file(""));
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let memory = memory.path().to_str().unwrap();
    let notes = |args: &[&str]| {
        let show = ["experiment", "show", "x.yaml", "--plan", "--smoke"];
        let said = desk.etcdmark(&[&show[..], args].concat());
        let plan: Value = serde_json::from_str(&said.stdout).unwrap();
        plan["notes"].to_string()
    };
    let told = "arms plain, small-batch: the data are in memory (tmpfs ";
    assert!(notes(&["--data-dir", memory]).contains(told));
    assert!(!notes(&["--data-dir", env!("CARGO_MANIFEST_DIR")]).contains("in memory"));
    let said = desk.play(&["--smoke", "--data-dir", memory]);
    assert!(said.is_well(), "{said:?}");
    let told_at = said.stderr.find(told).unwrap_or(usize::MAX);
    assert!(
        told_at < said.stderr.find("trial 1 of").unwrap(),
        "{said:?}"
    );
    assert!(said.words().contains(told), "{said:?}");
}

#[test]
fn a_flag_that_an_arm_contradicts_is_refused_with_both_places() {
    let desk = Desk::new(&file(""));
    let external = Desk::new(&file("").replace(FLAGS, "etcd: {endpoints: [\"127.0.0.1:1\"]}"));
    for (desk, args, messages) in [
        (
            &desk,
            &["versions", "--etcd-version", "3.6"][..],
            [
                "--etcd-version 3.6: is for the etcd of every arm, but arm 3.",
                "sets etcd.version (workloads/experiments/versions.yaml:",
            ],
        ),
        (
            &desk,
            &["x.yaml", "--etcd-flag", "--backend-batch-limit=5"],
            [
                "--etcd-flag --backend-batch-limit=5: would rewrite --backend-batch-limit=10",
                "which arm small-batch sets (x.yaml:17:",
            ],
        ),
        (
            &desk,
            &["quota", "--etcd-flag", "--quota-backend-bytes=99999999"],
            [
                "--etcd-flag --quota-backend-bytes=99999999: would rewrite --quota-backend-bytes=67108864",
                "which level 64mib sets (workloads/experiments/quota.yaml:59:",
            ],
        ),
        (
            &desk,
            &["defrag", "--nodes", "5"],
            [
                "--nodes 5: would rewrite cluster.nodes",
                "which level nodes-2500 sets (",
            ],
        ),
        (
            &desk,
            &["x.yaml", "--members", "two"],
            ["--members two: a local cluster has 1 or 3 members", ""],
        ),
        (
            &external,
            &["x.yaml", "--etcd-flag", "--a=1"],
            [
                "--etcd-flag --a=1: is for the etcd of every arm",
                "arm small-batch sets etcd.endpoints",
            ],
        ),
        (
            &external,
            &["x.yaml", "--kind", "k"],
            [
                "--kind k: is for the etcd of every arm",
                "arm small-batch sets etcd.endpoints",
            ],
        ),
    ] {
        let said = desk.etcdmark(&[&["experiment", "show", "--plan"], args].concat());
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        for message in messages {
            assert!(said.stderr.contains(message), "{message}: {}", said.stderr);
        }
    }
}

/// A container engine that knows one kind cluster, whose etcd listens on this port.
fn docker(desk: &Desk, port: &str) {
    let file = |name: &str, text: String| {
        let path = desk.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let manifest = file(
        "etcd.yaml",
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: etcd}}\nspec:\n  containers:\n  - name: etcd\n    command:\n    - etcd\n    \
             - --advertise-client-urls=http://127.0.0.1:{port}\n    - --name=demo-control-plane\n"
        ),
    );
    let container = file(
        "container.json",
        serde_json::json!([{
            "Id": "1", "Name": "/demo-control-plane", "State": {"Status": "running"},
            "Config": {"Labels": {"io.x-k8s.kind.cluster": "demo", "io.x-k8s.kind.role": "control-plane"}},
            "NetworkSettings": {"Ports": {}, "Networks": {"kind": {"IPAddress": "127.0.0.1"}}},
        }])
        .to_string(),
    );
    let body = format!(
        "case \"$1\" in\nps) echo 1;;\ncontainer) cat {container};;\nexec) [ \"${{4##*.}}\" = yaml ] && cat {manifest};;\n\
         --version) echo docker;;\n*) exit 1;;\nesac"
    );
    common::script(&desk.home.path().join("docker"), &body);
}

#[test]
fn arms_of_different_traffic_are_played_on_a_kind_cluster() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let etcd = runtime.block_on(common::etcd());
    let port = etcd.endpoints()[0].rsplit(':').next().unwrap().to_owned();
    let busier = "set: [actors.node-leases.period=100ms]";
    let desk = Desk::new(&file("").replace(FLAGS, busier));
    docker(&desk, &port);
    let path = format!(
        "{}:{}",
        desk.home.path().display(),
        std::env::var("PATH").unwrap()
    );
    let play = |args: &[&str]| {
        let all = [&["experiment", "x.yaml", "--smoke", "--out", "out"], args].concat();
        let mut command = desk.command(&all);
        common::output(
            command
                .env("PATH", &path)
                .env("KIND_EXPERIMENTAL_PROVIDER", "docker"),
        )
    };
    let said = play(&["--kind", "other"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("--kind other: "), "{said:?}");
    let said = play(&["--kind", "demo"]);
    assert!(said.is_well(), "{said:?}");
    assert!(
        said.stderr
            .contains("arms plain, small-batch use the same etcd"),
        "{said:?}"
    );
    for (_, result) in results(&desk) {
        assert_eq!(result["header"]["stores"][0]["local"], false);
        assert_eq!(result["cleanup"]["keys"], 60, "{}", result["cleanup"]);
    }
    let keys = runtime.block_on(async {
        let client = Client::connect(etcd.endpoints(), None).await.unwrap();
        common::store::keys(&client).await.len()
    });
    assert_eq!(keys, 0);
    // The same in the file.
    let text = file("").replace(FLAGS, busier);
    let (before, _) = text.split_once("  etcd: {").unwrap();
    let (_, after) = text.split_once("  arms:").unwrap();
    let text = format!("{before}  etcd: {{kind: demo}}\n  arms:{after}");
    std::fs::write(desk.home.path().join("x.yaml"), text).unwrap();
    let mut command = desk.command(&["experiment", "show", "x.yaml", "--plan"]);
    let shown = common::output(command.env("PATH", &path));
    let plan: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(plan["arms"][0]["stores"][0]["kind"], "demo");
}

/// A period that is longer than a trial: the arm would be compared without what makes it another one.
#[test]
fn an_actor_that_a_trial_is_too_short_for_is_told_and_an_arm_without_any_refused() {
    let rare = "
    - name: rare
      set: [actors.node-leases.period=1h]";
    let text = file("").replace("  arms:", &format!("  arms:{rare}"));
    let desk = Desk::new(&text);
    let refused = desk.etcdmark(&["validate", "x.yaml"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.stderr.contains("arm rare plays nothing: actor"),
        "{refused:?}"
    );

    let text = text.replace("period=1h", "period=30s");
    let desk = Desk::new(&text.replace("duration: 1s", "duration: 2s"));
    let said = desk.etcdmark(&["validate", "x.yaml"]);
    assert!(said.is_well(), "{said:?}");
    // Of 20 nodes, 20 × 2 s / 300 s = 0.13 reports are due in each arm.
    let note = "note: actor node-status may play nothing: 0.13 of its sessions are due in the 2 s of warm-up and measure phase";
    assert!(said.stdout.contains(note), "{said:?}");
    assert!(!said.stdout.contains("actor node-leases"), "{said:?}");
    let plan = desk.etcdmark(&["experiment", "show", "x.yaml", "--plan"]);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    assert!(
        plan["notes"]
            .to_string()
            .contains(note.trim_start_matches("note: ")),
        "{plan}"
    );
}
