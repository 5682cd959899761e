//! `etcdmark compat check-perf`: what `etcdctl check perf` sends and asks for, beside etcdmark's criteria.

use super::super::CliError;
use super::super::output::{Format, print, print_json};
use crate::compat::check_perf::{CRITERIA, Criterion, PROFILES, Profile, command, render};
use crate::exit::Exit;

/// Show the loads s, m, l and xl of etcdctl check perf, their criteria beside etcdmark's, and the command that sends each
/// load; sends nothing.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  etcdmark compat check-perf
  etcdmark compat check-perf -o json")]
pub struct Args {
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

#[derive(serde::Serialize)]
struct Load {
    profile: Profile,
    command: String,
}

#[derive(serde::Serialize)]
struct Shown {
    version: u32,
    loads: Vec<Load>,
    criteria: [Criterion; 6],
}

/// Prints them.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args) -> Result<Exit, CliError> {
    match args.output {
        Format::Text => print(&render())?,
        Format::Json => {
            let load = |p: &Profile| Load {
                profile: *p,
                command: command(p),
            };
            print_json(&Shown {
                version: 1,
                loads: PROFILES.iter().map(load).collect(),
                criteria: CRITERIA,
            })?;
        }
    }
    Ok(Exit::Ok)
}
