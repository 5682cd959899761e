//! How a command fails: one message, one exit code.

use crate::exit::Exit;

/// A command's failure, ready to be printed after `error: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// Lowercase; says what is wrong and what would be right.
    pub message: String,
    /// What the shell sees.
    pub exit: Exit,
}

impl CliError {
    /// A flag, a file or a precondition was wrong; nothing was started.
    pub fn usage(message: impl Into<String>) -> Self {
        CliError {
            message: message.into(),
            exit: Exit::Usage,
        }
    }

    /// etcd, the disk, the network or etcdmark itself failed.
    pub fn failure(message: impl Into<String>) -> Self {
        CliError {
            message: message.into(),
            exit: Exit::Failure,
        }
    }
}
