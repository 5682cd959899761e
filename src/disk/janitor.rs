//! Removes named scratch files when we are gone, however we went: a shell in a process group of its own that waits
//! for the end of a pipe which only we hold open.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A waiting shell; it removes the files and ends when this is dropped or the process dies.
#[derive(Debug)]
pub(super) struct Janitor {
    child: Child,
}

impl Janitor {
    /// Starts one for these files, which need not exist yet. None where there is no shell.
    pub(super) fn start(files: &[PathBuf]) -> Option<Self> {
        let child = Command::new("/bin/sh")
            .args([
                "-c",
                r#"trap '' HUP INT TERM; cat >/dev/null; rm -f -- "$@""#,
                "etcdmark-janitor",
            ])
            .args(files)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C goes to the whole group of the terminal.
            .process_group(0)
            .spawn()
            .ok()?;
        Some(Janitor { child })
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_when_it_is_dropped_and_names_are_no_code() {
        let dir = tempfile::tempdir().unwrap();
        let files = [dir.path().join("a b"), dir.path().join("$(touch c);-x")];
        let janitor = Janitor::start(&files).expect("a shell");
        for file in &files {
            std::fs::write(file, "x").unwrap();
        }
        drop(janitor);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
