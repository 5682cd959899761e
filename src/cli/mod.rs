//! The command line: a file per command, flags → a typed request.

pub mod cleanup;
pub mod cluster_flags;
pub mod error;
pub mod inspect;
pub mod list;
pub mod output;
pub mod show;
pub mod validate;
pub mod workload_flags;

pub use error::CliError;
