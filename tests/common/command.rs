//! The built `etcdmark`, and what a command printed.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::patience::{PATIENCE, Stopwatch};
use super::running::Running;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_etcdmark");

/// `etcdmark` with these arguments, and with nothing of the machine's etcd settings in its environment.
pub fn command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars_os() {
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(b"ETCDCTL_") || bytes.starts_with(b"ETCD_") {
            command.env_remove(name);
        }
    }
    command.args(args);
    command
}

/// A script for a shell in which `$ETCDMARK` is the binary under test.
pub fn shell(shell: &str, script: &str) -> Command {
    let mut command = Command::new(shell);
    command.args(["-c", script]).env("ETCDMARK", BINARY);
    command
}

/// What a command that has ended printed.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// stdout on one line: where its lines are broken is no matter.
    pub fn words(&self) -> String {
        self.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A run that went well; where the machine had no time for the test, its numbers may be called invalid.
    pub fn is_well(&self) -> bool {
        matches!(self.code, 0 | 98)
    }

    /// stderr, without the line that says of a run that [is well](Self::is_well) why its numbers are invalid.
    pub fn complaints(&self) -> Vec<&str> {
        let invalid = |l: &&str| self.code == 98 && l.starts_with("error: the run is invalid: ");
        self.stderr.lines().filter(|l| !invalid(l)).collect()
    }
}

/// Runs a command to its end.
pub fn output(command: &mut Command) -> Output {
    Running::spawn(command).output()
}

/// Runs `etcdmark` to its end.
pub fn etcdmark(args: &[&str]) -> Output {
    output(&mut command(args))
}

/// Repeats a command while the lock of a process that has died keeps it out (15 s at the most).
pub fn until_unlocked(args: &[&str]) -> Output {
    let began = Stopwatch::start();
    loop {
        let output = etcdmark(args);
        let locked = output.code == 2 && output.stderr.contains("holds its lock");
        if !locked || began.elapsed() > PATIENCE {
            return output;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// A pipe that nobody reads, as that of a reader who has seen enough.
pub fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}
