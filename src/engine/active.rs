//! A run under way: its phases up to the drain, and what reaches it from the workers on the way.

use super::background::Background;
use super::context::RunContext;
use super::failure::Failure;
use super::header::store_name;
use super::load::Times;
use super::merge::Merger;
use super::message::Message;
use super::prepare::PreparedStore;
use super::stream::Stream;
use super::thread::{self, WorkerCommand, WorkerResult};
use crate::clock::{self, Nanos, SECOND, UnixNanos};
use crate::etcd::control::RangeSpec;
use crate::kube::OpClass;
use crate::report::{Event, GuardEvent, Phase, PhaseEvent, Progress};
use crate::store::manifest::LockWatch;
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
pub(super) struct ActiveRun {
    pub(super) run: Arc<RunContext>,
    pub(super) phase: Phase,
    pub(super) merger: Merger,
    pub(super) messages: Receiver<Message>,
    pub(super) sender: Sender<Message>,
    pub(super) commands: watch::Sender<WorkerCommand>,
    pub(super) workers: Vec<JoinHandle<Option<WorkerResult>>>,
    pub(super) results: Vec<WorkerResult>,
    pub(super) background: Background,
    pub(super) revisions: BTreeMap<String, (i64, i64)>,
    /// By store, until one is lost.
    pub(super) locks: Vec<LockWatch>,
    pub(super) guarded: bool,
    pub(super) populated: Vec<(u64, u64)>,
    pub(super) told: Nanos,
}

impl ActiveRun {
    pub(super) fn new(
        run: Arc<RunContext>,
        runtime: &tokio::runtime::Runtime,
        stores: &[PreparedStore],
    ) -> Self {
        let (sender, messages) = channel();
        let name = |class: &OpClass| store_name(&run, *class).to_owned();
        let names = OpClass::ALL.iter().map(name).collect();
        let workers = run.plan.load.workers.max(1);
        ActiveRun {
            merger: Merger::new(workers, names, run.t0, run.anchor),
            background: Background::start(runtime, &run, &sender),
            commands: watch::channel(WorkerCommand::Connect).0,
            populated: vec![(0, 0); workers],
            run,
            phase: Phase::Populate,
            messages,
            sender,
            workers: Vec::new(),
            results: Vec::new(),
            revisions: BTreeMap::new(),
            locks: stores.iter().map(|s| s.claim.lock.watch()).collect(),
            guarded: false,
            told: 0,
        }
    }

    /// All phases up to the drain.
    pub(super) fn play(
        &mut self,
        runtime: &tokio::runtime::Runtime,
        stream: &mut Stream<'_>,
        stores: &mut [PreparedStore],
    ) -> Result<(), Failure> {
        self.enter(stream, Phase::Populate);
        for (store, prepared) in self.run.plan.stores.iter().zip(stores.iter()) {
            let revision = runtime.block_on(revision(prepared))?;
            self.revisions
                .insert(store.name.clone(), (revision, revision));
        }
        self.start_workers()?;
        self.until_done(stream)?;
        self.command(WorkerCommand::Populate);
        self.until_done(stream)?;
        self.merger.flush(stream);
        if self.run.control.draining() || self.run.plan.populate_only {
            // The manifest stays in populate: the same run can go on from here.
            self.last_revisions(runtime, stores);
            return Ok(());
        }
        for prepared in stores.iter_mut() {
            let keys = self.populated.iter().map(|(done, _)| done).sum();
            runtime.block_on(prepared.claim.update_phase(Phase::Settle, keys))?;
        }
        self.enter(stream, Phase::Settle);
        let settled = clock::now() + clock::nanos(self.run.plan.phases.settle);
        while clock::now() < settled && !self.run.control.draining() {
            self.pump(stream)?;
        }
        if self.run.control.draining() {
            self.last_revisions(runtime, stores);
            return Ok(());
        }
        let until = self.writes_until();
        for prepared in stores.iter_mut() {
            let keys = prepared.claim.manifest.populated;
            prepared.claim.manifest.writes_until_unix_ns = Some(until);
            runtime.block_on(prepared.claim.update_phase(Phase::Warmup, keys))?;
        }
        self.sample(runtime, stream);
        let start = (clock::now() + HEAD_START - self.run.t0).div_ceil(SECOND / 10) * (SECOND / 10)
            + self.run.t0;
        let measure = start + clock::nanos(self.run.plan.phases.warmup);
        let end = self
            .run
            .plan
            .phases
            .duration
            .map_or(Nanos::MAX, |d| measure.saturating_add(clock::nanos(d)));
        self.command(WorkerCommand::Load(Times {
            start,
            measure,
            end,
            drain: clock::nanos(self.run.plan.phases.drain),
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

    /// When the last write is due at the latest, on the wall clock.
    fn writes_until(&self) -> UnixNanos {
        let phases = &self.run.plan.phases;
        let length = phases.duration.map(|d| phases.warmup + d + phases.drain);
        length.map_or(UnixNanos::MAX, |length| {
            clock::unix_now().saturating_add(HEAD_START + clock::nanos(length))
        })
    }

    /// Notes each store's revision after the last write.
    pub(super) fn last_revisions(
        &mut self,
        runtime: &tokio::runtime::Runtime,
        stores: &[PreparedStore],
    ) {
        for (store, prepared) in self.run.plan.stores.iter().zip(stores) {
            let revision = runtime.block_on(revision(prepared)).unwrap_or(0);
            if let Some(entry) = self.revisions.get_mut(&store.name) {
                entry.1 = revision;
            }
        }
    }

    fn start_workers(&mut self) -> Result<(), Failure> {
        for index in 0..self.run.plan.load.workers.max(1) {
            let (run, messages) = (Arc::clone(&self.run), self.sender.clone());
            let commands = self.commands.subscribe();
            let thread = std::thread::Builder::new()
                .name(format!("etcdmark-worker{index}"))
                .spawn(move || thread::main(index, run, messages, commands))
                .map_err(|e| Failure::of("cannot start a worker thread", e))?;
            self.workers.push(thread);
        }
        Ok(())
    }

    pub(super) fn command(&self, command: WorkerCommand) {
        self.commands.send_replace(command);
    }

    pub(super) fn enter(&mut self, stream: &mut Stream<'_>, phase: Phase) {
        self.enter_at(stream, phase, clock::now());
    }

    fn enter_at(&mut self, stream: &mut Stream<'_>, phase: Phase, at: Nanos) {
        self.phase = phase;
        let t = at.saturating_sub(self.run.t0) as f64 / SECOND as f64;
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
        if self.phase < Phase::Drain && (now >= end || self.run.control.draining()) {
            self.enter_at(stream, Phase::Drain, now.min(end));
        }
    }

    fn until_done(&mut self, stream: &mut Stream<'_>) -> Result<(), Failure> {
        let mut waiting = self.workers.len();
        while waiting > 0 {
            waiting -= self.pump(stream)?;
        }
        Ok(())
    }

    /// Handles messages for a moment; how many workers reached their goal.
    fn pump(&mut self, stream: &mut Stream<'_>) -> Result<usize, Failure> {
        let mut reached = 0;
        // Looked at before the messages are: whatever a thread that has ended had to say is among them.
        let ended = self.workers.iter().any(JoinHandle::is_finished);
        let mut next = match self.messages.recv_timeout(LOOK) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) if ended => {
                return Err(Failure::new("a worker thread has ended before its time"));
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::new("all workers have ended"));
            }
        };
        while let Some(message) = next {
            match message {
                Message::Batch(batch) => self.merger.batch(*batch, stream),
                Message::Event(event) => stream.event(&event),
                Message::Populated {
                    worker,
                    done,
                    total,
                } => self.progress(stream, worker, done, total),
                Message::Done => reached += 1,
                Message::Alarm {
                    store,
                    member,
                    alarm,
                } => {
                    let t = stream.t();
                    if let Some(guard) = stream.guards.alarm(t, &store, &member, &alarm) {
                        self.guard(stream, &Event::Guard(guard));
                    }
                }
                Message::Status { store, status } => {
                    let t = stream.t();
                    if let Some(guard) = stream.guards.status(t, &store, &status) {
                        self.guard(stream, &Event::Guard(guard));
                    }
                }
                Message::Failed(reason) => return Err(reason),
            }
            next = self.messages.try_recv().ok();
        }
        if let Some(guard) = stream.take_fired() {
            self.guard(stream, &Event::Guard(guard));
        }
        self.look_at_locks(stream);
        if let Some(failure) = stream.failure() {
            return Err(Failure::new(failure));
        }
        Ok(reached)
    }

    fn guard(&mut self, stream: &mut Stream<'_>, event: &Event) {
        self.guarded = true;
        stream.event(event);
        self.run.control.drain();
    }

    /// A run whose lock somebody else has had drains: its keys may be deleted under it.
    fn look_at_locks(&mut self, stream: &mut Stream<'_>) {
        let mut locks = self.locks.iter().enumerate();
        let Some((index, reason)) = locks.find_map(|(i, lock)| Some((i, lock.lost()?))) else {
            return;
        };
        self.locks.clear();
        let guard = GuardEvent {
            t: stream.t(),
            guard: "lock".to_owned(),
            store: self.run.plan.stores[index].name.clone(),
            cause: format!("this run lost its lock: {reason}"),
        };
        self.guard(stream, &Event::Guard(guard));
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
        for event in runtime.block_on(Background::once(&self.run)) {
            stream.event(&event);
        }
    }
}

/// Asks for the run's own manifest: a user may be allowed to read nothing else.
pub(super) async fn revision(store: &PreparedStore) -> Result<i64, Failure> {
    let key = store.claim.keys().manifest.as_bytes();
    let page = store
        .client
        .range(RangeSpec {
            count_only: true,
            ..RangeSpec::new(key, b"")
        })
        .await;
    Ok(page?.revision)
}
