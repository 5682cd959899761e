//! The load itself: `--clients` workers on one thread, each with one request outstanding. A sample begins after the
//! limiter and ends when the answer is decoded.

use super::limiter::Limiter;
use super::operations::{Group, Operation, Operations, frame, renewal};
use super::settings::{Command, Settings};
use crate::clock::{self, Nanos};
use crate::control::Control;
use crate::etcd::wire::{self, Call, Pool, PoolError};
use crate::rpc::messages as m;
use crate::rpc::{Rpc, RpcError};
use crate::target::Target;
use bytes::Bytes;
use prost::Message;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinSet;

/// What clients grant themselves, as the Go tool, seconds.
const LEASE_TTL: i64 = 100;
/// How long a drain waits for answers: the Go tool has no deadline, and an etcd that is gone gives none.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// Different error messages that are told apart.
const MESSAGES: usize = 50;
/// A connection is given up only when the system does, as the Go tool's are.
const PATIENT: Duration = Duration::from_secs(24 * 3600);

/// What came of the requests of a group.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Of those that succeeded, in the order of their ends.
    pub latencies: Vec<Nanos>,
    /// Failed ones by message.
    pub errors: BTreeMap<String, u64>,
}

impl Samples {
    /// How many failed.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// From the start of the workers to the last answer.
    pub total: Nanos,
    /// One, or reads and writes.
    pub groups: Vec<(Group, Samples)>,
    /// Requests that were made; an interruption leaves some of them unsent.
    pub made: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Sent, and without an answer at the end.
    pub unanswered: u64,
    /// The leases of lease-keepalive.
    pub leases: Vec<i64>,
    /// Why the load was ended before its time, other than by an interruption.
    pub stopped: Option<String>,
}

/// Why a load could not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// Not connected.
    #[error(transparent)]
    Connect(#[from] PoolError),
    /// A client has no lease.
    #[error("cannot grant a lease: {0}")]
    Grant(RpcError),
}

struct Shared {
    settings: Settings,
    operations: RefCell<Operations>,
    limiter: RefCell<Limiter>,
    samples: RefCell<BTreeMap<u8, Samples>>,
    outstanding: Cell<u64>,
    /// Made, and kept back by the limiter until the end.
    unsent: Cell<u64>,
    leases: RefCell<Vec<i64>>,
    pool: Pool,
    control: Control,
}

/// Plays all requests, or as many as are sent until `control` drains. `tell` is told the number of ended requests.
/// Needs a local runtime.
///
/// # Errors
/// Nothing could be connected to, or no lease was granted.
pub(super) async fn play(
    target: &Target,
    endpoints: &[String],
    operations: Operations,
    settings: &Settings,
    control: &Control,
    tell: &mut dyn FnMut(u64),
) -> Result<Measured, LoadError> {
    // As many connections as asked for, even if there are more endpoints: connection k goes to endpoint k % n.
    let endpoints = &endpoints[..endpoints.len().min(settings.conns)];
    let patient = wire::Settings {
        max_in_flight: settings.clients,
        keepalive_interval: PATIENT,
        keepalive_timeout: PATIENT,
        ..wire::Settings::default()
    };
    let pool = Pool::connect(target, endpoints, settings.conns, patient).await?;
    let shared = Rc::new(Shared {
        limiter: RefCell::new(Limiter::new(settings.rate)),
        settings: settings.clone(),
        operations: RefCell::new(operations),
        samples: RefCell::default(),
        outstanding: Cell::new(0),
        unsent: Cell::new(0),
        leases: RefCell::default(),
        pool,
        control: control.clone(),
    });
    let began = clock::now();
    let mut clients = JoinSet::new();
    for i in 0..settings.clients {
        clients.spawn_local(client(Rc::clone(&shared), i as u64));
    }
    let failed = ended(&mut clients, &shared, tell).await;
    let total = clock::now().saturating_sub(began);
    clients.shutdown().await;
    shared.pool.close().await;
    if let Some(e) = failed {
        return Err(e);
    }
    let groups = match settings.command {
        Command::TxnMixed => &[Group::Read, Group::Write][..],
        _ => &[Group::All],
    };
    let mut samples = shared.samples.take();
    let mut of = |g: &Group| (*g, samples.remove(&(*g as u8)).unwrap_or_default());
    let made = shared.operations.borrow().made();
    Ok(Measured {
        total,
        groups: groups.iter().map(&mut of).collect(),
        made,
        sent: made.saturating_sub(shared.unsent.get()),
        unanswered: shared.outstanding.get(),
        leases: shared.leases.take(),
        stopped: None,
    })
}

/// Waits for the clients, for a drain no longer than [`LAST_ANSWERS`], and not at all when stopped.
async fn ended(
    clients: &mut JoinSet<Result<(), LoadError>>,
    shared: &Shared,
    tell: &mut dyn FnMut(u64),
) -> Option<LoadError> {
    let overdue = async {
        shared.control.until_draining().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    let mut overdue = std::pin::pin!(overdue);
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            client = clients.join_next() => match client {
                None => return None,
                Some(Ok(Err(e))) => return Some(e),
                // One that panicked leaves its request without an answer, which is counted.
                Some(_) => {}
            },
            _ = ticks.tick() => tell(shared.ended()),
            () = &mut overdue => return None,
            () = shared.control.until_stopping() => return None,
        }
    }
}

impl Shared {
    fn ended(&self) -> u64 {
        let made = self.operations.borrow().made();
        made.saturating_sub(self.outstanding.get())
    }

    fn record(&self, group: Group, outcome: Result<Nanos, RpcError>) {
        let mut samples = self.samples.borrow_mut();
        let samples = samples.entry(group as u8).or_default();
        match outcome {
            Ok(latency) => samples.latencies.push(latency),
            Err(e) => {
                let mut message = e.to_string();
                if samples.errors.len() >= MESSAGES && !samples.errors.contains_key(&message) {
                    message = "other errors".to_owned();
                }
                *samples.errors.entry(message).or_default() += 1;
            }
        }
    }
}

async fn client(shared: Rc<Shared>, i: u64) -> Result<(), LoadError> {
    let lease = match shared.settings.command {
        Command::LeaseKeepalive => Some(grant(&shared, i).await?),
        _ => None,
    };
    while !shared.control.draining() {
        let Some(operation) = shared.operations.borrow_mut().take() else {
            break;
        };
        if !allowed(&shared).await {
            shared.unsent.set(shared.unsent.get() + 1);
            break;
        }
        shared.outstanding.set(shared.outstanding.get() + 1);
        let began = clock::now();
        let answer = send(&shared, i, &operation, lease).await;
        let latency = clock::now().saturating_sub(began);
        shared.outstanding.set(shared.outstanding.get() - 1);
        shared.record(operation.group, answer.map(|()| latency));
    }
    Ok(())
}

/// Waits for the limiter; false where the load ends before.
async fn allowed(shared: &Shared) -> bool {
    let now = clock::now();
    let wait = shared.limiter.borrow_mut().reserve(now).saturating_sub(now);
    if wait == 0 {
        return true;
    }
    tokio::select! {
        () = tokio::time::sleep(Duration::from_nanos(wait)) => true,
        () = shared.control.until_draining() => false,
    }
}

async fn grant(shared: &Shared, i: u64) -> Result<i64, LoadError> {
    let request = m::LeaseGrantRequest {
        ttl: LEASE_TTL,
        id: 0,
    };
    let call = Call {
        rpc: Rpc::LeaseGrant,
        frame: frame(&request),
        timeout: shared.settings.timeout,
    };
    let answer = shared.pool.call(i, call).await.result;
    let granted: m::LeaseGrantResponse = answer.and_then(decode).map_err(LoadError::Grant)?;
    shared.leases.borrow_mut().push(granted.id);
    Ok(granted.id)
}

/// Sends one request on the client's connection and decodes the answer.
async fn send(
    shared: &Shared,
    i: u64,
    operation: &Operation,
    lease: Option<i64>,
) -> Result<(), RpcError> {
    let call = Call {
        rpc: operation.rpc,
        frame: lease.map_or_else(|| operation.frame.clone(), renewal),
        timeout: shared.settings.timeout,
    };
    let answer = shared.pool.call(i, call).await.result?;
    match operation.rpc {
        Rpc::Put => decode::<m::PutResponse>(answer).map(drop),
        Rpc::Range => decode::<m::RangeResponse>(answer).map(drop),
        Rpc::LeaseKeepAlive => match decode::<m::LeaseKeepAliveResponse>(answer)?.ttl {
            // clientv3's error for it.
            0 => Err(RpcError::Status {
                code: 5,
                message: "etcdserver: requested lease not found".to_owned(),
            }),
            _ => Ok(()),
        },
        _ => decode::<m::TxnResponse>(answer).map(drop),
    }
}

fn decode<M: Message + Default>(answer: Bytes) -> Result<M, RpcError> {
    M::decode(answer).map_err(|e| RpcError::Malformed(e.to_string()))
}
