//! What the engine is told of a trial.

use super::runner::Runner;
use super::testbed::Testbed;
use crate::clock;
use crate::engine::{LIVE_RAMP, guards};
use crate::experiment::error::ExperimentError;
use crate::experiment::file::etcd::StoreEtcd;
use crate::store::manifest;
use crate::workload::{Plan, ResolvedWorkload, RunSettings};

impl Runner<'_> {
    /// The same keys in every trial. In an etcd that stays, another experiment of that name has others: what this one
    /// finds there it wrote itself.
    pub(super) fn run_id(&self, etcds: &[StoreEtcd]) -> String {
        let plan = &self.experiment.plan;
        match etcds.iter().any(|e| matches!(e, StoreEtcd::External(_))) {
            true => format!("{:.50}-{:.8}", plan.name, plan.hash),
            false => plan.name.clone(),
        }
    }

    /// What the engine is going to play.
    pub(super) fn plan(
        &self,
        testbed: &Testbed,
        resolved: ResolvedWorkload,
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
        };
        let mut plan = resolved.into_plan(targets, settings)?;
        if self.live {
            // Also that of arms on etcds of our own: all are measured under the same load.
            plan.ramp_up(LIVE_RAMP);
        }
        Ok(plan)
    }
}
