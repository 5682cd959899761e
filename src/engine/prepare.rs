//! Before a run: its stores checked and taken, and its plan completed by what they told.

use super::estimate::{Estimate, estimate};
use super::guards;
use super::run::RunError;
use crate::etcd::control::ControlClient;
use crate::exit::Exit;
use crate::store::manifest::{self, Manifest, ManifestError, RunClaim};
use crate::store::preflight::{self, ClusterFacts, WriteIntent};
use crate::store::runs;
use crate::workload::Plan;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The first etcd that has KV.RangeStream.
const RANGE_STREAM: (u64, u64) = (3, 7);
/// A live cluster's load comes up over this time.
pub const LIVE_RAMP: Duration = Duration::from_secs(30);

/// A run that may begin.
pub(super) struct Prepared {
    /// Nothing of it is left to decide: seed and epoch are those of the manifests, the load ramps up where it must.
    pub(super) plan: Plan,
    /// In the order of the plan's.
    pub(super) stores: Vec<PreparedStore>,
}

/// A store that was checked, and whose prefix is ours.
pub(super) struct PreparedStore {
    pub(super) client: ControlClient,
    pub(super) facts: ClusterFacts,
    pub(super) claim: RunClaim,
}

impl PreparedStore {
    /// Every member answers KV.RangeStream.
    pub(super) fn streams(&self) -> bool {
        self.facts.all_are(RANGE_STREAM) && !self.facts.proxied
    }
}

/// Checks and takes every store of the plan, or none.
pub(super) fn prepare(mut plan: Plan, runtime: &Runtime) -> Result<Prepared, RunError> {
    may_act_on_whole_etcds(&plan)?;
    let mut stores: Vec<PreparedStore> = Vec::new();
    for index in 0..plan.stores.len() {
        match runtime.block_on(prepare_store(&plan, index, &stores)) {
            Ok(store) => {
                // A resumed populate writes the same bytes.
                plan.seed = store.claim.manifest.seed;
                plan.epoch = store.claim.manifest.epoch_unix_ns;
                stores.push(store);
            }
            Err(e) => return Err(give_back(e, &plan, stores, runtime)),
        }
    }
    if stores.iter().any(|s| s.facts.may_be_live()) {
        plan.ramp_up(LIVE_RAMP);
    }
    Ok(Prepared { plan, stores })
}

/// Gives back the stores that were taken before one failed. Nothing half-done stays behind; a manifest with keys
/// stays, or nobody would find them.
fn give_back(
    mut e: RunError,
    plan: &Plan,
    taken: Vec<PreparedStore>,
    runtime: &Runtime,
) -> RunError {
    for (store, PreparedStore { claim, .. }) in plan.stores.iter().zip(taken) {
        if claim.resumed {
            let _ = runtime.block_on(claim.leave());
            e.message += &format!(
                "; store {} keeps the keys of the interrupted run {:?}",
                store.name, plan.run_id
            );
        } else {
            let _ = runtime.block_on(claim.release());
        }
    }
    e
}

/// With the store's name, where there are several.
fn of_store(plan: &Plan, index: usize, text: impl std::fmt::Display) -> String {
    match plan.stores.len() {
        1 => text.to_string(),
        _ => format!("store {}: {text}", plan.stores[index].name),
    }
}

/// What should be said of a store before the load, each with its level.
pub(super) fn notes(
    plan: &Plan,
    index: usize,
    store: &PreparedStore,
) -> Vec<(&'static str, String)> {
    let named = |note: &String| of_store(plan, index, note);
    let facts = store.facts.notes.iter();
    let mut all: Vec<_> = facts.map(|note| ("info", named(note))).collect();
    let local = plan.stores[index].target.local_members.first();
    if let Some(note) = local.and_then(|member| member.in_memory.as_ref()) {
        all.push(("warning", named(note)));
    }
    if store.facts.may_be_live() {
        all.push(("warning", live_note(plan, store)));
    }
    all
}

/// What acts on a whole etcd does so on one that is ours only.
fn may_act_on_whole_etcds(plan: &Plan) -> Result<(), RunError> {
    let mut actors = plan.actors.iter();
    let acts = actors.find_map(|a| Some((a, a.kind.conduct.whole_etcd?)));
    let foreign = plan.stores.iter().find(|s| !s.target.owned);
    let (Some((actor, acts)), Some(store)) = (acts, foreign) else {
        return Ok(());
    };
    Err(RunError {
        message: format!(
            "actor {:?} {}, but etcdmark did not start that etcd: pass --yes-this-etcd-is-mine to allow it, or remove the actor",
            actor.name,
            acts(&store.name)
        ),
        exit: Exit::Usage,
    })
}

fn live_note(plan: &Plan, store: &PreparedStore) -> String {
    let what = match &store.facts.others {
        Some(keys) => format!("a store in use ({keys})"),
        None => "possibly a store in use (this user may not read all keys)".to_owned(),
    };
    let guards = match plan
        .guards
        .iter()
        .map(|g| guards::name(*g))
        .collect::<Vec<_>>()
    {
        on if on.is_empty() => "no guard is active".to_owned(),
        on => format!("the guards {} are active", on.join(", ")),
    };
    format!("{what}: populate and load ramp up over 30 s, and {guards}")
}

/// Preflight and manifest of one store; `earlier` are those that were taken already.
/// Other runs that go on in the same etcd. Whether there are any decides nothing: what cannot be asked is not told.
async fn beside(client: &ControlClient, run_id: &str) -> Option<String> {
    let known = runs::list(client).await.ok()?;
    let active = known
        .runs
        .iter()
        .filter(|r| r.run_id != run_id && r.holder.is_some());
    let active: Vec<&str> = active.map(|r| r.run_id.as_str()).collect();
    let verb = if active.len() == 1 { "is" } else { "are" };
    (!active.is_empty()).then(|| {
        format!(
            "{} {verb} active in this etcd as well: its figures are those of all loads together",
            active.join(", ")
        )
    })
}

async fn prepare_store(
    plan: &Plan,
    index: usize,
    earlier: &[PreparedStore],
) -> Result<PreparedStore, RunError> {
    let store = &plan.stores[index];
    let Estimate {
        keys,
        writes,
        bytes,
        closed_loop,
    } = estimate(plan, index);
    let intent = WriteIntent {
        run_id: plan.run_id.clone(),
        prefix: plan.prefix.clone(),
        allow_live_cluster: plan.allow_live_cluster,
        keys,
        writes,
        bytes,
        closed_loop,
        may_fill: plan.may_fill,
    };
    let refused = |message: String, exit| RunError { message, exit };
    let (client, mut facts) = preflight::check(&store.target, Some(&intent))
        .await
        .map_err(|e| refused(of_store(plan, index, &e), e.exit()))?;
    if store.target.local_members.is_empty() {
        facts.notes.extend(beside(&client, &plan.run_id).await);
    }
    let wanted = Manifest::new(
        &plan.run_id,
        &plan.prefix,
        &plan.hash,
        plan.seed,
        plan.epoch,
    );
    let claim = manifest::acquire(&client, wanted).await.map_err(|e| {
        // Cluster ids are not proof alone: two etcds that were set up alike have the same one.
        let locked = matches!(e, ManifestError::Locked { .. });
        let same = earlier.iter().position(|r| r.facts.cluster_id == facts.cluster_id);
        let message = match same.filter(|_| locked) {
            Some(first) => format!(
                "stores {} and {} are the same etcd (cluster {:x}), but each store needs its own: give one of \
                 them other endpoints, or remove its override",
                plan.stores[first].name, store.name, facts.cluster_id
            ),
            None => of_store(plan, index, &e),
        };
        refused(message, e.exit())
    })?;
    Ok(PreparedStore {
        client,
        facts,
        claim,
    })
}
