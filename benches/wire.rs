//! One put through the wire against a scripted server in the same thread: encode, send, answer, decode.
//! Compares the two wires; it bounds neither, since the server's share is in every figure.

#[path = "../tests/common/scripted.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod scripted;

use bytes::{BufMut, Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etcdmark::clock::now;
use etcdmark::etcd::wire::{Call, Pool, Settings};
use etcdmark::rpc::Rpc;
use etcdmark::rpc::WireKind;
use etcdmark::rpc::messages::{PutRequest, PutResponse};
use etcdmark::target::Target;
use futures_util::future::join_all;
use prost::Message;
use std::time::Duration;

const BATCH: u64 = 64;

fn put(i: u64) -> Bytes {
    let request = PutRequest {
        key: format!("/registry-etcdmark/bench/{i}").into(),
        value: Bytes::from_static(&[b'v'; 256]),
        ..Default::default()
    };
    let mut frame = BytesMut::with_capacity(5 + request.encoded_len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(request.encoded_len()).expect("length"));
    request.encode(&mut frame).expect("room");
    frame.freeze()
}

fn wires(c: &mut Criterion) {
    let mut group = c.benchmark_group("put over loopback, 64 in flight");
    group.throughput(Throughput::Elements(BATCH));
    for (name, wire) in [("h2", WireKind::H2), ("tonic", WireKind::Tonic)] {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(Default::default())
            .expect("runtime");
        let (pool, _server) = runtime.block_on(async {
            let handler = scripted::handler(|mut x| async move {
                scripted::read(&mut x.request).await;
                scripted::answer(&mut x.respond, &[]).await;
            });
            let server = scripted::serve(h2::server::Builder::new(), handler).await;
            let endpoints = vec![server.endpoint.clone()];
            let settings = Settings {
                wire,
                ..Settings::default()
            };
            let target = Target::plain(endpoints.clone());
            (
                Pool::connect(&target, &endpoints, 8, settings)
                    .await
                    .expect("pool"),
                server,
            )
        });
        group.bench_function(name, |b| {
            b.iter_custom(|rounds| {
                runtime.block_on(async {
                    let start = now();
                    for round in 0..rounds {
                        let pool = &pool;
                        let calls = (0..BATCH).map(|i| async move {
                            let timeout = Some(Duration::from_secs(5));
                            let frame = put(round * BATCH + i);
                            let reply = pool
                                .call(
                                    i,
                                    Call {
                                        rpc: Rpc::Put,
                                        frame,
                                        timeout,
                                    },
                                )
                                .await;
                            PutResponse::decode(reply.result.expect("answer")).expect("decodes")
                        });
                        std::hint::black_box(join_all(calls).await);
                    }
                    Duration::from_nanos(now() - start)
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, wires);
criterion_main!(benches);
