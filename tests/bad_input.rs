//! Bad input, as the real binary gets it: one clear message on stderr with the remedy, the right exit code, nothing
//! left in the store or on disk, no panic. Everything that etcd can be made to do is done by a real etcd.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

#[expect(dead_code, reason = "the tests of the wire use all of it")]
#[path = "common/scripted.rs"]
mod scripted;

#[path = "bad_input/environment.rs"]
mod environment;
#[path = "bad_input/faults.rs"]
mod faults;
#[path = "bad_input/input.rs"]
mod input;
#[path = "bad_input/machine.rs"]
mod machine;
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
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("etcdmark"));
        command.args(line.split_whitespace());
        Running::spawn(here, command)
    }

    fn spawn(here: &Path, mut command: Command) -> Self {
        let child = command
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

/// What `attempt` (its number is handed in) came to on a machine that let the generator keep up: an invalid run (98)
/// says nothing of what is weaker, and is tried again.
fn undisturbed(attempt: impl Fn(u32) -> Output) -> Output {
    let mut out = attempt(0);
    for n in 1..5 {
        if out.status.code() != Some(98) {
            break;
        }
        out = attempt(n);
    }
    out
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
