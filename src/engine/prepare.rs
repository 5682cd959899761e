//! Before a run: its stores checked and taken, and its plan completed by what they told.

use super::estimate::{Estimate, estimate};
use super::guards;
use super::run::RunError;
use crate::etcd::control::ControlClient;
use crate::exit::Exit;
use crate::kube::ActorKind;
use crate::store::manifest::{self, Manifest, ManifestError, RunClaim};
use crate::store::preflight::{self, ClusterFacts, WriteIntent};
use crate::workload::{Actor, Plan};
use std::time::Duration;
use tokio::runtime::Runtime;

/// The first etcd that has KV.RangeStream.
const RANGE_STREAM: (u64, u64) = (3, 7);
/// A live cluster's load comes up over this time.
pub(super) const LIVE_RAMP: Duration = Duration::from_secs(30);

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
        self.facts.all_are(RANGE_STREAM)
    }
}

/// Checks and takes every store of the plan, or none.
pub(super) fn prepare(mut plan: Plan, runtime: &Runtime) -> Result<Prepared, RunError> {
    may_defragment(&plan)?;
    let mut stores: Vec<PreparedStore> = Vec::new();
    for index in 0..plan.stores.len() {
        match runtime.block_on(prepare_store(&plan, index, &stores)) {
            Ok(store) => {
                // A resumed populate writes the same bytes.
                plan.seed = store.claim.manifest.seed;
                plan.epoch = store.claim.manifest.epoch_unix_ns;
                stores.push(store);
            }
            Err(e) => {
                // Nothing half-done stays behind in the stores that were taken already.
                for PreparedStore { claim, .. } in stores {
                    let _ = runtime.block_on(claim.release());
                }
                return Err(e);
            }
        }
    }
    if stores.iter().any(|s| live(&plan, s)) {
        plan.ramp_up(LIVE_RAMP);
    }
    Ok(Prepared { plan, stores })
}

/// What should be said of a store before the load, each with its level.
pub(super) fn notes(
    plan: &Plan,
    index: usize,
    store: &PreparedStore,
) -> Vec<(&'static str, String)> {
    let named = |note: &String| match plan.stores.len() {
        1 => note.clone(),
        _ => format!("store {}: {note}", plan.stores[index].name),
    };
    let facts = store.facts.notes.iter();
    let mut all: Vec<_> = facts.map(|note| ("info", named(note))).collect();
    if live(plan, store) {
        all.push(("warning", live_note(plan, store)));
    }
    all
}

/// Defragmenting stops whole members: only those of an etcd that is ours.
fn may_defragment(plan: &Plan) -> Result<(), RunError> {
    let defragmenter = |a: &&Actor| a.kind == ActorKind::Defragmenter;
    let actor = plan.actors.iter().find(defragmenter);
    let foreign = plan.stores.iter().find(|s| !s.target.owned);
    let (Some(actor), Some(store)) = (actor, foreign) else {
        return Ok(());
    };
    Err(RunError {
        message: format!(
            "actor {:?} defragments store {}, which blocks its members one at a time, but etcdmark did not start that etcd: pass --yes-this-etcd-is-mine to allow it, or remove the actor",
            actor.name, store.name
        ),
        exit: Exit::Usage,
    })
}

/// Whether the store is, or may be, a live cluster's. A run on `/registry` itself shares it with nobody.
fn live(plan: &Plan, store: &PreparedStore) -> bool {
    plan.prefix != "/registry" && store.facts.may_be_live()
}

fn live_note(plan: &Plan, store: &PreparedStore) -> String {
    let what = match store.facts.kubernetes_keys {
        Some(n) => format!("a live cluster ({n} keys under /registry/)"),
        None => "possibly a live cluster (this user may not read /registry/)".to_owned(),
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
    let (client, facts) = preflight::check(&store.target, Some(&intent))
        .await
        .map_err(|e| refused(format!("store {}: {e}", store.name), e.exit()))?;
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
            None => format!("store {}: {e}", store.name),
        };
        refused(message, e.exit())
    })?;
    Ok(PreparedStore {
        client,
        facts,
        claim,
    })
}
