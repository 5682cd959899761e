//! An arm, ready to be played: which etcds it starts or uses, and which traffic they get.

use super::etcd::{Etcd, StoreEtcd};
use super::external::ExternalEtcd;
use super::sweep::Level;
use super::traffic::Traffic;
use crate::experiment::error::ExperimentError;
use crate::experiment::plan::ArmPlan;

/// One variant.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) plan: ArmPlan,
    /// Of each level one per store, in the workload's order.
    pub(crate) etcds: Vec<Vec<StoreEtcd>>,
    /// One per level.
    pub(crate) traffic: Vec<Traffic>,
    /// The effective workloads, one per level.
    pub(crate) workloads: Vec<serde_json::Value>,
}

impl Arm {
    pub(crate) fn name(&self) -> &str {
        &self.plan.name
    }

    /// What is to be known of its etcds.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        let all = self.etcds.iter().flatten();
        let local = all.filter_map(|etcd| match etcd {
            StoreEtcd::Local(etcd) => Some(etcd),
            StoreEtcd::External(_) => None,
        });
        let warnings = local.flat_map(|etcd| etcd.warnings());
        warnings.map(|w| format!("arm {}: {w}", self.name()))
    }

    /// The etcds that it starts on its first level: they lie in the same place on all of them.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Etcd> {
        let first = self.etcds.first().into_iter().flatten();
        first.filter_map(|etcd| match etcd {
            StoreEtcd::Local(etcd) => Some(etcd.as_ref()),
            StoreEtcd::External(_) => None,
        })
    }

    /// Its external etcds, the same on every level.
    pub(crate) fn external(&self) -> impl Iterator<Item = &ExternalEtcd> {
        let first = self.etcds.first().into_iter().flatten();
        first.filter_map(|etcd| match etcd {
            StoreEtcd::Local(_) => None,
            StoreEtcd::External(etcd) => Some(etcd.as_ref()),
        })
    }
}

/// An arm's etcds on each level.
pub(crate) fn on_levels(
    arm: &str,
    etcds: &[StoreEtcd],
    levels: &[Level],
) -> Result<Vec<Vec<StoreEtcd>>, ExperimentError> {
    let external = etcds.iter().any(|e| matches!(e, StoreEtcd::External(_)));
    if let Some(level) = levels.iter().find(|r| external && !r.flags.is_empty()) {
        let message = format!(
            "etcd.flags apply only to etcds that etcdmark starts, but arm {arm} has endpoints; remove them"
        );
        return Err(ExperimentError::at(
            format!("level {}", level.name),
            message,
        ));
    }

    let on_level = |level: &Level| {
        let etcds = etcds.iter().map(|e| e.on_level(&level.flags));
        etcds.collect::<Result<Vec<_>, _>>()
    };
    let all = levels.iter().map(on_level).collect::<Result<Vec<_>, _>>();
    all.map_err(|source| ExperimentError::Local {
        arm: arm.to_owned(),
        source: Box::new(source),
    })
}
