//! What can be wrong with a workload. Every message names the place, the value and what would be right.

use std::path::PathBuf;

/// A workload that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Neither a built-in nor a file.
    #[error("workload {name:?}: no such built-in and no such file{hint}; built-in: {builtins}")]
    NotFound {
        name: String,
        /// "; did you mean …?" or nothing.
        hint: String,
        /// All built-ins.
        builtins: String,
    },
    /// The file is there and cannot be read.
    #[error("workload {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Not YAML, an unknown or repeated key, or a value of the wrong type.
    #[error("{file}:{line}:{column}: {message}")]
    Syntax {
        /// File name, or the built-in's.
        file: String,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A flag that changes the workload is wrong.
    #[error("{flag}: {message}")]
    Override {
        /// `--nodes 0`, `--set cluster.nods=5`.
        flag: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A value is readable and makes no sense.
    #[error("{place}: {error}")]
    Field {
        /// `FILE:LINE:COLUMN`, the flag that set it, or the file alone.
        place: String,
        /// The field and what would be right.
        error: FieldError,
    },
    /// Not as many targets as the workload has stores.
    #[error(
        "the workload has {stores} stores ({names}), but {targets} etcd clusters are given; name one for each store"
    )]
    Targets {
        /// Stores in the workload.
        stores: usize,
        /// Their names.
        names: String,
        /// Given.
        targets: usize,
    },
}

/// A field whose value makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct FieldError {
    /// As `--set` takes it, after `spec.`: `cluster.nodes`, `actors.node-leases.period`.
    pub path: String,
    /// The value and what would be right.
    pub message: String,
}

impl FieldError {
    /// An error at a path.
    pub(crate) fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        FieldError {
            path: path.into(),
            message: message.into(),
        }
    }
}
