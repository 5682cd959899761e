//! `etcdmark experiment`: plays an experiment, lists the built-in ones, shows one.

use super::CliError;
use super::descriptors;
use super::local_flags::PinFlags;
use super::output::{Format, print, print_json};
use super::signals;
use super::watching::Watching;
use crate::analyses;
use crate::exit::Exit;
use crate::experiment::file::etcd_spec::EtcdSpec;
use crate::experiment::{
    BUILTINS, Changes, Experiment, ExperimentDirectory, ExperimentError, ExperimentResult,
    ExperimentSource, run as run_trials, text,
};
use serde::Serialize;
use std::path::PathBuf;

/// Flags of `etcdmark experiment`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    about = "Compare two or more arms (etcd versions, flags, disks, stores) under the same traffic",
    args_conflicts_with_subcommands = true,
    after_help = "\
Each block runs one trial of every arm, in random order. etcdmark starts a fresh etcd for each
trial, unless an arm names endpoints. Ctrl-C ends the current trial and keeps the completed ones;
to continue, run the same command with the same --out.

Examples:
  etcdmark experiment list
  etcdmark experiment versions --smoke               check that it works; no conclusion
  etcdmark experiment versions --out results/versions
  etcdmark experiment versions --arm 3.5 --arm 3.7 --blocks 10
  etcdmark experiment media --dir /mnt/nvme --dir /mnt/gp3 --medium hdd
  etcdmark experiment split-events --dir /mnt/other --split events,leases
  etcdmark experiment my-experiment.yaml --set cluster.nodes=2000"
)]
pub struct Args {
    /// A built-in experiment's name (see `etcdmark experiment list`), or a file
    #[arg(value_name = "NAME|FILE")]
    pub name: Option<String>,
    /// list, show
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub changes: ChangeFlags,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub output: OutputFlags,
}

/// Where the results go, and in which form.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct OutputFlags {
    /// Directory for the results: new or empty, or of the same command, to continue it [default:
    /// etcdmark-results/NAME-TIME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
    /// Print only the result, no progress
    #[arg(short, long)]
    pub quiet: bool,
    /// Print the events of each trial as well
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// Changes to the experiment.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Experiment")]
pub struct ChangeFlags {
    /// Run a short smoke test: about a minute, no conclusion
    #[arg(long)]
    pub smoke: bool,
    /// Number of blocks: trials of each arm on each level, at least 6; not with --smoke
    #[arg(long, value_name = "N")]
    pub blocks: Option<u32>,
    /// Random seed of the order and of the workloads; block n uses seed + n - 1
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Run only this arm; can be repeated
    #[arg(long, value_name = "NAME")]
    pub arm: Vec<String>,
    /// Run only this level of the sweep; can be repeated
    #[arg(long, value_name = "NAME")]
    pub level: Vec<String>,
    /// Play an arm with its data in this directory, in place of the file's arms (split-events: beside them); can be
    /// repeated (media, split-events; `forEach` in a file)
    #[arg(long, value_name = "DIR")]
    pub dir: Vec<PathBuf>,
    /// Write-ahead log directory of the --dir arms; once for all, or once for each, in order
    #[arg(long, value_name = "DIR")]
    pub wal_dir: Vec<PathBuf>,
    /// Play an arm on this emulated storage medium, as in `etcdmark run`, in place of the file's arms; can be repeated
    /// (media)
    #[arg(long, value_name = "NAME|FILE")]
    pub medium: Vec<String>,
    /// Add an arm with these resources in separate etcds, as in `etcdmark run`: events,leases+nodes; can be
    /// repeated (split-events)
    #[arg(long, value_name = "RESOURCE[,…]")]
    pub split: Vec<String>,
    /// Number of hollow nodes of every arm's workload, as `--set cluster.nodes`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub nodes: Option<String>,
    /// Length of every trial's measure phase, as `--set phases.duration`
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub duration: Option<String>,
    /// etcd binary of every arm
    #[arg(long, value_name = "PATH")]
    pub etcd: Option<PathBuf>,
    /// etcd version of every arm: 3.6.4, or 3.6
    #[arg(long, value_name = "VERSION", conflicts_with = "etcd")]
    pub etcd_version: Option<String>,
    /// Pass a flag to every arm's etcd; can be repeated: --etcd-flag --quota-backend-bytes=4294967296
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub etcd_flag: Vec<String>,
    /// Number of members of every arm's etcd: 1 or 3
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub members: Option<String>,
    /// A directory on the disk for every arm's data; each trial creates a temporary directory in it
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub pin: PinFlags,
    /// Use the etcd of this kind cluster for every arm, whose traffic must then differ
    #[arg(long, value_name = "NAME", conflicts_with_all = ["etcd", "etcd_version", "etcd_flag", "members", "data_dir", "pin", "no_pin"])]
    pub kind: Option<String>,
    /// Set a field of every arm's workload, as `etcdmark run --set` does; can be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// What --level was called
    #[arg(long, hide = true)]
    pub rung: Vec<String>,
    /// What --blocks was called
    #[arg(long, hide = true)]
    pub pairs: Option<String>,
    /// Allow arms whose etcd holds keys of others, a live Kubernetes cluster for example
    #[arg(long)]
    pub allow_live_cluster: bool,
    /// Allow operations on the whole external etcd of an arm (compaction, defragmentation, filling it)
    #[arg(long)]
    pub yes_this_etcd_is_mine: bool,
}

/// What is done instead of playing one.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// List the built-in experiments
    List {
        /// Output format
        #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
        output: Format,
    },
    /// Print an experiment's file, or its plan
    Show {
        /// A built-in experiment's name, or a file
        #[arg(value_name = "NAME|FILE")]
        name: String,
        /// Print the plan (arms, trials and their order) as JSON instead of the file
        #[arg(long)]
        plan: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as help")]
        changes: Box<ChangeFlags>,
    },
}

impl ChangeFlags {
    fn changes(&self) -> Result<Changes, CliError> {
        for (old, given, new) in [
            ("--rung", !self.rung.is_empty(), "--level"),
            ("--pairs", self.pairs.is_some(), "--blocks"),
        ] {
            if given {
                return Err(CliError::usage(format!("{old} is now called {new}")));
            }
        }
        let members = self.members.as_ref().map(|n| {
            n.parse().map_err(|_| {
                CliError::usage(format!("--members {n}: a local cluster has 1 or 3 members"))
            })
        });
        Ok(Changes {
            nodes: self.nodes.clone(),
            duration: self.duration.clone(),
            etcd: EtcdSpec {
                path: self.etcd.clone(),
                version: self.etcd_version.clone(),
                flags: self.etcd_flag.clone(),
                members: members.transpose()?,
                data_dir: self.data_dir.clone(),
                kind: self.kind.clone(),
                pin: self.pin.asked(),
                ..EtcdSpec::default()
            },
            smoke: self.smoke,
            blocks: self.blocks,
            seed: self.seed,
            arms: self.arm.clone(),
            levels: self.level.clone(),
            dirs: self.dir.clone(),
            wal_dirs: self.wal_dir.clone(),
            media: self.medium.clone(),
            splits: self.split.clone(),
            set: self.set.clone(),
            allow_live_cluster: self.allow_live_cluster,
            yes_this_etcd_is_mine: self.yes_this_etcd_is_mine,
            elsewhere: false,
            null: false,
        })
    }
}

/// Plays, lists or shows.
///
/// # Errors
/// Everything that keeps the experiment from beginning or from coming to its end.
pub fn run(args: Args) -> Result<Exit, CliError> {
    match (&args.command, &args.name) {
        (Some(Command::List { output }), _) => list(*output),
        (
            Some(Command::Show {
                name,
                plan,
                changes,
            }),
            _,
        ) => show(name, *plan, changes),
        (None, Some(name)) => experiment(&args, name),
        (None, None) => {
            let names: Vec<&str> = BUILTINS.iter().map(|b| b.name).collect();
            let names = names.join(", ");
            Err(CliError::usage(format!(
                "name a built-in experiment ({names}) or a file"
            )))
        }
    }
}

fn experiment(args: &Args, name: &str) -> Result<Exit, CliError> {
    let experiment =
        ExperimentSource::load(name)?.resolve(&args.changes.changes()?, &analyses::ALL)?;
    play(&experiment, &args.output)
}

/// Plays an experiment, prints its result, and exits as that says.
///
/// # Errors
/// Everything that keeps it from beginning or from coming to its end.
pub(super) fn play(experiment: &Experiment, output: &OutputFlags) -> Result<Exit, CliError> {
    for workload in experiment.workloads() {
        descriptors::raise(&workload?)?;
    }
    let out = output.out.clone().unwrap_or_else(|| {
        let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
        PathBuf::from("etcdmark-results").join(format!("{}-{now}", experiment.plan.name))
    });
    let first = "ending the trial: waiting for answers (press Ctrl-C again to stop now)";
    let control = signals::watched(first)?;
    let directory = ExperimentDirectory::open(&out, &experiment.plan)?;
    let mut watching = Watching::new(output);
    watching.introduce(experiment, &out);
    let played = run_trials(experiment, &directory, &control, &mut watching);
    watching.close();
    let result = played?;
    report(&result, output.output, &out)?;
    let exit = result.exit();
    if exit == Exit::Interrupted && !control.interrupted() {
        return Ok(Exit::Failure);
    }
    Ok(exit)
}

/// Prints a result.
pub fn report(
    result: &ExperimentResult,
    output: Format,
    dir: &std::path::Path,
) -> Result<(), CliError> {
    match output {
        Format::Text => print(&text::render(result, Some(dir))),
        Format::Json => {
            let json = result
                .json()
                .map_err(|e| CliError::failure(format!("cannot write JSON: {e}")))?;
            print(&json)
        }
    }
}

/// One built-in experiment.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    question: String,
    arms: Vec<String>,
}

fn list(output: Format) -> Result<Exit, CliError> {
    let mut rows = Vec::new();
    for b in BUILTINS {
        let spec = ExperimentSource::load(b.name)?.file.spec;
        let arms = spec.arms.into_iter().map(|a| a.name).collect();
        rows.push(Row {
            name: b.name,
            question: spec.question,
            arms,
        });
    }
    if output == Format::Json {
        print_json(&rows)?;
        return Ok(Exit::Ok);
    }
    let width = rows.iter().map(|r| r.name.len()).max().unwrap_or(0);
    let line = |r: &Row| {
        format!(
            "{:width$}  {}\n{:width$}  arms: {}\n",
            r.name,
            r.question,
            "",
            r.arms.join(", ")
        )
    };
    let lines: String = rows.iter().map(line).collect();
    print(&format!(
        "{lines}\nRun one with `etcdmark experiment NAME`; print its file with `etcdmark experiment show NAME`.\n"
    ))?;
    Ok(Exit::Ok)
}

fn show(name: &str, plan: bool, changes: &ChangeFlags) -> Result<Exit, CliError> {
    let source = ExperimentSource::load(name)?;
    if plan {
        let changes = Changes {
            elsewhere: true,
            ..changes.changes()?
        };
        print_json(&source.resolve(&changes, &analyses::ALL)?.plan)?;
    } else if *changes != ChangeFlags::default() {
        return Err(CliError::usage(
            "flags change the plan, not the file: add --plan to print it, or remove them",
        ));
    } else {
        print(&source.text)?;
    }
    Ok(Exit::Ok)
}

impl From<ExperimentError> for CliError {
    fn from(e: ExperimentError) -> Self {
        CliError {
            message: e.to_string(),
            exit: e.exit(),
        }
    }
}
