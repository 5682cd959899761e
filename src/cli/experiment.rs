//! `etcdmark experiment`: plays an experiment, lists the built-in ones, shows one.

use super::CliError;
use super::descriptors;
use super::output::{Format, complain, print, print_json};
use super::progress::Progress;
use super::signals;
use crate::control::Control;
use crate::exit::Exit;
use crate::experiment::{
    BUILTINS, Changes, Experiment, ExperimentDirectory, ExperimentError, ExperimentResult,
    ExperimentSource, Observer, TrialPlan, run as play, text,
};
use crate::report::Sink;
use serde::Serialize;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Flags of `etcdmark experiment`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    about = "Compare two or more arms (etcd versions, flags, disks, stores) under the same traffic",
    args_conflicts_with_subcommands = true,
    after_help = "\
Arms' trials are interleaved in random order within blocks, each on an etcd of its own that etcdmark
starts. Ctrl-C ends the trial under way and keeps what is done; the same command with the same --out
goes on from there.

Examples:
  etcdmark experiment list
  etcdmark experiment versions --smoke               a minute, to see that it works; no answer
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
    /// Where the results go: new or empty, or begun by the same command, which goes on [default:
    /// etcdmark-results/NAME-TIME]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// How to print the result
    #[arg(
        short,
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Output"
    )]
    pub output: Format,
    /// No progress; the result only
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
    /// Also what happens in each trial
    #[arg(short, long, conflicts_with = "quiet", help_heading = "Output")]
    pub verbose: bool,
}

/// Changes to the experiment.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Experiment")]
pub struct ChangeFlags {
    /// Play the short form, which shows in a minute that the experiment works and answers nothing
    #[arg(long)]
    pub smoke: bool,
    /// Trials of each arm on each level, at least 6 (fewer with --smoke)
    #[arg(long, value_name = "N")]
    pub blocks: Option<u32>,
    /// Seed of the order and of the workloads; block n has seed + n - 1
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Play only this arm and others so named
    #[arg(long, value_name = "NAME")]
    pub arm: Vec<String>,
    /// Play only this level of the sweep and others so named
    #[arg(long, value_name = "NAME")]
    pub level: Vec<String>,
    /// Play an arm whose data lie here; may be repeated (media, split-events; `forEach` in a file)
    #[arg(long, value_name = "DIR")]
    pub dir: Vec<PathBuf>,
    /// Put the write-ahead logs of the --dir arms here; once for all of them, or once for each, in order
    #[arg(long, value_name = "DIR")]
    pub wal_dir: Vec<PathBuf>,
    /// Play an arm on this emulated storage medium, as for `etcdmark run`; may be repeated (media)
    #[arg(long, value_name = "NAME|FILE")]
    pub medium: Vec<String>,
    /// Play an arm in which these resources have an etcd each, as for `etcdmark run`: events,leases+nodes; may be
    /// repeated (split-events)
    #[arg(long, value_name = "RESOURCE[,…]")]
    pub split: Vec<String>,
    /// Give any field of every arm's workload a value, as `etcdmark run --set` does; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Allow arms' endpoints that hold a live Kubernetes cluster's keys
    #[arg(long)]
    pub allow_live_cluster: bool,
    /// Allow acts on the whole etcd (compaction, defragmentation, filling it) at arms' endpoints
    #[arg(long)]
    pub yes_this_etcd_is_mine: bool,
}

/// What is done instead of playing one.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// List the built-in experiments
    List {
        /// How to print
        #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
        output: Format,
    },
    /// Show an experiment's file, or what would be played
    Show {
        /// A built-in experiment's name, or a file
        #[arg(value_name = "NAME|FILE")]
        name: String,
        /// Print arms, trials and their order as JSON, after every flag, instead of the file
        #[arg(long)]
        plan: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as help")]
        changes: Box<ChangeFlags>,
    },
}

impl ChangeFlags {
    fn changes(&self) -> Changes {
        Changes {
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
        }
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
                "name an experiment: a built-in one ({names}) or a file"
            )))
        }
    }
}

fn experiment(args: &Args, name: &str) -> Result<Exit, CliError> {
    let experiment = ExperimentSource::load(name)?.resolve(&args.changes.changes())?;
    for workload in experiment.workloads() {
        descriptors::raise(&workload?)?;
    }
    let out = args.out.clone().unwrap_or_else(|| {
        let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
        PathBuf::from("etcdmark-results").join(format!("{}-{now}", experiment.plan.name))
    });
    let control = Control::default();
    let first = "ending the trial: waiting for answers (again to stop now)";
    signals::watch(control.clone(), first)
        .map_err(|e| CliError::failure(format!("cannot watch for signals: {e}")))?;
    let directory = ExperimentDirectory::open(&out, &experiment.plan)?;
    let mut watching = Watching::new(args);
    watching.introduce(&experiment, &out);
    let played = play(&experiment, &directory, &control, &mut watching);
    watching.close();
    let result = played?;
    report(&result, args.output, &out)?;
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
        "{lines}\nPlay one with `etcdmark experiment NAME`; see its file with `etcdmark experiment show NAME`.\n"
    ))?;
    Ok(Exit::Ok)
}

fn show(name: &str, plan: bool, changes: &ChangeFlags) -> Result<Exit, CliError> {
    let source = ExperimentSource::load(name)?;
    if plan {
        print_json(&source.resolve(&changes.changes())?.plan)?;
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

/// Tells on stderr how far it is.
struct Watching {
    quiet: bool,
    verbose: bool,
    /// Of the trial under way, on a terminal or when asked for: elsewhere a line per trial is enough.
    progress: Option<Progress>,
}

impl Watching {
    fn new(args: &Args) -> Self {
        Watching {
            quiet: args.quiet,
            verbose: args.verbose,
            progress: None,
        }
    }

    fn introduce(&mut self, experiment: &Experiment, out: &std::path::Path) {
        let plan = &experiment.plan;
        for left in &plan.left_out {
            self.say(&format!("arm {} is left out: {}", left.arm, left.reason));
        }
        for note in &plan.notes {
            self.say(note);
        }
        let arms: Vec<&str> = plan.arms.iter().map(|a| a.name.as_str()).collect();
        self.say(&format!(
            "{}: {} trials of {}; results in {}",
            plan.name,
            plan.trials.len(),
            arms.join(", "),
            out.display()
        ));
    }

    fn close(&mut self) {
        if let Some(mut open) = self.progress.take() {
            open.close();
        }
    }
}

impl Observer for Watching {
    fn begins(&mut self, trial: &TrialPlan, of: usize, again: bool, left: f64) {
        self.close();
        let level = if trial.level.is_empty() {
            String::new()
        } else {
            format!(", level {}", trial.level)
        };
        let again = if again { ", once more" } else { "" };
        let left = match left {
            s if s < 90.0 => format!("{s:.0} s"),
            s if s < 5400.0 => format!("{:.0} min", s / 60.0),
            s => format!("{:.1} h", s / 3600.0),
        };
        self.say(&format!(
            "trial {} of {of}: arm {}, block {}{level}{again}; about {left} left",
            trial.trial, trial.arm, trial.block
        ));
        if !self.quiet && (self.verbose || std::io::stderr().is_terminal()) {
            self.progress = Some(Progress::new(self.verbose, None));
        }
    }

    fn say(&mut self, text: &str) {
        if let Some(open) = &mut self.progress {
            open.close();
        }
        if !self.quiet {
            complain(text);
        }
    }

    fn sink(&mut self) -> Option<&mut dyn Sink> {
        self.progress.as_mut().map(|p| p as &mut dyn Sink)
    }
}
