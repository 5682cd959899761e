//! The run, phase by phase: what a caller of the library calls.

use super::active::Active;
use super::estimate::{Estimate, estimate};
use super::guards;
use super::header;
use super::stream::Stream;
use crate::clock::{Anchor, SECOND};
use crate::etcd::control::Cluster;
use crate::exit::Exit;
use crate::kube::actors::{self, Population};
use crate::report::{Event, RunResult, Sink};
use crate::schedule::Stripe;
use crate::store::manifest::{self, Held, Manifest, ManifestError};
use crate::store::preflight::{self, ClusterFacts, WriteIntent};
use crate::workload::Plan;
use std::sync::Arc;
use std::time::Duration;

/// A run that could not begin. Nothing was loaded; nothing stays behind in the store.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct RunError {
    /// What is wrong and what to do.
    pub message: String,
    /// The exit code that fits.
    pub exit: Exit,
}

impl RunError {
    fn failure(message: impl std::fmt::Display) -> Self {
        RunError {
            message: message.to_string(),
            exit: Exit::Failure,
        }
    }
}

/// The first etcd that has KV.RangeStream.
const RANGE_STREAM: (u64, u64) = (3, 7);
/// A live cluster's load comes up over this time.
pub(super) const LIVE_RAMP: Duration = Duration::from_secs(30);

/// A store, ready to be used.
pub(super) struct Ready {
    pub(super) cluster: Cluster,
    pub(super) facts: ClusterFacts,
    pub(super) held: Held,
}

/// Plays a plan against its stores and returns what came of it; `sink` gets every event and histogram
/// on the way. Blocks. May be called many times and concurrently in one process: it owns its threads
/// and runtimes, and touches no global state. `plan.control` drains or stops it.
///
/// # Errors
/// When the run cannot begin (unreachable, not allowed, locked …). Whatever goes wrong later is part of
/// the result.
pub fn run(mut plan: Plan, sink: &mut dyn Sink) -> Result<RunResult, RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("etcdmark-control")
        .enable_all()
        .build()
        .map_err(|e| RunError::failure(format!("cannot start a runtime: {e}")))?;
    may_act_on_whole_etcds(&plan)?;
    let mut stores = Vec::new();
    for index in 0..plan.stores.len() {
        match runtime.block_on(ready(&mut plan, index, &stores)) {
            Ok(ready) => stores.push(ready),
            Err(e) => {
                // Nothing half-done stays behind in the stores that were taken already.
                for Ready { held, .. } in stores {
                    let _ = runtime.block_on(held.release());
                }
                return Err(e);
            }
        }
    }
    if stores.iter().any(|s| live(&plan, s)) {
        plan.ramp_up(LIVE_RAMP);
    }
    let anchor = Anchor::new();
    let t0 = anchor.mono - anchor.unix % SECOND;
    let mut stream = Stream::new(sink, t0);
    let mut active = Active::new(Arc::new(plan), &runtime, anchor, t0, &stores);
    let header = header::header(
        &active.plan,
        stores_info(&active.plan, &stores),
        anchor.unix(t0),
    );
    active.event(&mut stream, &Event::Header(Box::new(header)));
    for (index, store) in stores.iter().enumerate() {
        for note in &store.facts.notes {
            let note = if stores.len() > 1 {
                format!("store {}: {note}", active.plan.stores[index].name)
            } else {
                note.clone()
            };
            stream.note("info", note);
        }
        if live(&active.plan, store) {
            stream.note("warning", live_note(&active.plan, store));
        }
    }
    let failure = active.play(&runtime, &mut stream, &mut stores).err();
    let result = active.finish(&runtime, &mut stream, stores, failure);
    Ok(result)
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

/// Whether the store is, or may be, a live cluster's. A run on `/registry` itself shares it with nobody.
fn live(plan: &Plan, store: &Ready) -> bool {
    plan.prefix != "/registry" && store.facts.may_be_live()
}

fn live_note(plan: &Plan, store: &Ready) -> String {
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
async fn ready(plan: &mut Plan, index: usize, earlier: &[Ready]) -> Result<Ready, RunError> {
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
    let (cluster, facts) = preflight::check(&store.target, Some(&intent))
        .await
        .map_err(|e| refused(format!("store {}: {e}", store.name), e.exit()))?;
    let wanted = Manifest::new(
        &plan.run_id,
        &plan.prefix,
        &plan.hash,
        plan.seed,
        plan.epoch,
    );
    let held = manifest::acquire(&cluster, wanted).await.map_err(|e| {
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
    let target = &mut plan.stores[index].target;
    target.member_names = facts.names(target);
    target.range_stream = facts.all_are(RANGE_STREAM);
    // A resumed populate writes the same bytes.
    plan.seed = held.manifest.seed;
    plan.epoch = held.manifest.epoch_unix_ns;
    Ok(Ready {
        cluster,
        facts,
        held,
    })
}

fn stores_info(plan: &Plan, stores: &[Ready]) -> Vec<crate::report::StoreInfo> {
    plan.stores
        .iter()
        .zip(stores)
        .map(|(store, ready)| {
            let resources = store
                .resources
                .iter()
                .map(|r| r.plural().to_owned())
                .collect();
            ready
                .facts
                .store_info(&store.name, resources, &store.target)
        })
        .collect()
}

/// Every family of objects that must exist, each once.
pub(crate) fn populations(plan: &Plan) -> Vec<Population> {
    let models = plan.actors.iter().map(|a| plan.model(a, Stripe::WHOLE));
    let models: Vec<_> = models.collect();
    actors::populations(models.iter().map(AsRef::as_ref))
}
