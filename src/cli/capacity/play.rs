//! The trials of a search: each a run of one size.

use super::Args;
use crate::capacity::search::{Attempt, Next, Stage};
use crate::capacity::{self, CapacityDirectory, CapacityResult, Quantity, Question};
use crate::cli::CliError;
use crate::cli::cluster_flags::EtcdChoice;
use crate::cli::descriptors;
use crate::cli::output::complain;
use crate::cli::overrides::OverrideEtcd;
use crate::cli::progress::Progress;
use crate::cli::run::{own_prefix, run_id};
use crate::cli::session::Session;
use crate::clock;
use crate::engine::{self, guards};
use crate::human::threshold::{Figure, Threshold};
use crate::report::{RunDirectory, RunResult, Sink, Tee, text};
use crate::workload::{
    Actor, ClassRate, GuardKind, Overrides, ResolvedWorkload, RunSettings, Source,
};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a trial must hold unless thresholds say otherwise.
const MISSED: &str = "missed <= 1%";
/// Operations of a class from which a trial can tell whether 1 % of them missed (268, if none did), with room for chance.
const ENOUGH: f64 = 300.0;
/// After a trial that an external etcd did not carry, before the next one.
const RECOVERY: Duration = Duration::from_secs(10);
/// Compactions in a trial's measure phase.
const COMPACTIONS: f64 = 3.0;

/// What every trial has in common.
pub(super) struct Search<'a> {
    args: &'a Args,
    source: Source,
    external: EtcdChoice,
    pub(super) question: Question,
    /// Ids of the trials' runs begin so.
    id: String,
}

impl Search<'_> {
    pub(super) fn new(args: &Args, external: EtcdChoice) -> Result<Search<'_>, CliError> {
        let searched = match args.of {
            Quantity::Nodes => args.changes.nodes.as_ref().map(|n| format!("--nodes {n}")),
            Quantity::Rate => args
                .changes
                .rate_scale
                .as_ref()
                .map(|n| format!("--rate-scale {n}")),
            Quantity::Events => None,
        };
        if let Some(flag) = searched {
            return Err(CliError::usage(format!(
                "{flag}: this is what the search varies; use --from for the first size, or another --of"
            )));
        }
        let mut search = Search {
            source: Source::load(&args.workload)?,
            external,
            question: Question {
                workload: String::new(),
                workload_hash: String::new(),
                of: args.of,
                range: args.range(1)?,
                thresholds: Vec::new(),
                seconds: 0.0,
                etcd: Vec::new(),
                required: args.at_least,
            },
            id: run_id(None)?,
            args,
        };
        let from = search.question.range.from;
        let plain = search.load(search.overrides(from)?)?;
        search.question.thresholds = thresholds(&plain);
        search.question.range.seed = plain.seed;
        let Some(seconds) = plain.phases.duration else {
            return Err(CliError::usage(
                "--duration forever: a trial has to end; use a time such as 30s",
            ));
        };
        search.question.seconds = seconds.as_secs_f64();
        if plain.actors.iter().all(Actor::is_closed_loop) {
            return Err(CliError::usage(format!(
                "{}: all actors are closed loops, which take what etcd gives; capacity needs one with a rate or a period",
                args.workload
            )));
        }
        let twice = search.load(search.overrides(from * 2.0)?)?;
        let (one, two) = (sent(&plain), sent(&twice));
        if two <= one {
            let field = args.of.field();
            return Err(CliError::usage(format!(
                "--of: {}'s requests do not follow {field}; use another --of, or another workload",
                args.workload
            )));
        }
        let resolved = search.resolve(Attempt {
            size: from,
            seed: plain.seed,
            stretch: 1,
            stage: Stage::Search,
        })?;
        search.question.workload = resolved.file.metadata.name.clone();
        search.question.workload_hash = resolved.hash.clone();
        search.question.etcd = etcd(args);
        for note in &resolved.notes {
            complain(&format!("note: {note}"));
        }
        Ok(search)
    }

    /// The flags' changes of the workload, and the size.
    fn overrides(&self, size: f64) -> Result<Overrides, CliError> {
        let mut overrides = self.args.changes.overrides()?;
        let (flag, size) = (format!("--of, size {size}"), size.to_string());
        overrides.push(flag, self.args.of.field(), size);
        Ok(overrides)
    }

    fn load(&self, mut overrides: Overrides) -> Result<ResolvedWorkload, CliError> {
        overrides.split(self.args.local.splits()?);
        overrides.split(self.external.overrides.iter().map(OverrideEtcd::split));
        Ok(self.source.resolve(&overrides)?)
    }

    /// The workload of a trial: with thresholds, a seed of its own, a longer phase if the last one decided nothing, and compactions
    /// in it.
    fn resolve(&self, attempt: Attempt) -> Result<ResolvedWorkload, CliError> {
        let q = &self.question;
        let mut overrides = self.overrides(attempt.size)?;
        let plain = self.load(overrides.clone())?;
        let seconds = q.seconds * f64::from(attempt.stretch);
        let span = |s: f64| format!("{}ms", (s * 1e3).round());
        overrides.push("--seed", "seed", attempt.seed.to_string());
        overrides.push("--duration", "phases.duration", span(seconds));
        if plain.thresholds.is_empty() {
            let list = serde_json::json!(q.thresholds).to_string();
            overrides.push("--threshold", "thresholds", list);
        }
        if self.external.target.as_ref().is_none_or(|t| t.owned) {
            let often = Duration::from_secs_f64(q.seconds / COMPACTIONS);
            let rare = |actor: &&Actor| {
                actor.kind.name == "compactor" && actor.period().is_some_and(|p| p > often)
            };
            for actor in plain.actors.iter().filter(rare) {
                let field = format!("actors.{}.period", actor.name);
                overrides.push(
                    "the compactions of a trial",
                    field,
                    span(often.as_secs_f64()),
                );
            }
        }
        self.load(overrides)
    }

    /// Plays the trials that are still needed; an error comes with what was found until then.
    pub(super) fn play(
        &self,
        directory: &CapacityDirectory,
        mut result: CapacityResult,
    ) -> Result<(CapacityResult, Option<CliError>), CliError> {
        let session = Session::begin(
            "ending the trial: waiting for answers (press Ctrl-C again to stop now)",
        )?;
        while let Next::Play(attempt) = result.next() {
            let number = result.next_number();
            let path = directory.trial(number)?;
            self.say(&format!(
                "trial {number}: {}{}",
                self.args.of.of(attempt.size),
                match (attempt.stage, attempt.stretch) {
                    (Stage::Confirmation, _) => ", confirmation".to_owned(),
                    (Stage::Search, 1) => String::new(),
                    (Stage::Search, n) => format!(", {n} times as long"),
                }
            ));
            let played = self.trial(attempt, number, &path, &session);
            let run = match played {
                Ok(run) => run,
                Err(e) if result.trials.is_empty() => return Err(e),
                Err(e) => return Ok((result, Some(e))),
            };
            let Some(trial) = result.judged(attempt, &run) else {
                let why = match session.control.interrupted() || run.outcome.interrupted {
                    true => None,
                    false => Some(CliError {
                        message: text::fault(&run)
                            .unwrap_or_else(|| format!("trial {number} failed")),
                        exit: run.exit(),
                    }),
                };
                return Ok((result, why));
            };
            let carried = trial.bottleneck.is_none();
            result = directory.add(result, trial)?;
            if let Some(line) = capacity::trial_line(&result) {
                self.say(&line);
            }
            if session.control.draining() {
                break;
            }
            if !carried && self.external.target.is_some() {
                session.runtime.block_on(async {
                    tokio::select! {
                        () = tokio::time::sleep(RECOVERY) => {}
                        () = session.control.until_interrupted() => {}
                    }
                });
            }
        }
        Ok((result, None))
    }

    fn trial(
        &self,
        attempt: Attempt,
        number: u32,
        path: &Path,
        session: &Session,
    ) -> Result<RunResult, CliError> {
        let resolved = self.resolve(attempt)?;
        descriptors::raise(&resolved)?;
        let quiet = self.args.output.quiet || number > 1;
        let (etcds, external) = (self.args.etcds(), self.external.clone());
        let pinned = etcds.pin(&resolved, &external)?;
        let pinning = pinned.as_ref().map(|(pinning, _)| pinning);
        let start = etcds.start(&resolved, external, pinning, quiet);
        let (targets, locals) = session.ready(start)?;
        let run_id = format!("{}-{number:03}", self.id);
        let settings = RunSettings {
            prefix: own_prefix(&run_id),
            run_id,
            epoch: clock::unix_now(),
            keep_data: false,
            verify: true,
            guards: match self.external.target {
                Some(_) => guards::ALL.to_vec(),
                None => vec![GuardKind::Quota],
            },
            allow_live_cluster: self.args.load.allow_live_cluster,
        };
        let plan = resolved.into_plan(targets, settings)?;
        let files = RunDirectory::create(path).map_err(|e| CliError::failure(e.to_string()))?;
        let mut sink = files.sink().map_err(|e| CliError::failure(e.to_string()))?;
        let output = &self.args.output;
        let watch = !output.quiet && (output.verbose || std::io::stderr().is_terminal());
        let mut progress = watch.then(|| {
            Progress::new(
                output.verbose,
                plan.phases.duration.map(|d| d.as_secs_f64()),
            )
        });
        let played = {
            let mut sinks: Vec<&mut dyn Sink> = vec![&mut sink];
            sinks.extend(progress.as_mut().map(|p| p as &mut dyn Sink));
            engine::run(plan, &session.control, &mut Tee::new(sinks))
        };
        if let Some(progress) = &mut progress {
            progress.close();
        }
        for local in locals {
            session.runtime.block_on(local.stop());
        }
        let result = played.map_err(|e| {
            files.discard();
            CliError {
                message: e.message,
                exit: e.exit,
            }
        })?;
        files
            .write_result(&result)
            .map_err(|e| CliError::failure(e.to_string()))?;
        Ok(result)
    }

    fn say(&self, line: &str) {
        if !self.args.output.quiet {
            complain(line);
        }
    }
}

/// Operations per second of all op classes.
fn sent(resolved: &ResolvedWorkload) -> f64 {
    resolved.rates().iter().filter_map(|r| r.per_second).sum()
}

/// Those of the workload, or that all and each primary op class keep their limits.
fn thresholds(resolved: &ResolvedWorkload) -> Vec<String> {
    let given = resolved
        .thresholds
        .iter()
        .map(|t| t.rule.expression.clone());
    let given: Vec<String> = given.collect();
    if !given.is_empty() {
        return given;
    }
    let seconds = resolved.phases.duration.map_or(0.0, |d| d.as_secs_f64());
    let mut of = vec![format!("all {MISSED}")];
    let primary = resolved.file.spec.primary.iter();
    for metric in primary {
        let class = metric.split(':').next().unwrap_or_default();
        let rule = format!("{class} {MISSED}");
        let fits = Threshold::parse(&rule).is_ok_and(|t| t.figure == Figure::Missed);
        // Of an op class with few operations a trial cannot tell.
        let sent = |rate: &ClassRate| {
            let expected = rate.per_second.map(|per_second| per_second * seconds);
            rate.class.name() == class && expected.is_none_or(|n| n >= ENOUGH)
        };
        let enough = resolved.rates().iter().any(sent);
        if class != "all" && fits && enough && !of.contains(&rule) {
            of.push(rule);
        }
    }
    of
}

/// The flags that say which etcd, without credentials.
fn etcd(args: &Args) -> Vec<String> {
    let (local, cluster) = (&args.local, &args.cluster);
    let path = |p: &Option<PathBuf>| p.as_ref().map(|p| p.display().to_string());
    let mut flags: Vec<String> = Vec::new();
    let one = [
        ("--kind", cluster.kind.clone()),
        ("--etcd", path(&local.etcd)),
        ("--etcd-version", local.etcd_version.clone()),
        ("--data-dir", path(&local.data_dir)),
        ("--wal-dir", path(&local.wal_dir)),
        ("--medium", local.medium.clone()),
        ("--members", local.members.clone()),
    ];
    flags.extend(
        one.into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value?))),
    );
    let many = [
        ("--endpoints", &cluster.endpoints),
        ("--overrides", &cluster.overrides),
        ("--medium-member", &local.medium_member),
        ("--split", &local.split),
        ("--etcd-flag", &local.etcd_flag),
    ];
    for (name, values) in many {
        flags.extend(values.iter().map(|value| format!("{name} {value}")));
    }
    flags
}
