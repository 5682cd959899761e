//! `etcdmark compat go-benchmark`: the flags of etcd's Go `benchmark` → a load.

use super::super::cluster_flags::{ClusterFlags, LoadTargetFlags};
use super::super::etcds::Etcds;
use super::super::local_flags::{LocalFlags, PinFlags};
use super::super::output::{Format, complain, print, print_json};
use super::super::progress::Line;
use super::super::session::Session;
use super::super::{CliError, descriptors, run};
use super::flags::LoadFlags;
use crate::clock;
use crate::compat::{self, CompatError, Needs, Request, Settings};
use crate::exit::Exit;
use crate::human::numbers::{count, rate};
use crate::local::LocalCluster;
use crate::store::manifest::HOME;
use crate::target::{MemberChoice, Target};

/// Flags of `etcdmark compat go-benchmark`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Without --endpoints or --kind, a temporary local etcd is started, and keys are raw bytes at the
root, as the Go tool writes them. In any other etcd they are under
/registry-etcdmark/RUN-ID/go/, unless --raw-keys is given.

Examples:
  etcdmark compat go-benchmark put --clients 64 --conns 8 --total 5000
  etcdmark compat go-benchmark put --sequential-keys --key-space-size 2000 --total 2000
  etcdmark compat go-benchmark range foo --preload 1024 --consistency s --total 5000
  etcdmark compat go-benchmark txn-put --txn-ops 4 --key-space-size 64 --total 2000
  etcdmark compat go-benchmark put --endpoints http://10.0.0.1:2379 --rate 1000 --total 2000")]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub flags: LoadFlags,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub cluster: ClusterFlags,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub load: LoadTargetFlags,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub local: LocalFlags,
    /// Write raw keys at the root of the etcd that --endpoints names, as the Go tool does; needs --yes-this-etcd-is-mine
    /// and an etcd without keys
    #[arg(long, help_heading = "Run")]
    pub raw_keys: bool,
    /// Name of the run; its keys are under /registry-etcdmark/RUN-ID/ [default: from the time]
    #[arg(long, value_name = "RUN-ID", help_heading = "Run")]
    pub run_id: Option<String>,
    /// Keep the keys in the store
    #[arg(long, help_heading = "Run")]
    pub keep_data: bool,
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
    /// Print all digits instead of four decimals
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false",
        hide_default_value = true, hide_possible_values = true, value_name = "BOOL", help_heading = "Output")]
    pub precise: bool,
    /// Print only the result, no progress
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
}

/// Plays the load; prints the result.
///
/// # Errors
/// Everything that keeps it from beginning.
pub fn run(args: &Args) -> Result<Exit, CliError> {
    let settings = args.flags.settings()?;
    for note in args.flags.notes() {
        complain(&note);
    }
    let run_id = run::run_id(args.run_id.as_deref())?;
    let external = external(args)?;
    descriptors::raise_to(
        settings.conns as u64 + 64,
        &format!("--conns {}", settings.conns),
    )?;
    let needs = needs(args, &settings, external.is_none())?;
    let session = Session::begin(
        "stopping: waiting at most 5 s for answers, then printing the result (press Ctrl-C again to stop now)",
    )?;
    let (target, local) = match external {
        Some(target) => (target, None),
        None => {
            let (target, local) = start(args, &settings, &session)?;
            (target, Some(local))
        }
    };
    let request = Request {
        settings,
        target,
        needs,
        run_id,
        allow_live_cluster: args.load.allow_live_cluster,
        keep_data: args.keep_data,
    };
    let played = play(args, &request, &session);
    if let Some(local) = local {
        session.runtime.block_on(local.stop());
    }
    played
}

fn play(args: &Args, request: &Request, session: &Session) -> Result<Exit, CliError> {
    let (name, total) = (request.settings.command.name(), request.settings.total);
    let began = clock::now();
    let mut line = Line::new();
    let mut tell = |ended: u64| {
        let seconds = clock::now().saturating_sub(began) as f64 / 1e9;
        if !args.quiet && seconds >= 1.0 {
            let per_second = rate(ended as f64 / seconds);
            let (ended, total) = (count(ended), count(total));
            line.show(
                seconds,
                &format!("{name}: {ended} of {total} requests, {per_second}/s"),
            );
        }
    };
    let mut say = |note: &str| {
        if !args.quiet {
            complain(note);
        }
    };
    let played = compat::play(
        request,
        &session.runtime,
        &session.control,
        &mut say,
        &mut tell,
    );
    line.close();
    let result = played.map_err(|CompatError { message, exit }| CliError { message, exit })?;
    match args.output {
        Format::Text => print(&compat::render(&result, args.precise))?,
        Format::Json => print_json(&result)?,
    }
    for failure in &result.failures {
        complain(&format!("error: {failure}"));
    }
    Ok(result.exit())
}

/// What `--endpoints` or `--kind` name.
fn external(args: &Args) -> Result<Option<Target>, CliError> {
    if let Some(first) = args.cluster.overrides.first() {
        return Err(CliError::usage(format!(
            "--overrides {first:?}: the Go tool's load has one etcd; omit --overrides"
        )));
    }
    if let Some(first) = args.local.split.first() {
        return Err(CliError::usage(format!(
            "--split {first}: the Go tool's load has one etcd; omit --split"
        )));
    }
    let mut load = args.load.clone();
    if args.flags.target_leader {
        load.target = MemberChoice::Leader;
    }
    let etcds = Etcds {
        cluster: &args.cluster,
        load: &load,
        local: &args.local,
        pin: &PinFlags::default(),
    };
    let found = etcds.external(args.keep_data)?;
    if found.target.is_none() && args.raw_keys {
        return Err(CliError::usage(
            "--raw-keys: a local etcd gets raw keys anyway; omit --raw-keys, or also pass --endpoints URL",
        ));
    }
    Ok(found.target)
}

/// Where the keys go.
fn needs(args: &Args, settings: &Settings, local: bool) -> Result<Needs, CliError> {
    let writes = settings.command.writes();
    if args.raw_keys && !writes && settings.preload.is_none() {
        return Err(CliError::usage(format!(
            "--raw-keys: {} writes no keys; omit it",
            settings.command.name()
        )));
    }
    if args.raw_keys && !args.load.yes_this_etcd_is_mine {
        return Err(CliError::usage(format!(
            "--raw-keys writes binary keys outside {HOME}/; to allow it, pass --yes-this-etcd-is-mine"
        )));
    }
    let root = local || args.raw_keys;
    Ok(match (writes, settings.preload, root) {
        (true, _, false) => Needs::Prefix,
        (false, Some(size), false) => {
            return Err(CliError::usage(format!(
                "--preload {size} writes a key outside {HOME}/; to allow it, pass --raw-keys --yes-this-etcd-is-mine, or omit \
                 --endpoints to read from a local etcd"
            )));
        }
        (true, ..) | (_, Some(_), true) => Needs::Root,
        (false, None, _) => Needs::Nothing,
    })
}

fn start(
    args: &Args,
    settings: &Settings,
    session: &Session,
) -> Result<(Target, LocalCluster), CliError> {
    // Not pinned: the Go tool takes all cores, and this is to be held against it.
    let local = session.ready(args.local.start(None, settings.seed, None))?;
    for note in local.note().into_iter().chain(local.in_memory()) {
        complain(note);
    }
    let mut target = local.target();
    target.disposable = args.local.data_dir.is_none();
    target.members = match args.flags.target_leader {
        true => MemberChoice::Leader,
        false => args.load.target,
    };
    Ok((target, local))
}

#[cfg(test)]
mod tests;
