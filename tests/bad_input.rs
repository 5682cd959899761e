//! Bad input, as the real binary gets it: one clear message on stderr with the remedy, the right exit code, nothing
//! left in the store or on disk, no panic. Everything that etcd can be made to do is done by a real etcd.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

#[expect(dead_code, reason = "the tests of the wire use all of it")]
#[path = "common/scripted.rs"]
mod scripted;

#[path = "bad_input/faults.rs"]
mod faults;
#[path = "bad_input/running.rs"]
mod running;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// No run here takes this long, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a bad input gets.
struct Case<'a> {
    /// The command line, words split at blanks.
    line: &'a str,
    /// Exit code.
    code: i32,
    /// What the one message must name: flag or field, value, remedy.
    says: &'a [&'a str],
}

const fn case<'a>(line: &'a str, code: i32, says: &'a [&'a str]) -> Case<'a> {
    Case { line, code, says }
}

/// A refused command: no result on stdout, one line on stderr, nothing in the working directory.
fn refused(cases: &[Case<'_>]) {
    let here = tempfile::tempdir().unwrap();
    for case in cases {
        refused_in(here.path(), case);
        let left: Vec<_> = std::fs::read_dir(here.path()).unwrap().collect();
        assert!(left.is_empty(), "{}: left on disk: {left:?}", case.line);
    }
}

/// As [`refused`], in a directory that may hold something.
fn refused_in(here: &Path, case: &Case<'_>) {
    let out = run_in(here, case.line);
    let (code, stderr) = (out.status.code(), text(&out.stderr));
    let line = case.line;
    assert_eq!(
        code,
        Some(case.code),
        "{line}\n{stderr}{}",
        text(&out.stdout)
    );
    assert!(
        out.stdout.is_empty(),
        "{line}: stdout {}",
        text(&out.stdout)
    );
    let message = one_message(line, &stderr);
    for part in case.says {
        assert!(message.contains(part), "{line}: no {part:?} in: {message}");
    }
}

/// The only line of stderr, `error: …`, as a person should meet it.
fn one_message<'a>(line: &str, stderr: &'a str) -> &'a str {
    no_panic(line, stderr);
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{line}: not one line: {stderr}");
    let message = lines[0].strip_prefix("error: ").unwrap_or("");
    assert!(!message.is_empty(), "{line}: {stderr}");
    assert!(
        !message.contains("error: "),
        "{line}: prefixed twice: {stderr}"
    );
    assert!(
        message.len() < 600,
        "{line}: too long to read at 3 a.m.: {stderr}"
    );
    message
}

fn no_panic(line: &str, stderr: &str) {
    assert!(!stderr.contains("panicked"), "{line}: {stderr}");
}

fn run_in(here: &Path, line: &str) -> Output {
    common::etcdmark()
        .current_dir(here)
        .args(line.split_whitespace())
        .timeout(PATIENCE)
        .output()
        .unwrap()
}

/// Started, not waited for; killed when the test fails.
struct Running {
    child: Option<Child>,
}

impl Running {
    fn start(here: &Path, line: &str) -> Self {
        let child = Command::new(assert_cmd::cargo::cargo_bin!("etcdmark"))
            .args(line.split_whitespace())
            .current_dir(here)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running { child: Some(child) }
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().unwrap().id()).unwrap()
    }

    fn interrupt(&self) {
        let pid = rustix::process::Pid::from_raw(self.pid()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }

    /// Its peak resident memory, MiB, while it runs.
    fn peak_rss(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let line = status.unwrap_or_default();
        let line = line.lines().find(|l| l.starts_with("VmHWM:"));
        let kib = line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok());
        kib.unwrap_or(0) / 1024
    }

    fn ended(&mut self) -> bool {
        self.child.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    fn output(mut self) -> Output {
        let child = self.child.take().unwrap();
        child.wait_with_output().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until `condition` holds.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..1200 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("waited in vain: {what}");
}

/// Whether a phase has begun, by the run's own events.
fn reached(out: &Path, phase: &str) -> bool {
    std::fs::read_to_string(out.join("events.jsonl"))
        .unwrap_or_default()
        .lines()
        .any(|l| l.contains("\"phase\"") && l.contains(&format!("\"{phase}\"")))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

async fn client(endpoint: &str) -> etcd_client::Client {
    etcd_client::Client::connect([endpoint], None)
        .await
        .unwrap()
}

/// Every key of a store.
async fn keys(endpoint: &str) -> Vec<String> {
    let all = etcd_client::GetOptions::new()
        .with_all_keys()
        .with_keys_only();
    let found = client(endpoint).await.get("", Some(all)).await.unwrap();
    let name = |kv: &etcd_client::KeyValue| String::from_utf8_lossy(kv.key()).into_owned();
    found.kvs().iter().map(name).collect()
}

async fn leases(endpoint: &str) -> usize {
    client(endpoint)
        .await
        .leases()
        .await
        .unwrap()
        .leases()
        .len()
}

#[test]
fn workloads_and_numbers() {
    refused(&[
        case(
            "run nod-heartbeats",
            2,
            &[
                "\"nod-heartbeats\"",
                "did you mean \"node-heartbeats\"?",
                "built-in: cluster",
            ],
        ),
        case("show evens", 2, &["\"evens\"", "\"events\""]),
        case(
            "validate no/such.yaml",
            2,
            &["no/such.yaml", "no such file"],
        ),
        case(
            "run --set cluster.nods=5",
            2,
            &["--set cluster.nods=5", "did you mean \"cluster.nodes\"?"],
        ),
        case(
            "run --set actors.evens.rate=5",
            2,
            &["actors has no \"evens\"", "events"],
        ),
        case(
            "run --set cluster.nodes",
            2,
            &["--set cluster.nodes", "PATH=VALUE"],
        ),
        case("run --nodes -5", 2, &["--nodes -5", "whole number"]),
        case("run --nodes 0", 2, &["--nodes 0", "use 1 to 10,000,000"]),
        case("run --nodes 2.5", 2, &["--nodes 2.5", "whole number"]),
        case(
            "run --nodes 10000001",
            2,
            &["10,000,001", "use 1 to 10,000,000"],
        ),
        case(
            "run --nodes 99999999999999999999999999",
            2,
            &["99999999999999999999999999", "whole number"],
        ),
        case(
            "run --set cluster.podsPerNode=-3",
            2,
            &["cluster.podsPerNode=-3", "whole number"],
        ),
        case(
            "run --set cluster.podsPerNode=18446744073709551615",
            2,
            &["cluster.podsPerNode", "out of range"],
        ),
        case(
            "run --set cluster.imagesPerNode=100000000",
            2,
            &["cluster.imagesPerNode", "out of range"],
        ),
        case("run --duration 30", 2, &["--duration 30", "10s"]),
        case("run --duration -30s", 2, &["--duration", "-30s"]),
        case(
            "run --duration 99999999999h",
            2,
            &["--duration 99999999999h", "longer"],
        ),
        case(
            "run --warmup 9999h",
            2,
            &["--warmup 9999h", "out of range", "720h"],
        ),
        case("run --rate-scale -1", 2, &["--rate-scale -1", "above 0"]),
        case("run --rate-scale 0", 2, &["--rate-scale 0", "above 0"]),
        case("run --rate-scale nan", 2, &["--rate-scale nan", "a number"]),
        case(
            "run --rate-scale .inf",
            2,
            &["--rate-scale .inf", "a number"],
        ),
        case(
            "run --rate-scale 1e300",
            2,
            &["--rate-scale 1e300", "at most 1,000,000"],
        ),
        case(
            "run events --set actors.events.rate=1e99",
            2,
            &["actors.events.rate=1e99", "10,000,000"],
        ),
        case(
            "run events --rate-scale 1000000 --nodes 10000000",
            2,
            &["events", "10,000,000/s"],
        ),
        case(
            "run --connections 0",
            2,
            &["--connections 0", "use 1 to 10,000"],
        ),
        case(
            "run --connections -1",
            2,
            &["--connections -1", "whole number"],
        ),
        case(
            "run --max-in-flight 0",
            2,
            &["--max-in-flight 0", "use 1 to"],
        ),
        case(
            "run --max-in-flight 18446744073709551616",
            2,
            &["18446744073709551616", "whole number"],
        ),
        case("run --shards 1000", 2, &["--shards 1000", "use 1 to 256"]),
        case("run --seed -1", 2, &["--seed -1", "whole number"]),
        case(
            "run --kubernetes-version 1.12",
            2,
            &["\"1.12\"", "known: 1.30 to 1.37"],
        ),
        case("run --members 2", 2, &["--members 2", "1 or 3"]),
        case(
            "run --etcd /no/such/etcd",
            2,
            &["--etcd /no/such/etcd", "etcd Version"],
        ),
        case(
            "run --etcd-version 9.9.9",
            2,
            &["9.9.9", "scripts/install-etcd.sh 9.9.9"],
        ),
        case("run --etcd-flag=--data-dir=/tmp/x", 2, &["--data-dir"]),
        case(
            "run --medium hdd --endpoints http://127.0.0.1:1",
            2,
            &["--medium is for a local etcd", "--endpoints"],
        ),
        case("run --run-id A/B", 2, &["--run-id \"A/B\"", "lowercase"]),
        case(
            "run --guards quota,alrm",
            2,
            &["--guards quota,alrm", "\"alrm\"", "alarm"],
        ),
        case(
            "run --prefix /registry-mine",
            2,
            &["--prefix \"/registry-mine\"", "/registry-etcdmark/"],
        ),
        case(
            "run --endpoints ftp://127.0.0.1:1",
            2,
            &["--endpoints", "ftp://", "http://"],
        ),
        case(
            "run --endpoints http://127.0.0.1",
            2,
            &["http://HOST:PORT", "2379"],
        ),
        case(
            "run --endpoints http://127.0.0.1:1,http://127.0.0.1:1",
            2,
            &["--endpoints", "twice"],
        ),
        case(
            "run --endpoints http://127.0.0.1:1 --dial-timeout 5",
            2,
            &["--dial-timeout \"5\"", "500ms"],
        ),
        case(
            "run --endpoints http://127.0.0.1:1 --members 3",
            2,
            &["--members", "--endpoints"],
        ),
        case("run --user root:pw", 2, &["--user", "not named"]),
        case("run --endpoints https://127.0.0.1:1", 2, &["--cacert"]),
        case(
            "run --endpoints http://127.0.0.1:1 --cacert /no/such",
            2,
            &["--cacert", "/no/such"],
        ),
        case("inspect", 2, &["--endpoints"]),
        case("cleanup", 2, &["--endpoints"]),
    ]);
}

#[test]
fn workload_files() {
    let here = tempfile::tempdir().unwrap();
    let head = "apiVersion: etcdmark/v1alpha1\nkind: Workload\nmetadata: {name: a}\nspec:\n";
    for (file, body, says) in [
        (
            "key.yaml",
            "  cluster:\n    nods: 5\n",
            &["key.yaml:6:5", "\"nods\"", "\"nodes\""][..],
        ),
        (
            "twice.yaml",
            "  cluster:\n    nodes: 5\n    nodes: 6\n",
            &["twice.yaml:7:5", "\"nodes\"", "twice"],
        ),
        (
            "less.yaml",
            "  cluster:\n    nodes: -5\n",
            &["less.yaml:6:12", "-5", "whole number"],
        ),
        (
            "zero.yaml",
            "  cluster:\n    nodes: 0\n  actors:\n    - {name: l, kind: nodeLease}\n",
            &["zero.yaml:6:12", "cluster.nodes", "0 is out of range"],
        ),
        (
            "kind.yaml",
            "  actors:\n    - name: a\n      kind: nodeLeas\n",
            &["kind.yaml:7:13", "nodeLease"],
        ),
        ("yaml.yaml", "  actors: [\n", &["yaml.yaml:"]),
        (
            "forms.yaml",
            "  actors:\n    - {name: e, kind: event, rate: 5, concurrency: 3}\n",
            &["forms.yaml:6:", "concurrency", "rate"],
        ),
        (
            "goal.yaml",
            "  actors:\n    - {name: l, kind: nodeLease}\n  thresholds: [\"node-lease/updat: p99 < 1s\"]\n",
            &["goal.yaml:", "node-lease/update"],
        ),
    ] {
        std::fs::write(here.path().join(file), format!("{head}{body}")).unwrap();
        for command in ["run", "validate", "show"] {
            refused_in(here.path(), &case(&format!("{command} {file}"), 2, says));
        }
    }
    std::fs::write(here.path().join("empty.yaml"), "").unwrap();
    refused_in(here.path(), &case("run empty.yaml", 2, &["empty.yaml"]));
    std::fs::write(here.path().join("bytes.yaml"), [0xff, 0xfe, 0, 1]).unwrap();
    refused_in(
        here.path(),
        &case("run bytes.yaml", 2, &["bytes.yaml", "UTF-8"]),
    );
    refused_in(here.path(), &case("run .", 2, &["workload"]));
    assert!(!here.path().join("etcdmark-results").exists());
}
