//! A command under way.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::command::Output;
use super::patience::{PATIENCE, Stopwatch};

/// What it prints goes to files, so that it never waits for a reader. Killed when dropped.
pub struct Running {
    child: Child,
    files: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts a command that reads nothing.
    pub fn spawn(command: &mut Command) -> Running {
        Running::spawn_into(command, None, None)
    }

    /// With another stdout or stderr than the files.
    pub fn spawn_into(
        command: &mut Command,
        stdout: Option<Stdio>,
        stderr: Option<Stdio>,
    ) -> Running {
        let files = tempfile::tempdir().unwrap();
        let file = |name| File::create(files.path().join(name)).unwrap().into();
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout.unwrap_or_else(|| file("stdout")))
            .stderr(stderr.unwrap_or_else(|| file("stderr")))
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        Running { child, files }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn printed(&self, name: &str) -> String {
        // Nothing is there when it went elsewhere.
        let bytes = std::fs::read(self.files.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What it has printed until now.
    pub fn stderr(&self) -> String {
        self.printed("stderr")
    }

    /// Waits until this holds; false where the command ends before.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) -> bool {
        let began = Stopwatch::start();
        loop {
            // Asked before looking: what it did last has been seen then.
            let ended = self.ended();
            if holds() {
                return true;
            }
            if ended {
                return false;
            }
            let late = began.elapsed() > PATIENCE;
            assert!(!late, "no {what}; stderr: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub fn output(self) -> Output {
        self.output_within(PATIENCE)
    }

    /// Waits longer than [`PATIENCE`] for its end.
    #[track_caller]
    pub fn output_within(mut self, patience: Duration) -> Output {
        let began = Stopwatch::start();
        while !self.ended() {
            if began.elapsed() > patience {
                panic!("no end within {patience:?}; stderr: {}", self.stderr());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Output {
            code: self.child.wait().unwrap().code().unwrap_or(-1),
            stdout: self.printed("stdout"),
            stderr: self.printed("stderr"),
        }
    }
}
