//! The directory of a search: `capacity.json`, and a run's directory for every trial.

use super::document::{CAPACITY_VERSION, CapacityResult, CapacityTrial, Question};
use super::search::Next;
use crate::report::files::{RESULT, remove, whole};
use crate::report::{self, RunResult};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The result so far.
const CAPACITY: &str = "capacity.json";
const LOCK: &str = ".lock";

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {message}", path = .path.display())]
pub struct CapacityError {
    path: PathBuf,
    message: String,
    /// The command line can be changed so that it works.
    pub usage: bool,
}

/// An open directory; one process at a time.
#[derive(Debug)]
pub struct CapacityDirectory {
    path: PathBuf,
    _lock: File,
}

/// Whether a directory holds a search.
pub fn is_capacity(dir: &Path) -> bool {
    dir.join(CAPACITY).is_file()
}

impl CapacityDirectory {
    /// Creates it, or continues the search of the same question.
    ///
    /// # Errors
    /// It holds something else, another search, is in use or cannot be written.
    pub fn open(path: &Path, question: &Question) -> Result<(Self, CapacityResult), CapacityError> {
        let refuse = |message: String, usage: bool| CapacityError {
            path: path.to_owned(),
            message,
            usage,
        };
        let failed = |what: &str, e: io::Error| refuse(format!("cannot {what}: {e}"), true);
        if path.exists() && !path.is_dir() {
            return Err(refuse(
                "not a directory; name a new or empty directory".to_owned(),
                true,
            ));
        }
        let fresh = !is_capacity(path);
        if fresh && path.is_dir() {
            let mut entries = fs::read_dir(path).map_err(|e| failed("list the directory", e))?;
            if let Some(Ok(entry)) = entries.next() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                return Err(refuse(
                    format!(
                        "the directory is not empty (it contains {name}); etcdmark never overwrites results: name a \
                         new or empty directory"
                    ),
                    true,
                ));
            }
        }
        fs::create_dir_all(path.join("trials")).map_err(|e| failed("create the directory", e))?;
        let lock = File::create(path.join(LOCK)).map_err(|e| failed("write in it", e))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let message = "another etcdmark process is using it; wait for that process, or name another directory";
            return Err(refuse(message.to_owned(), true));
        }
        let directory = CapacityDirectory {
            path: path.to_owned(),
            _lock: lock,
        };
        if fresh {
            let result = CapacityResult::new(question.clone(), Vec::new());
            directory.write(&result)?;
            return Ok((directory, result));
        }
        let there = rebuild(path)?;
        if let Some(difference) = difference(&there.question, question) {
            return Err(refuse(
                format!(
                    "it holds another search ({difference}); use the same flags to continue that one, or name a new \
                     directory"
                ),
                true,
            ));
        }
        Ok((directory, there))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the files of a trial go: nothing is there.
    ///
    /// # Errors
    /// What an interrupted trial left cannot be removed.
    pub fn trial(&self, trial: u32) -> Result<PathBuf, CapacityError> {
        let path = self.path.join(trial_name(trial));
        match remove(&path) {
            Ok(()) => Ok(path),
            Err(e) => Err(CapacityError {
                message: format!("cannot remove it: {e}"),
                path,
                usage: false,
            }),
        }
    }

    /// Takes a trial in that came to its end.
    ///
    /// # Errors
    /// `capacity.json` cannot be written.
    pub fn add(
        &self,
        result: CapacityResult,
        trial: CapacityTrial,
    ) -> Result<CapacityResult, CapacityError> {
        let result = result.with(trial);
        self.write(&result)?;
        Ok(result)
    }

    /// Removes the directory if no trial was played.
    pub fn discard_unplayed(&self) {
        if fs::remove_dir(self.path.join("trials")).is_ok() {
            // Best effort: what cannot be removed does no harm.
            let _ = fs::remove_file(self.path.join(CAPACITY));
            let _ = fs::remove_file(self.path.join(LOCK));
            let _ = fs::remove_dir(&self.path);
        }
    }

    fn write(&self, result: &CapacityResult) -> Result<(), CapacityError> {
        let path = self.path.join(CAPACITY);
        let text = serde_json::to_string_pretty(result).unwrap_or_default() + "\n";
        whole(&path, &text).map_err(|e| CapacityError {
            message: format!("cannot be written: {e}"),
            path,
            usage: false,
        })
    }
}

fn trial_name(trial: u32) -> String {
    format!("trials/{trial:03}")
}

/// The result of the search in `dir`: the question of `capacity.json`, and the trials judged from their own files.
///
/// # Errors
/// `capacity.json` cannot be read, or is of another version.
pub fn rebuild(dir: &Path) -> Result<CapacityResult, CapacityError> {
    let path = dir.join(CAPACITY);
    let refuse = |message: String| CapacityError {
        path: path.clone(),
        message,
        usage: false,
    };
    let text = fs::read_to_string(&path).map_err(|e| refuse(format!("cannot be read: {e}")))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| refuse(format!("is not JSON: {e}")))?;
    match value["version"].as_u64() {
        Some(v) if v != u64::from(CAPACITY_VERSION) => Err(refuse(format!(
            "has format version {v}, but this etcdmark reads only version {CAPACITY_VERSION}"
        ))),
        _ => {
            let question = serde_json::from_value(value["question"].clone());
            let question = question.map_err(|e| refuse(format!("holds no question: {e}")))?;
            Ok(replay(dir, question))
        }
    }
}

/// The trials in the order in which the search asks for them, up to the first that is not there.
fn replay(dir: &Path, question: Question) -> CapacityResult {
    let mut result = CapacityResult::new(question, Vec::new());
    while let Next::Play(attempt) = result.next() {
        let number = result.next_number();
        let Some(run) = ended(&dir.join(trial_name(number))) else {
            break;
        };
        let trial = CapacityTrial::new(number, attempt, &run);
        result = result.with(trial);
    }
    result
}

/// A trial that came to its end: `result.json` is written last.
fn ended(dir: &Path) -> Option<RunResult> {
    if !dir.join(RESULT).is_file() {
        return None;
    }
    report::rebuild(dir).ok().filter(counts)
}

/// An interrupted trial says nothing of the size.
fn counts(run: &RunResult) -> bool {
    matches!(run.outcome.outcome.as_str(), "completed" | "guard") && !run.outcome.interrupted
}

impl CapacityResult {
    /// A trial that was just played; none where it was interrupted or failed for another reason than its size.
    pub fn judged(
        &self,
        attempt: super::search::Attempt,
        run: &RunResult,
    ) -> Option<CapacityTrial> {
        counts(run).then(|| CapacityTrial::new(self.next_number(), attempt, run))
    }
}

/// Where two questions differ.
fn difference(there: &Question, here: &Question) -> Option<String> {
    let of = |q: &Question| match serde_json::to_value(q) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (there, here) = (of(there), of(here));
    let differs = |(name, value): (&String, &serde_json::Value)| {
        let now = here.get(name).unwrap_or(&serde_json::Value::Null);
        (now != value).then(|| format!("{name}: {value} there, {now} now"))
    };
    there.iter().find_map(differs)
}
