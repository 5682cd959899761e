//! The result's header: what this run is.

use super::context::RunContext;
use super::prepare::PreparedStore;
use crate::human::shell::word;
use crate::kube::OpClass;
use crate::report::{ClassInfo, EVENTS_VERSION, Header, MemberInfo, StoreInfo};
use crate::rpc::WireKind;
use crate::server::environment;
use crate::store::cleanup::REGISTRY;
use crate::store::preflight::ClusterFacts;
use crate::workload::Plan;
use crate::workload::plan::Store;

pub(super) fn header(run: &RunContext, stores: &[PreparedStore]) -> Header {
    let plan = &run.plan;
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
        t0_unix_ns: run.anchor.unix(run.t0),
        part: "0/1".to_owned(),
        prefix: plan.prefix.clone(),
        plan: plan.source.clone(),
        classes: classes(run),
        thresholds: plan
            .thresholds
            .iter()
            .map(|t| t.rule.expression.clone())
            .collect(),
        strict: plan.strict,
        primary: plan.primary.clone(),
        environment: environment::capture(workers, wire, plan.stores.iter().map(|s| &s.target)),
        stores: plan
            .stores
            .iter()
            .zip(stores)
            .map(|(store, prepared)| store_info(plan, store, &prepared.facts))
            .collect(),
        experiment: trial.map(|t| t.experiment.clone()),
        arm: trial.map(|t| t.arm.clone()),
        block: trial.map(|t| t.block),
        trial: trial.map(|t| t.trial),
        order: trial.map(|t| t.order),
    }
}

/// The command that deletes the run's keys from a store. A local etcd is stopped by then: its directories go.
pub(super) fn cleanup_command(plan: &Plan, store: &Store) -> String {
    if !store.target.local_members.is_empty() {
        let members = store.target.local_members.iter();
        let dirs = members.map(|m| format!(" {}", word(&m.data_dir.display().to_string())));
        return format!("rm -r{}", dirs.collect::<String>());
    }
    let (named, access, run) = (store.target.named(), store.target.access(), &plan.run_id);
    let mine = match plan.prefix == REGISTRY {
        true => " --yes-this-etcd-is-mine",
        false => "",
    };
    format!("etcdmark cleanup {named} --run-id {run}{mine}{access}")
}

/// The row of a store.
fn store_info(plan: &Plan, store: &Store, facts: &ClusterFacts) -> StoreInfo {
    let target = &store.target;
    let members = facts.members.iter().map(|m| {
        let named = facts.entries.iter().find(|e| e.id == m.member_id);
        let named = named.map(|e| e.name.clone()).unwrap_or_default();
        let local = target.local_members.iter().find(|l| l.name == named);
        MemberInfo {
            id: format!("{:x}", m.member_id),
            endpoint: m.endpoint.clone(),
            version: m.version.clone(),
            leader: m.leader == m.member_id,
            db_size: m.db_size,
            db_size_in_use: m.db_size_in_use,
            quota: facts.quota.known(),
            data_dir: local.map(|l| l.data_dir.display().to_string()),
            file_system: local.map(|l| l.file_system.clone()),
            medium: local.and_then(|l| l.medium.as_ref().map(|m| m.info.clone())),
            binary: local.map(|l| l.binary.clone()),
            name: named,
        }
    });
    StoreInfo {
        name: store.name.clone(),
        resources: store
            .resources
            .iter()
            .map(|r| r.plural().to_owned())
            .collect(),
        cluster_id: format!("{:x}", facts.cluster_id),
        members: members.collect(),
        local: !target.local_members.is_empty(),
        cleanup: (!target.disposable).then(|| cleanup_command(plan, store)),
    }
}

/// Every op class that the plan can send, in the table's order.
fn classes(run: &RunContext) -> Vec<ClassInfo> {
    let plan = &run.plan;
    let mut rows: Vec<(OpClass, bool)> = Vec::new();
    for actor in &plan.actors {
        let closed = actor.is_closed_loop();
        let model = plan.model(actor);
        let created = model.population().into_iter().map(|p| p.class);
        for class in created.chain(model.classes()) {
            if !rows.iter().any(|(c, _)| *c == class) {
                rows.push((class, closed));
            }
        }
    }
    rows.sort_unstable();
    rows.into_iter()
        .map(|(class, closed)| {
            let route = run.routes.of_class(class);
            ClassInfo {
                rpc: route.rpc.method().to_owned(),
                ..ClassInfo::of(class, store_name(run, class), route.limit, closed)
            }
        })
        .collect()
}

/// The store that an op class is told with; of several, none where each has its own.
pub(super) fn store_name(run: &RunContext, class: OpClass) -> &str {
    let stores = &run.plan.stores;
    if class.of_each_store() && stores.len() > 1 {
        return ClassInfo::EACH_STORE;
    }
    &stores[run.routes.of_class(class).store].name
}
