//! What a run and all its workers share.

use super::leases::SharedLeases;
use super::populations::populations;
use super::prepare::{Prepared, PreparedStore};
use super::routes::Routes;
use crate::clock::{Anchor, Nanos};
use crate::control::Control;
use crate::etcd::auth::Auth;
use crate::etcd::control::ControlClient;
use crate::kube::Objects;
use crate::kube::actors::Population;
use crate::workload::Plan;
use std::collections::BTreeMap;

/// Read-only, but for `control`, which drains or stops the run, and the leases that Events share.
#[derive(Debug)]
pub(crate) struct RunContext {
    pub(crate) plan: Plan,
    pub(crate) control: Control,
    pub(crate) routes: Routes,
    /// In the order of the plan's stores.
    pub(crate) stores: Vec<StoreAccess>,
    pub(crate) objects: Objects,
    pub(crate) populations: Vec<Population>,
    pub(crate) leases: SharedLeases,
    pub(crate) anchor: Anchor,
    /// The monotonic instant of the run's t = 0.
    pub(crate) t0: Nanos,
}

/// How the workers reach one store.
#[derive(Debug)]
pub(crate) struct StoreAccess {
    /// Its id, as all members named it before the load.
    pub(crate) cluster: u64,
    /// For what is not load.
    pub(crate) client: ControlClient,
    /// Endpoints that get load.
    pub(crate) endpoints: Vec<String>,
    /// The members' names in the order of the target's endpoints; empty when they are not known.
    pub(crate) member_names: Vec<String>,
    /// The same by their ids, of all members that the etcd lists.
    pub(crate) names_by_id: BTreeMap<u64, String>,
    /// One login, shared by the workers.
    pub(crate) auth: Option<Auth>,
}

impl RunContext {
    /// Of a run that is prepared; its stores' claims stay with the run.
    pub(super) fn new(
        prepared: Prepared,
        control: &Control,
        anchor: Anchor,
        t0: Nanos,
    ) -> (Self, Vec<PreparedStore>) {
        let Prepared { plan, stores } = prepared;
        let owned_by_us = |s: &crate::workload::plan::Store| !s.target.local_members.is_empty();
        let literal_compact_key = plan.stores.iter().all(owned_by_us);
        let objects = Objects::new(
            &plan.cluster,
            plan.seed,
            plan.epoch,
            plan.event_spacing(),
            &plan.prefix,
        )
        .with_literal_compact_key(literal_compact_key);
        let access = plan.stores.iter().zip(&stores).map(|(store, prepared)| {
            let target = &store.target;
            StoreAccess {
                cluster: prepared.facts.cluster_id,
                client: prepared.client.clone(),
                endpoints: prepared.facts.chosen.clone(),
                member_names: prepared.facts.names(target),
                names_by_id: prepared.facts.names_by_id(),
                auth: target.credentials.clone().map(Auth::new),
            }
        });
        let context = RunContext {
            control: control.clone(),
            routes: Routes::new(&plan, |store| stores[store].streams()),
            stores: access.collect(),
            objects,
            populations: populations(&plan),
            leases: SharedLeases::default(),
            plan,
            anchor,
            t0,
        };
        (context, stores)
    }
}
