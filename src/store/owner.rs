//! The process that holds a run's lock, and whether it is still there.

use serde::{Deserialize, Serialize};

/// A process of etcdmark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Host name.
    pub host: String,
    /// Process id.
    pub pid: u32,
}

impl Process {
    /// This one.
    pub fn me() -> Process {
        Process {
            host: this_host(),
            pid: std::process::id(),
        }
    }

    /// Whether it still runs; None when it is another host's, or this system has no `/proc`.
    pub fn runs(&self) -> Option<bool> {
        if self.host != this_host() || !std::path::Path::new("/proc/self/stat").exists() {
            return None;
        }
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid));
        // `pid (name) state …`: the name may hold anything, a bracket as well.
        let state = stat.ok().and_then(|s| {
            let (_, rest) = s.rsplit_once(") ")?;
            rest.chars().next()
        });
        Some(state.is_some_and(|state| !matches!(state, 'Z' | 'X')))
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on host {}", self.pid, self.host)
    }
}

fn this_host() -> String {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into_owned()
}

/// Who holds a lock; None inside: what stands there is no process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(pub Option<Process>);

impl Owner {
    /// From the lock's value.
    pub(super) fn parse(value: &[u8]) -> Owner {
        Owner(serde_json::from_slice(value).ok())
    }

    /// It is known to have ended: its lock expires soon.
    pub fn ended(&self) -> bool {
        self.0.as_ref().and_then(Process::runs) == Some(false)
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(process) => process.fmt(f),
            None => f.write_str("another process"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_runs_until_it_has_ended_and_another_hosts_is_unknown() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let process = Process {
            pid: child.id(),
            ..Process::me()
        };
        assert_eq!(
            (Process::me().runs(), process.runs()),
            (Some(true), Some(true))
        );
        child.kill().unwrap();
        // Ended and not yet waited for.
        let ended = |_| {
            process.runs() == Some(false) || {
                std::thread::sleep(std::time::Duration::from_millis(5));
                false
            }
        };
        assert!((0..2000).any(ended));
        child.wait().unwrap();
        assert_eq!(process.runs(), Some(false));
        let elsewhere = Process {
            host: "elsewhere.example".to_owned(),
            ..process
        };
        assert_eq!(elsewhere.runs(), None);
        assert!(!Owner(Some(elsewhere)).ended() && !Owner(None).ended());
    }
}
