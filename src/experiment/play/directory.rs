//! An experiment's directory: `plan.json` (written first; another plan is refused), `trials/` (each a run's directory,
//! with `after.json` where the trial hook kept something), `experiment.json` (made from these, after every trial).

use crate::experiment::error::ExperimentError;
use crate::experiment::plan::{ExperimentPlan, PLAN_VERSION, TrialPlan};
use crate::experiment::registry::Registry;
use crate::experiment::result::document::ExperimentResult;
use crate::experiment::result::reduce::{StoredTrial, reduce};
use crate::report::files::{RESULT, make, remove, unmake, whole};
use crate::report::result::API_VERSION;
use crate::report::{self, RunResult};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The plan.
pub const PLAN: &str = "plan.json";
/// The result.
pub const EXPERIMENT: &str = "experiment.json";
/// What the trial hook kept.
const AFTER: &str = "after.json";
const LOCK: &str = "lock";
const SNAPSHOTS: &str = "snapshots";

/// The directory of an experiment that is being played. Nobody else plays in it meanwhile.
#[derive(Debug)]
pub struct ExperimentDirectory {
    path: PathBuf,
    plan: ExperimentPlan,
    /// What was made for it, the outermost first.
    made: Vec<PathBuf>,
    _lock: File,
}

impl ExperimentDirectory {
    /// Makes the directory, or takes one in which the same plan was begun.
    ///
    /// # Errors
    /// It holds something else, another process plays in it, or it cannot be written.
    pub fn open(path: &Path, plan: &ExperimentPlan) -> Result<Self, ExperimentError> {
        let failed = |what: &str, e: io::Error| refused(path, format!("cannot {what}: {e}"), false);
        let refuse = |message: String| Err(refused(path, message, true));
        let made = make(path)
            .map_err(|e| refused(path, format!("cannot create the directory: {e}"), true))?;
        let known = path.join(PLAN).exists();
        if !known {
            let mut entries = fs::read_dir(path).map_err(|e| failed("list the directory", e))?;
            let other = entries.find_map(|e| {
                e.ok()
                    .map(|e| e.file_name())
                    .filter(|n| n != LOCK && n != "plan.partial")
            });
            if let Some(name) = other {
                let name = name.to_string_lossy();
                return refuse(format!(
                    "the directory contains {name} but no {PLAN}; etcdmark never overwrites results: name a new \
                     or empty directory"
                ));
            }
        }
        let lock = File::create(path.join(LOCK)).map_err(|e| failed("write in it", e))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return refuse(
                "another etcdmark process is using it; wait for that process, or name another directory"
                    .to_owned(),
            );
        }
        let mut longer = false;
        if known {
            let there = read_plan(path)?;
            longer = plan.blocks > there.blocks;
            if there.hash != plan.hash {
                return refuse(format!(
                    "it holds another plan ({}, {} blocks, seed {}{}; hash {:.12}, this plan has {:.12}); use \
                     the same file and flags to continue that plan, or name a new directory",
                    there.name,
                    there.blocks,
                    there.seed,
                    if there.smoke { ", smoke test" } else { "" },
                    there.hash,
                    plan.hash
                ));
            }
            if plan.blocks < there.blocks {
                return refuse(format!(
                    "it holds an experiment of {} blocks, and this plan has {}; use --blocks {} or more, or name a new \
                     directory",
                    there.blocks, plan.blocks, there.blocks
                ));
            }
        }
        if !known || longer {
            let text = serde_json::to_string_pretty(plan).unwrap_or_default() + "\n";
            whole(&path.join(PLAN), &text).map_err(|e| failed("write plan.json", e))?;
        }
        Ok(ExperimentDirectory {
            path: path.to_owned(),
            plan: plan.clone(),
            made,
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a trial's files are.
    pub fn trial(&self, trial: &TrialPlan) -> PathBuf {
        self.path.join(&trial.directory)
    }

    /// What is there of each trial.
    pub(crate) fn stored(&self) -> Vec<StoredTrial> {
        stored(&self.path, &self.plan)
    }

    /// Takes away what a trial left that did not come to its end.
    pub(crate) fn clear(&self, trial: &TrialPlan) -> Result<(), ExperimentError> {
        remove(&self.trial(trial)).map_err(|e| {
            refused(
                &self.path,
                format!("cannot remove {}: {e}", trial.directory),
                false,
            )
        })
    }

    /// Sets an invalid trial aside: it is going to be played once more.
    pub(crate) fn set_aside(&self, trial: &TrialPlan) -> Result<(), ExperimentError> {
        let aside = aside(&self.path, trial);
        let moved = remove(&aside).and_then(|()| fs::rename(self.trial(trial), &aside));
        moved.map_err(|e| {
            refused(
                &self.path,
                format!("cannot rename {}: {e}", trial.directory),
                false,
            )
        })
    }

    /// Keeps what the trial hook returned.
    pub(crate) fn write_after(
        &self,
        trial: &TrialPlan,
        value: &serde_json::Value,
    ) -> Result<(), ExperimentError> {
        let path = self.trial(trial).join(AFTER);
        whole(&path, &format!("{value:#}\n")).map_err(|e| {
            refused(
                &self.path,
                format!("cannot write {}: {e}", path.display()),
                false,
            )
        })
    }

    /// Writes `experiment.json`, whole or not at all.
    pub(crate) fn write(&self, result: &ExperimentResult) -> Result<(), ExperimentError> {
        let json = result.json().map_err(io::Error::other);
        let written = json.and_then(|json| whole(&self.path.join(EXPERIMENT), &json));
        written.map_err(|e| refused(&self.path, format!("cannot write {EXPERIMENT}: {e}"), false))
    }

    /// Takes away what was made for an experiment of which no trial was begun.
    pub(crate) fn discard_unplayed(&self) {
        let trials = self.path.join("trials");
        if fs::read_dir(&trials).is_ok_and(|mut entries| entries.next().is_some()) {
            return;
        }
        self.drop_snapshots();
        // Best effort: what cannot be removed does no harm.
        let _ = fs::remove_dir(&trials);
        for name in [PLAN, LOCK] {
            let _ = fs::remove_file(self.path.join(name));
        }
        unmake(&self.made);
    }

    /// Where the snapshot of an arm on a level is kept: both names may hold dashes, so each is a directory.
    pub(crate) fn snapshot(&self, trial: &TrialPlan) -> PathBuf {
        self.path.join(SNAPSHOTS).join(snapshot_name(trial))
    }

    /// Removes the snapshots, when all trials are done. Best effort: what stays does no harm.
    pub(crate) fn drop_snapshots(&self) {
        let _ = remove(&self.path.join(SNAPSHOTS));
    }
}

fn snapshot_name(trial: &TrialPlan) -> PathBuf {
    Path::new(trial.level.as_str()).join(&trial.arm)
}

/// Whether a directory is an experiment's rather than a run's.
pub fn is_experiment(dir: &Path) -> bool {
    dir.join(PLAN).is_file()
}

/// The result of the experiment in `dir`, from `plan.json` and the trials' files alone, however far it came.
///
/// # Errors
/// `plan.json` cannot be read.
pub fn rebuild(dir: &Path, analyses: &Registry) -> Result<ExperimentResult, ExperimentError> {
    let plan = read_plan(dir)?;
    let stored = stored(dir, &plan);
    // A later version's analysis may be unknown here; its trials can be compared all the same.
    let analysis = analyses.get(&plan.analysis).unwrap_or(analyses.default());
    Ok(reduce(&plan, &stored, analysis.analysis))
}

fn read_plan(dir: &Path) -> Result<ExperimentPlan, ExperimentError> {
    let path = dir.join(PLAN);
    let refuse = |why: String| refused(dir, format!("{PLAN} {why}"), false);
    let text = fs::read_to_string(&path).map_err(|e| refuse(format!("cannot be read: {e}")))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| refuse(format!("is not JSON: {e}")))?;
    match value["version"].as_u64() {
        Some(v) if v != u64::from(PLAN_VERSION) => Err(refuse(format!(
            "has format version {v}, but this etcdmark reads only version {PLAN_VERSION}: {}",
            if v < u64::from(PLAN_VERSION) {
                "read these results with the etcdmark that wrote them, or name a new directory"
            } else {
                "use a newer etcdmark"
            }
        ))),
        _ => serde_json::from_value(value)
            .map_err(|e| refuse(format!("does not belong to an experiment: {e}"))),
    }
}

fn stored(dir: &Path, plan: &ExperimentPlan) -> Vec<StoredTrial> {
    plan.trials.iter().map(|t| stored_trial(dir, t)).collect()
}

fn stored_trial(dir: &Path, trial: &TrialPlan) -> StoredTrial {
    let at = dir.join(&trial.directory);
    let json = |name: &str| fs::read(at.join(name)).ok();
    let (whole, unreadable) = match whole_result(&at.join(RESULT)) {
        Ok(whole) => (whole, None),
        Err(why) => (None, Some(why)),
    };
    let ended = whole.is_some();
    StoredTrial {
        unreadable,
        // A killed trial has no result; what it measured can still be shown.
        result: whole.or_else(|| report::rebuild(&at).ok()),
        ended,
        after: json(AFTER).and_then(|b| serde_json::from_slice(&b).ok()),
        repeated: aside(dir, trial).is_dir(),
    }
}

/// A trial's `result.json`, if it was written.
fn whole_result(path: &Path) -> Result<Option<RunResult>, String> {
    let wrong = |why: String| format!("{} {why}", path.display());
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(wrong(format!("cannot be read: {e}"))),
    };
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|e| wrong(format!("is not JSON: {e}")))?;
    if value["apiVersion"] != API_VERSION {
        return Err(wrong(format!(
            "has apiVersion {}, but this etcdmark reads only {API_VERSION:?}",
            value["apiVersion"]
        )));
    }
    let result = serde_json::from_value(value);
    result.map_err(|e| wrong(format!("is not a run's result: {e}")))
}

/// Where the first try of a trial lies that was invalid.
fn aside(dir: &Path, trial: &TrialPlan) -> PathBuf {
    dir.join(format!("{}.invalid", trial.directory))
}

fn refused(path: &Path, message: String, usage: bool) -> ExperimentError {
    ExperimentError::Directory {
        path: path.to_owned(),
        message,
        usage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::level::LevelName;

    #[test]
    fn snapshots_of_two_arms_or_levels_lie_apart() {
        let name = |level: &str, arm: &str| {
            snapshot_name(&TrialPlan {
                trial: 1,
                block: 1,
                level: LevelName::new(level),
                arm: arm.to_owned(),
                order: 1,
                seed: 1,
                directory: String::new(),
            })
        };
        assert_ne!(name("a-b", "c"), name("a", "b-c"));
        assert_eq!(name("", "c"), Path::new("c"));
    }
}
