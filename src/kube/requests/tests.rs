use super::*;
use crate::rpc::messages as m;
use crate::rpc::prefix_end;
use m::compare::TargetUnion;
use m::request_op::Request;
use proptest::prelude::*;
use prost::Message;

fn frame(message: &impl Message) -> Vec<u8> {
    let body = message.encode_to_vec();
    let mut out = vec![0];
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(&body);
    out
}

fn compare(key: &[u8], union: TargetUnion) -> m::Compare {
    let target = if matches!(union, TargetUnion::ModRevision(_)) {
        2
    } else {
        0
    };
    m::Compare {
        result: 0,
        target,
        key: key.to_vec().into(),
        target_union: Some(union),
    }
}

fn op(request: Request) -> Vec<m::RequestOp> {
    vec![m::RequestOp {
        request: Some(request),
    }]
}

fn put_op(key: &[u8], value: &[u8], lease: i64) -> Vec<m::RequestOp> {
    op(Request::Put(m::PutRequest {
        key: key.to_vec().into(),
        value: value.to_vec().into(),
        lease,
    }))
}

fn range_op(key: &[u8]) -> Vec<m::RequestOp> {
    op(Request::Range(m::RangeRequest {
        key: key.to_vec().into(),
        ..Default::default()
    }))
}

fn written(f: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    f(&mut out);
    out
}

proptest! {
    #[test]
    fn frames_equal_the_derived_encoding(
        key in proptest::collection::vec(any::<u8>(), 1..200),
        value in proptest::collection::vec(any::<u8>(), 0..20_000),
        rev in prop_oneof![Just(0i64), 1i64..1 << 50, Just(i64::MAX)],
        lease in prop_oneof![Just(0i64), any::<i64>()],
        limit in 0i64..20_000,
    ) {
        let zero = vec![compare(&key, TargetUnion::ModRevision(0))];
        let at = vec![compare(&key, TargetUnion::ModRevision(rev))];
        let version = vec![compare(&key, TargetUnion::Version(rev))];
        let put_v = put_op(&key, &value, lease);
        prop_assert_eq!(
            written(|o| create(&key, &value, lease, o)),
            frame(&m::TxnRequest { compare: zero.clone(), success: put_v.clone(), failure: vec![] })
        );
        prop_assert_eq!(
            written(|o| create_or_get(&key, &value, lease, o)),
            frame(&m::TxnRequest { compare: zero, success: put_v.clone(), failure: range_op(&key) })
        );
        prop_assert_eq!(
            written(|o| update(&key, rev, &value, lease, o)),
            frame(&m::TxnRequest { compare: at.clone(), success: put_v, failure: range_op(&key) })
        );
        let del = op(Request::DeleteRange(m::DeleteRangeRequest {
            key: key.clone().into(), ..Default::default()
        }));
        prop_assert_eq!(
            written(|o| delete(&key, rev, o)),
            frame(&m::TxnRequest { compare: at, success: del, failure: range_op(&key) })
        );
        prop_assert_eq!(
            written(|o| compactor_txn(rev, &value, &key, o)),
            frame(&m::TxnRequest {
                compare: version, success: put_op(&key, &value, 0), failure: range_op(&key)
            })
        );
        let end = prefix_end(&key);
        prop_assert_eq!(
            written(|o| list_page(&key, &end, limit, rev, o)),
            frame(&m::RangeRequest {
                key: key.clone().into(), range_end: end.into(), limit, revision: rev, ..Default::default()
            })
        );
        prop_assert_eq!(
            written(|o| put(&key, &value, o)),
            frame(&m::PutRequest { key: key.clone().into(), value: value.into(), lease: 0 })
        );
        prop_assert_eq!(
            written(|o| lease_grant(limit, o)),
            frame(&m::LeaseGrantRequest { ttl: limit, id: 0 })
        );
        prop_assert_eq!(
            written(|o| compact(rev, o)),
            frame(&m::CompactionRequest { revision: rev, physical: false })
        );
    }
}

#[test]
fn get_is_limited_since_1_32() {
    let key = bytes::Bytes::from_static(b"/registry/pods/a/b");
    for (limited, limit) in [(false, 0), (true, 1)] {
        let expected = m::RangeRequest {
            key: key.clone(),
            limit,
            ..Default::default()
        };
        assert_eq!(written(|o| get(&key, limited, o)), frame(&expected));
    }
}

#[test]
fn create_has_the_bytes_that_kube_apiserver_sends() {
    let frame = written(|o| create(b"k", b"v", 0, o));
    // Compare: result omitted, target MOD, key, mod_revision 0 present; no failure branch.
    assert_eq!(
        frame[5..],
        *b"\x0a\x07\x10\x02\x1a\x01k\x30\x00\x12\x08\x12\x06\x0a\x01k\x12\x01v"
    );
    assert_eq!(frame[..5], [0, 0, 0, 0, 19]);
}

#[test]
fn prefix_ends() {
    assert_eq!(prefix_end(b"/registry/pods/"), b"/registry/pods0");
    assert_eq!(prefix_end(b"a\xff"), b"b");
    assert_eq!(prefix_end(b"\xff\xff"), [0]);
    assert_eq!(prefix_end(b""), [0]);
}

/// Encodes with ours, decodes with etcd-client's and back: nothing is lost or changed.
fn agree<Ours, Theirs>(ours: Ours) -> Theirs
where
    Ours: Message + Default + PartialEq,
    Theirs: Message + Default,
{
    let bytes = ours.encode_to_vec();
    let theirs = Theirs::decode(&bytes[..]).expect("etcd-client decodes it");
    assert_eq!(theirs.encode_to_vec(), bytes);
    assert!(Ours::decode(&bytes[..]).expect("we decode it") == ours);
    theirs
}

#[test]
fn etcd_client_reads_the_requests_as_they_are_meant() {
    use etcd_client::proto as pb;
    fn read<T: Message + Default>(f: impl FnOnce(&mut Vec<u8>)) -> T {
        let mut frame = Vec::new();
        f(&mut frame);
        assert_eq!(frame[0], 0);
        assert_eq!(frame[1..5], (frame.len() as u32 - 5).to_be_bytes());
        let message = T::decode(&frame[5..]).expect("etcd-client decodes it");
        assert_eq!(message.encode_to_vec(), frame[5..]);
        message
    }
    let (key, value): (&[u8], &[u8]) = (b"/registry/leases/a/b", b"value");
    let txn: pb::PbTxnRequest = read(|o| create(key, value, 7, o));
    assert_eq!(txn.compare.len(), 1);
    assert_eq!((txn.compare[0].result, txn.compare[0].target), (0, 2));
    assert_eq!(
        txn.compare[0].target_union,
        Some(pb::PbTargetUnion::ModRevision(0))
    );
    let Some(pb::PbTxnOpRequest::RequestPut(put)) = &txn.success[0].request else {
        panic!("{txn:?}")
    };
    assert_eq!(
        (&put.key[..], &put.value[..], put.lease, put.prev_kv),
        (key, value, 7, false)
    );
    assert!(txn.failure.is_empty());

    let txn: pb::PbTxnRequest = read(|o| update(key, 300, value, 0, o));
    assert_eq!(
        txn.compare[0].target_union,
        Some(pb::PbTargetUnion::ModRevision(300))
    );
    let Some(pb::PbTxnOpRequest::RequestRange(range)) = &txn.failure[0].request else {
        panic!("{txn:?}")
    };
    assert_eq!(
        (&range.key[..], range.range_end.len(), range.limit),
        (key, 0, 0)
    );

    let txn: pb::PbTxnRequest = read(|o| delete(key, 300, o));
    let Some(pb::PbTxnOpRequest::RequestDeleteRange(range)) = &txn.success[0].request else {
        panic!("{txn:?}")
    };
    assert_eq!(
        (&range.key[..], range.range_end.len(), range.prev_kv),
        (key, 0, false)
    );

    let txn: pb::PbTxnRequest = read(|o| compactor_txn(0, b"123", b"compact_rev_key", o));
    assert_eq!(txn.compare[0].target, 0);
    assert_eq!(
        txn.compare[0].target_union,
        Some(pb::PbTargetUnion::Version(0))
    );

    let page: pb::PbRangeRequest = read(|o| list_page(b"/a/", b"/a0", 500, 9, o));
    assert_eq!(
        (&page.key[..], &page.range_end[..]),
        (&b"/a/"[..], &b"/a0"[..])
    );
    assert_eq!(
        (page.limit, page.revision, page.serializable),
        (500, 9, false)
    );
    let grant: pb::PbLeaseGrantRequest = read(|o| lease_grant(3660, o));
    assert_eq!((grant.ttl, grant.id), (3660, 0));
    let compaction: pb::PbCompactionRequest = read(|o| compact(77, o));
    assert_eq!((compaction.revision, compaction.physical), (77, false));
}

proptest! {
    #[test]
    fn our_messages_are_etcds(
        key in proptest::collection::vec(any::<u8>(), 0..40),
        value in proptest::collection::vec(any::<u8>(), 0..300),
        n in any::<[i64; 4]>(),
        id in any::<[u64; 3]>(),
        flags in any::<[bool; 2]>(),
    ) {
        use etcd_client::proto as pb;
        let (key, value) = (bytes::Bytes::from(key), bytes::Bytes::from(value));
        let header = m::ResponseHeader {
            cluster_id: id[0], member_id: id[1], revision: n[0], raft_term: id[2],
        };
        let h = Some(header);
        let theirs: pb::PbResponseHeader = agree(header);
        prop_assert_eq!(
            (theirs.cluster_id, theirs.member_id, theirs.revision, theirs.raft_term),
            (id[0], id[1], n[0], id[2])
        );
        let kv = m::KeyValue {
            key: key.clone(), create_revision: n[0], mod_revision: n[1], version: n[2],
            value: value.clone(), lease: n[3],
        };
        let theirs: pb::PbKeyValue = agree(kv.clone());
        prop_assert_eq!(
            (theirs.create_revision, theirs.mod_revision, theirs.version, theirs.lease),
            (n[0], n[1], n[2], n[3])
        );
        let range = m::RangeRequest {
            key: key.clone(), range_end: value.clone(), limit: n[0], revision: n[1],
            keys_only: flags[0], count_only: flags[1],
            serializable: false,
        };
        let theirs: pb::PbRangeRequest = agree(range.clone());
        prop_assert_eq!((theirs.limit, theirs.revision), (n[0], n[1]));
        prop_assert_eq!((theirs.keys_only, theirs.count_only), (flags[0], flags[1]));
        let ranged = m::RangeResponse { header: h, kvs: vec![kv.clone(), kv], more: flags[0], count: n[3] };
        let theirs: pb::PbRangeResponse = agree(ranged.clone());
        prop_assert_eq!((theirs.kvs.len(), theirs.more, theirs.count), (2, flags[0], n[3]));
        let chunk = m::RangeStreamResponse { range_response: Some(ranged.clone()) };
        let theirs: pb::PbRangeStreamResponse = agree(chunk);
        prop_assert_eq!(theirs.range_response.map(|r| r.count), Some(n[3]));
        let put = m::PutRequest { key: key.clone(), value: value.clone(), lease: n[0] };
        let theirs: pb::PbPutRequest = agree(put.clone());
        prop_assert_eq!(theirs.lease, n[0]);
        agree::<_, pb::PbPutResponse>(m::PutResponse { header: h });
        let del = m::DeleteRangeRequest { key: key.clone(), range_end: value };
        agree::<_, pb::PbDeleteRequest>(del.clone());
        let deleted = m::DeleteRangeResponse { header: h, deleted: n[1] };
        prop_assert_eq!(agree::<_, pb::PbDeleteResponse>(deleted).deleted, n[1]);
        let ops = [Request::Range(range), Request::Put(put), Request::DeleteRange(del)]
            .map(|r| m::RequestOp { request: Some(r) });
        let txn = m::TxnRequest {
            compare: vec![
                compare(&key, TargetUnion::ModRevision(n[2])),
                compare(&key, TargetUnion::Version(n[3])),
            ],
            success: ops.to_vec(),
            failure: ops[..1].to_vec(),
        };
        let theirs: pb::PbTxnRequest = agree(txn);
        prop_assert!(matches!(theirs.success[2].request, Some(pb::PbTxnOpRequest::RequestDeleteRange(_))));
        prop_assert_eq!(&theirs.compare[1].target_union, &Some(pb::PbTargetUnion::Version(n[3])));
        use m::response_op::Response;
        let answer = m::TxnResponse {
            header: h,
            succeeded: flags[1],
            responses: [
                Response::Range(ranged),
                Response::Put(m::PutResponse { header: h }),
                Response::DeleteRange(deleted),
            ]
            .map(|r| m::ResponseOp { response: Some(r) })
            .to_vec(),
        };
        let theirs: pb::PbTxnResponse = agree(answer);
        prop_assert_eq!(theirs.succeeded, flags[1]);
        prop_assert!(matches!(
            theirs.responses[2].response, Some(pb::PbTxnOpResponse::ResponseDeleteRange(_))
        ));
        agree::<_, pb::PbLeaseGrantRequest>(m::LeaseGrantRequest { ttl: n[0], id: n[1] });
        let granted = m::LeaseGrantResponse { header: h, id: n[0], ttl: n[1], error: "no".into() };
        let theirs: pb::PbLeaseGrantResponse = agree(granted);
        prop_assert_eq!((theirs.id, theirs.ttl, &theirs.error[..]), (n[0], n[1], "no"));
        agree::<_, pb::PbCompactionRequest>(m::CompactionRequest { revision: n[0], physical: flags[0] });
        agree::<_, pb::PbCompactionResponse>(m::CompactionResponse { header: h });
    }
}
