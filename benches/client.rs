//! CPU per put of one client against an external etcd: `client MODE ENDPOINT OPS [IN_FLIGHT] [CONNECTIONS]`, MODE one of h2,
//! h2-uncoalesced, tonic, etcd-client. `scripts/bench-client.sh` runs them in turn beside h2load.
//! Prints `MODE OPS SECONDS CPU_SECONDS MICROSECONDS_OF_CPU_PER_OP`.
//!
//! `client frame FILE` writes a request for h2load: a transaction as large as a Lease renewal, whose condition always
//! holds once the key `/registry-etcdmark/bench…` is there.

#![expect(clippy::print_stdout, reason = "a program of its own")]

use bytes::{BufMut, Bytes};
use etcdmark::clock::now;
use etcdmark::etcd::wire::{Call, Pool, Settings};
use etcdmark::kube::requests;
use etcdmark::rpc::Rpc;
use etcdmark::rpc::WireKind;
use etcdmark::rpc::messages::compare::TargetUnion;
use etcdmark::rpc::messages::{PutRequest, PutResponse, TxnRequest};
use etcdmark::target::Target;
use futures_util::future::join_all;
use prost::Message;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Under etcdmark's own prefix: with any other key the store counts as somebody's.
const KEY: &str = "/registry-etcdmark/bench";
const VALUE: &[u8] = &[b'v'; 256];

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    if let [mode, file] = &args[..]
        && mode == "frame"
    {
        std::fs::write(file, renewal()).expect("FILE can be written");
        return;
    }
    let (Some(mode), Some(endpoint), Some(ops)) = (args.first(), args.get(1), args.get(2)) else {
        // `cargo bench` without arguments: there is no etcd to talk to.
        println!(
            "usage: client h2|h2-uncoalesced|tonic|etcd-client ENDPOINT OPS [IN_FLIGHT] [CONNECTIONS]"
        );
        return;
    };
    let number = |i: usize, default: u64| {
        args.get(i)
            .map_or(default, |a| a.parse().expect("a number"))
    };
    let ops: u64 = ops.parse().expect("OPS is a number");
    let (in_flight, connections) = (number(3, 64), number(4, 8));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())
        .expect("runtime");
    let (wall, cpu) = runtime.block_on(async {
        match mode.as_str() {
            "h2" => ours(endpoint, ops, in_flight, connections, WireKind::H2, true).await,
            "h2-uncoalesced" => {
                ours(endpoint, ops, in_flight, connections, WireKind::H2, false).await
            }
            "tonic" => ours(endpoint, ops, in_flight, connections, WireKind::Tonic, true).await,
            "etcd-client" => theirs(endpoint, ops, in_flight, connections).await,
            other => panic!("unknown mode {other:?}: h2, h2-uncoalesced, tonic, etcd-client"),
        }
    });
    let per_op = cpu.as_secs_f64() * 1e6 / ops as f64;
    println!(
        "{mode} {ops} {:.3} {:.3} {per_op:.2}",
        wall.as_secs_f64(),
        cpu.as_secs_f64()
    );
}

/// CPU time of all threads so far (`/proc/self/task/*/schedstat`, ns).
fn cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let ns = tasks
        .flatten()
        .filter_map(|t| std::fs::read_to_string(t.path().join("schedstat")).ok())
        .filter_map(|s| s.split(' ').next()?.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(ns)
}

/// The gRPC frame of a Lease renewal (a key of 91 bytes, a value of 555) whose guard is MOD > 0 instead of the
/// revision, which a client with a fixed request cannot know.
fn renewal() -> Vec<u8> {
    let key = format!("/registry-etcdmark/bench{:-<67}", "");
    let mut frame = Vec::new();
    requests::update(key.as_bytes(), 1, &[b'v'; 555], 0, &mut frame);
    let mut txn = TxnRequest::decode(&frame[5..]).expect("our own request");
    txn.compare[0].result = 1;
    txn.compare[0].target_union = Some(TargetUnion::ModRevision(0));
    framed(&txn)
}

fn framed(message: &impl Message) -> Vec<u8> {
    let mut frame = Vec::with_capacity(5 + message.encoded_len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.encoded_len()).expect("length"));
    message.encode(&mut frame).expect("room");
    frame
}

async fn measure(ops: u64, in_flight: u64, put: impl AsyncFn(u64, u64)) -> (Duration, Duration) {
    let next = Cell::new(0);
    let work = |limit: u64| {
        let (next, put) = (&next, &put);
        join_all((0..in_flight).map(move |worker| async move {
            while next.get() < limit {
                let i = next.replace(next.get() + 1);
                put(worker, i).await;
            }
        }))
    };
    let warm = ops / 10;
    work(warm).await;
    let (start, before) = (now(), cpu());
    work(ops + warm).await;
    (Duration::from_nanos(now() - start), cpu() - before)
}

async fn ours(
    endpoint: &str,
    ops: u64,
    in_flight: u64,
    connections: u64,
    wire: WireKind,
    coalesce: bool,
) -> (Duration, Duration) {
    let endpoints = vec![endpoint.to_owned()];
    let settings = Settings {
        wire,
        coalesce,
        ..Settings::default()
    };
    let connections = usize::try_from(connections).expect("connections");
    let pool = Pool::connect(
        &Target::plain(endpoints.clone()),
        &endpoints,
        connections,
        settings,
    )
    .await
    .expect("pool");
    let pool = Rc::new(pool);
    measure(ops, in_flight, async |worker, _| {
        let request = PutRequest {
            key: KEY.into(),
            value: Bytes::from_static(VALUE),
            ..Default::default()
        };
        let timeout = Some(Duration::from_secs(5));
        let reply = pool
            .call(
                worker,
                Call {
                    rpc: Rpc::Put,
                    frame: framed(&request).into(),
                    timeout,
                },
            )
            .await;
        PutResponse::decode(reply.result.expect("answer")).expect("decodes");
    })
    .await
}

async fn theirs(
    endpoint: &str,
    ops: u64,
    in_flight: u64,
    connections: u64,
) -> (Duration, Duration) {
    let clients =
        join_all((0..connections).map(|_| etcd_client::Client::connect([endpoint], None))).await;
    let clients: Vec<_> = clients
        .into_iter()
        .map(|c| c.expect("client").kv_client())
        .collect();
    measure(ops, in_flight, async |worker, _| {
        let mut kv = clients[usize::try_from(worker % connections).expect("index")].clone();
        kv.put(KEY, VALUE, None).await.expect("put");
    })
    .await
}
