//! What can be wrong with an experiment. Every message names the place, the value and what would be right.

use crate::document::DocumentError;
use crate::engine::RunError;
use crate::exit::Exit;
use crate::experiment::play::external::ExternalError;
use crate::experiment::play::hook::HookError;
use crate::experiment::play::leader::LeaderError;
use crate::local::LocalError;
use crate::report::SinkError;
use std::path::PathBuf;

/// An experiment that cannot be begun, or not be ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// Neither a built-in nor a file.
    #[error("experiment {name:?}: no such built-in and no such file{hint}; built-in: {builtins}")]
    NotFound {
        name: String,
        /// "; did you mean …?" or nothing.
        hint: String,
        /// All built-ins.
        builtins: String,
    },
    /// The file is there and cannot be read.
    #[error("experiment {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A key, a value or a flag is wrong.
    #[error("{place}: {message}")]
    Field {
        /// `FILE:LINE:COLUMN`, or the flag.
        place: String,
        /// The field, the value and what would be right.
        message: String,
    },
    /// Its workload, or a change of it, is wrong.
    #[error("{0}")]
    Workload(#[from] DocumentError),
    /// The results' directory cannot be used.
    #[error("--out {}: {message}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not, and what to do.
        message: String,
        /// Whether another directory is the remedy (exit 2) rather than a failure (1).
        usage: bool,
    },
    /// An etcd of an arm cannot be found or started.
    #[error("arm {arm}: {source}")]
    Local {
        /// The arm.
        arm: String,
        /// Why, with etcd's last log lines where there are some.
        source: Box<LocalError>,
    },
    /// The member that an arm wants does not become the leader.
    #[error("arm {arm}: {source}")]
    Leader {
        /// The arm.
        arm: String,
        /// Which member, and what etcd said.
        source: Box<LeaderError>,
    },
    /// An etcd that an arm names cannot be used.
    #[error("arm {arm}, store {store}: {source}")]
    External {
        /// The arm.
        arm: String,
        /// The store.
        store: String,
        /// Why, and what to do.
        source: Box<ExternalError>,
    },
    /// A trial could not begin.
    #[error("trial {trial} (arm {arm}): {source}")]
    Run {
        /// The trial.
        trial: u32,
        /// Its arm.
        arm: String,
        source: Box<RunError>,
    },
    /// A trial failed on its way.
    #[error(
        "trial {trial} (arm {arm}) failed: {reason}; its results so far are in {}; run the same command again \
         to continue",
        directory.display()
    )]
    Trial {
        /// The trial.
        trial: u32,
        /// Its arm.
        arm: String,
        reason: String,
        /// Its files.
        directory: PathBuf,
    },
    /// What the analysis does beside a trial's load failed.
    #[error(
        "trial {trial} (arm {arm}) failed: {source}; its results so far are in {}; run the same command again \
         to continue",
        directory.display()
    )]
    Hook {
        /// The trial.
        trial: u32,
        /// Its arm.
        arm: String,
        source: Box<HookError>,
        /// Its files.
        directory: PathBuf,
    },
    /// A file cannot be written.
    #[error("{0}")]
    Sink(#[from] SinkError),
    /// Ctrl-C or SIGTERM between two trials, or while an etcd was starting.
    #[error("interrupted before the first trial was complete; no results")]
    Interrupted,
}

impl ExperimentError {
    /// An error at a place.
    pub(crate) fn at(place: impl Into<String>, message: impl std::fmt::Display) -> Self {
        ExperimentError::Field {
            place: place.into(),
            message: message.to_string(),
        }
    }

    /// What is wrong below a path, without the path.
    pub(crate) fn reason(&self, path: &str) -> String {
        match self {
            ExperimentError::Field { message, .. } => {
                let below = message.strip_prefix(path).and_then(|m| m.strip_prefix('.'));
                below.unwrap_or(message).to_owned()
            }
            other => other.to_string(),
        }
    }

    /// The exit code that fits.
    pub fn exit(&self) -> Exit {
        match self {
            ExperimentError::NotFound { .. }
            | ExperimentError::Read { .. }
            | ExperimentError::Field { .. }
            | ExperimentError::Workload(_) => Exit::Usage,
            ExperimentError::Directory { usage, .. } if *usage => Exit::Usage,
            ExperimentError::Local { source, .. } if source.is_usage() => Exit::Usage,
            ExperimentError::Run { source, .. } => source.exit,
            ExperimentError::External { source, .. } => source.exit(),
            ExperimentError::Interrupted => Exit::Interrupted,
            _ => Exit::Failure,
        }
    }
}
