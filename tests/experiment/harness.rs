//! Experiments small enough for a test, and `etcdmark experiment` that can be watched and signalled.

use crate::common;
use etcdmark::clock;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// No step of a test takes longer, even on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// An experiment of two arms, heartbeats of 20 nodes, over in seconds; `more` goes into its spec.
pub(crate) fn file(more: &str) -> String {
    let etcd = match common::etcd_binary().path {
        Some(path) => format!("{{path: {:?}}}", path.display().to_string()),
        None => "{}".to_owned(),
    };
    format!(
        "apiVersion: etcdmark/v1alpha1
kind: Experiment
metadata:
  name: tiny
spec:
  question: Does a smaller batch change anything?
  workload:
    name: node-heartbeats
    set:
      - cluster.nodes=20
      - actors.node-leases.period=200ms
  etcd: {etcd}
  arms:
    - name: plain
    - name: small-batch
      description: a commit every 10 writes
      etcd: {{flags: [\"--backend-batch-limit=10\"]}}
  primary:
    - node-lease/update:p99
  metrics:
    - etcd:rss
  phases: {{settle: 0s, warmup: 0s, duration: 1s}}
{more}"
    )
}

/// A directory with the experiment's file in it.
pub(crate) struct Desk {
    pub(crate) home: tempfile::TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Desk {
    pub(crate) fn new(text: &str) -> Desk {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("x.yaml"), text).unwrap();
        Desk { home }
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.home.path().join("out")
    }

    /// `etcdmark ARGS` in the directory.
    pub(crate) fn etcdmark(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("etcdmark"));
        for (name, _) in std::env::vars_os() {
            let bytes = name.as_encoded_bytes();
            if bytes.starts_with(b"ETCDCTL_") || bytes.starts_with(b"ETCD_") {
                command.env_remove(name);
            }
        }
        command
            .args(args)
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    /// `etcdmark experiment x.yaml --out out ARGS` to its end.
    pub(crate) fn play(&self, args: &[&str]) -> Said {
        self.etcdmark(&[&["experiment", "x.yaml", "--out", "out"], args].concat())
    }

    /// The same, under way.
    pub(crate) fn begin(&self, args: &[&str]) -> Playing<'_> {
        self.start(&[&["experiment", "x.yaml", "--out", "out"], args].concat())
    }

    /// `etcdmark ARGS`, an experiment, under way.
    pub(crate) fn start(&self, args: &[&str]) -> Playing<'_> {
        let mut command = self.command(args);
        let file = |name| File::create(self.home.path().join(name)).unwrap();
        let child = command
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Playing { child, desk: self }
    }

    /// `experiment.json`.
    pub(crate) fn result(&self) -> Value {
        json(&self.out().join("experiment.json"))
    }

    /// The directories of trials that there are, in order.
    pub(crate) fn trials(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.out().join("trials")) else {
            return Vec::new();
        };
        let mut all: Vec<String> = entries
            .map(|e| e.unwrap().file_name().to_str().unwrap().to_owned())
            .collect();
        all.sort();
        all
    }
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(
        &std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
    )
    .unwrap()
}

/// The events of a trial that are written completely.
pub(crate) fn events(trial: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(trial.join("events.jsonl")).unwrap_or_default();
    text.lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .collect()
}

/// An experiment under way. Killed when dropped.
pub(crate) struct Playing<'a> {
    child: Child,
    desk: &'a Desk,
}

impl Drop for Playing<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Playing<'_> {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.desk.home.path().join(name)).unwrap()
    }

    fn wait(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let began = clock::now();
        while !holds(self) {
            let late = Duration::from_nanos(clock::now() - began) > PATIENCE;
            assert!(!late, "no {what}; stderr: {}", self.said("stderr"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the `n`-th trial measures; its directory. An error where the experiment ended before.
    pub(crate) fn until_measuring(&mut self, n: usize) -> Result<PathBuf, ()> {
        self.until(n, |all| {
            let measures = all.iter().position(|e| e["phase"] == "measure");
            measures.is_some_and(|at| all[at..].iter().any(|e| e["type"] == "interval"))
        })
    }

    /// Waits until this holds of the events of the `n`-th trial; its directory. An error where the experiment ended
    /// before.
    pub(crate) fn until(
        &mut self,
        n: usize,
        holds: impl Fn(&[Value]) -> bool,
    ) -> Result<PathBuf, ()> {
        let (mut found, mut ended) = (PathBuf::new(), false);
        self.wait("such events of the trial", |playing| {
            ended = playing.child.try_wait().unwrap().is_some();
            if ended {
                return true;
            }
            let mut trials = playing.desk.trials();
            trials.retain(|name| !name.ends_with(".invalid"));
            let Some(name) = trials.get(n - 1) else {
                return false;
            };
            found = playing.desk.out().join("trials").join(name);
            holds(&events(&found))
        });
        if ended { Err(()) } else { Ok(found) }
    }

    pub(crate) fn finish(mut self) -> Said {
        self.wait("end", |playing| playing.child.try_wait().unwrap().is_some());
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Said {
            code,
            stdout: self.said("stdout"),
            stderr: self.said("stderr"),
        }
    }
}

/// Waits until no process has this text in an argument.
pub(crate) fn until_no_process_with(text: &str) {
    let began = clock::now();
    while !processes_with(text).is_empty() {
        assert!(
            Duration::from_nanos(clock::now() - began) < Duration::from_secs(30),
            "etcd lives on"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes with this text in an argument (a zombie has none).
pub(crate) fn processes_with(text: &str) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let fits = |pid: &i32| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|c| String::from_utf8_lossy(&c).contains(text))
    };
    pids.filter(fits).collect()
}
