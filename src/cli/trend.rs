//! `etcdmark trend HISTORY`: where the figures of past runs changed.

use super::CliError;
use super::output::{Format, print, print_json};
use crate::exit::Exit;
use crate::experiment::history::{self, History, HistoryError};
use std::path::PathBuf;

/// Flags of `etcdmark trend`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    about = "Show where the figures of past runs changed; never fails a build",
    after_help = "\
Runs of the same plan on the same kind of machine are compared, in the order of their time. The exit
code is 0 whatever changed: runs that were not interleaved cannot tell an etcd from a day
(`etcdmark compare` can).

Examples:
  etcdmark report results/a --history history.jsonl --label \"$(git rev-parse --short HEAD)\"
  etcdmark trend history.jsonl
  etcdmark trend history.jsonl -o json | jq .groups"
)]
pub struct Args {
    /// File to which `etcdmark report DIR --history FILE` appended runs
    #[arg(value_name = "HISTORY")]
    pub history: PathBuf,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Prints the changes.
///
/// # Errors
/// The file cannot be read, or is no history.
pub fn run(args: &Args) -> Result<Exit, CliError> {
    let history = History::read(&args.history).map_err(error)?;
    let trend = history::trend(&history);
    match args.output {
        Format::Text => print(&history::text(&trend))?,
        Format::Json => print_json(&trend)?,
    }
    Ok(Exit::Ok)
}

/// Usage where the user named something else than a history.
pub(super) fn error(e: HistoryError) -> CliError {
    match e {
        HistoryError::Write { .. } => CliError::failure(e.to_string()),
        _ => CliError::usage(e.to_string()),
    }
}
