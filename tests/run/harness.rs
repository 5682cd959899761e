//! A bed with etcd and a run that can be watched, signalled and judged.

use crate::common;
use etcd_client::{Client, GetOptions};
use etcdmark::clock;
use etcdmark::local::{LocalCluster, LocalOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// No step of a test takes longer, even on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A workload of heartbeats that is over quickly.
pub(crate) const QUICK: [&str; 10] = [
    "node-heartbeats",
    "--nodes",
    "60",
    "--set",
    "actors.node-leases.period=1s",
    "--set",
    "phases.settle=0s",
    "--warmup",
    "0s",
    "--quiet",
];

/// Its populate takes long enough to be interrupted: one key per transaction, one transaction at a time.
pub(crate) const SLOW: [&str; 16] = [
    "node-heartbeats",
    "--nodes",
    "1000",
    "--set",
    "phases.settle=0s",
    "--warmup",
    "0s",
    "--duration",
    "2s",
    "--populate",
    "single",
    "--set",
    "populate.concurrency=1",
    "--seed",
    "7",
    "--run-id=resumed",
];

/// A moment, to tell how long ago it was.
pub(crate) struct Since(clock::Nanos);

impl Since {
    pub(crate) fn now() -> Since {
        Since(clock::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_nanos(clock::now().saturating_sub(self.0))
    }
}

/// An etcd and the runtime that tests speak to it with.
pub(crate) struct Bed {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) etcd: LocalCluster,
}

impl Bed {
    pub(crate) fn new() -> Bed {
        Bed::of(common::options())
    }

    pub(crate) fn with_flags(flags: &[&str]) -> Bed {
        let flags = flags.iter().map(|f| (*f).to_owned()).collect();
        Bed::of(LocalOptions {
            flags,
            ..common::options()
        })
    }

    pub(crate) fn of(options: LocalOptions) -> Bed {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let etcd = runtime.block_on(common::start(options));
        Bed { runtime, etcd }
    }

    /// For `--endpoints`.
    pub(crate) fn endpoints(&self) -> String {
        self.etcd.endpoints().join(",")
    }

    /// A client of the members that live.
    pub(crate) fn client(&self) -> Client {
        let living: Vec<_> = self
            .etcd
            .members()
            .iter()
            .filter(|m| m.pid().is_some())
            .map(|m| m.endpoint().to_owned())
            .collect();
        self.runtime
            .block_on(Client::connect(living, None))
            .unwrap()
    }

    /// Everything in the store, as text.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.keys_as(&self.client())
    }

    pub(crate) fn keys_as(&self, client: &Client) -> Vec<String> {
        let options = GetOptions::new().with_all_keys().with_keys_only();
        let answer = self
            .runtime
            .block_on(client.kv_client().get("", Some(options)))
            .unwrap();
        let text = |kv: &etcd_client::KeyValue| kv.key_str().unwrap().to_owned();
        answer.kvs().iter().map(text).collect()
    }

    pub(crate) fn leases(&self) -> usize {
        let mut client = self.client();
        let all = self.runtime.block_on(client.leases()).unwrap();
        all.leases().len()
    }

    /// Neither keys nor etcd leases are left.
    pub(crate) fn assert_empty(&self) {
        assert_eq!(self.keys(), Vec::<String>::new());
        assert_eq!(self.leases(), 0);
    }
}

/// `etcdmark` with these arguments, nothing of the machine's etcd settings in its environment.
pub(crate) fn command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("etcdmark"));
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"ETCDCTL_")
            || name.as_encoded_bytes().starts_with(b"ETCD_")
        {
            command.env_remove(name);
        }
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `etcdmark` to its end.
pub(crate) fn etcdmark(args: &[&str]) -> Said {
    let output = command(args).output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A run under way. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    home: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// `etcdmark run` with these arguments and `--out` into a directory of its own.
    pub(crate) fn start(args: &[&[&str]]) -> Running {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("out");
        let mut all: Vec<&OsStr> = vec!["run".as_ref()];
        all.extend(
            args.iter()
                .flat_map(|a| a.iter().map(AsRef::<OsStr>::as_ref)),
        );
        all.extend([OsStr::new("--out"), out.as_ref()]);
        let file = |name| File::create(home.path().join(name)).unwrap();
        let child = command(&all)
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Running { child, home }
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.home.path().join("out")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.home.path().join("stderr")).unwrap()
    }

    fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until an event fits.
    pub(crate) fn until_event(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let began = Since::now();
        loop {
            let ended = self.ended();
            if let Some(event) = events(&self.out()).into_iter().find(|e| fits(e)) {
                return event;
            }
            assert!(
                !ended && began.elapsed() < PATIENCE,
                "no {what}; stderr: {}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn until_phase(&mut self, phase: &str) {
        self.until_event(phase, |e| e["type"] == "phase" && e["phase"] == phase);
    }

    /// Waits until the second `n` of the measure phase has been written.
    pub(crate) fn until_second(&mut self, n: usize) {
        self.until_phase("measure");
        let began = Since::now();
        let seconds = |out: &Path| {
            let all = events(out);
            let at = all.iter().position(|e| e["phase"] == "measure").unwrap();
            all[at..].iter().filter(|e| e["type"] == "interval").count()
        };
        while seconds(&self.out()) < n {
            assert!(
                !self.ended() && began.elapsed() < PATIENCE,
                "second {n}: {}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        let began = Since::now();
        while !self.ended() {
            if began.elapsed() > PATIENCE {
                panic!("the run does not end; stderr: {}", self.stderr());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let stdout = std::fs::read_to_string(self.home.path().join("stdout")).unwrap();
        let said = Said {
            code,
            stdout,
            stderr: self.stderr(),
        };
        let result = std::fs::read(self.out().join("result.json")).ok();
        let result = result.map_or(Value::Null, |r| serde_json::from_slice(&r).unwrap());
        Finished {
            said,
            result,
            running: self,
        }
    }
}

/// The events of a result directory that are written completely.
pub(crate) fn events(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("events.jsonl")).unwrap_or_default();
    text.lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .collect()
}

/// A run that has ended.
pub(crate) struct Finished {
    pub(crate) said: Said,
    /// `result.json`; null when there is none.
    pub(crate) result: Value,
    running: Running,
}

impl Finished {
    pub(crate) fn out(&self) -> PathBuf {
        self.running.out()
    }

    /// The numbers may be called invalid on a machine that has no time for the test; nothing else may be wrong.
    #[track_caller]
    pub(crate) fn assert_went_well(&self) {
        let (said, outcome) = (&self.said, &self.result["outcome"]);
        assert_eq!(outcome["outcome"], "completed", "{said:?}");
        assert!(matches!(said.code, 0 | 98), "{said:?}");
        if said.code == 98 {
            assert_eq!(self.result["validity"]["verdict"], "invalid", "{said:?}");
        }
        self.assert_verified();
        assert_eq!(self.result["cleanup"]["left"], Value::Null, "{said:?}");
    }

    /// The sweep found what was acknowledged, and it found something.
    #[track_caller]
    pub(crate) fn assert_verified(&self) {
        let verify = &self.result["verify"];
        assert!(verify["acknowledged"].as_u64() > Some(0), "{verify}");
        for field in ["lost", "foreign"] {
            assert_eq!(verify[field], 0, "{verify}");
        }
        assert_eq!(verify["incomplete"], Value::Null, "{verify}");
    }

    pub(crate) fn counts(&self) -> &Value {
        &self.result["total"]["counts"]
    }
}

/// Repeats a command while the lock of a process that has died keeps it out (15 s at the most).
pub(crate) fn until_unlocked(args: &[&str]) -> Said {
    let began = Since::now();
    loop {
        let said = etcdmark(args);
        let locked = said.code == 2 && said.stderr.contains("holds its lock");
        if !locked || began.elapsed() > Duration::from_secs(60) {
            return said;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}
