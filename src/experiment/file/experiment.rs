//! A checked experiment: its plan, and what it takes to play the trials.

use super::arm::Arm;
use super::etcd::{Etcd, StoreEtcd};
use crate::experiment::error::ExperimentError;
use crate::experiment::plan::{ExperimentPlan, TrialPlan};
use crate::experiment::registry::RegistryEntry;
use crate::local::Pinning;
use crate::workload::{Phases, ResolvedWorkload};

/// A checked experiment.
#[derive(Debug)]
pub struct Experiment {
    /// What `plan.json` holds.
    pub plan: ExperimentPlan,
    pub(crate) analysis: RegistryEntry,
    pub(crate) arms: Vec<Arm>,
    /// External etcds may be a live cluster's.
    pub(crate) allow_live_cluster: bool,
}

/// Start and end of an etcd, populate and sweep: what a trial takes beside its phases, until one was timed. Seconds.
const BESIDE_PHASES: f64 = 5.0;

/// What a trial is going to take.
pub(crate) fn trial_seconds(phases: &Phases) -> f64 {
    let planned = phases.settle + phases.warmup + phases.duration.unwrap_or_default();
    planned.as_secs_f64() + BESIDE_PHASES
}

impl Experiment {
    /// The arm, the etcds and the workload of a trial.
    pub(crate) fn scene(
        &self,
        trial: &TrialPlan,
    ) -> Result<(&str, &[StoreEtcd], ResolvedWorkload), ExperimentError> {
        let level = self
            .plan
            .levels
            .iter()
            .position(|r| *r == trial.level)
            .unwrap_or(0);
        let arm = self.arms.iter().find(|a| a.name() == trial.arm);
        let arm = arm.ok_or_else(|| {
            ExperimentError::at("plan", format!("there is no arm {:?}", trial.arm))
        })?;
        let workload = arm.traffic[level].resolve(trial.seed)?;
        Ok((arm.name(), &arm.etcds[level], workload))
    }

    /// Every workload that is going to be played, with the first block's seed.
    pub fn workloads(
        &self,
    ) -> impl Iterator<Item = Result<ResolvedWorkload, ExperimentError>> + '_ {
        let traffic = self.arms.iter().flat_map(|a| &a.traffic);
        traffic.map(|t| t.resolve(self.plan.seed))
    }

    /// The cores of the etcds and of the client, the same in all arms: by the arm with the most members and the workload with
    /// the most workers. None where no arm wants them, or there is but one.
    pub(crate) fn pinning(&self) -> Result<Option<Pinning>, ExperimentError> {
        let pinned = |arm: &Arm| {
            let etcds = arm.places().filter(|etcd| etcd.may_be_pinned());
            etcds.map(Etcd::members).sum::<usize>()
        };
        let members = self.arms.iter().map(pinned).max().unwrap_or(0);
        let mut workers = 1;
        for workload in self.workloads() {
            workers = workers.max(workload?.load.workers);
        }
        Ok(Pinning::of_this_machine(members, workers))
    }

    /// Whether a trial ends when its etcd has been filled and led back, before its duration.
    pub fn ends_by_itself(&self) -> bool {
        self.analysis.analysis.requirements().full_etcd
    }

    /// Whether it may be settled before its last block.
    pub fn may_end_early(&self) -> bool {
        self.analysis.analysis.requirements().gate
    }

    /// What all trials take, as their phases say, seconds; more where an etcd fills slowly or a trial is repeated.
    pub fn planned_seconds(&self) -> f64 {
        let each = self.workloads().flatten().map(|w| trial_seconds(&w.phases));
        each.sum::<f64>() * f64::from(self.plan.blocks)
    }
}
