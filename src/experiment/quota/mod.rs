//! `quota`: what happens when an etcd reaches its quota, and when that is.
//!
//! Each trial fills an etcd of its own to NOSPACE by the workload's own writes, leaves it full, and leads it back while
//! the load goes on; afterwards the same etcd is filled once more, to ask it operation by operation.

mod answer;
mod attendant;
mod forecast;
mod matrix;
mod record;
mod recovery;
mod renewals;
mod tables;

use super::analysis::{Analysis, Attendant, Evidence, Findings, Least};
use super::bed::Bed;
use super::plan::ExperimentPlan;
use crate::control::Control;
use crate::etcd::control::ControlClient;
use crate::etcd::quota;
use crate::human::numbers::bytes;
use crate::workload::Plan;
use attendant::Filling;
use forecast::Forecast;
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

    fn least(&self) -> Least {
        Least { arms: 1, blocks: 1 }
    }

    fn fills(&self) -> bool {
        true
    }

    fn attend(
        &self,
        bed: &Bed,
        experiment: &ExperimentPlan,
        plan: &Plan,
        control: &Control,
    ) -> Result<Option<Box<dyn Attendant>>, String> {
        let [store] = plan.stores.as_slice() else {
            let n = plan.stores.len();
            return Err(format!(
                "the workload has {n} stores, but the analysis quota fills only one etcd: use one store"
            ));
        };
        if !store.target.owned {
            return Err(format!(
                "the analysis quota fills an etcd until it refuses writes, but etcdmark did not start {}; pass \
                 --yes-this-etcd-is-mine to allow it",
                store.target.endpoints.join(", ")
            ));
        }
        let asked = bed.block_on(async {
            let cluster = ControlClient::connect(&store.target).await?;
            let mut all = Vec::new();
            for member in cluster.each() {
                all.push(member.status().await?);
            }
            Ok::<_, crate::etcd::control::ControlError>(all)
        });
        let members = asked.map_err(|e| e.to_string())?;
        let found = bed.block_on(quota::find(&store.target, &members));
        let Some(limit) = found.limit() else {
            return Err(
                "this etcd has no quota (--quota-backend-bytes is negative), so the experiment would fill the disk"
                    .to_owned(),
            );
        };
        let forecast = Forecast::of(plan, 0)?;
        if forecast.populated >= limit as f64 {
            return Err(format!(
                "populate alone writes about {} for {} nodes, but the quota is {found}: reduce cluster.nodes, \
                 or raise --quota-backend-bytes",
                bytes(forecast.populated),
                plan.cluster.nodes
            ));
        }
        let until = forecast.time_to(limit as f64 - forecast.populated);
        let until = until.unwrap_or(10.0).max(1.0);
        let quota = i64::try_from(limit).unwrap_or(i64::MAX);
        let record = Record {
            etcd: members.first().map_or(String::new(), |m| m.version.clone()),
            kubernetes: plan.cluster.kubernetes_version.name().to_owned(),
            nodes: plan.cluster.nodes,
            quota,
            interval: COMPACTION_INTERVAL,
            critical_rate: forecast.critical_rate(limit as f64, COMPACTION_INTERVAL),
            rate: forecast.load(until).puts / until,
            ..Record::default()
        };
        Ok(Some(Box::new(Filling {
            record,
            forecast,
            fill: experiment.fill.unwrap_or_default(),
            control: control.clone(),
            renewals: renewals::Renewals::default(),
            begun: None,
            size: 0.0,
            recovery: None,
            told: 0,
            died: None,
        })))
    }

    fn answer(&self, evidence: &Evidence<'_>) -> Findings {
        answer::answer(evidence)
    }
}
