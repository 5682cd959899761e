//! The command line: a file per command, flags → a typed request.

pub mod error;
pub mod report;
