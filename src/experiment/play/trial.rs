//! One try of a trial: a run of the engine on etcds of its own.

use super::external;
use super::hook::{HookError, TrialStart};
use super::hooked_sink::HookedSink;
use super::interrupt::ForwardedInterrupt;
use super::runner::Runner;
use super::testbed::{InitialData, Testbed};
use crate::control::Control;
use crate::engine;
use crate::experiment::error::ExperimentError;
use crate::experiment::file::etcd::StoreEtcd;
use crate::experiment::plan::TrialPlan;
use crate::experiment::result::outcome::Outcome;
use crate::local::Pinning;
use crate::report::{RunDirectory, RunResult, Sink, Tee};
use crate::workload::{GuardKind, Plan, TrialCoordinates};
use std::fs;
use std::path::Path;

impl Runner<'_> {
    /// One try of a trial, from its etcds' start to their end.
    pub(super) fn play(
        &mut self,
        index: usize,
        trial: &TrialPlan,
        again: bool,
    ) -> Result<(RunResult, Option<serde_json::Value>), ExperimentError> {
        let (arm, etcds, resolved) = self.experiment.scene(trial)?;
        let left = self.left(index, &resolved.phases);
        self.observer.begins(trial, self.stored.len(), again, left);
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
        // What the trial before left to be written is not this one's work.
        flush(etcds);
        let pinning = self.pinning.as_ref();
        let held = pinning.filter(|pinning| etcds.iter().any(|etcd| etcd.is_pinned(pinning)));
        let _held = held.map(Pinning::hold_client).transpose().map_err(|e| {
            let message = format!("cannot give etcdmark cores of its own: {e}; pass --no-pin");
            ExperimentError::at("etcd.pin", message)
        })?;
        let (costs, control) = (&self.costs, self.control);
        let begun = Testbed::start(arm, etcds, ground, trial.seed, costs, pinning, control)
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
            source: Box::new(source),
            directory: files.path().to_owned(),
        };
        let control = Control::default();
        let start = TrialStart {
            testbed,
            experiment: &self.experiment.plan,
            plan: &plan,
            control: &control,
        };
        let make = self.experiment.analysis.hook;
        let mut hook = make.map(|make| make(start)).transpose().map_err(failed)?;
        let watch = ForwardedInterrupt::new(testbed, self.control, &control);
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
            engine::run(plan, &control, &mut hooked)
        };
        let result = played.map_err(|source| ExperimentError::Run {
            trial: trial.trial,
            arm: trial.arm.clone(),
            source: Box::new(source),
        })?;
        let after = match hook {
            Some(hook) if !Outcome::of(&result).is_whole() => {
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
            self.directory.write_after(trial, value)?;
        }
        // Written last: it says that the trial is done.
        files.write_result(&result)?;
        Ok((result, after))
    }
}

/// Writes out the file systems of these etcds' data.
fn flush(etcds: &[StoreEtcd]) {
    for etcd in etcds {
        if let StoreEtcd::Local(etcd) = etcd {
            for dir in etcd.directories() {
                // Best effort: a trial without it is played as well.
                let _ = fs::File::open(dir).map(|dir| rustix::fs::syncfs(&dir));
            }
        }
    }
}

/// No event was written.
fn report_is_empty(dir: &Path) -> bool {
    fs::metadata(dir.join(crate::report::files::EVENTS)).map_or(true, |m| m.len() == 0)
}
