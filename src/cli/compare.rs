//! `etcdmark compare BASE HEAD`: whether one etcd is worse than another.

use super::CliError;
use super::experiment::{OutputFlags, play};
use super::local_flags::PinFlags;
use crate::analyses;
use crate::exit::Exit;
use crate::experiment::file::etcd_spec::EtcdSpec;
use crate::experiment::{Changes, ExperimentSource, Side};
use crate::local::medium::PRESETS;
use std::path::Path;
use std::path::PathBuf;

/// Flags of `etcdmark compare`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    about = "Compare two etcds; exit code 97 when the second is worse",
    after_help = "\
BASE and HEAD are etcd versions, binaries, media, directories on two disks, or endpoints; the flags
--base-… and --head-… describe a side as well. Trials of both alternate, on fresh etcds. Eight blocks
screen; only if a metric may be worse, twelve fresh ones confirm it. About 10 minutes, 22 with both.

Examples:
  etcdmark compare 3.6 3.7                                  two etcd versions
  etcdmark compare ./etcd-main ./etcd-pr --out results/pr   two builds; exit code 97 when worse
  etcdmark compare --head-flag=--snapshot-count=100000      what a flag does
  etcdmark compare /mnt/nvme /mnt/gp3                       two disks
  etcdmark compare local-ssd gp3                            two emulated media
  etcdmark compare --null 3.7                               the noise of this machine
  etcdmark compare 3.6 3.7 --smoke                          check that it works; no verdict"
)]
pub struct Args {
    /// The etcd to compare with: a version (3.6), a binary, a medium, a directory, or endpoints
    #[arg(value_name = "BASE")]
    pub base: Option<String>,
    /// The etcd that may be worse
    #[arg(value_name = "HEAD")]
    pub head: Option<String>,
    /// Flag of the base's etcd; can be repeated: --base-flag=--snapshot-count=100000
    #[arg(
        long,
        value_name = "FLAG",
        allow_hyphen_values = true,
        help_heading = "Sides"
    )]
    pub base_flag: Vec<String>,
    /// Flag of the head's etcd; can be repeated
    #[arg(
        long,
        value_name = "FLAG",
        allow_hyphen_values = true,
        help_heading = "Sides"
    )]
    pub head_flag: Vec<String>,
    /// Flag of both etcds; can be repeated
    #[arg(
        long,
        value_name = "FLAG",
        allow_hyphen_values = true,
        help_heading = "Sides"
    )]
    pub etcd_flag: Vec<String>,
    /// Version of both etcds, where BASE and HEAD are media, directories or left out
    #[arg(long, value_name = "VERSION", help_heading = "Sides")]
    pub etcd_version: Option<String>,
    /// Directory on the disk for both sides' data
    #[arg(long, value_name = "DIR", help_heading = "Sides")]
    pub data_dir: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub pin: PinFlags,
    /// Compare BASE with itself: measures the noise, and which metrics can gate
    #[arg(long, conflicts_with = "head", help_heading = "Experiment")]
    pub null: bool,
    /// File with the gate's metrics, their δ, and the traffic, such as one from `etcdmark experiment show gate`
    #[arg(
        long,
        value_name = "FILE",
        default_value = "gate",
        help_heading = "Experiment"
    )]
    pub gate: String,
    /// Run a short smoke test: no verdict
    #[arg(long, help_heading = "Experiment")]
    pub smoke: bool,
    /// Random seed of the order and of the workloads [default: drawn]
    #[arg(long, value_name = "N", help_heading = "Experiment")]
    pub seed: Option<u64>,
    /// Number of hollow nodes, as `--set cluster.nodes`
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "Experiment"
    )]
    pub nodes: Option<String>,
    /// Length of every trial's measure phase, as `--set phases.duration`
    #[arg(
        long,
        value_name = "DURATION",
        allow_hyphen_values = true,
        help_heading = "Experiment"
    )]
    pub duration: Option<String>,
    /// Set a field of the workload, as `etcdmark run --set` does; can be repeated
    #[arg(long, value_name = "PATH=VALUE", help_heading = "Experiment")]
    pub set: Vec<String>,
    /// Allow sides whose etcd holds keys of others, a live Kubernetes cluster for example
    #[arg(long, help_heading = "Experiment")]
    pub allow_live_cluster: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as help")]
    pub output: OutputFlags,
}

/// Plays the gate.
///
/// # Errors
/// Everything that keeps it from beginning or from coming to its end.
pub fn run(args: Args) -> Result<Exit, CliError> {
    let sides = sides(&args)?;
    let changes = Changes {
        smoke: args.smoke,
        // The order of arms must not be the same in every build of a branch.
        seed: Some(
            args.seed
                .unwrap_or_else(|| crate::clock::unix_now() % 1_000_000),
        ),
        null: args.null,
        etcd: EtcdSpec {
            version: args.etcd_version.clone(),
            flags: args.etcd_flag.clone(),
            data_dir: args.data_dir.clone(),
            pin: args.pin.asked(),
            ..EtcdSpec::default()
        },
        nodes: args.nodes.clone(),
        duration: args.duration.clone(),
        set: args.set.clone(),
        allow_live_cluster: args.allow_live_cluster,
        ..Changes::default()
    };
    let source = ExperimentSource::load(&args.gate)?;
    let experiment = source
        .with_sides(&sides)
        .resolve(&changes, &analyses::ALL)?;
    if experiment.plan.gate.is_none() {
        let message = format!(
            "--gate {}: the experiment {} is no gate; see: etcdmark experiment show gate",
            args.gate, experiment.plan.name
        );
        return Err(CliError::usage(message));
    }
    play(&experiment, &args.output)
}

fn sides(args: &Args) -> Result<[Side; 2], CliError> {
    let base = side("base", "BASE", args.base.as_deref(), &args.base_flag)?;
    if args.null {
        if !args.head_flag.is_empty() {
            return Err(CliError::usage(
                "--head-flag has no effect with --null; remove one of them",
            ));
        }
        let head = Side {
            name: "head",
            ..base.clone()
        };
        return Ok([base, head]);
    }
    if args.base.is_some() && args.head.is_none() && args.head_flag.is_empty() {
        return Err(CliError::usage(
            "HEAD is missing: name a second etcd, give it flags (--head-flag), or measure the noise of one (--null)",
        ));
    }
    // Flags alone tell the sides apart.
    let head = args.head.as_deref().or(args.base.as_deref());
    let head = side("head", "HEAD", head, &args.head_flag)?;
    if base.etcd == head.etcd {
        return Err(CliError::usage(
            "BASE and HEAD are the same etcd: name two, give one of them flags (--base-flag, --head-flag), or measure the noise \
             (--null)",
        ));
    }
    Ok([base, head])
}

/// What a side is: `3.6`, `./etcd`, `gp3`, `/mnt/nvme`, `http://10.0.0.1:2379`.
fn side(
    name: &'static str,
    place: &str,
    text: Option<&str>,
    flags: &[String],
) -> Result<Side, CliError> {
    let mut etcd = EtcdSpec {
        flags: flags.to_vec(),
        ..EtcdSpec::default()
    };
    let mut given = Vec::new();
    if let Some(text) = text {
        given.push(format!("{place} {text}"));
        let path = Path::new(text);
        let version = text.strip_prefix('v').unwrap_or(text);
        let numbered = version.starts_with(|c: char| c.is_ascii_digit())
            && version
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c));
        if text.contains("://") {
            etcd.endpoints = text.split(',').map(|one| one.trim().to_owned()).collect();
        } else if path.is_dir() {
            if crate::experiment::is_experiment(path) {
                return Err(CliError::usage(format!(
                    "{place} {text} is an experiment's results; compare plays its trials itself, since two results that were not \
                     interleaved cannot tell an etcd from a day: name an etcd"
                )));
            }
            etcd.data_dir = Some(path.to_owned());
        } else if path.is_file() && [".yaml", ".yml"].iter().any(|end| text.ends_with(end)) {
            etcd.medium = Some(text.to_owned());
        } else if path.is_file() {
            etcd.path = Some(path.to_owned());
        } else if PRESETS.iter().any(|preset| preset.name == text) {
            etcd.medium = Some(text.to_owned());
        } else if numbered || text == "newest" {
            etcd.version = Some(version.to_owned());
        } else {
            let presets: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
            return Err(CliError::usage(format!(
                "{place} {text:?} is no etcd version (3.6, 3.7.3), no file, no directory, no endpoint (http://…) and no medium \
                 ({})",
                presets.join(", ")
            )));
        }
    }
    given.extend(flags.iter().map(|flag| format!("--{name}-flag {flag}")));
    let given = match given.is_empty() {
        true => format!("{place} (the newest etcd)"),
        false => given.join(" "),
    };
    Ok(Side { name, given, etcd })
}
