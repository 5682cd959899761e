//! A command's failure: one message, one exit code.

use crate::exit::Exit;

/// What a command tells the user when it cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// Lowercase; names the flag or file, the value and what would be right.
    pub message: String,
    /// Exit code.
    pub exit: Exit,
}

impl CliError {
    /// A flag, a file or a precondition was wrong (exit 2).
    pub fn usage(message: impl Into<String>) -> Self {
        CliError {
            message: message.into(),
            exit: Exit::Usage,
        }
    }

    /// etcd, the disk, the network or etcdmark failed (exit 1).
    pub fn failure(message: impl Into<String>) -> Self {
        CliError {
            message: message.into(),
            exit: Exit::Failure,
        }
    }
}
