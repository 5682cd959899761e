//! Plays an experiment: one trial after the other, each a run of its own on etcds of its own.

use super::directory::ExperimentDirectory;
use super::external;
use super::hook::{HookError, TrialStart};
use super::hooked_sink::HookedSink;
use super::testbed::{InitialData, Testbed};
use crate::clock::{self, SECOND};
use crate::control::Control;
use crate::engine::{self, guards};
use crate::experiment::error::ExperimentError;
use crate::experiment::file::Experiment;
use crate::experiment::file::etcd::StoreEtcd;
use crate::experiment::plan::TrialPlan;
use crate::experiment::result::document::{ExperimentResult, TrialState};
use crate::experiment::result::leadership;
use crate::experiment::result::reduce::{StoredTrial, reduce};
use crate::local::SyncCosts;
use crate::report::{RunDirectory, RunResult, Sink, Tee};
use crate::store::manifest;
use crate::workload::{GuardKind, Phases, Plan, Resolved, RunSettings, TrialCoordinates};
use std::fs;
use std::path::{Path, PathBuf};

/// Start and end of an etcd, populate and sweep: what a trial takes beside its phases, until one was timed. Seconds.
const BESIDE_PHASES: f64 = 5.0;
/// In a snapshot's directory: it is complete, and of this plan.
const READY: &str = "ready";

/// Who watches the experiment.
pub trait Observer {
    /// A trial begins (`again`: its first try was invalid); about so many seconds are left for all that are to come.
    fn begins(&mut self, trial: &TrialPlan, of: usize, again: bool, left: f64);
    /// A remark.
    fn say(&mut self, text: &str);
    /// Takes the events of the trial under way.
    fn sink(&mut self) -> Option<&mut dyn Sink>;
}

/// Plays what is not done yet in `directory`. `control` drains or stops it; the result then says how far it came, and
/// the same call goes on from there.
///
/// # Errors
/// What ends the experiment before its last trial, an interruption apart.
pub fn run(
    experiment: &Experiment,
    directory: &ExperimentDirectory,
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<ExperimentResult, ExperimentError> {
    let mut runner = Runner {
        experiment,
        directory,
        control,
        observer,
        found: directory.found(),
        costs: SyncCosts::default(),
        played: 0.0,
        count: 0,
    };
    let done = runner.found.iter().filter(|f| f.settled()).count();
    if done > 0 {
        let of = runner.found.len();
        runner.observer.say(&format!(
            "{done} of {of} trials are already complete and are not repeated"
        ));
    }
    let mut begun = Ok(());
    if done < runner.found.len() {
        begun = runner
            .check_media()
            .and_then(|()| external::reach(&experiment.arms, control));
    }
    for (index, trial) in experiment.plan.trials.iter().enumerate() {
        if runner.found[index].settled() {
            continue;
        }
        if begun.is_err() {
            break;
        }
        begun = if control.interrupted() {
            Err(ExperimentError::Interrupted)
        } else {
            runner.trial(index, trial)
        };
    }
    let result = reduce(
        &experiment.plan,
        &runner.found,
        experiment.analysis.analysis,
    );
    match begun {
        Ok(()) => {}
        Err(ExperimentError::Interrupted)
            if result.trials.iter().any(|t| t.state != TrialState::Missing) => {}
        Err(e) => {
            directory.discard_unplayed();
            return Err(e);
        }
    }
    directory.write(&result)?;
    if result.complete {
        directory.drop_snapshots();
    }
    Ok(result)
}

struct Runner<'a> {
    experiment: &'a Experiment,
    directory: &'a ExperimentDirectory,
    control: &'a Control,
    observer: &'a mut dyn Observer,
    found: Vec<StoredTrial>,
    /// What syncs cost where media are emulated: measured once, the same in all trials.
    costs: SyncCosts,
    /// Seconds that trials took, and how many of them.
    played: f64,
    count: u32,
}

impl Runner<'_> {
    /// Refuses a medium that cannot be had in any arm before the first one is played.
    fn check_media(&mut self) -> Result<(), ExperimentError> {
        for arm in &self.experiment.arms {
            for etcd in arm.places() {
                let checked = etcd.options(None, 1).check_media(&mut self.costs);
                checked.map_err(|source| ExperimentError::Local {
                    arm: arm.name().to_owned(),
                    source: Box::new(source),
                })?;
            }
        }
        Ok(())
    }

    /// Plays a trial, and once more if it was invalid.
    fn trial(&mut self, index: usize, trial: &TrialPlan) -> Result<(), ExperimentError> {
        if self.found[index].state() == TrialState::Invalid {
            self.directory.set_aside(trial)?;
            self.found[index].repeated = true;
        }
        loop {
            let again = self.found[index].repeated;
            let begun = clock::now();
            let (result, after) = self.play(index, trial, again)?;
            self.played += clock::now().saturating_sub(begun) as f64 / SECOND as f64;
            self.count += 1;
            let (failed, interrupted) = (result.outcome.error.clone(), self.control.interrupted());
            self.found[index] = StoredTrial {
                result: Some(result),
                ended: true,
                after,
                repeated: again,
            };
            let state = self.found[index].state();
            if state == TrialState::Invalid && !again && !interrupted {
                self.observer.say(&format!(
                    "trial {} is invalid (the generator did not keep up); repeating it once",
                    trial.trial
                ));
                self.directory.set_aside(trial)?;
                self.found[index] = StoredTrial {
                    repeated: true,
                    ..StoredTrial::default()
                };
                continue;
            }
            if interrupted {
                return Err(ExperimentError::Interrupted);
            }
            if state == TrialState::Torn {
                return Err(ExperimentError::Trial {
                    trial: trial.trial,
                    arm: trial.arm.clone(),
                    reason: failed.unwrap_or_else(|| "unknown reason".to_owned()),
                    directory: self.directory.trial(trial),
                });
            }
            let arm = self.experiment.plan.arm(&trial.arm);
            let result = self.found[index].result.as_ref();
            if let Some(moved) = arm
                .zip(result)
                .and_then(|(arm, run)| leadership::moved(arm, &run.stores))
            {
                self.observer
                    .say(&format!("trial {}: {moved}", trial.trial));
            }
            return self.directory.write(&reduce(
                &self.experiment.plan,
                &self.found,
                self.experiment.analysis.analysis,
            ));
        }
    }

    /// One try of a trial, from its etcds' start to their end.
    fn play(
        &mut self,
        index: usize,
        trial: &TrialPlan,
        again: bool,
    ) -> Result<(RunResult, Option<serde_json::Value>), ExperimentError> {
        let (arm, etcds, resolved) = self.experiment.scene(trial)?;
        let left = self.left(index, &resolved.phases);
        self.observer.begins(trial, self.found.len(), again, left);
        let snapshot = if self.experiment.plan.snapshot {
            Some(self.prepare(trial)?)
        } else {
            None
        };
        self.directory.clear(trial)?;
        let files = RunDirectory::create(&self.directory.trial(trial))
            .map_err(|e| ExperimentError::at("--out", e.to_string()))?;
        let ground = snapshot
            .as_deref()
            .map_or(InitialData::Fresh, InitialData::Copy);
        let begun = Testbed::start(arm, etcds, ground, trial.seed, &self.costs, self.control)
            .and_then(|testbed| {
                let run_id = self.run_id(etcds);
                external::sweep(&testbed, arm, etcds, &run_id, self.control)?;
                let mut plan = self.plan(&testbed, resolved, run_id)?;
                let fills = self.experiment.analysis.analysis.requirements().full_etcd;
                plan.may_fill = fills || etcds.iter().any(StoreEtcd::may_fill);
                if fills {
                    // What these would stop is what is asked for.
                    let about_room = [GuardKind::Quota, GuardKind::Alarm];
                    plan.guards.retain(|g| !about_room.contains(g));
                }
                plan.trial = Some(TrialCoordinates {
                    experiment: self.experiment.plan.name.clone(),
                    arm: trial.arm.clone(),
                    block: trial.block,
                    trial: trial.trial,
                    order: trial.order,
                });
                let ended = self.load(&testbed, trial, plan, &files);
                testbed.stop();
                ended
            });
        if begun.is_err() {
            // What was measured stays; of a trial that could not begin, nothing does.
            if report_is_empty(files.path()) {
                files.discard();
            }
        }
        begun
    }

    /// The engine's part of a trial, and what sees to it.
    fn load(
        &mut self,
        testbed: &Testbed,
        trial: &TrialPlan,
        plan: Plan,
        files: &RunDirectory,
    ) -> Result<(RunResult, Option<serde_json::Value>), ExperimentError> {
        let failed = |source: HookError| ExperimentError::Hook {
            trial: trial.trial,
            arm: trial.arm.clone(),
            source,
            directory: files.path().to_owned(),
        };
        let start = TrialStart {
            testbed,
            experiment: &self.experiment.plan,
            plan: &plan,
            control: &plan.control,
        };
        let make = self.experiment.analysis.hook;
        let mut hook = make.map(|make| make(start)).transpose().map_err(failed)?;
        let watch = Forwarded::new(testbed, self.control, &plan.control);
        let mut sink = files.sink()?;
        let mut sinks: Vec<&mut dyn Sink> = vec![&mut sink];
        sinks.extend(self.observer.sink());
        let played = {
            let mut hooked = HookedSink {
                inner: Tee::new(sinks),
                testbed,
                hook: match &mut hook {
                    Some(hook) => Some(hook.as_mut()),
                    None => None,
                },
                t: 0.0,
            };
            engine::run(plan, &mut hooked)
        };
        let result = played.map_err(|source| ExperimentError::Run {
            trial: trial.trial,
            arm: trial.arm.clone(),
            source,
        })?;
        let whole = matches!(result.outcome.outcome.as_str(), "completed" | "guard");
        let after = match hook {
            Some(hook) if !whole => {
                for line in hook.abort(testbed) {
                    self.observer.say(&line);
                }
                None
            }
            Some(hook) => match hook.after(testbed, &result) {
                Err(_) if self.control.interrupted() => return Err(ExperimentError::Interrupted),
                after => after.map_err(failed)?,
            },
            None => None,
        };
        drop(watch);
        if let Some(value) = &after {
            self.directory.note(trial, value)?;
        }
        // Written last: it says that the trial is done.
        files.write_result(&result)?;
        Ok((result, after))
    }

    /// The same keys in every trial. In an etcd that stays, another experiment of that name has others: what this one
    /// finds there it wrote itself.
    fn run_id(&self, etcds: &[StoreEtcd]) -> String {
        let plan = &self.experiment.plan;
        match etcds.iter().any(|e| matches!(e, StoreEtcd::External(_))) {
            true => format!("{:.50}-{:.8}", plan.name, plan.hash),
            false => plan.name.clone(),
        }
    }

    fn plan(
        &self,
        testbed: &Testbed,
        resolved: Resolved,
        run_id: String,
    ) -> Result<Plan, ExperimentError> {
        let targets = testbed.targets();
        let external = targets.iter().any(|t| t.local_members.is_empty());
        let settings = RunSettings {
            prefix: format!("{}/{run_id}", manifest::HOME),
            run_id,
            epoch: clock::unix_now(),
            keep_data: false,
            verify: true,
            // As for `run`: nobody else is harmed where etcdmark started the etcd itself.
            guards: if external {
                guards::ALL.to_vec()
            } else {
                Vec::new()
            },
            allow_live_cluster: self.experiment.allow_live_cluster,
            control: Control::default(),
        };
        Ok(resolved.into_plan(targets, settings)?)
    }

    /// The snapshot of a trial's arm and level: the one that is there, or a new one.
    fn prepare(&mut self, trial: &TrialPlan) -> Result<PathBuf, ExperimentError> {
        let dir = self.directory.snapshot(trial);
        let (arm, etcds, resolved) = self.experiment.scene(trial)?;
        let ready = dir.join(READY);
        if fs::read_to_string(&ready).is_ok_and(|hash| hash == resolved.hash) {
            return Ok(dir);
        }
        let hash = resolved.hash.clone();
        let io = |e: std::io::Error| {
            ExperimentError::at(
                dir.display().to_string(),
                format!("cannot keep the snapshot: {e}"),
            )
        };
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(io)?;
        }
        self.observer.say(&format!(
            "arm {}: filling the store once for all its trials",
            trial.arm
        ));
        let testbed = Testbed::start(
            arm,
            etcds,
            InitialData::Keep(&dir),
            trial.seed,
            &self.costs,
            self.control,
        )?;
        let mut plan = self.plan(&testbed, resolved, self.run_id(etcds))?;
        (plan.keep_data, plan.populate_only) = (true, true);
        let watch = Forwarded::new(&testbed, self.control, &plan.control);
        let mut sinks: Vec<&mut dyn Sink> = Vec::new();
        sinks.extend(self.observer.sink());
        let filled = engine::run(plan, &mut Tee::new(sinks));
        drop(watch);
        testbed.stop();
        if self.control.interrupted() {
            return Err(ExperimentError::Interrupted);
        }
        let filled = filled.map_err(|source| ExperimentError::Run {
            trial: trial.trial,
            arm: trial.arm.clone(),
            source,
        })?;
        if let Some(reason) = filled.outcome.error {
            let (trial, arm) = (trial.trial, trial.arm.clone());
            return Err(ExperimentError::Trial {
                trial,
                arm,
                reason,
                directory: dir,
            });
        }
        fs::write(&ready, hash).map_err(io)?;
        Ok(dir)
    }

    /// Seconds for this trial and those to come.
    fn left(&self, index: usize, phases: &Phases) -> f64 {
        let to_come = self.found[index..].iter().filter(|f| !f.settled()).count() as f64;
        let planned = phases.settle + phases.warmup + phases.duration.unwrap_or_default();
        let each = match self.count {
            0 => planned.as_secs_f64() + BESIDE_PHASES,
            n => self.played / f64::from(n),
        };
        to_come * each
    }
}

/// No event was written.
fn report_is_empty(dir: &Path) -> bool {
    fs::metadata(dir.join(crate::report::files::EVENTS)).map_or(true, |m| m.len() == 0)
}

/// Hands an interruption on to the trial under way. Each trial has a control of its own, as a guard that drains one
/// must not end the next.
struct Forwarded(tokio::task::JoinHandle<()>);

impl Forwarded {
    fn new(testbed: &Testbed, from: &Control, to: &Control) -> Self {
        let (from, to) = (from.clone(), to.clone());
        Forwarded(testbed.spawn(async move {
            from.until_interrupted().await;
            to.interrupt();
            from.until_stopping().await;
            to.interrupt();
        }))
    }
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        self.0.abort();
    }
}
