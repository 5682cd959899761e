//! A command that failed: one message, one exit code.

use crate::document::DocumentError;
use crate::exit::Exit;
use std::fmt;

/// What is printed to stderr after `error: `, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliError {
    /// Names the flag, field or file, the value, and what would be right.
    pub message: String,
    /// The exit code.
    pub exit: Exit,
}

impl CliError {
    /// A flag, a file or a precondition is wrong; nothing was started (exit 2).
    pub fn usage(message: impl Into<String>) -> Self {
        CliError {
            message: message.into(),
            exit: Exit::Usage,
        }
    }

    /// etcd, the disk, the network or etcdmark itself failed (exit 1).
    pub fn failure(message: impl Into<String>) -> Self {
        CliError {
            message: message.into(),
            exit: Exit::Failure,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}

impl From<DocumentError> for CliError {
    fn from(e: DocumentError) -> Self {
        CliError::usage(e.to_string())
    }
}

impl From<crate::etcd::external::AccessError> for CliError {
    fn from(e: crate::etcd::external::AccessError) -> Self {
        CliError::usage(e.to_string())
    }
}
