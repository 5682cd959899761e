//! `quota`: what happens when an etcd reaches its quota, and when that is.
//!
//! Each trial fills an etcd of its own to NOSPACE by the workload's own writes, leaves it full, and leads it back while
//! the load goes on; afterwards the same etcd is filled once more, to ask it operation by operation.

mod answer;
mod filling;
mod forecast;
mod hook;
mod matrix;
mod record;
mod recovery;
mod renewals;
mod tables;

use crate::etcd::control::{ControlClient, ControlError};
use crate::etcd::quota;
use crate::experiment::analysis::{Analysis, Evidence, Findings, Requirements};
use crate::experiment::play::hook::{HookError, TrialHook, TrialStart};
use crate::human::numbers::bytes;
use forecast::Forecast;
use hook::QuotaHook;
use record::Record;

/// kube-apiserver's `--etcd-compaction-interval`, seconds; a hollow one may compact more often, to be seen at all.
const COMPACTION_INTERVAL: f64 = 300.0;

/// The analysis.
#[derive(Debug)]
pub(super) struct Quota;

impl Analysis for Quota {
    fn name(&self) -> &'static str {
        "quota"
    }

    fn requirements(&self) -> Requirements {
        Requirements {
            arms: 1,
            blocks: 1,
            full_etcd: true,
            gate: false,
        }
    }

    fn answer(&self, evidence: &Evidence<'_>) -> Findings {
        answer::answer(evidence)
    }
}

/// Follows the filling of a trial's etcd.
pub(super) fn hook(start: TrialStart<'_>) -> Result<Box<dyn TrialHook>, HookError> {
    let plan = start.plan;
    let [store] = plan.stores.as_slice() else {
        let n = plan.stores.len();
        return unsuited(format!(
            "the workload has {n} stores, but the analysis quota fills only one etcd: use one store"
        ));
    };
    if !store.target.owned {
        return unsuited(format!(
            "the analysis quota fills an etcd until it refuses writes, but etcdmark did not start {}; pass \
             --yes-this-etcd-is-mine to allow it",
            store.target.endpoints.join(", ")
        ));
    }
    let (members, found) = start.testbed.block_on(async {
        let cluster = ControlClient::connect(&store.target).await?;
        let mut all = Vec::new();
        for member in cluster.each() {
            all.push(member.status().await?);
        }
        let found = quota::smallest(&quota::of_members(&store.target, &all, &[]).await);
        Ok::<_, ControlError>((all, found))
    })?;
    let Some(limit) = found.limit() else {
        return unsuited(
            "this etcd has no quota (--quota-backend-bytes is negative), so the experiment would fill the disk"
                .to_owned(),
        );
    };
    let forecast = Forecast::of(plan, 0).map_err(|e| HookError::Unsuited(e.to_string()))?;
    if forecast.populated >= limit as f64 {
        return unsuited(format!(
            "populate alone writes about {} for {} nodes, but the quota is {found}: reduce cluster.nodes, \
             or raise --quota-backend-bytes",
            bytes(forecast.populated),
            plan.cluster.nodes
        ));
    }
    let until = forecast.time_to(limit as f64 - forecast.populated);
    let until = until.unwrap_or(10.0).max(1.0);
    let record = Record {
        etcd: members.first().map_or(String::new(), |m| m.version.clone()),
        kubernetes: plan.cluster.kubernetes_version.name().to_owned(),
        nodes: plan.cluster.nodes,
        quota: i64::try_from(limit).unwrap_or(i64::MAX),
        interval: COMPACTION_INTERVAL,
        critical_rate: forecast.critical_rate(limit as f64, COMPACTION_INTERVAL),
        rate: forecast.load(until).puts / until,
        ..Record::default()
    };
    let fill = start.experiment.fill.unwrap_or_default();
    let hook = QuotaHook::new(record, forecast, fill, start.control.clone());
    Ok(Box::new(hook))
}

fn unsuited<T>(why: String) -> Result<T, HookError> {
    Err(HookError::Unsuited(why))
}
