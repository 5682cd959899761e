//! Both wires against a real etcd.

use super::local;
use crate::common::{self, store::metrics};
use bytes::Bytes;
use etcdmark::etcd::wire::{Call, Pool, Settings};
use etcdmark::local::LocalCluster;
use etcdmark::rpc::WireKind;
use etcdmark::rpc::messages as m;
use etcdmark::rpc::{Rpc, RpcError};
use etcdmark::target::Target;
use prost::Message;
use std::collections::BTreeMap;
use std::time::Duration;

/// `grpc_server_handled_total` by method and code.
async fn handled(endpoint: &str) -> BTreeMap<String, u64> {
    metrics(endpoint)
        .await
        .lines()
        .filter(|l| l.starts_with("grpc_server_handled_total{"))
        .filter(|l| {
            Rpc::ALL
                .iter()
                .any(|r| l.contains(&format!("grpc_method=\"{}\"", r.method())))
        })
        .filter_map(|l| {
            let (labels, n) = l.rsplit_once(' ')?;
            Some((labels.to_owned(), n.parse().ok()?))
        })
        .collect()
}

fn frame(message: &impl Message) -> Bytes {
    crate::common::scripted::frame(&message.encode_to_vec())
}

fn key(i: u64) -> Bytes {
    format!("/registry-etcdmark/wire/{i:04}").into()
}

fn put(i: u64, value: &[u8]) -> m::PutRequest {
    m::PutRequest {
        key: key(i),
        value: Bytes::copy_from_slice(value),
        ..Default::default()
    }
}

/// A create as the apiserver writes it.
fn create(i: u64, value: &[u8]) -> m::TxnRequest {
    m::TxnRequest {
        compare: vec![m::Compare {
            result: 0,
            target: 2,
            key: key(i),
            target_union: Some(m::compare::TargetUnion::ModRevision(0)),
        }],
        success: vec![m::RequestOp {
            request: Some(m::request_op::Request::Put(put(i, value))),
        }],
        failure: vec![],
    }
}

/// The script: every RPC, small and large, answers of every kind.
fn script() -> Vec<(Rpc, Bytes)> {
    let range = |i: u64, end: u64, revision: i64| m::RangeRequest {
        key: key(i),
        range_end: if end > 0 { key(end) } else { Bytes::new() },
        revision,
        ..Default::default()
    };
    let mut all = Vec::new();
    for i in 0..40 {
        all.push((
            Rpc::Put,
            frame(&put(
                i,
                &vec![b'v'; 10 + 300 * usize::try_from(i).unwrap_or(0)],
            )),
        ));
        all.push((Rpc::Txn, frame(&create(i + 20, b"created"))));
        all.push((Rpc::Range, frame(&range(i, 0, 0))));
    }
    all.push((Rpc::Put, frame(&put(50, &vec![b'x'; 1_000_000]))));
    all.push((Rpc::Put, frame(&put(51, &vec![b'x'; 1_700_000]))));
    all.push((Rpc::Range, frame(&range(0, 9_999, 0))));
    all.push((Rpc::Range, frame(&range(0, 0, 1_000_000))));
    all.push((
        Rpc::LeaseGrant,
        frame(&m::LeaseGrantRequest { ttl: 60, id: 77 }),
    ));
    all.push((
        Rpc::LeaseGrant,
        frame(&m::LeaseGrantRequest { ttl: 60, id: 77 }),
    ));
    all.push((
        Rpc::LeaseKeepAlive,
        frame(&m::LeaseKeepAliveRequest { id: 77 }),
    ));
    all.push((
        Rpc::Compact,
        frame(&m::CompactionRequest {
            revision: 30,
            physical: true,
        }),
    ));
    all.push((Rpc::Range, frame(&range(0, 0, 3))));
    all.push((Rpc::Put, Bytes::from_static(&[0, 0, 0, 0, 0])));
    all
}

/// Cluster and member ids and the term are another etcd's own.
fn without_ids(rpc: Rpc, answer: Bytes) -> String {
    fn strip(h: &mut Option<m::ResponseHeader>) {
        if let Some(h) = h {
            (h.cluster_id, h.member_id, h.raft_term) = (0, 0, 0);
        }
    }
    macro_rules! plain {
        ($type:ty) => {{
            let mut answer = <$type>::decode(answer).expect("decodes");
            strip(&mut answer.header);
            format!("{answer:?}")
        }};
    }
    match rpc {
        Rpc::Range => plain!(m::RangeResponse),
        Rpc::RangeStream => {
            let merged = m::RangeStreamResponse::decode(answer).expect("decodes");
            let whole = merged.range_response.expect("a last chunk").encode_to_vec();
            without_ids(Rpc::Range, whole.into())
        }
        Rpc::Put => plain!(m::PutResponse),
        Rpc::Txn => plain!(m::TxnResponse),
        Rpc::Compact => plain!(m::CompactionResponse),
        Rpc::LeaseGrant => plain!(m::LeaseGrantResponse),
        Rpc::LeaseKeepAlive => plain!(m::LeaseKeepAliveResponse),
        Rpc::Defragment => unreachable!("goes through etcd-client"),
    }
}

/// Requests of which both wires must make the same, whichever etcd it is.
async fn streamed(wire: WireKind) -> Vec<Result<String, RpcError>> {
    let etcd = common::etcd().await;
    let settings = Settings {
        wire,
        ..Settings::default()
    };
    let pool = connected(&etcd, settings).await;
    let call = async |rpc, frame| {
        let call = Call {
            rpc,
            frame,
            timeout: Some(Duration::from_secs(20)),
        };
        pool.call(0, call).await
    };
    // Chunks hold 10 keys, 20, 40 …
    for i in 0..100 {
        let put = frame(&put(i, &[b'x'; 3000]));
        call(Rpc::Put, put).await.result.expect("put");
    }
    let all = m::RangeRequest {
        key: key(0),
        range_end: key(99),
        ..Default::default()
    };
    let future = m::RangeRequest {
        revision: 1_000_000,
        ..all.clone()
    };
    let requests = [
        (Rpc::Range, &all),
        (Rpc::RangeStream, &all),
        (Rpc::RangeStream, &future),
    ];
    let mut answers = Vec::new();
    for (rpc, request) in requests {
        let reply = call(rpc, frame(request)).await;
        assert!(reply.sent.expect("sent") <= reply.done);
        answers.push(reply.result.map(|a| without_ids(rpc, a)));
    }
    pool.close().await;
    answers
}

#[test]
fn a_range_in_chunks_is_the_range_on_both_wires() {
    let binary = common::etcd_binary().find().expect("a real etcd");
    let streams = etcdmark::store::preflight::version(&binary.version.to_string()) >= Some((3, 7));
    local(async {
        let h2 = streamed(WireKind::H2).await;
        let tonic = streamed(WireKind::Tonic).await;
        let name = |e: &RpcError| etcdmark::rpc::errors::classify(e).name;
        assert_eq!(h2[0], tonic[0]);
        for answers in [&h2, &tonic] {
            let (range, chunks, future) = (&answers[0], &answers[1], &answers[2]);
            let text = range.as_ref().expect("Range answers");
            assert_eq!(text.matches("KeyValue {").count(), 99);
            if streams {
                assert!(chunks == range, "{chunks:?}");
                assert_eq!(future.as_ref().map_err(name), Err("future-revision"));
            } else {
                assert_eq!(chunks.as_ref().map_err(name), Err("unimplemented"));
            }
        }
    });
}

type Played = (Vec<Result<String, RpcError>>, BTreeMap<String, u64>);

async fn connected(etcd: &LocalCluster, settings: Settings) -> Pool {
    let endpoints = etcd.endpoints();
    let target = Target::plain(endpoints.clone());
    Pool::connect(&target, &endpoints, 2, settings)
        .await
        .expect("a pool")
}

async fn play(wire: WireKind) -> Played {
    let etcd = common::etcd().await;
    let settings = Settings {
        wire,
        client_api_version: Some("3.6"),
        ..Settings::default()
    };
    let pool = connected(&etcd, settings).await;
    let timeout = Some(Duration::from_secs(20));
    let first = Call {
        rpc: Rpc::Range,
        frame: frame(&m::RangeRequest {
            key: key(0),
            ..Default::default()
        }),
        timeout,
    };
    pool.call(0, first).await.result.expect("the first answer");
    let before = handled(&etcd.endpoints()[0]).await;
    let mut answers = Vec::new();
    for (i, (rpc, frame)) in script().into_iter().enumerate() {
        let reply = pool
            .call(
                i as u64,
                Call {
                    rpc,
                    frame,
                    timeout,
                },
            )
            .await;
        assert!(reply.sent.expect("sent") <= reply.done);
        answers.push(reply.result.map(|a| without_ids(rpc, a)));
    }
    pool.close().await;
    let mut counts = handled(&etcd.endpoints()[0]).await;
    for (label, n) in &mut counts {
        *n -= before.get(label).copied().unwrap_or(0);
    }
    (answers, counts)
}

#[test]
fn both_wires_get_the_same_answers_and_counts_from_a_real_etcd() {
    local(async {
        let (h2, h2_counts) = play(WireKind::H2).await;
        let (tonic, tonic_counts) = play(WireKind::Tonic).await;
        assert_eq!(h2.len(), script().len());
        for (i, (a, b)) in h2.iter().zip(&tonic).enumerate() {
            assert!(a == b, "request {i}: {a:?} and {b:?}");
        }
        let failures: Vec<&str> = h2
            .iter()
            .filter_map(|r| r.as_ref().err())
            .map(|e| etcdmark::rpc::errors::classify(e).name)
            .collect();
        let expected = [
            "request-too-large",
            "future-revision",
            "lease-exists",
            "compacted",
            "invalid-argument",
        ];
        assert_eq!(failures, expected);
        assert_eq!(h2_counts, tonic_counts);
        assert_eq!(
            h2_counts.values().sum::<u64>(),
            script().len() as u64,
            "{h2_counts:?}"
        );
    });
}
