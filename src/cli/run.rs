//! `etcdmark run`: a workload against a local etcd, an external etcd or a kind cluster.

use super::CliError;
use super::cluster_flags::{ClusterFlags, EtcdChoice, LoadTargetFlags};
use super::descriptors;
use super::etcds::Etcds;
use super::local_flags::{LocalFlags, PinFlags};
use super::output::{Format, complain, print};
use super::overrides::OverrideEtcd;
use super::progress::Progress;
use super::session::Session;
use super::workload_flags::WorkloadFlags;
use crate::clock;
use crate::control::Control;
use crate::engine::{self, guards};
use crate::exit::Exit;
use crate::report::{RunDirectory, RunResult, Sink, Tee, json, text};
use crate::store::manifest;
use crate::workload::{GuardKind, Plan, ResolvedWorkload, RunSettings};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

/// Flags of `etcdmark run`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Without --endpoints or --kind, run starts a temporary local etcd and stops it at the end.

Examples:
  etcdmark run                                      traffic of a cluster of 1,000 nodes for 30 s
  etcdmark run node-heartbeats --nodes 5000         heartbeats only
  etcdmark run events --set actors.events.rate=500 --etcd-version 3.5
  etcdmark run --data-dir /mnt/nvme/etcd --members 3
  etcdmark run --split events                       Events in a separate etcd
  etcdmark run node-heartbeats --medium openai-2018    emulate a disk with 2 ms per sync
  etcdmark run my-workload.yaml --endpoints http://10.0.0.1:2379 --out results/a
  etcdmark run probe --endpoints http://127.0.0.1:2379     what an idle client experiences, until Ctrl-C")]
pub struct Args {
    /// A built-in workload's name (see `etcdmark list`), or a file
    #[arg(default_value = "cluster")]
    pub workload: String,
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
    /// Name of the run; its keys are under /registry-etcdmark/RUN-ID/ [default: from the time]
    #[arg(long, value_name = "RUN-ID", help_heading = "Run")]
    pub run_id: Option<String>,
    /// Prefix of all keys; /registry in an etcd that etcdmark did not start needs --yes-this-etcd-is-mine [default:
    /// /registry-etcdmark/RUN-ID]
    #[arg(long, value_name = "PREFIX", help_heading = "Run")]
    pub prefix: Option<String>,
    /// Keep the keys in the store after the run
    #[arg(long, help_heading = "Run")]
    pub keep_data: bool,
    /// Skip reading back the keys and comparing them with the acknowledged writes
    #[arg(long, help_heading = "Run")]
    pub no_verify: bool,
    /// Exit with code 99 if a threshold is undecided because the run is too short, too
    #[arg(long, help_heading = "Run")]
    pub strict: bool,
    /// Guards that stop the run: all, none, or a list of quota,alarm,leader-change,quorum [default: all for
    /// an external etcd, none for a local etcd]
    #[arg(long, value_name = "LIST", help_heading = "Run")]
    pub guards: Option<String>,
    /// Directory for the results; must be new or empty [default: etcdmark-results/RUN-ID]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Output format
    #[arg(
        short,
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Output"
    )]
    pub output: Format,
    /// Print only the result, no progress
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
    /// Print events during the run as well
    #[arg(short, long, conflicts_with = "quiet", help_heading = "Output")]
    pub verbose: bool,
}

/// Runs the workload; prints the result; exits as the result says.
///
/// # Errors
/// Everything that keeps the run from beginning.
pub fn run(args: Args) -> Result<Exit, CliError> {
    let guards = guard_list(&args)?;
    let run_id = run_id(args.run_id.as_deref())?;
    let external = external(&args, &run_id)?;
    let mut splits = args.local.splits()?;
    splits.extend(external.overrides.iter().map(OverrideEtcd::split));
    let resolved = args.changes.resolve_split(&args.workload, splits)?;
    if args.strict && resolved.thresholds.is_empty() {
        let message = "--strict: the workload has no thresholds; add --threshold, or leave it out";
        return Err(CliError::usage(message));
    }
    descriptors::raise(&resolved)?;
    for note in &resolved.notes {
        complain(&format!("note: {note}"));
    }
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("etcdmark-results").join(&run_id));
    let directory = RunDirectory::create(&out).map_err(|e| CliError::usage(e.to_string()))?;
    let begun = start(&args, resolved, external, run_id, guards, &directory);
    if begun.is_err() {
        // Nothing was measured: no empty directory stays behind, nor a parent that was made for it.
        directory.discard();
    }
    let (result, written) = begun?;
    show(&args, &result, &directory)?;
    // A full disk is one fault, however many files it cut short.
    if let Some(line) = text::fault(&result).or_else(|| written.as_ref().err().cloned()) {
        complain(&format!("error: {line}"));
    }
    if written.is_err() {
        return Ok(result.exit().and(Exit::Failure));
    }
    Ok(result.exit())
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
}

type WriteResult = Result<(), String>;

fn start(
    args: &Args,
    resolved: ResolvedWorkload,
    external: EtcdChoice,
    run_id: String,
    guards: Vec<GuardKind>,
    directory: &RunDirectory,
) -> Result<(RunResult, WriteResult), CliError> {
    // Before the first thread is started: threads inherit their cores.
    let pinned = args.etcds().pin(&resolved, &external)?;
    if external.target.is_none() && args.pin.pin && pinned.is_none() {
        complain("--pin: there is one core only, which etcd and etcdmark share");
    }
    let pinning = pinned.as_ref().map(|(pinning, _)| pinning);
    let session = Session::begin(
        "draining: waiting for answers, then printing the report (press Ctrl-C again to stop now)",
    )?;
    let start = (args.etcds()).start(&resolved, external, pinning, args.quiet);
    let (targets, locals) = session.ready(start)?;
    let settings = RunSettings {
        prefix: args.prefix.clone().unwrap_or_else(|| own_prefix(&run_id)),
        run_id,
        epoch: clock::unix_now(),
        keep_data: args.keep_data,
        verify: !args.no_verify,
        guards,
        allow_live_cluster: args.load.allow_live_cluster,
    };
    let mut plan = resolved.into_plan(targets, settings)?;
    plan.strict = args.strict;
    let played = play(args, plan, &session.control, directory);
    for local in locals {
        session.runtime.block_on(local.stop());
    }
    played
}

fn play(
    args: &Args,
    plan: Plan,
    control: &Control,
    directory: &RunDirectory,
) -> Result<(RunResult, WriteResult), CliError> {
    let mut files = directory
        .sink()
        .map_err(|e| CliError::failure(e.to_string()))?;
    let mut progress = Progress::new(args.verbose, plan.phases.duration.map(|d| d.as_secs_f64()));
    let played = {
        let mut sinks: Vec<&mut dyn Sink> = vec![&mut files];
        if !args.quiet {
            sinks.push(&mut progress);
        }
        engine::run(plan, control, &mut Tee::new(sinks))
    };
    progress.close();
    let result = played.map_err(|e| CliError {
        message: e.message,
        exit: e.exit,
    })?;
    let written = directory
        .write_result(&result)
        .map(|_| ())
        .map_err(|e| e.to_string());
    Ok((result, written))
}

fn show(args: &Args, result: &RunResult, directory: &RunDirectory) -> Result<(), CliError> {
    match args.output {
        Format::Text => print(&text::render(result, Some(directory.path()))),
        Format::Json => {
            let json = json::render(result)
                .map_err(|e| CliError::failure(format!("cannot write JSON: {e}")))?;
            print(&json)
        }
    }
}

/// What `--endpoints` or `--kind` and `--overrides` name.
fn external(args: &Args, run_id: &str) -> Result<EtcdChoice, CliError> {
    let found = args.etcds().external(args.keep_data)?;
    let registry = args.prefix.as_deref().is_some_and(|p| p == "/registry");
    if let Some(prefix) = &args.prefix
        && !registry
        && *prefix != own_prefix(run_id)
    {
        return Err(CliError::usage(format!(
            "--prefix {prefix:?}: use {} (the default of this run) or /registry",
            own_prefix(run_id)
        )));
    }
    if registry && found.target.as_ref().is_some_and(|t| !t.owned) {
        return Err(CliError::usage(
            "--prefix /registry writes where Kubernetes keeps its objects; to allow it, pass --yes-this-etcd-is-mine",
        ));
    }
    Ok(found)
}

/// Where a run writes unless told otherwise.
pub(super) fn own_prefix(run_id: &str) -> String {
    format!("{}/{run_id}", manifest::HOME)
}

fn guard_list(args: &Args) -> Result<Vec<GuardKind>, CliError> {
    match &args.guards {
        Some(list) => guards::parse_list(list).map_err(CliError::usage),
        None if args.cluster.kind.is_some() || !args.cluster.endpoints.is_empty() => {
            Ok(guards::ALL.to_vec())
        }
        None => Ok(Vec::new()),
    }
}

/// Six characters that nobody takes for others, and that make no words. In containers every process may be number 1, so
/// a process id does not tell runs apart.
fn six_random() -> String {
    const LETTERS: &[u8] = b"23456789bcdfghjkmnpqrstvwxz";
    // The hasher's keys are random for each process.
    let mut bits = RandomState::new().hash_one(clock::unix_now());
    let mut letter = || {
        let n = LETTERS.len() as u64;
        let at = usize::try_from(bits % n).unwrap_or(0);
        bits /= n;
        char::from(LETTERS[at])
    };
    (0..6).map(|_| letter()).collect()
}

/// The name of a run: what `--run-id` says, or one made of the time.
///
/// # Errors
/// One that is no part of a key.
pub(super) fn run_id(given: Option<&str>) -> Result<String, CliError> {
    let Some(id) = given else {
        let now = jiff::Timestamp::now();
        return Ok(format!(
            "{}-{}",
            now.strftime("%Y%m%d-%H%M%S"),
            six_random()
        ));
    };
    let fits = !id.is_empty()
        && id.len() <= 63
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !id.starts_with('-');
    if fits {
        return Ok(id.to_owned());
    }
    Err(CliError::usage(format!(
        "--run-id {id:?} is not valid: use 1 to 63 lowercase letters, digits and hyphens, and do not start with \
         a hyphen"
    )))
}

#[cfg(test)]
mod tests {
    use super::six_random;
    use std::collections::BTreeSet;

    #[test]
    fn ids_of_one_second_differ_and_are_readable() {
        let ids: BTreeSet<String> = (0..1000).map(|_| six_random()).collect();
        assert!(ids.len() >= 999, "{}", ids.len());
        for id in &ids {
            assert_eq!(id.len(), 6);
            assert!(
                !id.contains(['0', '1', 'o', 'l', 'i', 'a', 'e', 'u', 'y']),
                "{id}"
            );
        }
    }
}
