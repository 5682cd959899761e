//! `etcdmark run` that can be watched, signalled and judged.

use crate::common::results::{json, measured_seconds, reached};
use crate::common::{Output, Running, command, events};
use rustix::process::{Pid, Signal};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::PathBuf;

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

/// A run under way. Killed when dropped.
pub(crate) struct Run {
    process: Running,
    home: tempfile::TempDir,
}

impl Run {
    /// `etcdmark run` with these arguments and `--out` into a directory of its own.
    pub(crate) fn start(args: &[&[&str]]) -> Run {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("out");
        let mut all: Vec<&OsStr> = vec!["run".as_ref()];
        all.extend(args.iter().flat_map(|a| a.iter().map(OsStr::new)));
        all.extend([OsStr::new("--out"), out.as_ref()]);
        let process = Running::spawn(&mut command(&all));
        Run { process, home }
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.home.path().join("out")
    }

    pub(crate) fn pid(&self) -> Pid {
        self.process.pid()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until this holds while the run goes on.
    #[track_caller]
    fn until(&mut self, what: &str, holds: impl FnMut() -> bool) {
        let held = self.process.until(what, holds);
        assert!(held, "no {what}; stderr: {}", self.process.stderr());
    }

    /// Waits until an event fits.
    #[track_caller]
    pub(crate) fn until_event(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let (out, mut found) = (self.out(), None);
        self.until(what, || {
            found = events(&out).into_iter().find(|e| fits(e));
            found.is_some()
        });
        found.unwrap()
    }

    #[track_caller]
    pub(crate) fn until_phase(&mut self, phase: &str) {
        let out = self.out();
        self.until(phase, || reached(&out, phase));
    }

    /// Waits until the second `n` of the measure phase has been written.
    #[track_caller]
    pub(crate) fn until_second(&mut self, n: usize) {
        let out = self.out();
        self.until(&format!("second {n}"), || {
            measured_seconds(&events(&out)) >= n
        });
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(self) -> Ended {
        let result = self.out().join("result.json");
        let said = self.process.output();
        let result = match result.exists() {
            true => json(&result),
            false => Value::Null,
        };
        Ended {
            said,
            result,
            home: self.home,
        }
    }
}

/// A run that has ended.
pub(crate) struct Ended {
    pub(crate) said: Output,
    /// `result.json`; null when there is none.
    pub(crate) result: Value,
    home: tempfile::TempDir,
}

impl Ended {
    pub(crate) fn out(&self) -> PathBuf {
        self.home.path().join("out")
    }

    /// The numbers may be called invalid on a machine that has no time for the test; nothing else may be wrong.
    #[track_caller]
    pub(crate) fn assert_went_well(&self) {
        let (said, outcome) = (&self.said, &self.result["outcome"]);
        assert_eq!(outcome["outcome"], "completed", "{said:?}");
        assert!(said.is_well(), "{said:?}");
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
