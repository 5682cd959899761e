//! A run under way: its phases up to the drain, and what reaches it from the workers on the way.

use super::background::Background;
use super::guards::Guards;
use super::header::store_name;
use super::load::Times;
use super::merge::Merger;
use super::run::{Ready, populations};
use super::stream::Stream;
use super::thread::{self, Assignment, Ended, Order};
use super::worker::Message;
use crate::clock::{self, Anchor, Nanos, SECOND};
use crate::etcd::auth::Auth;
use crate::etcd::control::RangeSpec;
use crate::kube::actors::Population;
use crate::kube::{Objects, OpClass};
use crate::report::{Event, Phase, PhaseEvent, Progress};
use crate::workload::Plan;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// How often the run looks at its messages at least.
const LOOK: Duration = Duration::from_millis(50);
/// Between "all workers are ready" and load start, so that all of them are there.
const HEAD_START: Nanos = 100_000_000;

/// A run under way.
pub(super) struct Active {
    pub(super) plan: Arc<Plan>,
    pub(super) anchor: Anchor,
    pub(super) t0: Nanos,
    pub(super) objects: Objects,
    pub(super) populations: Vec<Population>,
    pub(super) route: Vec<usize>,
    pub(super) phase: Phase,
    pub(super) guards: Guards,
    pub(super) merger: Merger,
    pub(super) messages: Receiver<Message>,
    pub(super) sender: Sender<Message>,
    pub(super) orders: watch::Sender<Order>,
    pub(super) workers: Vec<JoinHandle<Option<Ended>>>,
    pub(super) ended: Vec<Ended>,
    pub(super) background: Background,
    pub(super) revisions: BTreeMap<String, (i64, i64)>,
    pub(super) guarded: bool,
    pub(super) populated: Vec<(u64, u64)>,
    pub(super) told: Nanos,
}

impl Active {
    pub(super) fn new(
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
        let names = OpClass::ALL
            .iter()
            .map(|c| store_name(&plan, *c).to_owned());
        let names = names.collect();
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
        let workers = plan.load.workers.max(1);
        Active {
            guards: Guards::new(&plan.guards),
            merger: Merger::new(workers, names, t0, anchor),
            background: Background::start(
                runtime,
                &plan,
                t0,
                sender.clone(),
                stores.iter().map(|s| &s.cluster),
            ),
            orders: watch::channel(Order::Connect).0,
            populated: vec![(0, 0); workers],
            plan,
            anchor,
            t0,
            objects,
            populations,
            route,
            phase: Phase::Populate,
            messages,
            sender,
            workers: Vec::new(),
            ended: Vec::new(),
            revisions: BTreeMap::new(),
            guarded: false,
            told: 0,
        }
    }

    /// All phases up to the drain.
    pub(super) fn play(
        &mut self,
        runtime: &tokio::runtime::Runtime,
        stream: &mut Stream<'_>,
        stores: &mut [Ready],
    ) -> Result<(), String> {
        self.enter(stream, Phase::Populate);
        for (store, ready) in self.plan.stores.iter().zip(stores.iter()) {
            let revision = runtime.block_on(revision(ready))?;
            self.revisions
                .insert(store.name.clone(), (revision, revision));
        }
        self.start_workers(stores)?;
        self.until_reached(stream)?;
        self.order(Order::Populate);
        self.until_reached(stream)?;
        self.merger.flush(stream);
        if self.plan.control.draining() || self.plan.populate_only {
            // The manifest stays in populate: the same run can go on from here.
            self.last_revisions(runtime, stores);
            return Ok(());
        }
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
        if self.plan.control.draining() {
            self.last_revisions(runtime, stores);
            return Ok(());
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
        // At once, also without a warm-up: what is read of the servers from here on may hold some of the load.
        if measure > start {
            self.enter(stream, Phase::Warmup);
        } else {
            self.enter_at(stream, Phase::Measure, measure);
        }
        let mut waiting = self.workers.len();
        while waiting > 0 {
            self.enter_due(stream, measure, end);
            waiting -= self.pump(stream)?;
        }
        self.enter_due(stream, measure, end);
        self.merger.flush(stream);
        self.sample(runtime, stream);
        self.last_revisions(runtime, stores);
        Ok(())
    }

    /// Notes each store's revision after the last write.
    pub(super) fn last_revisions(&mut self, runtime: &tokio::runtime::Runtime, stores: &[Ready]) {
        for (store, ready) in self.plan.stores.iter().zip(stores) {
            let revision = runtime.block_on(revision(ready)).unwrap_or(0);
            if let Some(entry) = self.revisions.get_mut(&store.name) {
                entry.1 = revision;
            }
        }
    }

    fn start_workers(&mut self, stores: &[Ready]) -> Result<(), String> {
        let endpoints: Vec<Vec<String>> = stores.iter().map(|s| s.facts.chosen.clone()).collect();
        let auth: Vec<Option<Auth>> = self
            .plan
            .stores
            .iter()
            .map(|s| s.target.credentials.clone().map(Auth::new))
            .collect();
        for index in 0..self.plan.load.workers.max(1) {
            let assignment = Assignment {
                index,
                plan: Arc::clone(&self.plan),
                endpoints: endpoints.clone(),
                objects: self.objects.clone(),
                populations: self.populations.clone(),
                clusters: stores.iter().map(|s| s.cluster.clone()).collect(),
                auth: auth.clone(),
                route: self.route.clone(),
                anchor: self.anchor,
                t0: self.t0,
                messages: self.sender.clone(),
                orders: self.orders.subscribe(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("etcdmark-worker{index}"))
                .spawn(move || thread::main(assignment))
                .map_err(|e| format!("cannot start a worker thread: {e}"))?;
            self.workers.push(thread);
        }
        Ok(())
    }

    pub(super) fn order(&self, order: Order) {
        self.orders.send_replace(order);
    }

    pub(super) fn enter(&mut self, stream: &mut Stream<'_>, phase: Phase) {
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
        let mut waiting = self.workers.len();
        while waiting > 0 {
            waiting -= self.pump(stream)?;
        }
        Ok(())
    }

    /// Handles messages for a moment; how many workers reached their goal.
    fn pump(&mut self, stream: &mut Stream<'_>) -> Result<usize, String> {
        let mut reached = 0;
        let mut next = match self.messages.recv_timeout(LOOK) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Err("all workers have ended".to_owned()),
        };
        while let Some(message) = next {
            match message {
                Message::Batch(batch) => self.merger.batch(*batch, stream),
                Message::Event(event) => self.event(stream, &event),
                Message::Populated {
                    worker,
                    done,
                    total,
                } => self.progress(stream, worker, done, total),
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
                Message::Status { store, status } => {
                    let t = stream.t();
                    if let Some(guard) = self.guards.status(t, &store, &status) {
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

    pub(super) fn event(&mut self, stream: &mut Stream<'_>, event: &Event) {
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

    fn progress(&mut self, stream: &mut Stream<'_>, worker: usize, done: u64, total: u64) {
        self.populated[worker] = (done, total);
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
}

/// Asks for the run's own manifest: a user may be allowed to read nothing else.
async fn revision(ready: &Ready) -> Result<i64, String> {
    let key = ready.held.keys().manifest.as_bytes();
    let page = ready
        .cluster
        .range(RangeSpec {
            count_only: true,
            ..RangeSpec::new(key, b"")
        })
        .await;
    page.map(|p| p.revision).map_err(|e| e.to_string())
}

fn nanos(d: Duration) -> Nanos {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}
