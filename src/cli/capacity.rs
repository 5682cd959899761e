//! `etcdmark capacity`: the largest hollow cluster that an etcd carries under its thresholds.

mod play;

use super::CliError;
use super::cluster_flags::{ClusterFlags, LoadTargetFlags};
use super::etcds::Etcds;
use super::experiment::OutputFlags;
use super::local_flags::{LocalFlags, PinFlags};
use super::output::{Format, complain, print, print_json};
use super::run::run_id;
use super::workload_flags::WorkloadFlags;
use crate::capacity::search::Range;
use crate::capacity::{self, CapacityDirectory, CapacityError, Quantity};
use crate::exit::Exit;
use play::Search;
use std::path::PathBuf;

/// Flags of `etcdmark capacity`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    about = "Find the largest hollow cluster that an etcd carries",
    mut_arg("data_dir", |arg| arg.help("A directory on the disk for the data; each trial creates a temporary directory in it")),
    after_help = "\
Each trial is a run of one size on a fresh local etcd (or on --endpoints, under the guards). The size is
doubled until a threshold is missed, then bisected, and the answer is confirmed on fresh seeds. Without
thresholds, at most 1 % of all operations, and of each primary op class, may miss their limit. Ctrl-C
ends the current trial and keeps the completed ones; to continue, run the same command with the same
--out.

Examples:
  etcdmark capacity                                     how many nodes does an etcd on this machine carry?
  etcdmark capacity node-heartbeats --medium openai-2018    with Leases only, on a disk with 2 ms per sync
  etcdmark capacity --of events --nodes 1000            how many Events/s beside 1,000 nodes?
  etcdmark capacity --threshold 'node-lease/update p99 < 100ms' --at-least 5000
  etcdmark capacity --of rate my-workload.yaml --endpoints http://10.0.0.1:2379"
)]
pub struct Args {
    /// A built-in workload's name (see `etcdmark list`), or a file
    #[arg(default_value = "cluster")]
    pub workload: String,
    /// What is made larger
    #[arg(long, value_enum, default_value_t = Quantity::Nodes, value_name = "QUANTITY", help_heading = "Search")]
    pub of: Quantity,
    /// First size to try [default: 250 nodes, 1 × the rate, 100 Events/s]
    #[arg(
        long,
        value_name = "SIZE",
        allow_negative_numbers = true,
        help_heading = "Search"
    )]
    pub from: Option<f64>,
    /// Largest size to try [default: 1,000,000 nodes, 1,000 × the rate, 1,000,000 Events/s]
    #[arg(
        long,
        value_name = "SIZE",
        allow_negative_numbers = true,
        help_heading = "Search"
    )]
    pub max: Option<f64>,
    /// Trials that must all pass at the end: after 14, a trial passes 80 % of the time, with 95 % confidence
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "Search")]
    pub confirmations: u32,
    /// Exit with code 99 if less is carried
    #[arg(
        long,
        value_name = "SIZE",
        allow_negative_numbers = true,
        help_heading = "Search"
    )]
    pub at_least: Option<f64>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub changes: WorkloadFlags,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub cluster: ClusterFlags,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub load: LoadTargetFlags,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub local: LocalFlags,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub pin: PinFlags,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub output: OutputFlags,
}

/// Searches; prints the answer.
///
/// # Errors
/// Everything that keeps a trial from being played.
pub fn run(mut args: Args) -> Result<Exit, CliError> {
    args.local.scratch = true;
    let external = args.etcds().external(false)?;
    let search = Search::new(&args, external)?;
    let out = args.output.out.clone();
    let out = match out {
        Some(out) => out,
        None => PathBuf::from("etcdmark-results").join(format!("capacity-{}", run_id(None)?)),
    };
    let (directory, result) = CapacityDirectory::open(&out, &search.question)?;
    if !args.output.quiet {
        complain(&format!("results in {}", out.display()));
    }
    let played = search.play(&directory, result);
    directory.discard_unplayed();
    let (result, failed) = played?;
    match args.output.output {
        Format::Text => print(&capacity::render(&result, Some(&out)))?,
        Format::Json => print_json(&result)?,
    }
    match failed {
        Some(e) => Err(e),
        None => Ok(result.exit()),
    }
}

impl Args {
    fn etcds(&self) -> Etcds<'_> {
        Etcds {
            cluster: &self.cluster,
            load: &self.load,
            local: &self.local,
            pin: &self.pin,
        }
    }

    fn range(&self, seed: u64) -> Result<Range, CliError> {
        let whole = self.of == Quantity::Nodes;
        let (from, max): (f64, f64) = match self.of {
            Quantity::Nodes => (250.0, 1e6),
            Quantity::Rate => (1.0, 1e3),
            Quantity::Events => (100.0, 1e6),
        };
        let limit = if whole { 1e7 } else { 1e6 };
        let least = if whole { 1.0 } else { 0.001 };
        let checked = |flag: &str, given: Option<f64>, default: f64| match given {
            None => Ok(default),
            Some(size) if (least..=limit).contains(&size) && (!whole || size.fract() == 0.0) => {
                Ok(size)
            }
            Some(size) => Err(CliError::usage(format!(
                "{flag} {size}: use {} of {least} to {limit}",
                if whole { "a whole number" } else { "a number" }
            ))),
        };
        let from = checked("--from", self.from, from.min(self.max.unwrap_or(max)))?;
        let max = checked("--max", self.max, max.max(from))?;
        checked("--at-least", self.at_least, max)?;
        for (flag, size) in [
            ("--from", from),
            ("--at-least", self.at_least.unwrap_or(max)),
        ] {
            if size > max {
                return Err(CliError::usage(format!(
                    "{flag} {size} is above --max {max}: raise --max"
                )));
            }
        }
        Ok(Range {
            from,
            max,
            whole,
            confirmations: self.confirmations,
            seed,
        })
    }
}

impl From<CapacityError> for CliError {
    fn from(e: CapacityError) -> Self {
        match e.usage {
            true => CliError::usage(format!("--out {e}")),
            false => CliError::failure(e.to_string()),
        }
    }
}
