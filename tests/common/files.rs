//! Files and directories.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes an executable shell script. Another process writes it: a file that this one had open for writing while
/// another test forks could not be run ("text file busy").
pub fn script(path: &Path, body: &str) -> PathBuf {
    let write = r#"printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod 755 "$1""#;
    by_another_process(
        Command::new("sh")
            .args(["-c", write, "sh"])
            .arg(path)
            .arg(body),
    );
    path.to_owned()
}

/// Copies an executable, for the same reason by another process.
pub fn copy_executable(from: &Path, to: &Path) -> PathBuf {
    by_another_process(Command::new("cp").arg(from).arg(to));
    to.to_owned()
}

fn by_another_process(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// The names of what is in a directory, sorted; none where there is no such directory.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
