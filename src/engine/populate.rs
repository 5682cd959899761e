//! Fills the store: a closed loop of transactions that create several objects each, bounded by
//! operations and bytes, stepping down where the server allows less.

use super::connections::hint;
use super::failure::Failure;
use super::message::Message;
use super::recorder::Attempt;
use super::worker::Worker;
use crate::clock::{self, Nanos};
use crate::etcd::wire::Call;
use crate::kube::actors::Population;
use crate::kube::{Kind, ObjectRef, OpClass, Write};
use crate::report::{Event, Note, Phase};
use crate::rpc::errors::classify;
use crate::rpc::messages::compare::TargetUnion;
use crate::rpc::messages::request_op::Request;
use crate::rpc::messages::response_op::Response;
use crate::rpc::messages::{Compare, PutRequest, RangeRequest, RequestOp, TxnRequest, TxnResponse};
use crate::rpc::{Rpc, RpcError};
use crate::schedule::Stripe;
use bytes::{BufMut, Bytes, BytesMut};
use prost::Message as _;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Deadline of one transaction.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often a writer that waits for the ramp looks whether anything is left.
const LOOK: Nanos = 50_000_000;
/// Bytes that a put costs besides key and value (compare, headers).
const OVERHEAD: usize = 48;

/// What all of a worker's populate writers share.
#[derive(Debug)]
struct PopulateState {
    /// Objects of this worker.
    total: u64,
    /// When it began.
    start: Nanos,
    /// The object to take next; none when all are taken.
    next: Cell<Option<Place>>,
    taken: Cell<u64>,
    populations: Vec<Population>,
    part: Stripe,
    done: Cell<u64>,
    max_ops: Cell<usize>,
    max_bytes: Cell<usize>,
}

/// Creates every object of these populations that belongs to the worker. Objects that are there
/// already (a resumed populate) are taken over as they are.
///
/// # Errors
/// The first failure, in words; what was created stays and can be resumed or cleaned up.
pub(crate) async fn populate(
    worker: &Rc<Worker>,
    populations: &[Population],
) -> Result<u64, Failure> {
    let part = worker.part;
    let total = populations
        .iter()
        .map(|p| part.share_of(p.cells) * p.per_cell)
        .sum();
    let settings = &worker.run.plan.populate;
    let filling = Rc::new(PopulateState {
        total,
        start: clock::now(),
        next: Cell::new(Place::default().or_later(part, populations)),
        taken: Cell::new(0),
        populations: populations.to_vec(),
        part,
        done: Cell::new(0),
        max_ops: Cell::new(settings.max_ops.max(1)),
        max_bytes: Cell::new(settings.max_bytes.max(1)),
    });
    let mut writers = tokio::task::JoinSet::new();
    // One writer at least: every worker has a part to fill.
    let writers_in_all = (settings.concurrency as u64).max(part.of());
    for _ in 0..part.share_of(writers_in_all) {
        writers.spawn_local(work(Rc::clone(worker), Rc::clone(&filling)));
    }
    let mut failure = None;
    while let Some(joined) = writers.join_next().await {
        if let Err(reason) = joined.map_err(Failure::from).and_then(|r| r) {
            // Let the others stop at their next transaction.
            filling.next.set(None);
            failure.get_or_insert(reason);
        }
    }
    // However it ended: how far it came is no estimate.
    worker.tell(Message::Populated {
        worker: worker.index,
        done: filling.done.get(),
        total,
    });
    failure.map_or(Ok(total), Err)
}

async fn work(worker: Rc<Worker>, filling: Rc<PopulateState>) -> Result<(), Failure> {
    while !worker.run.control.draining() {
        let share = filling.taken.get() as f64 / filling.total.max(1) as f64;
        let due = worker.run.plan.fills(filling.start, share);
        if clock::now() < due && filling.next.get().is_some() {
            worker.timers.until(due.min(clock::now() + LOOK)).await;
            continue;
        }
        let Some((batch, store)) = next_batch(&worker, &filling) else {
            break;
        };
        send(&worker, &filling, store, batch).await?;
        let done = filling.done.get();
        let total = filling.total;
        if done % 2048 < 128 || done == total {
            worker.tell(Message::Populated {
                worker: worker.index,
                done,
                total,
            });
        }
    }
    Ok(())
}

/// A place in the order in which objects are created: family by family, cell by cell. A list of them
/// would cost more memory than everything that is known of the objects later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    family: usize,
    /// Of this part.
    cell: u64,
    within: u64,
}

impl Place {
    /// The place itself if there is an object, else the first one in a later family.
    fn or_later(mut self, part: Stripe, populations: &[Population]) -> Option<Place> {
        loop {
            let p = populations.get(self.family)?;
            if p.per_cell > 0 && self.cell < part.share_of(p.cells) {
                return Some(self);
            }
            self = Place {
                family: self.family + 1,
                ..Place::default()
            };
        }
    }

    fn after(mut self, part: Stripe, populations: &[Population]) -> Option<Place> {
        self.within += 1;
        if self.within >= populations.get(self.family)?.per_cell {
            self.within = 0;
            self.cell += 1;
        }
        self.or_later(part, populations)
    }

    fn object(self, part: Stripe, populations: &[Population]) -> Option<(ObjectRef, OpClass)> {
        let p = populations.get(self.family)?;
        let cell = self.cell * part.of() + part.part();
        let object = ObjectRef {
            kind: p.kind,
            index: cell * p.per_cell + self.within,
        };
        Some((object, p.class))
    }
}

#[derive(Clone, Debug)]
struct Put {
    object: ObjectRef,
    class: OpClass,
    key: Bytes,
    value: Bytes,
}

/// The next objects of one store that fit into one transaction; none when all are taken.
fn next_batch(worker: &Worker, filling: &PopulateState) -> Option<(Vec<Put>, usize)> {
    let (part, populations) = (filling.part, &filling.populations);
    let mut next = filling.next.get();
    let (object, class) = next?.object(part, populations)?;
    let store = worker.run.routes.of(class, object).store;
    let mut puts = Vec::new();
    let mut bytes = 0;
    while let Some(place) = next
        && puts.len() < filling.max_ops.get()
    {
        let (object, class) = place.object(part, populations)?;
        if worker.run.routes.of(class, object).store != store {
            break;
        }
        let put = render(worker, object, class);
        let size = 2 * put.key.len() + put.value.len() + OVERHEAD;
        if !puts.is_empty() && bytes + size > filling.max_bytes.get() {
            break;
        }
        bytes += size;
        puts.push(put);
        next = place.after(part, populations);
    }
    filling.next.set(next);
    filling.taken.set(filling.taken.get() + puts.len() as u64);
    Some((puts, store))
}

/// The write that populate creates an object of this kind as. A node that has been up for a while has its images in
/// its status: its size is what counts.
pub(crate) fn created(kind: Kind) -> u32 {
    u32::from(kind == Kind::Node)
}

fn render(worker: &Worker, object: ObjectRef, class: OpClass) -> Put {
    let mut key = Vec::with_capacity(96);
    worker.run.objects.key(object, &mut key);
    let mut value = Vec::with_capacity(1024);
    let sequence = created(object.kind);
    worker.run.objects.value(
        object,
        Write {
            sequence,
            at: worker.run.plan.epoch,
        },
        &mut value,
    );
    Put {
        object,
        class,
        key: key.into(),
        value: value.into(),
    }
}

/// Sends one transaction; halves it where the server allows less; finds out what is there where it
/// loses.
async fn send(
    worker: &Worker,
    filling: &PopulateState,
    store: usize,
    puts: Vec<Put>,
) -> Result<(), Failure> {
    let mut todo = vec![puts];
    while let Some(puts) = todo.pop() {
        let Some(first) = puts.first() else { continue };
        let class = first.class;
        match transact(worker, store, &puts).await {
            Ok(answer) if answer.succeeded => {
                let revision = answer.header.map_or(0, |h| h.revision);
                let mut recorder = worker.recorder.borrow_mut();
                recorder.revision(Phase::Populate, class);
                for put in &puts {
                    recorder.offered_and_done(Phase::Populate, put.class, 1);
                    worker.objects.change(put.object, |s| {
                        s.mod_revision = revision;
                        s.version = 1;
                    });
                }
                filling.done.set(filling.done.get() + puts.len() as u64);
            }
            Ok(answer) => {
                let mut missing = Vec::new();
                for (put, op) in puts.into_iter().zip(&answer.responses) {
                    let Some(Response::Range(range)) = &op.response else {
                        continue;
                    };
                    match range.kvs.first() {
                        Some(kv) => {
                            worker.recorder.borrow_mut().offered_and_done(
                                Phase::Populate,
                                put.class,
                                1,
                            );
                            worker.objects.change(put.object, |s| {
                                s.mod_revision = kv.mod_revision;
                                s.version = u32::try_from(kv.version).unwrap_or(u32::MAX);
                            });
                            filling.done.set(filling.done.get() + 1);
                        }
                        None => missing.push(put),
                    }
                }
                todo.push(missing);
            }
            Err(error) => {
                let refused = matches!(&error, RpcError::Status { code: 3, message }
                    if message.contains("too many operations") || message.contains("too large"))
                    || matches!(&error, RpcError::Status { code: 8, message } if message.contains("larger than max"));
                if !refused || puts.len() == 1 {
                    return Err(Failure::new(explain(&error, &puts[0])));
                }
                step_down(worker, filling, &error, &puts);
                let mut puts = puts;
                let rest = puts.split_off(puts.len() / 2);
                todo.push(rest);
                todo.push(puts);
            }
        }
    }
    Ok(())
}

fn explain(error: &RpcError, put: &Put) -> String {
    let key = String::from_utf8_lossy(&put.key);
    let size = put.value.len();
    // The second is gRPC's own limit, 512 KiB above etcd's.
    let too_large = matches!(error, RpcError::Status { message, .. }
        if message.contains("too large") || message.contains("larger than max"));
    if too_large {
        format!(
            "populate: {key} has {size} bytes, more than this etcd accepts in one request (--max-request-bytes, \
             1.5 MiB by default): make the object smaller (--set cluster.imagesPerNode=…, --set \
             cluster.endpointsPerService=…)"
        )
    } else {
        format!("populate: creating {key} ({size} bytes): {error}")
    }
}

fn step_down(worker: &Worker, filling: &PopulateState, error: &RpcError, puts: &[Put]) {
    let by_ops = matches!(error, RpcError::Status { message, .. } if message.contains("too many operations"));
    let half = (puts.len() / 2).max(1);
    let text = if by_ops {
        if filling.max_ops.get() <= half {
            return;
        }
        filling.max_ops.set(half);
        format!(
            "this etcd refuses transactions of {} operations; populate continues with {half}",
            puts.len()
        )
    } else {
        let bytes: usize = puts.iter().map(|p| p.key.len() + p.value.len()).sum();
        if filling.max_bytes.get() <= bytes / 2 {
            return;
        }
        filling.max_bytes.set((bytes / 2).max(1));
        format!(
            "this etcd refuses requests of {bytes} bytes; populate continues with {}",
            bytes / 2
        )
    };
    let t = worker.recorder.borrow().seconds(clock::now());
    worker.tell(Message::Event(Event::Note(Note {
        t,
        level: "info".to_owned(),
        text,
    })));
}

/// Objects whose creation may have been applied, until it is answered: also if nobody waits for the answer any more.
struct Unanswered<'a> {
    worker: &'a Worker,
    puts: &'a [Put],
    answered: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.answered {
            for put in self.puts {
                self.worker.objects.lose_track(put.object);
            }
        }
    }
}

async fn transact(worker: &Worker, store: usize, puts: &[Put]) -> Result<TxnResponse, RpcError> {
    let class = puts.first().map_or(OpClass::NodeCreate, |p| p.class);
    let request = TxnRequest {
        compare: puts
            .iter()
            .map(|p| Compare {
                result: 0,
                target: 2,
                key: p.key.clone(),
                target_union: Some(TargetUnion::ModRevision(0)),
            })
            .collect(),
        success: puts
            .iter()
            .map(|p| RequestOp {
                request: Some(Request::Put(PutRequest {
                    key: p.key.clone(),
                    value: p.value.clone(),
                    lease: 0,
                })),
            })
            .collect(),
        failure: puts
            .iter()
            .map(|p| RequestOp {
                request: Some(Request::Range(RangeRequest {
                    key: p.key.clone(),
                    limit: 1,
                    keys_only: true,
                    ..RangeRequest::default()
                })),
            })
            .collect(),
    };
    let length = request.encoded_len();
    let mut frame = BytesMut::with_capacity(length + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    request.encode_raw(&mut frame);
    let ready = clock::now();
    worker.recorder.borrow_mut().in_flight.begin(ready);
    let mark = worker.losses.mark(store);
    let call = Call {
        rpc: Rpc::Txn,
        frame: frame.freeze(),
        timeout: Some(TIMEOUT),
    };
    let mut unanswered = Unanswered {
        worker,
        puts,
        answered: false,
    };
    let hint = puts.first().map_or(0, |p| hint(p.object));
    let reply = worker.pools[store].call(hint, call).await;
    let mut recorder = worker.recorder.borrow_mut();
    recorder.in_flight.end(ready, clock::now());
    let attempt = Attempt {
        ready,
        sent: reply.sent,
        done: reply.done,
        answered: matches!(reply.result, Ok(_) | Err(RpcError::Status { .. })),
        bytes_sent: length,
        bytes_received: reply.result.as_ref().map_or(0, Bytes::len),
    };
    recorder.attempt(Phase::Populate, class, &attempt, reply.result.is_ok());
    unanswered.answered = attempt.answered || attempt.sent.is_none();
    match reply.result {
        Ok(bytes) => {
            drop(recorder);
            worker.hear(store, mark, &bytes);
            TxnResponse::decode(bytes).map_err(|e| RpcError::Malformed(e.to_string()))
        }
        Err(error) => {
            recorder.error(
                Phase::Populate,
                class,
                &classify(&error),
                &error.to_string(),
                reply.done,
            );
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Kind;

    #[test]
    fn every_object_of_a_part_has_its_place_once() {
        let family = |kind, cells, per_cell| Population {
            kind,
            cells,
            per_cell,
            class: OpClass::NodeCreate,
        };
        let populations = [
            family(Kind::CsiNode, 0, 1),
            family(Kind::Node, 7, 1),
            family(Kind::Endpoints, 4, 0),
            family(Kind::EndpointSlice, 5, 3),
        ];
        for of in 1..9 {
            let mut all = Vec::new();
            for index in 0..of {
                let part = Stripe::new(index, of).unwrap();
                let mut next = Place::default().or_later(part, &populations);
                while let Some(place) = next {
                    let (object, _) = place.object(part, &populations).unwrap();
                    all.push((object.kind, object.index));
                    next = place.after(part, &populations);
                }
            }
            all.sort_unstable();
            let nodes = (0..7).map(|i| (Kind::Node, i));
            let slices = (0..15).map(|i| (Kind::EndpointSlice, i));
            assert_eq!(all, nodes.chain(slices).collect::<Vec<_>>(), "of {of}");
        }
    }
}
