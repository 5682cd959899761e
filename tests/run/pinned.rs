//! Which cores etcd and etcdmark have: etcds that a run starts get their own; of others it is found out.

use crate::common::command::{BINARY, shell};
use crate::common::results::{events, json, reached};
use crate::common::{Running, Testbed, etcdmark};
use crate::play::QUICK;
use etcdmark::measure::Cores;
use rustix::process::Pid;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// A short run on this etcd from these cores; whether it is said to share them.
fn shares(testbed: &Testbed, cores: &str) -> bool {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let script = format!(
        "taskset -c {cores} {BINARY} run node-heartbeats --nodes 10 --warmup 0s --set phases.settle=0s --duration 1s --quiet \
         --endpoints {} --out {}",
        testbed.endpoints(),
        out.display()
    );
    let said = shell("sh", &script).output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    let result = json(&out.join("result.json"));
    let shares = result["validity"]["inputs"]["shares_cores_with_etcd"].as_bool();
    let shares = shares.unwrap_or_else(|| panic!("{said:?}"));
    assert_eq!(text.contains("doubtful: shares "), shares, "{text}");
    shares
}

#[test]
fn an_etcd_on_other_cores_is_not_said_to_share_them() {
    let cores = std::thread::available_parallelism().unwrap().get();
    if cores < 2 {
        return;
    }
    let testbed = Testbed::new();
    assert!(shares(&testbed, "0"));
    let pid = testbed.etcd.members()[0].pid().unwrap();
    let pin = shell("sh", &format!("taskset -acp 1 {pid}"))
        .output()
        .unwrap();
    assert!(pin.status.success(), "{pin:?}");
    assert!(!shares(&testbed, "0"));
    assert!(shares(&testbed, "1"));
}

/// `Cpus_allowed_list` of a process or thread, from its directory in `/proc`.
fn allowed(proc: &Path) -> Option<Cores> {
    let status = std::fs::read_to_string(proc.join("status")).ok()?;
    let mut lines = status.lines();
    let line = lines.find_map(|l| l.strip_prefix("Cpus_allowed_list:"))?;
    line.parse().ok()
}

/// The directories in `/proc` of a process' threads.
fn threads(pid: Pid) -> Vec<std::path::PathBuf> {
    let all = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).unwrap();
    all.flatten().map(|thread| thread.path()).collect()
}

/// What the kernel says during a run, and what the run says afterwards.
struct Seen {
    /// Each thread's name and cores.
    etcdmark: Vec<(String, Cores)>,
    /// One for each etcd.
    etcds: Vec<Cores>,
    result: Value,
    stdout: String,
    stderr: String,
}

impl Seen {
    /// `etcdmark run ARGS` from these cores, looked at in its measure phase.
    fn of(cores: &Cores, args: &[&str]) -> Seen {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("out");
        let mut command = Command::new("taskset");
        command.args(["-c", &cores.to_string(), BINARY, "run"]);
        command.args(QUICK).args(["--duration", "3s"]).args(args);
        let mut running = Running::spawn(command.arg("--out").arg(&out));
        assert!(running.until("measure", || reached(&out, "measure")));
        let threads = threads(running.pid());
        let name = |t: &Path| std::fs::read_to_string(t.join("comm")).unwrap_or_default();
        let of_thread = |t: &std::path::PathBuf| Some((name(t).trim().to_owned(), allowed(t)?));
        let children = threads.iter().flat_map(|t| {
            let all = std::fs::read_to_string(t.join("children")).unwrap_or_default();
            let all = all.split_whitespace().map(|pid| format!("/proc/{pid}"));
            all.collect::<Vec<_>>()
        });
        let etcds = children
            .filter_map(|etcd| allowed(Path::new(&etcd)))
            .collect();
        let etcdmark = threads.iter().filter_map(of_thread).collect();
        let said = running.output();
        assert!(said.is_well(), "{said:?}");
        let result = json(&out.join("result.json"));
        let header = events(&out).into_iter().find(|e| e["type"] == "header");
        let told = &header.unwrap()["environment"];
        assert_eq!(told, &result["header"]["environment"]);
        let (stdout, stderr) = (said.stdout, said.stderr);
        Seen {
            etcdmark,
            etcds,
            result,
            stdout,
            stderr,
        }
    }

    fn environment(&self, field: &str) -> Cores {
        let environment = &self.result["header"]["environment"];
        environment[field].as_str().unwrap().parse().unwrap()
    }

    fn shares(&self) -> bool {
        let shares = &self.result["validity"]["inputs"]["shares_cores_with_etcd"];
        let shares = shares.as_bool().unwrap();
        let said = self.stdout.contains("doubtful: shares ");
        assert_eq!(said, shares, "{}", self.stdout);
        shares
    }
}

/// All cores of this test; none where there is but one.
fn several() -> Option<Cores> {
    let mine = allowed(Path::new("/proc/thread-self")).unwrap();
    (mine.count() > 1).then_some(mine)
}

#[test]
fn local_etcds_and_the_client_have_cores_of_their_own() {
    let Some(all) = several() else { return };
    let seen = Seen::of(&all, &["--pin", "--members", "3"]);
    let (etcd, client) = (
        seen.environment("etcd_cores"),
        seen.environment("client_cores"),
    );
    assert!(!etcd.shares(&client), "{etcd} {client}");
    let both: Cores = etcd.iter().chain(client.iter()).collect();
    assert_eq!(both, all, "no core is left over");
    assert_eq!(seen.etcds, vec![etcd.clone(); 3]);
    assert!(
        seen.etcdmark
            .iter()
            .any(|(name, _)| name == "etcdmark-worker")
    );
    for (thread, cores) in &seen.etcdmark {
        // It spawned etcds, and sleeps.
        let own = thread == "etcd-supervisor";
        assert_eq!(cores, if own { &etcd } else { &client }, "{thread}");
    }
    assert!(!seen.shares());
    assert!(seen.stdout.contains(" (etcd on "), "{}", seen.stdout);
}

#[test]
fn what_holds_syncs_is_on_the_etcds_cores() {
    let Some(all) = several() else { return };
    let seen = Seen::of(&all, &["--pin", "--medium", "hdd"]);
    let (etcd, client) = (
        seen.environment("etcd_cores"),
        seen.environment("client_cores"),
    );
    for (thread, cores) in &seen.etcdmark {
        // The supervisor spawned etcds, and sleeps.
        let of_etcd = ["etcd-medium", "etcd-supervisor"].contains(&thread.as_str());
        let own = if of_etcd { &etcd } else { &client };
        assert_eq!(cores, own, "{thread}");
    }
    assert!(seen.etcdmark.iter().any(|(name, _)| name == "etcd-medium"));
    assert!(!seen.shares());
}

#[test]
fn no_pin_leaves_them_together_and_so_does_one_core() {
    let Some(all) = several() else { return };
    let first: Cores = all.iter().take(1).collect();
    for (cores, args) in [(&all, &["--no-pin"][..]), (&first, &["--pin"])] {
        let seen = Seen::of(cores, args);
        assert!(seen.etcdmark.iter().all(|(_, c)| c == cores));
        assert_eq!(seen.etcds, std::slice::from_ref(cores));
        assert_eq!(seen.environment("etcd_cores"), *cores);
        assert_eq!(seen.environment("client_cores"), *cores);
        assert!(seen.shares() && !seen.stdout.contains(" (etcd on "));
        let told = seen.stderr.contains("--pin: there is one core only");
        assert_eq!(told, args.contains(&"--pin"), "{}", seen.stderr);
    }
}

#[test]
fn no_pin_is_for_local_etcds() {
    let said = etcdmark(&["run", "--no-pin", "--endpoints", "http://127.0.0.1:1"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr
            .contains("--no-pin applies only to a local etcd"),
        "{said:?}"
    );
}
