//! The container engine's client: which one, and running its commands within a time limit. Which engine
//! it talks to (DOCKER_HOST, contexts) is left to the client.

use super::error::KindError;
use crate::clock::{self, Nanos};
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Time for one command; a busy machine's `docker exec` takes up to a second or two.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Largest answer that is read.
const MAX_OUTPUT: u64 = 16 << 20;
/// Clients that kind can use, in the order in which it looks for them.
const CLIENTS: [&str; 4] = ["docker", "nerdctl", "finch", "podman"];

/// What a command gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit code 0.
    pub success: bool,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error, trimmed.
    pub stderr: String,
}

/// Runs the engine's client. Tests answer from recordings.
pub trait Runner {
    /// The client's name, for messages (`docker`).
    fn program(&self) -> &str;
    /// Runs `program args…`; a non-zero exit is no error here.
    fn run(&self, args: &[&str]) -> Result<Output, KindError>;
}

/// The real client.
#[derive(Clone, Debug)]
pub struct Engine {
    program: String,
}

impl Engine {
    /// Chooses as kind does: `KIND_EXPERIMENTAL_PROVIDER`, else the first client that is installed.
    pub fn from_environment() -> Result<Self, KindError> {
        let value = std::env::var("KIND_EXPERIMENTAL_PROVIDER").unwrap_or_default();
        let wanted = candidates(&value)?;
        for program in &wanted {
            let there = Command::new(program)
                .arg("--version")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            if let Ok(mut child) = there {
                // The exit code does not matter; a zombie would.
                wait(&mut child, TIMEOUT).ok();
                return Ok(Engine {
                    program: (*program).to_owned(),
                });
            }
        }
        Err(KindError::NoClient {
            tried: wanted.join(", "),
        })
    }
}

/// The clients to look for under this value of `KIND_EXPERIMENTAL_PROVIDER`.
fn candidates(value: &str) -> Result<Vec<&'static str>, KindError> {
    if value.is_empty() {
        return Ok(CLIENTS.to_vec());
    }
    let known = CLIENTS
        .iter()
        .chain(&["nerdctl.lima"])
        .find(|client| **client == value);
    known
        .map(|client| vec![*client])
        .ok_or_else(|| KindError::Provider {
            value: value.to_owned(),
        })
}

impl Runner for Engine {
    fn program(&self) -> &str {
        &self.program
    }

    fn run(&self, args: &[&str]) -> Result<Output, KindError> {
        let command = || format!("{} {}", self.program, args.join(" "));
        let failed = |e: io::Error| KindError::Command {
            command: command(),
            message: e.to_string(),
        };
        let mut child = Command::new(&self.program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
        let Some(success) = wait(&mut child, TIMEOUT).map_err(failed)? else {
            return Err(KindError::Timeout {
                command: command(),
                timeout: TIMEOUT,
            });
        };
        let stderr = String::from_utf8_lossy(&stderr.join().unwrap_or_default())
            .trim()
            .to_owned();
        Ok(Output {
            success,
            stdout: stdout.join().unwrap_or_default(),
            stderr,
        })
    }
}

/// Waits for a child; kills it when the time is over and gives None.
fn wait(child: &mut Child, timeout: Duration) -> io::Result<Option<bool>> {
    let start: Nanos = clock::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if u128::from(clock::now().saturating_sub(start)) > timeout.as_nanos() {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Reads a pipe to its end on a thread of its own, so that neither pipe can fill up and block the child.
fn reader(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // What was read until an error is still of use in a message.
            pipe.take(MAX_OUTPUT).read_to_end(&mut bytes).ok();
        }
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_is_kinds() {
        assert_eq!(candidates("").expect("unset")[0], "docker");
        assert_eq!(candidates("podman").expect("podman"), ["podman"]);
        let e = candidates("lxc").expect_err("unknown");
        assert!(
            e.to_string()
                .starts_with("KIND_EXPERIMENTAL_PROVIDER=\"lxc\" is not a container engine"),
            "{e}"
        );
    }

    #[test]
    fn commands_are_run_with_both_outputs_and_the_exit_code() {
        let sh = Engine {
            program: "sh".into(),
        };
        let out = sh
            .run(&["-c", "echo out; echo err >&2; exit 3"])
            .expect("runs");
        assert_eq!(
            out,
            Output {
                success: false,
                stdout: b"out\n".to_vec(),
                stderr: "err".into()
            }
        );
        let missing = Engine {
            program: "no-such-container-engine".into(),
        };
        assert!(matches!(
            missing.run(&["ps"]),
            Err(KindError::Command { .. })
        ));
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let mut child = Command::new("sleep").arg("600").spawn().expect("sleep");
        assert_eq!(
            wait(&mut child, Duration::from_millis(20)).expect("wait"),
            None
        );
    }
}
