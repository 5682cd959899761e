//! The command line: a file per command, flags → a typed request.

pub mod cleanup;
pub mod cluster_flags;
pub mod descriptors;
pub mod disk;
pub mod error;
pub mod experiment;
pub mod inspect;
pub mod list;
pub mod local_flags;
pub mod output;
pub mod progress;
pub mod report;
pub mod run;
pub mod show;
pub mod signals;
pub mod validate;
pub mod workload_flags;

pub use error::CliError;

use crate::exit::Exit;
use clap::{Parser, Subcommand};

/// kubemark for etcd: plays a hollow Kubernetes cluster's traffic against a real etcd, at the moments
/// at which that cluster would send it, and measures how long each kind of request waited.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, after_help = HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const HELP: &str = "\
Examples:
  etcdmark run                                   1,000 nodes' traffic against an etcd of its own
  etcdmark run --nodes 5000 --duration 5m        five times that, for five minutes
  etcdmark run events --endpoints http://10.0.0.1:2379
  etcdmark run --kind kind --allow-live-cluster  the etcd of a kind cluster
  etcdmark experiment versions --smoke           several arms, one answer
  etcdmark inspect --endpoints http://127.0.0.1:2379
  etcdmark disk /var/lib/etcd                    is this disk fast enough for etcd?

Exit codes:
  0 ok, 1 failure, 2 usage, 97 regression (reserved), 98 invalid run, 99 threshold missed,
  130 interrupted";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a workload and measure it.
    Run(Box<run::Args>),
    /// Compare two or more arms under the same traffic.
    Experiment(Box<experiment::Args>),
    /// List the built-in workloads.
    List(list::Args),
    /// Check workload files without running them.
    Validate(validate::Args),
    /// Show a workload as it would run, after every override.
    Show(show::Args),
    /// Show the result of a run or an experiment again, rebuilt from its files.
    Report(report::Args),
    /// Look at an etcd without writing anything.
    Inspect(inspect::Args),
    /// Delete what earlier runs left in an etcd.
    Cleanup(cleanup::Args),
    /// Measure how fast directories' disks are for etcd.
    Disk(disk::Args),
}

/// Runs the process's command line; prints what is to be printed; says how it ended.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version go to stdout and are no error; a closed pipe neither.
            let _ = e.print();
            return if e.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
        }
    };
    let ended = match cli.command {
        Command::Run(args) => run::run(*args),
        Command::Experiment(args) => experiment::run(*args),
        Command::List(args) => list::run(args),
        Command::Validate(args) => validate::run(args),
        Command::Show(args) => show::run(args),
        Command::Report(args) => report::run(&args),
        Command::Inspect(args) => inspect::run(args),
        Command::Cleanup(args) => cleanup::run(args),
        Command::Disk(args) => disk::run(&args),
    };
    ended.unwrap_or_else(|e| {
        output::complain(&format!("error: {e}"));
        e.exit
    })
}
