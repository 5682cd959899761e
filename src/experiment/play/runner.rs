//! Plays an experiment: one trial after the other, an invalid one twice.

use super::directory::ExperimentDirectory;
use super::external;
use super::testbed::{self, InitialData, Testbed};
use crate::clock::{self, SECOND};
use crate::control::Control;
use crate::experiment::error::ExperimentError;
use crate::experiment::file::{Experiment, trial_seconds};
use crate::experiment::plan::TrialPlan;
use crate::experiment::result::document::{ExperimentResult, TrialState};
use crate::experiment::result::leadership;
use crate::experiment::result::reduce::{StoredTrial, reduce};
use crate::local::{Pinning, SyncCosts};
use crate::report::Sink;
use crate::workload::Phases;

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
        stored: directory.stored(),
        costs: SyncCosts::default(),
        pinning: experiment.pinning()?,
        live: false,
        played: 0.0,
        count: 0,
    };
    let done = runner.stored.iter().filter(|f| f.settled()).count();
    if done > 0 {
        let of = runner.stored.len();
        runner.observer.say(&format!(
            "{done} of {of} trials are already complete and are not repeated"
        ));
    }
    let mut begun = Ok(());
    if done < runner.stored.len() {
        begun = runner.check_media().and_then(|()| runner.reach());
        if done == 0 {
            begun = begun.and_then(|()| runner.check_starts());
        }
    }
    let mut complete = runner.result().complete;
    for (index, trial) in experiment.plan.trials.iter().enumerate() {
        if runner.stored[index].settled() {
            continue;
        }
        if begun.is_err() {
            break;
        }
        // Asked between blocks: an arm more than another would be a trial for nothing.
        if complete && trial.order == 1 {
            break;
        }
        let played = match control.interrupted() {
            true => Err(ExperimentError::Interrupted),
            false => runner.trial(index, trial),
        };
        begun = played.map(|now| complete = now);
    }
    let result = runner.result();
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

pub(super) struct Runner<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) directory: &'a ExperimentDirectory,
    pub(super) control: &'a Control,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) stored: Vec<StoredTrial>,
    /// What syncs cost where media are emulated: measured once, the same in all trials.
    pub(super) costs: SyncCosts,
    /// The cores of the etcds that get their own, and of the client beside them.
    pub(super) pinning: Option<Pinning>,
    /// An external etcd may be a live cluster's: the load of every arm ramps up.
    pub(super) live: bool,
    /// Seconds that trials took, and how many of them.
    played: f64,
    count: u32,
}

impl Runner<'_> {
    /// Refuses a medium that cannot be had in any arm before the first one is played.
    fn check_media(&mut self) -> Result<(), ExperimentError> {
        for arm in &self.experiment.arms {
            for etcd in arm.places() {
                let options = testbed::on_cores(etcd.options(None, 1), etcd, self.pinning.as_ref());
                let checked = options.check_media(&mut self.costs);
                checked.map_err(|source| ExperimentError::Local {
                    arm: arm.name().to_owned(),
                    source: Box::new(source),
                })?;
            }
        }
        Ok(())
    }

    /// Starts every arm's etcd once, and stops it: one that does not start shall not be found after the other arm's first trial.
    fn check_starts(&mut self) -> Result<(), ExperimentError> {
        let Experiment { arms, plan, .. } = self.experiment;
        for arm in arms.iter().filter(|_| arms.len() > 1) {
            let first = plan.trials.iter().find(|t| t.arm == arm.name());
            if let (Some(trial), Some(_)) = (first, arm.places().next()) {
                let (name, etcds, _) = self.experiment.scene(trial)?;
                let ground = InitialData::Fresh;
                let (costs, control) = (&self.costs, self.control);
                Testbed::start(name, etcds, ground, trial.seed, costs, None, control)?.stop();
            }
        }
        Ok(())
    }

    fn reach(&mut self) -> Result<(), ExperimentError> {
        let Experiment {
            arms,
            allow_live_cluster,
            ..
        } = self.experiment;
        self.live = external::reach(arms, *allow_live_cluster, self.control)?;
        Ok(())
    }

    /// Plays a trial, and once more if it was invalid. Whether the experiment is complete then.
    fn trial(&mut self, index: usize, trial: &TrialPlan) -> Result<bool, ExperimentError> {
        if self.stored[index].state() == TrialState::Invalid {
            self.directory.set_aside(trial)?;
            self.stored[index].repeated = true;
        }
        loop {
            let again = self.stored[index].repeated;
            let begun = clock::now();
            let (result, after) = self.play(index, trial, again)?;
            self.played += clock::now().saturating_sub(begun) as f64 / SECOND as f64;
            self.count += 1;
            let (failed, interrupted) = (result.outcome.error.clone(), self.control.interrupted());
            self.stored[index] = StoredTrial {
                result: Some(result),
                ended: true,
                after,
                repeated: again,
                unreadable: None,
            };
            let state = self.stored[index].state();
            if state == TrialState::Invalid && !again && !interrupted {
                self.observer.say(&format!(
                    "trial {} is invalid (the generator did not keep up); repeating it once",
                    trial.trial
                ));
                self.directory.set_aside(trial)?;
                self.stored[index] = StoredTrial {
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
            let result = self.stored[index].result.as_ref();
            if let Some(moved) = arm
                .zip(result)
                .and_then(|(arm, run)| leadership::moved(arm, &run.stores))
            {
                self.observer
                    .say(&format!("trial {}: {moved}", trial.trial));
            }
            let result = self.result();
            self.directory.write(&result)?;
            return Ok(result.complete);
        }
    }

    fn result(&self) -> ExperimentResult {
        let Experiment { plan, analysis, .. } = self.experiment;
        reduce(plan, &self.stored, analysis.analysis)
    }

    /// Seconds for this trial and those to come.
    pub(super) fn left(&self, index: usize, phases: &Phases) -> f64 {
        let to_come = self.stored[index..].iter().filter(|f| !f.settled()).count() as f64;
        let each = match self.count {
            0 => trial_seconds(phases),
            n => self.played / f64::from(n),
        };
        to_come * each
    }
}
