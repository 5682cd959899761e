//! The run, phase by phase: what a caller of the library calls.

use super::background::Background;
use super::estimate::estimate;
use super::guards::Guards;
use super::merge::Merger;
use super::shard::Message;
use super::stream::Stream;
use super::thread::{self, Assignment, Ended, Order};
use super::{header, load::Times, verify};
use crate::clock::{self, Anchor, Nanos, SECOND};
use crate::etcd::auth::Auth;
use crate::etcd::cleanup::cleanup_run;
use crate::etcd::control::Cluster;
use crate::etcd::manifest::{self, Held, Manifest};
use crate::etcd::preflight::{self, ClusterFacts, WriteIntent};
use crate::exit::Exit;
use crate::kube::actors::{Population, model};
use crate::kube::{Kind, Objects, OpClass};
use crate::report::{
    CleanupReport, End, Event, Phase, PhaseEvent, Progress, RunResult, Sink, VerifyReport,
};
use crate::schedule::Stripe;
use crate::workload::Plan;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

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

/// How often the run looks at its messages at least.
const LOOK: Duration = Duration::from_millis(50);
/// Between "all shards are ready" and load start, so that all of them are there.
const HEAD_START: Nanos = 100_000_000;
/// A live cluster's load comes up over this time.
const LIVE_RAMP: Duration = Duration::from_secs(30);

/// A store, ready to be used.
struct Ready {
    cluster: Cluster,
    facts: ClusterFacts,
    held: Held,
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
    let mut stores = Vec::new();
    for index in 0..plan.stores.len() {
        match runtime.block_on(ready(&mut plan, index)) {
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
    if stores
        .iter()
        .any(|s| s.facts.kubernetes_keys.is_some_and(|n| n > 0))
    {
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
    for store in &stores {
        for note in &store.facts.notes {
            stream.note("info", note.clone());
        }
        if store.facts.kubernetes_keys.is_some_and(|n| n > 0) {
            stream.note(
                "warning",
                "a live cluster: the load comes up over 30 s and the guards are on",
            );
        }
    }
    let failure = active.play(&runtime, &mut stream, &mut stores).err();
    let result = active.finish(&runtime, &mut stream, stores, failure);
    Ok(result)
}

/// Preflight and manifest of one store.
async fn ready(plan: &mut Plan, index: usize) -> Result<Ready, RunError> {
    let store = &plan.stores[index];
    let (keys, bytes) = estimate(plan, index);
    let intent = WriteIntent {
        run_id: plan.run_id.clone(),
        prefix: plan.prefix.clone(),
        allow_live_cluster: plan.allow_live_cluster,
        keys,
        bytes,
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
    let held = manifest::acquire(&cluster, wanted)
        .await
        .map_err(|e| refused(format!("store {}: {e}", store.name), e.exit()))?;
    plan.stores[index].target.member_names = facts.names(&plan.stores[index].target);
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

/// A run under way.
struct Active {
    plan: Arc<Plan>,
    anchor: Anchor,
    t0: Nanos,
    objects: Objects,
    populations: Vec<Population>,
    route: Vec<usize>,
    phase: Phase,
    guards: Guards,
    merger: Merger,
    messages: Receiver<Message>,
    sender: Sender<Message>,
    orders: watch::Sender<Order>,
    shards: Vec<JoinHandle<Option<Ended>>>,
    ended: Vec<Ended>,
    background: Background,
    revisions: BTreeMap<String, (i64, i64)>,
    guarded: bool,
    populated: Vec<(u64, u64)>,
    told: Nanos,
}

impl Active {
    fn new(
        plan: Arc<Plan>,
        runtime: &tokio::runtime::Runtime,
        anchor: Anchor,
        t0: Nanos,
        stores: &[Ready],
    ) -> Self {
        let (sender, messages) = channel();
        let populations = populations(&plan);
        let route: Vec<usize> = OpClass::ALL
            .iter()
            .map(|c| plan.store_of(c.info().resource))
            .collect();
        let names = route.iter().map(|s| plan.stores[*s].name.clone()).collect();
        let literal_compact_key = plan
            .stores
            .iter()
            .all(|s| !s.target.local_members.is_empty());
        let objects = Objects::new(
            &plan.cluster,
            plan.seed,
            plan.epoch,
            plan.event_spacing(),
            &plan.prefix,
        )
        .with_literal_compact_key(literal_compact_key);
        let shards = plan.load.shards.max(1);
        Active {
            guards: Guards::new(&plan.guards),
            merger: Merger::new(shards, names, anchor),
            background: Background::start(
                runtime,
                &plan,
                t0,
                sender.clone(),
                stores.iter().map(|s| &s.cluster),
            ),
            orders: watch::channel(Order::Connect).0,
            populated: vec![(0, 0); shards],
            plan,
            anchor,
            t0,
            objects,
            populations,
            route,
            phase: Phase::Populate,
            messages,
            sender,
            shards: Vec::new(),
            ended: Vec::new(),
            revisions: BTreeMap::new(),
            guarded: false,
            told: 0,
        }
    }

    /// All phases up to the drain.
    fn play(
        &mut self,
        runtime: &tokio::runtime::Runtime,
        stream: &mut Stream<'_>,
        stores: &mut [Ready],
    ) -> Result<(), String> {
        self.enter(stream, Phase::Populate);
        for (store, ready) in self.plan.stores.iter().zip(stores.iter()) {
            let revision = runtime.block_on(revision(&ready.cluster))?;
            self.revisions
                .insert(store.name.clone(), (revision, revision));
        }
        self.start_shards(stores)?;
        self.until_reached(stream)?;
        self.order(Order::Populate);
        self.until_reached(stream)?;
        self.merger.flush(stream, self.phase);
        for ready in stores.iter_mut() {
            let keys = self.populated.iter().map(|(done, _)| done).sum();
            runtime
                .block_on(ready.held.update_phase(Phase::Settle, keys))
                .map_err(|e| e.to_string())?;
        }
        self.enter(stream, Phase::Settle);
        let settled = clock::now() + nanos(self.plan.phases.settle);
        while clock::now() < settled && !self.plan.control.draining() {
            self.pump(stream)?;
        }
        for ready in stores.iter_mut() {
            let keys = ready.held.manifest.populated;
            runtime
                .block_on(ready.held.update_phase(Phase::Warmup, keys))
                .map_err(|e| e.to_string())?;
        }
        self.sample(runtime, stream);
        let start =
            (clock::now() + HEAD_START - self.t0).div_ceil(SECOND / 10) * (SECOND / 10) + self.t0;
        let measure = start + nanos(self.plan.phases.warmup);
        let end = self
            .plan
            .phases
            .duration
            .map_or(Nanos::MAX, |d| measure.saturating_add(nanos(d)));
        self.order(Order::Load(Times {
            start,
            measure,
            end,
            drain: nanos(self.plan.phases.drain),
        }));
        if measure > start {
            self.enter(stream, Phase::Warmup);
        }
        let mut waiting = self.shards.len();
        while waiting > 0 {
            self.enter_due(stream, measure, end);
            waiting -= self.pump(stream)?;
        }
        self.enter_due(stream, measure, end);
        self.merger.flush(stream, self.phase);
        self.sample(runtime, stream);
        for (store, ready) in self.plan.stores.iter().zip(stores.iter()) {
            let revision = runtime.block_on(revision(&ready.cluster)).unwrap_or(0);
            if let Some(entry) = self.revisions.get_mut(&store.name) {
                entry.1 = revision;
            }
        }
        Ok(())
    }

    fn start_shards(&mut self, stores: &[Ready]) -> Result<(), String> {
        let endpoints: Vec<Vec<String>> = stores.iter().map(|s| s.facts.chosen.clone()).collect();
        let auth: Vec<Option<Auth>> = self
            .plan
            .stores
            .iter()
            .map(|s| s.target.credentials.clone().map(Auth::new))
            .collect();
        for index in 0..self.plan.load.shards.max(1) {
            let assignment = Assignment {
                index,
                plan: Arc::clone(&self.plan),
                endpoints: endpoints.clone(),
                objects: self.objects.clone(),
                populations: self.populations.clone(),
                auth: auth.clone(),
                route: self.route.clone(),
                anchor: self.anchor,
                t0: self.t0,
                messages: self.sender.clone(),
                orders: self.orders.subscribe(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("etcdmark-shard{index}"))
                .spawn(move || thread::main(assignment))
                .map_err(|e| format!("cannot start a shard's thread: {e}"))?;
            self.shards.push(thread);
        }
        Ok(())
    }

    fn order(&self, order: Order) {
        self.orders.send_replace(order);
    }

    fn enter(&mut self, stream: &mut Stream<'_>, phase: Phase) {
        self.enter_at(stream, phase, clock::now());
    }

    fn enter_at(&mut self, stream: &mut Stream<'_>, phase: Phase, at: Nanos) {
        self.phase = phase;
        let t = at.saturating_sub(self.t0) as f64 / SECOND as f64;
        stream.event(&Event::Phase(PhaseEvent { t, phase }));
        stream.flush();
    }

    /// Enters measure and drain at their planned instants, however late this is looked at: rates are
    /// divided by what lies between.
    fn enter_due(&mut self, stream: &mut Stream<'_>, measure: Nanos, end: Nanos) {
        let now = clock::now();
        if self.phase < Phase::Measure && now >= measure {
            self.enter_at(stream, Phase::Measure, measure);
        }
        if self.phase < Phase::Drain && (now >= end || self.plan.control.draining()) {
            self.enter_at(stream, Phase::Drain, now.min(end));
        }
    }

    fn until_reached(&mut self, stream: &mut Stream<'_>) -> Result<(), String> {
        let mut waiting = self.shards.len();
        while waiting > 0 {
            waiting -= self.pump(stream)?;
        }
        Ok(())
    }

    /// Handles messages for a moment; how many shards reached their goal.
    fn pump(&mut self, stream: &mut Stream<'_>) -> Result<usize, String> {
        let mut reached = 0;
        let mut next = match self.messages.recv_timeout(LOOK) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Err("all shards have gone".to_owned()),
        };
        while let Some(message) = next {
            match message {
                Message::Batch(batch) => self.merger.batch(*batch, stream, self.phase),
                Message::Event(event) => self.event(stream, &event),
                Message::Populated { shard, done, total } => {
                    self.progress(stream, shard, done, total)
                }
                Message::Reached => reached += 1,
                Message::Alarm {
                    store,
                    member,
                    alarm,
                } => {
                    let t = stream.t();
                    if let Some(guard) = self.guards.alarm(t, &store, &member, &alarm) {
                        self.guard(stream, &Event::Guard(guard));
                    }
                }
                Message::Failed(reason) => return Err(reason),
            }
            next = self.messages.try_recv().ok();
        }
        if let Some(failure) = stream.failure() {
            return Err(failure.to_owned());
        }
        Ok(reached)
    }

    fn event(&mut self, stream: &mut Stream<'_>, event: &Event) {
        stream.event(event);
        if let Some(guard) = self.guards.observe(event) {
            self.guard(stream, &Event::Guard(guard));
        }
    }

    fn guard(&mut self, stream: &mut Stream<'_>, event: &Event) {
        self.guarded = true;
        stream.event(event);
        self.plan.control.drain();
    }

    fn progress(&mut self, stream: &mut Stream<'_>, shard: usize, done: u64, total: u64) {
        self.populated[shard] = (done, total);
        let sum = |f: fn(&(u64, u64)) -> u64| self.populated.iter().map(f).sum();
        let (done, total): (u64, u64) = (sum(|p| p.0), sum(|p| p.1));
        if done == total || clock::now().saturating_sub(self.told) > SECOND / 4 {
            self.told = clock::now();
            let t = stream.t();
            stream.event(&Event::Progress(Progress {
                t,
                phase: Phase::Populate,
                done,
                total,
                unit: "keys".to_owned(),
            }));
        }
    }

    /// The servers' counters, now.
    fn sample(&mut self, runtime: &tokio::runtime::Runtime, stream: &mut Stream<'_>) {
        for event in runtime.block_on(Background::once(&self.plan, self.t0)) {
            self.event(stream, &event);
        }
    }

    /// Ends shards, verifies, cleans up, and says how it ended.
    fn finish(
        mut self,
        runtime: &tokio::runtime::Runtime,
        stream: &mut Stream<'_>,
        stores: Vec<Ready>,
        failure: Option<String>,
    ) -> RunResult {
        if failure.is_some() {
            // Shards that are in the middle of something end at once.
            self.plan.control.stop();
        }
        self.order(Order::End);
        for shard in std::mem::take(&mut self.shards) {
            match shard.join() {
                Ok(ended) => self.ended.extend(ended),
                Err(_) => stream.note("warning", "a shard's thread panicked"),
            }
        }
        while let Ok(message) = self.messages.try_recv() {
            if let Message::Batch(batch) = message {
                self.merger.batch(*batch, stream, self.phase);
            }
        }
        self.merger.flush(stream, self.phase);
        if self.merger.saturated() > 0 {
            let n = self.merger.saturated();
            stream.note(
                "warning",
                format!("{n} times were longer than an hour and are recorded as an hour"),
            );
        }
        self.background.stop();
        if failure.is_none() && self.plan.verify && !self.plan.control.stopping() {
            self.enter(stream, Phase::Verify);
            let report = self.verify(runtime, stream, &stores);
            stream.event(&Event::Verify(report));
        }
        self.enter(stream, Phase::Cleanup);
        let report = self.cleanup(runtime, stream, stores);
        stream.event(&Event::Cleanup(report));
        let outcome = match (&failure, self.guarded, self.plan.control.interrupted()) {
            (Some(_), _, _) => "failed",
            (None, true, _) => "guard",
            (None, false, true) => "interrupted",
            (None, false, false) => "completed",
        };
        let end = End {
            t: stream.t(),
            outcome: outcome.to_owned(),
            error: failure,
            revisions: self.revisions,
        };
        stream.event(&Event::End(end));
        stream.flush();
        stream.result()
    }

    fn verify(
        &self,
        runtime: &tokio::runtime::Runtime,
        stream: &mut Stream<'_>,
        stores: &[Ready],
    ) -> VerifyReport {
        let mut all = VerifyReport::default();
        for (index, ready) in stores.iter().enumerate() {
            let mine = |kind: Kind| {
                kind != Kind::CompactRev && self.plan.store_of(kind.resource()) == index
            };
            let t0 = self.t0;
            let mut told = 0;
            let progress = |done: u64, total: u64| {
                if clock::now().saturating_sub(told) > SECOND / 4 {
                    told = clock::now();
                    let t = told.saturating_sub(t0) as f64 / SECOND as f64;
                    stream.event(&Event::Progress(Progress {
                        t,
                        phase: Phase::Verify,
                        done,
                        total,
                        unit: "keys".to_owned(),
                    }));
                }
            };
            let one = runtime.block_on(verify::verify(
                &ready.cluster,
                &self.plan.prefix,
                &self.objects,
                &self.ended,
                mine,
                progress,
            ));
            verify::add(&mut all, one);
        }
        all.indeterminate = self.ended.iter().map(|e| e.indeterminate).sum();
        all.indeterminate_applied += self
            .ended
            .iter()
            .map(|e| e.indeterminate_applied)
            .sum::<u64>();
        all
    }

    fn cleanup(
        &self,
        runtime: &tokio::runtime::Runtime,
        stream: &mut Stream<'_>,
        stores: Vec<Ready>,
    ) -> CleanupReport {
        let mut all = CleanupReport::default();
        let leases: Vec<i64> = self
            .ended
            .iter()
            .flat_map(|e| e.leases.iter().map(|l| l.id))
            .collect();
        for (index, ready) in stores.into_iter().enumerate() {
            let store = &self.plan.stores[index];
            let local = !store.target.local_members.is_empty();
            let left = || {
                let run = &self.plan.run_id;
                let named = store.target.named_by.clone();
                let named = named
                    .unwrap_or_else(|| format!("--endpoints {}", store.target.endpoints.join(",")));
                format!("etcdmark cleanup {named} --run-id {run}")
            };
            // A local etcd that goes away with the run needs no sweeping.
            if self.plan.keep_data
                || (local && store.target.disposable)
                || self.plan.control.stopping()
            {
                if !(local && store.target.disposable) {
                    all.left = Some(left());
                }
                let _ = runtime.block_on(ready.held.leave());
                continue;
            }
            let t0 = self.t0;
            let mut told = 0;
            let mut progress = |done: u64, total: u64| {
                if clock::now().saturating_sub(told) > SECOND / 4 {
                    told = clock::now();
                    let t = told.saturating_sub(t0) as f64 / SECOND as f64;
                    stream.event(&Event::Progress(Progress {
                        t,
                        phase: Phase::Cleanup,
                        done,
                        total,
                        unit: "keys".to_owned(),
                    }));
                }
            };
            match runtime.block_on(cleanup_run(
                &ready.cluster,
                &self.plan.prefix,
                &leases,
                &mut progress,
            )) {
                Ok(report) => {
                    all.keys += report.keys;
                    all.leases += report.leases;
                    all.left = all.left.or(report.left);
                    let _ = runtime.block_on(ready.held.release());
                }
                Err(e) => {
                    stream.note("warning", format!("cleanup of store {}: {e}", store.name));
                    all.left = Some(left());
                    let _ = runtime.block_on(ready.held.leave());
                }
            }
        }
        all
    }
}

/// Every family of objects that must exist, each once.
pub(crate) fn populations(plan: &Plan) -> Vec<Population> {
    let mut all: Vec<Population> = Vec::new();
    for actor in &plan.actors {
        for p in model(&actor.kind, &plan.cluster, Stripe::WHOLE, plan.seed).population() {
            if !all.iter().any(|q| q.kind == p.kind) {
                all.push(p);
            }
        }
    }
    all
}

async fn revision(cluster: &Cluster) -> Result<i64, String> {
    use crate::etcd::control::RangeSpec;
    let page = cluster
        .range(RangeSpec {
            count_only: true,
            ..RangeSpec::new(b"\0", b"")
        })
        .await;
    page.map(|p| p.revision).map_err(|e| e.to_string())
}

fn nanos(d: Duration) -> Nanos {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}
