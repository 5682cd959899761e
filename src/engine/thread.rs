//! A worker's thread: connects, fills its part of the store, plays the load, drains, and hands its
//! state back.

use super::load::{Times, load};
use super::populate::populate;
use super::shared_lease::Grant;
use super::state::States;
use super::tick::Ticker;
use super::worker::{Message, Parts, Worker};
use crate::clock::{Anchor, Nanos};
use crate::etcd::auth::Auth;
use crate::etcd::control::Cluster;
use crate::etcd::wire::{Pool, Settings};
use crate::kube::Objects;
use crate::kube::actors::Population;
use crate::schedule::Stripe;
use crate::workload::Plan;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::runtime::LocalOptions;
use tokio::sync::watch;

/// What a run tells its workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
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
pub(crate) struct Ended {
    pub(crate) states: States,
    pub(crate) leases: Vec<Grant>,
    pub(crate) indeterminate: u64,
    pub(crate) indeterminate_applied: u64,
}

/// What a worker needs to start.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) index: usize,
    pub(crate) plan: Arc<Plan>,
    /// Endpoints that get load, per store.
    pub(crate) endpoints: Vec<Vec<String>>,
    pub(crate) objects: Objects,
    pub(crate) populations: Vec<Population>,
    /// One per store, for what is not load.
    pub(crate) clusters: Vec<Cluster>,
    /// One login per store, shared by the workers.
    pub(crate) auth: Vec<Option<Auth>>,
    pub(crate) route: Vec<usize>,
    pub(crate) anchor: Anchor,
    pub(crate) t0: Nanos,
    pub(crate) messages: Sender<Message>,
    pub(crate) orders: watch::Receiver<Order>,
}

/// Runs a worker to its end.
pub(crate) fn main(assignment: Assignment) -> Option<Ended> {
    let messages = assignment.messages.clone();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
    {
        Ok(runtime) => runtime,
        Err(e) => {
            let _ = messages.send(Message::Failed(format!("cannot start a runtime: {e}")));
            return None;
        }
    };
    let ended = runtime.block_on(worker_main(assignment));
    match ended {
        Ok(ended) => Some(ended),
        Err(reason) => {
            let _ = messages.send(Message::Failed(reason));
            None
        }
    }
}

async fn worker_main(a: Assignment) -> Result<Ended, String> {
    let mut orders = a.orders.clone();
    let workers = a.plan.load.workers.max(1);
    let part = Stripe::new(a.index as u64, workers as u64).unwrap_or(Stripe::WHOLE);
    let mut pools = Vec::new();
    for (i, store) in a.plan.stores.iter().enumerate() {
        pools.push(
            connect(&a, i, workers)
                .await
                .map_err(|e| format!("store {}: {e}", store.name))?,
        );
    }
    let worker = Worker::new(Parts {
        index: a.index,
        part,
        plan: Arc::clone(&a.plan),
        objects: a.objects,
        anchor: a.anchor,
        pools,
        clusters: a.clusters,
        route: a.route,
        states: States::new(part, &a.populations),
        t0: a.t0,
        messages: a.messages.clone(),
    });
    worker.tell(Message::Reached);
    let mut ticker = Ticker::new(a.t0);
    loop {
        if orders.changed().await.is_err() {
            return Err("the run has ended".to_owned());
        }
        let order = *orders.borrow_and_update();
        match order {
            Order::Connect => {}
            Order::Populate => {
                let filled = {
                    let filling = populate(&worker, &a.populations);
                    let ticking = ticker.run(&worker);
                    tokio::pin!(filling, ticking);
                    tokio::select! {
                        filled = &mut filling => filled,
                        e = &mut ticking => Err(e.to_string()),
                        // A transaction may take a minute to fail; who stops does not wait for it.
                        () = a.plan.control.until_halting() => Ok(0),
                    }
                };
                ticker.flush(&worker, false);
                filled?;
                worker.tell(Message::Reached);
            }
            Order::Load(times) => {
                let models = a
                    .plan
                    .actors
                    .iter()
                    .map(|actor| a.plan.model(actor, part))
                    .collect();
                load(&worker, models, times, &mut ticker)
                    .await
                    .map_err(|e| format!("pacing: {e}"))?;
                ticker.flush(&worker, true);
                worker.tell(Message::Reached);
            }
            Order::End => break,
        }
    }
    for pool in &worker.pools {
        pool.close().await;
    }
    let states = std::mem::replace(&mut *worker.states.borrow_mut(), States::new(part, &[]));
    let leases = worker.leases.borrow().all().to_vec();
    Ok(Ended {
        states,
        leases,
        indeterminate: worker.indeterminate.get(),
        indeterminate_applied: worker.indeterminate_applied.get(),
    })
}

/// This worker's share of the store's connections.
async fn connect(a: &Assignment, store: usize, workers: usize) -> Result<Pool, String> {
    let load = &a.plan.load;
    let connections = (load.connections + workers - 1 - a.index % workers) / workers;
    let settings = Settings {
        wire: load.wire,
        auth: a.auth[store].clone(),
        client_api_version: a.plan.cluster.kubernetes_version.client_api_version(),
        max_in_flight: load
            .max_in_flight
            .div_ceil(workers)
            .max(a.plan.populate.concurrency),
        ..Settings::default()
    };
    let target = &a.plan.stores[store].target;
    Pool::connect(target, &a.endpoints[store], connections.max(1), settings)
        .await
        .map_err(|e| e.to_string())
}
