//! The command line: a file per command, flags → a typed request.

pub mod cleanup;
pub mod cluster_flags;
pub mod error;
pub mod inspect;

pub use error::CliError;
