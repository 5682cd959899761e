//! Experiments small enough for a test, and `etcdmark experiment` that can be watched and signalled.

use crate::common::results::{json, measured_seconds};
use crate::common::{self, Output, Running, command, events, names};
use rustix::process::Signal;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// No experiment of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(1200);

/// An experiment of two arms, heartbeats of 20 nodes, over in seconds; `more` goes into its spec.
pub(crate) fn file(more: &str) -> String {
    let etcd = match common::etcd_binary().path {
        Some(path) => format!("{{path: {:?}}}", path.display().to_string()),
        None => "{}".to_owned(),
    };
    format!(
        "apiVersion: etcdmark/v1alpha2
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

impl Desk {
    pub(crate) fn new(text: &str) -> Desk {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("x.yaml"), text).unwrap();
        Desk { home }
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.home.path().join("out")
    }

    /// `etcdmark ARGS` in the directory, to its end.
    #[track_caller]
    pub(crate) fn etcdmark(&self, args: &[&str]) -> Output {
        self.start(args).finish()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command.current_dir(self.home.path());
        command
    }

    /// `etcdmark experiment x.yaml --out out ARGS` to its end.
    #[track_caller]
    pub(crate) fn play(&self, args: &[&str]) -> Output {
        self.begin(args).finish()
    }

    /// The same, under way.
    pub(crate) fn begin(&self, args: &[&str]) -> Playing<'_> {
        self.start(&[&["experiment", "x.yaml", "--out", "out"], args].concat())
    }

    /// `etcdmark ARGS`, under way.
    pub(crate) fn start(&self, args: &[&str]) -> Playing<'_> {
        let process = Running::spawn(&mut self.command(args));
        Playing {
            process,
            desk: self,
        }
    }

    /// `experiment.json`.
    pub(crate) fn result(&self) -> Value {
        json(&self.out().join("experiment.json"))
    }

    /// The directories of trials that there are, in order.
    pub(crate) fn trials(&self) -> Vec<String> {
        names(&self.out().join("trials"))
    }
}

/// An experiment under way. Killed when dropped.
pub(crate) struct Playing<'a> {
    process: Running,
    desk: &'a Desk,
}

impl Playing<'_> {
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until the `n`-th trial measures; its directory. An error where the experiment ended before.
    pub(crate) fn until_measuring(&mut self, n: usize) -> Result<PathBuf, ()> {
        self.until(n, |all| measured_seconds(all) > 0)
    }

    /// Waits until this holds of the events of the `n`-th trial; its directory. An error where the experiment ended
    /// before.
    pub(crate) fn until(
        &mut self,
        n: usize,
        holds: impl Fn(&[Value]) -> bool,
    ) -> Result<PathBuf, ()> {
        let (mut found, desk) = (PathBuf::new(), self.desk);
        let held = self.process.until("such events of the trial", || {
            let mut trials = desk.trials();
            trials.retain(|name| !name.ends_with(".invalid"));
            let Some(name) = trials.get(n - 1) else {
                return false;
            };
            found = desk.out().join("trials").join(name);
            holds(&events(&found))
        });
        match held && !self.process.ended() {
            true => Ok(found),
            false => Err(()),
        }
    }

    #[track_caller]
    pub(crate) fn finish(self) -> Output {
        self.process.output_within(PATIENCE)
    }
}
