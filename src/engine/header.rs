//! The result's header: what this run is.

use crate::clock::UnixNanos;
use crate::kube::OpClass;
use crate::report::{ClassInfo, EVENTS_VERSION, Header, StoreInfo};
use crate::rpc::WireKind;
use crate::schedule::Schedule;
use crate::schedule::Stripe;
use crate::server::environment;
use crate::workload::Plan;

pub(crate) fn header(plan: &Plan, stores: Vec<StoreInfo>, t0_unix_ns: UnixNanos) -> Header {
    let wire = match plan.load.wire {
        WireKind::H2 => "h2",
        WireKind::Tonic => "tonic",
    };
    let trial = plan.trial.as_ref();
    let workers = u32::try_from(plan.load.workers.max(1)).unwrap_or(u32::MAX);
    Header {
        version: EVENTS_VERSION,
        etcdmark: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: plan.run_id.clone(),
        workload: plan.name.clone(),
        plan_hash: plan.hash.clone(),
        seed: plan.seed,
        epoch_unix_ns: plan.epoch,
        t0_unix_ns,
        part: "0/1".to_owned(),
        prefix: plan.prefix.clone(),
        plan: plan.source.clone(),
        classes: classes(plan),
        thresholds: plan
            .thresholds
            .iter()
            .map(|t| t.expression.clone())
            .collect(),
        primary: plan.primary.clone(),
        environment: environment::capture(workers, wire, plan.stores.iter().map(|s| &s.target)),
        stores,
        experiment: trial.map(|t| t.experiment.clone()),
        arm: trial.map(|t| t.arm.clone()),
        block: trial.map(|t| t.block),
        trial: trial.map(|t| t.trial),
        order: trial.map(|t| t.order),
    }
}

/// Every op class that the plan can send, in the table's order.
fn classes(plan: &Plan) -> Vec<ClassInfo> {
    let mut rows: Vec<(OpClass, bool)> = Vec::new();
    for actor in &plan.actors {
        let closed = matches!(actor.schedule, Schedule::Closed { .. });
        let model = plan.model(actor, Stripe::WHOLE);
        let created = model.population().into_iter().map(|p| p.class);
        for class in created.chain(model.classes()) {
            if !rows.iter().any(|(c, _)| *c == class) {
                rows.push((class, closed));
            }
        }
    }
    rows.sort_unstable();
    rows.into_iter()
        .map(|(class, closed)| ClassInfo {
            rpc: plan.rpc_of(class).method().to_owned(),
            ..ClassInfo::of(
                class,
                store_name(plan, class),
                plan.limits.of(class),
                closed,
            )
        })
        .collect()
}

/// The store that an op class is told with; of several, none where each has its own.
pub(crate) fn store_name(plan: &Plan, class: OpClass) -> &str {
    if class.of_each_store() && plan.stores.len() > 1 {
        return ClassInfo::EACH_STORE;
    }
    &plan.stores[plan.store_of(class.info().resource)].name
}
