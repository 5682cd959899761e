//! Data that all trials of an arm on a level begin with.

use super::interrupt::ForwardedInterrupt;
use super::runner::Runner;
use super::testbed::{InitialData, Testbed};
use crate::control::Control;
use crate::engine;
use crate::experiment::error::ExperimentError;
use crate::experiment::plan::TrialPlan;
use crate::report::{Sink, Tee};
use std::fs;
use std::path::PathBuf;

/// In a snapshot's directory: it is complete, and of this plan.
const READY: &str = "ready";

impl Runner<'_> {
    /// The snapshot of a trial's arm and level: the one that is there, or a new one.
    pub(super) fn prepare(&mut self, trial: &TrialPlan) -> Result<PathBuf, ExperimentError> {
        let dir = self.directory.snapshot(trial);
        let (arm, etcds, resolved) = self.experiment.scene(trial)?;
        let ready = dir.join(READY);
        // The plan's hash has the etcds in it, the workload's what was written.
        let mark = format!("{} {}", self.experiment.plan.hash, resolved.hash);
        if fs::read_to_string(&ready).is_ok_and(|there| there == mark) {
            return Ok(dir);
        }
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
            None,
            self.control,
        )?;
        let mut plan = self.plan(&testbed, resolved, self.run_id(etcds))?;
        (plan.keep_data, plan.populate_only) = (true, true);
        let control = Control::default();
        let watch = ForwardedInterrupt::new(&testbed, self.control, &control);
        let mut sinks: Vec<&mut dyn Sink> = Vec::new();
        sinks.extend(self.observer.sink());
        let filled = engine::run(plan, &control, &mut Tee::new(sinks));
        drop(watch);
        testbed.stop();
        if self.control.interrupted() {
            return Err(ExperimentError::Interrupted);
        }
        let filled = filled.map_err(|source| ExperimentError::Run {
            trial: trial.trial,
            arm: trial.arm.clone(),
            source: Box::new(source),
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
        fs::write(&ready, mark).map_err(io)?;
        Ok(dir)
    }
}
