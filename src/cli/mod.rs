//! The command line: a file per command, flags → a typed request.

pub mod capacity;
pub mod cleanup;
pub mod cluster_flags;
pub mod compare;
pub mod compat;
pub mod descriptors;
pub mod disk;
pub mod error;
mod etcds;
pub mod experiment;
pub mod inspect;
pub mod list;
pub mod local_flags;
pub mod output;
pub mod overrides;
pub mod progress;
pub mod quota_plan;
pub mod report;
pub mod run;
mod session;
pub mod show;
pub mod signals;
pub mod trend;
pub mod validate;
mod watching;
pub mod workload_flags;

pub use error::CliError;

use crate::exit::Exit;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// kubemark for etcd: sends the traffic of a hollow Kubernetes cluster to a real etcd, with the timing of
/// a real cluster, and measures the response time of each kind of request.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, after_help = HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const HELP: &str = "\
Examples:
  etcdmark run                                   traffic of 1,000 nodes against a local etcd
  etcdmark run --nodes 5000 --duration 5m        traffic of 5,000 nodes for five minutes
  etcdmark run events --endpoints http://10.0.0.1:2379
  etcdmark run --kind kind --allow-live-cluster  the etcd of a kind cluster
  etcdmark experiment versions --smoke           compare etcd versions
  etcdmark compare 3.6 3.7                       is the second worse? (exit code 97)
  etcdmark capacity                              how many nodes does an etcd here carry?
  etcdmark inspect --endpoints http://127.0.0.1:2379
  etcdmark disk /var/lib/etcd                    is this disk fast enough for etcd?

Exit codes:
  0 ok, 1 failure, 2 usage, 97 regression, 98 invalid run, 99 threshold missed,
  130 interrupted";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a workload and measure it.
    Run(Box<run::Args>),
    /// Compare two or more arms under the same traffic.
    Experiment(Box<experiment::Args>),
    /// Compare two etcds; exit code 97 when the second is worse.
    Compare(Box<compare::Args>),
    /// Find the largest hollow cluster that an etcd carries.
    Capacity(Box<capacity::Args>),
    /// List the built-in workloads.
    List(list::Args),
    /// Check files of workloads, experiments and media without running them.
    Validate(validate::Args),
    /// Print a workload with all defaults and overrides applied.
    Show(show::Args),
    /// Print the result of a finished run, experiment or search from its files.
    Report(report::Args),
    /// Show where the figures of past runs changed.
    Trend(trend::Args),
    /// Show the state of an etcd; writes nothing.
    Inspect(inspect::Args),
    /// Forecast when an etcd reaches its quota, and which quota it needs; writes nothing.
    QuotaPlan(quota_plan::Args),
    /// Delete the keys that earlier runs left in an etcd.
    Cleanup(cleanup::Args),
    /// Measure whether a disk is fast enough for etcd.
    Disk(disk::Args),
    /// Send the load of another tool: etcd's Go benchmark; show that of etcdctl check perf.
    Compat(compat::Args),
}

/// Runs the process's command line; prints what is to be printed; says how it ended.
pub fn main() -> Exit {
    // `etcdmark run --version` is the same program's.
    let command = Cli::command().mut_subcommands(|c| c.display_name("etcdmark"));
    let parsed = command.try_get_matches();
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
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
        Command::Compare(args) => compare::run(*args),
        Command::Capacity(args) => capacity::run(*args),
        Command::List(args) => list::run(args),
        Command::Validate(args) => validate::run(args),
        Command::Show(args) => show::run(args),
        Command::Report(args) => report::run(&args),
        Command::Trend(args) => trend::run(&args),
        Command::Inspect(args) => inspect::run(args),
        Command::QuotaPlan(args) => quota_plan::run(args),
        Command::Cleanup(args) => cleanup::run(args),
        Command::Disk(args) => disk::run(&args),
        Command::Compat(args) => compat::run(args),
    };
    ended.unwrap_or_else(|e| {
        output::complain(&format!("error: {e}"));
        e.exit
    })
}
