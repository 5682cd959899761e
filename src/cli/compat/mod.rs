//! `etcdmark compat`: the loads of other tools, so that their numbers can stand beside etcdmark's.

pub mod check_perf;
mod flags;
pub mod go_benchmark;

use super::CliError;
use crate::exit::Exit;

/// Send the load of another tool, with its flags and its arithmetic, so that old numbers and new ones can stand side by
/// side.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  etcdmark compat go-benchmark put --clients 64 --conns 8 --total 5000
  etcdmark compat check-perf")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Send the load of etcd's Go benchmark tool (tools/benchmark).
    ///
    /// Each of --clients workers has one request outstanding (closed loop), worker i uses connection i % --conns, there is
    /// no warm-up, and failed requests are left out of all figures. Unlike with the Go tool, they are counted, and the exit
    /// code is then 1.
    GoBenchmark(Box<go_benchmark::Args>),
    /// Show the loads and criteria of etcdctl check perf beside etcdmark's; sends nothing.
    CheckPerf(check_perf::Args),
}

/// Runs the command.
///
/// # Errors
/// As the commands.
pub fn run(args: Args) -> Result<Exit, CliError> {
    match args.command {
        Command::GoBenchmark(args) => go_benchmark::run(&args),
        Command::CheckPerf(args) => check_perf::run(&args),
    }
}
