//! One etcd process: started, signalled, waited for.

use std::fs::{File, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::data_dir::io_error;
use super::error::LocalError;
use super::medium::MemberMedium;
use super::pinning;
use super::supervisor;
use crate::measure::Cores;
use crate::target::{LocalMedium, ProcessEnd};

const POLL: Duration = Duration::from_millis(10);
const TAIL_LINES: usize = 10;

/// One local etcd member and its process.
#[derive(Debug)]
pub struct Member {
    name: String,
    endpoint: String,
    data_dir: PathBuf,
    log: PathBuf,
    binary: PathBuf,
    args: Vec<String>,
    medium: Option<MemberMedium>,
    cores: Option<Cores>,
    process: Arc<Mutex<Process>>,
}

#[derive(Debug, Default)]
struct Process {
    /// `None` once it was waited for: then its id may belong to somebody else.
    child: Option<Child>,
    last_status: Option<ExitStatus>,
}

impl Member {
    /// A member that is not running yet. `args` is the whole command line.
    pub(super) fn new(
        name: String,
        endpoint: String,
        root: &Path,
        binary: PathBuf,
        args: Vec<String>,
        medium: Option<MemberMedium>,
        cores: Option<Cores>,
    ) -> Self {
        let log = root.join(format!("{name}.log"));
        let data_dir = root.join(&name);
        Member {
            name,
            endpoint,
            data_dir,
            log,
            binary,
            args,
            medium,
            cores,
            process: Arc::default(),
        }
    }

    /// Member name, `etcd-0` …
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Client URL.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// etcd's `--data-dir`.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The storage medium that is emulated for it.
    pub fn medium(&self) -> Option<LocalMedium> {
        self.medium.as_ref().map(MemberMedium::report)
    }

    /// The file with its output.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its process id, while it runs (stopped by SIGSTOP counts as running).
    pub fn pid(&self) -> Option<u32> {
        let mut process = self.lock();
        process.refresh();
        process.child.as_ref().map(Child::id)
    }

    /// To ask from elsewhere whether the process has ended.
    pub(super) fn end(&self) -> ProcessEnd {
        let process = Arc::clone(&self.process);
        ProcessEnd::new(move || {
            let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
            process.refresh();
            process.last_status.map(|status| match status.signal() {
                Some(signal) => format!("killed by signal {signal}"),
                None => format!("ended with exit code {}", status.code().unwrap_or(-1)),
            })
        })
    }

    /// Starts the process; it is not ready yet. Nothing happens if it runs.
    pub(super) fn spawn(&self) -> Result<(), LocalError> {
        let mut process = self.lock();
        process.refresh();
        if process.child.is_some() {
            return Ok(());
        }
        let open = || -> std::io::Result<(File, File)> {
            let log = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.log)?;
            Ok((log.try_clone()?, log))
        };
        let (out, err) = open().map_err(io_error("cannot open etcd's log", &self.log))?;
        let mut command = Command::new(&self.binary);
        command
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        // ETCD_… in our environment is meant for some other etcd (or for etcdctl), not for this one.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"ETCD_") {
                command.env_remove(name);
            }
        }
        // A Ctrl-C in the terminal is ours to handle: etcd has to live through the drain.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let _held = pinning::hold(self.cores.as_ref())?;
        let spawned = match &self.medium {
            Some(medium) => medium.spawn(command),
            None => supervisor::spawn(command),
        };
        let child = spawned.map_err(io_error("cannot run", &self.binary))?;
        *process = Process {
            child: Some(child),
            last_status: None,
        };
        Ok(())
    }

    /// Sends a signal to the running process.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), LocalError> {
        let mut process = self.lock();
        process.refresh();
        let child = process
            .child
            .as_ref()
            .ok_or_else(|| LocalError::NotRunning(self.name.clone()))?;
        kill_process(Pid::from_child(child), signal).map_err(|e| LocalError::System {
            what: "cannot signal etcd",
            source: e.into(),
        })
    }

    /// SIGKILL, and waits for the end. Nothing happens if it does not run.
    pub(super) fn kill(&self) {
        let mut process = self.lock();
        if let Some(mut child) = process.child.take() {
            let _ = child.kill();
            process.last_status = child.wait().ok();
        }
    }

    /// Asks for an orderly end (SIGTERM), waits so long for it, then kills.
    pub(super) async fn stop(&self, patience: Duration) {
        let asked = self.signal(Signal::TERM).is_ok();
        // A paused process would not see the request.
        let _ = self.signal(Signal::CONT);
        let polls = patience.as_millis() / POLL.as_millis();
        for _ in 0..polls {
            if !asked || self.pid().is_none() {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        self.kill();
    }

    /// The error to report if the process has ended.
    pub(super) fn exited(&self) -> Option<LocalError> {
        let mut process = self.lock();
        process.refresh();
        if process.child.is_some() {
            return None;
        }
        let status = process
            .last_status
            .map_or_else(|| "not started".to_owned(), |s| s.to_string());
        Some(LocalError::Exited {
            member: self.name.clone(),
            status,
            log: self.log.clone(),
            tail: self.tail(),
        })
    }

    /// The last lines of the log.
    pub(super) fn tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        // After a bad flag etcd prints all its help; what it had against the flag stands before.
        let text = text
            .rsplit_once("\nUsage:")
            .map_or(&*text, |(before, _)| before);
        let lines: Vec<_> = text.lines().rev().take(TAIL_LINES).collect();
        if lines.is_empty() {
            return "  (no output)".to_owned();
        }
        lines
            .into_iter()
            .rev()
            .map(|line| format!("  {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn lock(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    fn refresh(&mut self) {
        if let Some(child) = &mut self.child
            && let Ok(Some(status)) = child.try_wait()
        {
            self.last_status = Some(status);
            self.child = None;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}
