//! A checked experiment: its plan, and what it takes to play the trials.

use super::arm::Arm;
use super::etcd::StoreEtcd;
use crate::experiment::error::ExperimentError;
use crate::experiment::plan::{ExperimentPlan, TrialPlan};
use crate::experiment::registry::RegistryEntry;
use crate::workload::ResolvedWorkload;

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
}
