//! The few etcd v3 messages of the hot path, written from the wire facts; `Bytes` where a range
//! answers. A test holds them to `etcd_client::proto`'s types.

use bytes::Bytes;
use prost::Message;

/// `etcdserverpb.ResponseHeader`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct ResponseHeader {
    /// Cluster that answered.
    #[prost(uint64, tag = "1")]
    pub cluster_id: u64,
    /// Member that answered.
    #[prost(uint64, tag = "2")]
    pub member_id: u64,
    /// Store revision when the request was applied.
    #[prost(int64, tag = "3")]
    pub revision: i64,
    /// Raft term.
    #[prost(uint64, tag = "4")]
    pub raft_term: u64,
}

/// `mvccpb.KeyValue`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct KeyValue {
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// Revision of creation.
    #[prost(int64, tag = "2")]
    pub create_revision: i64,
    /// Revision of the last write.
    #[prost(int64, tag = "3")]
    pub mod_revision: i64,
    /// Writes since creation, the creation included.
    #[prost(int64, tag = "4")]
    pub version: i64,
    #[prost(bytes = "bytes", tag = "5")]
    pub value: Bytes,
    /// Attached lease, 0 = none.
    #[prost(int64, tag = "6")]
    pub lease: i64,
}

/// `etcdserverpb.RangeRequest`, the fields Kubernetes uses, serializable and keys_only.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RangeRequest {
    /// First key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// End of the range, exclusive; empty = the key alone.
    #[prost(bytes = "bytes", tag = "2")]
    pub range_end: Bytes,
    /// At most so many keys, 0 = all.
    #[prost(int64, tag = "3")]
    pub limit: i64,
    /// At this revision, 0 = now.
    #[prost(int64, tag = "4")]
    pub revision: i64,
    /// Answered by the member that is asked, which may lag behind.
    #[prost(bool, tag = "7")]
    pub serializable: bool,
    /// Without values.
    #[prost(bool, tag = "8")]
    pub keys_only: bool,
    /// Only the count.
    #[prost(bool, tag = "9")]
    pub count_only: bool,
}

/// `etcdserverpb.RangeResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RangeResponse {
    /// Header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// What was found.
    #[prost(message, repeated, tag = "2")]
    pub kvs: Vec<KeyValue>,
    /// More keys than the limit.
    #[prost(bool, tag = "3")]
    pub more: bool,
    /// Keys in the range.
    #[prost(int64, tag = "4")]
    pub count: i64,
}

/// `etcdserverpb.RangeStreamResponse`: a chunk of a range. Merged, all chunks are what Range answers.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RangeStreamResponse {
    /// Its keys; the last chunk has header, more and count.
    #[prost(message, optional, tag = "1")]
    pub range_response: Option<RangeResponse>,
}

/// `etcdserverpb.PutRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PutRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
    /// Lease, 0 = none.
    #[prost(int64, tag = "3")]
    pub lease: i64,
}

/// `etcdserverpb.PutResponse`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct PutResponse {
    /// Header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
}

/// `etcdserverpb.DeleteRangeRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DeleteRangeRequest {
    /// First key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// End, exclusive; empty = the key alone.
    #[prost(bytes = "bytes", tag = "2")]
    pub range_end: Bytes,
}

/// `etcdserverpb.DeleteRangeResponse`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct DeleteRangeResponse {
    /// Header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Keys deleted.
    #[prost(int64, tag = "2")]
    pub deleted: i64,
}

/// `etcdserverpb.RequestOp`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RequestOp {
    /// Exactly one.
    #[prost(oneof = "request_op::Request", tags = "1, 2, 3")]
    pub request: Option<request_op::Request>,
}

/// The choices of [`RequestOp`].
pub mod request_op {
    /// One operation of a transaction.
    #[derive(Clone, PartialEq, Eq, prost::Oneof)]
    pub enum Request {
        #[prost(message, tag = "1")]
        Range(super::RangeRequest),
        #[prost(message, tag = "2")]
        Put(super::PutRequest),
        #[prost(message, tag = "3")]
        DeleteRange(super::DeleteRangeRequest),
    }
}

/// `etcdserverpb.ResponseOp`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ResponseOp {
    /// Exactly one.
    #[prost(oneof = "response_op::Response", tags = "1, 2, 3")]
    pub response: Option<response_op::Response>,
}

/// The choices of [`ResponseOp`].
pub mod response_op {
    /// The answer of one operation of a transaction.
    #[derive(Clone, PartialEq, Eq, prost::Oneof)]
    pub enum Response {
        #[prost(message, tag = "1")]
        Range(super::RangeResponse),
        #[prost(message, tag = "2")]
        Put(super::PutResponse),
        #[prost(message, tag = "3")]
        DeleteRange(super::DeleteRangeResponse),
    }
}

/// `etcdserverpb.Compare`: only EQUAL (0), on VERSION (0) or MOD (2).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Compare {
    /// 0 = EQUAL.
    #[prost(int32, tag = "1")]
    pub result: i32,
    /// 0 = VERSION, 2 = MOD.
    #[prost(int32, tag = "2")]
    pub target: i32,
    #[prost(bytes = "bytes", tag = "3")]
    pub key: Bytes,
    /// With what; a oneof, so 0 is on the wire.
    #[prost(oneof = "compare::TargetUnion", tags = "4, 6")]
    pub target_union: Option<compare::TargetUnion>,
}

/// The choices of [`Compare`].
pub mod compare {
    /// What the key is compared with.
    #[derive(Clone, Copy, PartialEq, Eq, prost::Oneof)]
    pub enum TargetUnion {
        /// VERSION.
        #[prost(int64, tag = "4")]
        Version(i64),
        /// MOD.
        #[prost(int64, tag = "6")]
        ModRevision(i64),
    }
}

/// `etcdserverpb.TxnRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TxnRequest {
    /// All must hold.
    #[prost(message, repeated, tag = "1")]
    pub compare: Vec<Compare>,
    /// If they do.
    #[prost(message, repeated, tag = "2")]
    pub success: Vec<RequestOp>,
    /// If they do not.
    #[prost(message, repeated, tag = "3")]
    pub failure: Vec<RequestOp>,
}

/// `etcdserverpb.TxnResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TxnResponse {
    /// Header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Which branch ran.
    #[prost(bool, tag = "2")]
    pub succeeded: bool,
    /// One per operation of that branch.
    #[prost(message, repeated, tag = "3")]
    pub responses: Vec<ResponseOp>,
}

/// The part of `etcdserverpb.TxnResponse` that a transaction which succeeded is asked for: nothing is
/// allocated.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct TxnOutcome {
    /// Header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Which branch ran.
    #[prost(bool, tag = "2")]
    pub succeeded: bool,
}

/// `etcdserverpb.LeaseGrantRequest`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct LeaseGrantRequest {
    /// Seconds.
    #[prost(int64, tag = "1")]
    pub ttl: i64,
    /// 0 = etcd chooses.
    #[prost(int64, tag = "2")]
    pub id: i64,
}

/// `etcdserverpb.LeaseGrantResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LeaseGrantResponse {
    /// Header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// The lease.
    #[prost(int64, tag = "2")]
    pub id: i64,
    /// Seconds granted.
    #[prost(int64, tag = "3")]
    pub ttl: i64,
    /// Refusal.
    #[prost(string, tag = "4")]
    pub error: String,
}

/// `etcdserverpb.LeaseKeepAliveRequest`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct LeaseKeepAliveRequest {
    /// The lease.
    #[prost(int64, tag = "1")]
    pub id: i64,
}

/// `etcdserverpb.LeaseKeepAliveResponse`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct LeaseKeepAliveResponse {
    /// Header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// The lease.
    #[prost(int64, tag = "2")]
    pub id: i64,
    /// Seconds left; 0 = there is no such lease.
    #[prost(int64, tag = "3")]
    pub ttl: i64,
}

/// `etcdserverpb.CompactionRequest`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct CompactionRequest {
    /// Up to this revision.
    #[prost(int64, tag = "1")]
    pub revision: i64,
    /// Wait until the backend has compacted.
    #[prost(bool, tag = "2")]
    pub physical: bool,
}

/// `etcdserverpb.CompactionResponse`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct CompactionResponse {
    /// Header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
}
