//! Why a run that had begun could not go on.

use std::error::Error;
use std::fmt;

/// The error that ended a run, and what was being done.
#[derive(Debug)]
pub(crate) struct Failure {
    doing: Option<String>,
    source: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// One that is known in words only.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure {
            doing: None,
            source: message.into().into(),
        }
    }

    /// An error while `doing` something.
    pub(crate) fn of(doing: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Failure {
            doing: Some(doing.into()),
            source: Box::new(source),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.doing {
            Some(doing) => write!(f, "{doing}: {}", self.source),
            None => self.source.fmt(f),
        }
    }
}

// `Failure` is no `Error` itself, so that `?` takes any.
impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(source: E) -> Self {
        Failure {
            doing: None,
            source: Box::new(source),
        }
    }
}
