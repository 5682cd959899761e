//! A file system that is soon full.

use std::process::Command;

use super::command::{BINARY, Output, output};

/// Runs a script with a small tmpfs at `$DIR` that only it sees; None where that is not allowed.
pub fn with_small_disk(size: &str, script: &str) -> Option<Output> {
    let dir = tempfile::tempdir().unwrap();
    let mount =
        format!("mount -t tmpfs -o size={size} etcdmark-test \"$DIR\" || exit 77\n{script}");
    if let Err(e) = Command::new("unshare").arg("--version").output() {
        eprintln!("not tested: unshare: {e}");
        return None;
    }
    let out = output(
        Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount])
            .env("DIR", dir.path())
            .env("ETCDMARK", BINARY),
    );
    if out.code == 77 || out.stderr.starts_with("unshare:") {
        eprintln!("not tested: no mounts here: {}", out.stderr);
        return None;
    }
    Some(out)
}
