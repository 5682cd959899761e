//! The file: JSON, a line a run; written at its end only.

use super::entry::{Entry, HISTORY_VERSION};
use serde::Deserialize;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Why a history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("{path}: cannot read the history: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: cannot append to the history: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "{0}: no history: none of its lines is one that `etcdmark report DIR --history FILE` appends{1}"
    )]
    Foreign(PathBuf, String),
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// In the file's order.
    pub entries: Vec<Entry>,
    /// Lines that could not be used, and why.
    pub notes: Vec<String>,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl History {
    /// Reads what can be read; what cannot is a note.
    ///
    /// # Errors
    /// The file cannot be read, or holds lines and none that can be used.
    pub fn read(path: &Path) -> Result<History, HistoryError> {
        let bytes = std::fs::read(path).map_err(|source| HistoryError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut history = History::default();
        let mut lines = 0;
        for (i, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            let text = String::from_utf8_lossy(line);
            if text.trim().is_empty() {
                continue;
            }
            lines += 1;
            match serde_json::from_str::<Entry>(&text) {
                Ok(entry) if entry.version == HISTORY_VERSION => history.entries.push(entry),
                result => {
                    let why = unusable(&text, result.err(), line.ends_with(b"\n"));
                    history
                        .notes
                        .push(format!("line {} {why}; it is left out", i + 1));
                }
            }
        }
        if lines > 0 && history.entries.is_empty() {
            let first = history.notes.first().cloned();
            let first = first.map_or(String::new(), |note| format!(" ({note})"));
            return Err(HistoryError::Foreign(path.to_owned(), first));
        }
        Ok(history)
    }

    /// Appends a run, unless the file has it. Returns whether it did, and what is wrong with the file.
    ///
    /// # Errors
    /// The file cannot be read or written, or is something else.
    pub fn append(path: &Path, entry: &Entry) -> Result<(bool, Vec<String>), HistoryError> {
        let failed = |source| HistoryError::Write {
            path: path.to_owned(),
            source,
        };
        let known = match History::read(path) {
            Err(HistoryError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
                History::default()
            }
            other => other?,
        };
        if known.entries.iter().any(|e| e.run == entry.run) {
            return Ok((false, known.notes));
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path);
        let mut file = file.map_err(failed)?;
        let mut line = serde_json::to_string(entry).map_err(|e| failed(e.into()))?;
        line.push('\n');
        // After a torn line a new one begins.
        if torn(&mut file).map_err(failed)? {
            line.insert(0, '\n');
        }
        // In one write: two jobs that append do not mix their lines.
        file.write_all(line.as_bytes()).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        Ok((true, known.notes))
    }
}

fn torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn unusable(text: &str, error: Option<serde_json::Error>, ended: bool) -> String {
    match (serde_json::from_str::<Version>(text), error) {
        (Ok(Version { version }), _) if version != HISTORY_VERSION => {
            format!("has version {version}, and this etcdmark reads {HISTORY_VERSION}")
        }
        (Err(_), _) if !ended => "is cut off".to_owned(),
        (_, Some(error)) => format!("makes no sense ({error})"),
        _ => "makes no sense".to_owned(),
    }
}
