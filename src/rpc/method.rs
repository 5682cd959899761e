//! The RPCs of the hot path, and which implementation carries them.

use serde::{Deserialize, Serialize};

/// An RPC of the hot path: one request; one answer, or several that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rpc {
    /// etcdserverpb.KV/Range
    Range,
    /// etcdserverpb.KV/RangeStream (etcd 3.7 on): a Range that is answered in chunks
    RangeStream,
    /// etcdserverpb.KV/Put
    Put,
    /// etcdserverpb.KV/Txn
    Txn,
    /// etcdserverpb.KV/Compact
    Compact,
    /// etcdserverpb.Lease/LeaseGrant
    LeaseGrant,
    /// etcdserverpb.Lease/LeaseKeepAlive: a stream of one renewal
    LeaseKeepAlive,
    /// etcdserverpb.Maintenance/Defragment; goes through etcd-client, since it is for one member and rare
    Defragment,
}

impl Rpc {
    /// Every one.
    pub const ALL: [Rpc; 8] = [
        Rpc::Range,
        Rpc::RangeStream,
        Rpc::Put,
        Rpc::Txn,
        Rpc::Compact,
        Rpc::LeaseGrant,
        Rpc::LeaseKeepAlive,
        Rpc::Defragment,
    ];

    /// The HTTP/2 `:path`.
    pub const fn path(self) -> &'static str {
        match self {
            Rpc::Range => "/etcdserverpb.KV/Range",
            Rpc::RangeStream => "/etcdserverpb.KV/RangeStream",
            Rpc::Put => "/etcdserverpb.KV/Put",
            Rpc::Txn => "/etcdserverpb.KV/Txn",
            Rpc::Compact => "/etcdserverpb.KV/Compact",
            Rpc::LeaseGrant => "/etcdserverpb.Lease/LeaseGrant",
            Rpc::LeaseKeepAlive => "/etcdserverpb.Lease/LeaseKeepAlive",
            Rpc::Defragment => "/etcdserverpb.Maintenance/Defragment",
        }
    }

    /// The label `grpc_method` in etcd's metrics.
    pub const fn method(self) -> &'static str {
        match self {
            Rpc::Range => "Range",
            Rpc::RangeStream => "RangeStream",
            Rpc::Put => "Put",
            Rpc::Txn => "Txn",
            Rpc::Compact => "Compact",
            Rpc::LeaseGrant => "LeaseGrant",
            Rpc::LeaseKeepAlive => "LeaseKeepAlive",
            Rpc::Defragment => "Defragment",
        }
    }
}

/// Client implementation that sends the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WireKind {
    /// The h2 crate, used directly.
    H2,
    /// tonic.
    Tonic,
}
