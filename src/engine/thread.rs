//! A worker's thread: connects, fills its part of the store, plays the load, drains, and hands its
//! state back.

use super::connections;
use super::context::RunContext;
use super::failure::Failure;
use super::leases::Grant;
use super::load::{Times, load};
use super::losses::HighWater;
use super::message::{Message, Watch};
use super::objects::ObjectSummary;
use super::pace::Pacer;
use super::populate::populate;
use super::tick::Ticker;
use super::worker::Worker;
use crate::clock::{self, Nanos, SECOND};
use crate::etcd::wire::{Pool, PoolError, Settings};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::runtime::LocalOptions;
use tokio::sync::watch;

/// How long a populate that is to end waits for answers.
const LAST_ANSWERS: Nanos = 5 * SECOND;

/// What a run tells its workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkerCommand {
    /// Connections first; nothing else yet.
    Connect,
    /// Fill the store.
    Populate,
    /// Play the load.
    Load(Times),
    /// Hand the state back.
    End,
}

/// What a worker hands back.
#[derive(Debug)]
pub(crate) struct WorkerResult {
    pub(crate) objects: ObjectSummary,
    pub(crate) leases: Vec<Grant>,
    /// By store: the highest revision that it answered with, and acknowledged writes that were found missing.
    pub(crate) marks: Vec<HighWater>,
    pub(crate) lost: Vec<u64>,
}

/// Runs a worker to its end.
pub(crate) fn main(
    index: usize,
    run: Arc<RunContext>,
    messages: Sender<Message>,
    commands: watch::Receiver<WorkerCommand>,
) -> Option<WorkerResult> {
    let _watch = Watch {
        worker: index,
        messages: messages.clone(),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
    {
        Ok(runtime) => runtime,
        Err(e) => {
            let _ = messages.send(Message::Failed(Failure::of("cannot start a runtime", e)));
            return None;
        }
    };
    let ended = runtime.block_on(worker_main(index, run, messages.clone(), commands));
    match ended {
        Ok(ended) => Some(ended),
        Err(reason) => {
            let _ = messages.send(Message::Failed(reason));
            None
        }
    }
}

async fn worker_main(
    index: usize,
    run: Arc<RunContext>,
    messages: Sender<Message>,
    mut commands: watch::Receiver<WorkerCommand>,
) -> Result<WorkerResult, Failure> {
    let mut pools = Vec::new();
    for (i, store) in run.plan.stores.iter().enumerate() {
        pools.push(
            connect(&run, i)
                .await
                .map_err(|e| Failure::of(format!("store {}", store.name), e))?,
        );
    }
    let worker = Worker::new(index, Arc::clone(&run), pools, messages);
    let timing = tokio::task::spawn_local({
        let (worker, pacer) = (Rc::clone(&worker), Pacer::new(run.plan.load.spin)?);
        async move {
            let _watch = worker.watch();
            let e = worker.timers.run(pacer).await;
            worker.tell(Message::Failed(Failure::of("timers", e)));
        }
    });
    worker.tell(Message::Done);
    let mut ticker = Ticker::new(run.t0);
    loop {
        if commands.changed().await.is_err() {
            return Err(Failure::new("the run has ended"));
        }
        let command = *commands.borrow_and_update();
        match command {
            WorkerCommand::Connect => {}
            WorkerCommand::Populate => {
                let filled = {
                    let filling = populate(&worker, &run.populations);
                    let ticking = ticker.run(&worker);
                    tokio::pin!(filling, ticking);
                    tokio::select! {
                        filled = &mut filling => filled,
                        () = &mut ticking => Ok(0),
                        // A transaction may take a minute to fail; who stops does not wait for it.
                        () = run.control.until_halting() => Ok(0),
                        () = overdue(&worker) => Ok(0),
                    }
                };
                ticker.flush(&worker, false);
                filled?;
                worker.tell(Message::Done);
            }
            WorkerCommand::Load(times) => {
                let models = run
                    .plan
                    .actors
                    .iter()
                    .map(|actor| run.plan.model(actor))
                    .collect();
                load(&worker, models, times, &mut ticker)
                    .await
                    .map_err(|e| Failure::of("schedule", e))?;
                ticker.flush(&worker, true);
                worker.tell(Message::Done);
            }
            WorkerCommand::End => break,
        }
    }
    timing.abort();
    for pool in &worker.pools {
        pool.close().await;
    }
    Ok(WorkerResult {
        objects: worker.objects.summary(),
        leases: worker.leases.borrow().all().to_vec(),
        marks: worker.losses.marks(),
        lost: worker.losses.writes(),
    })
}

/// Ends when a populate that is to drain has had time to hear the answers to its last transactions.
async fn overdue(worker: &Worker) {
    worker.run.control.until_draining().await;
    worker.timers.until(clock::now() + LAST_ANSWERS).await;
}

/// A worker's share of the store's connections.
async fn connect(run: &RunContext, store: usize) -> Result<Pool, PoolError> {
    let (load, access) = (&run.plan.load, &run.stores[store]);
    let workers = load.workers.max(1);
    let connections = connections::per_worker(load.connections, workers, access.endpoints.len());
    let settings = Settings {
        wire: load.wire,
        auth: access.auth.clone(),
        client_api_version: run.plan.cluster.kubernetes_version.client_api_version(),
        max_in_flight: load.max_in_flight.max(run.plan.populate.concurrency),
        ..Settings::default()
    };
    let target = &run.plan.stores[store].target;
    Pool::connect(target, &access.endpoints, connections, settings).await
}
