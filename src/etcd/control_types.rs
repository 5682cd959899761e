//! What control calls take, answer and fail with.

use super::tls::DialError;
use etcd_client::{GetOptions, KeyValue, SortOrder, SortTarget};
use std::time::Duration;

/// A control call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// No connection could be had.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection broke; nothing was sent.
    #[error("{endpoint} is not connected: {reason}")]
    NotConnected {
        /// Which endpoint.
        endpoint: String,
        /// The error chain's text.
        reason: String,
    },
    /// No answer within the command timeout; whether the call was applied is unknown.
    #[error("{endpoint} did not answer {call} within {after:?} (--command-timeout)")]
    Timeout {
        /// Which endpoint.
        endpoint: String,
        /// Which call.
        call: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// etcd refused.
    #[error("{endpoint} returned an error for {call}: {message} (gRPC code {code})")]
    Status {
        /// Which endpoint.
        endpoint: String,
        /// Which call.
        call: &'static str,
        /// gRPC code.
        code: i32,
        /// gRPC message.
        message: String,
    },
    /// The act is for etcds that are etcdmark's or the user's own only.
    #[error(
        "{call} affects the whole etcd cluster, and etcdmark did not start this etcd; pass \
         --yes-this-etcd-is-mine to allow it"
    )]
    NotOwned {
        /// Which call.
        call: &'static str,
    },
    /// No endpoint is left to ask.
    #[error("no endpoint of this cluster is reachable: {last}")]
    NoneReachable {
        /// The last failure.
        last: String,
    },
}

impl ControlError {
    /// The gRPC message, where etcd answered.
    pub fn message(&self) -> &str {
        match self {
            ControlError::Status { message, .. } => message,
            _ => "",
        }
    }

    /// Another member may answer the same call.
    pub(super) fn elsewhere(&self, idempotent: bool) -> bool {
        match self {
            ControlError::Dial(_) | ControlError::NotConnected { .. } => true,
            ControlError::Timeout { .. } => idempotent,
            // 14 = UNAVAILABLE: no leader here, leader changed, stream broken.
            ControlError::Status { code, .. } => idempotent && *code == 14,
            _ => false,
        }
    }
}

/// What one member says of itself (`Maintenance/Status`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberStatus {
    /// Endpoint that was asked.
    pub endpoint: String,
    /// Cluster id.
    pub cluster_id: u64,
    /// Member id.
    pub member_id: u64,
    /// Leader's member id, 0 = none.
    pub leader: u64,
    /// etcd version, `3.5.16`.
    pub version: String,
    /// db file, bytes.
    pub db_size: i64,
    /// Of these, in use.
    pub db_size_in_use: i64,
    /// Quota in bytes; etcd ≥ 3.6 says it.
    pub quota: Option<i64>,
    /// Store revision.
    pub revision: i64,
    /// Raft term.
    pub raft_term: u64,
    /// Not a voting member.
    pub is_learner: bool,
    /// etcd's own complaints ("etcdserver: no leader").
    pub errors: Vec<String>,
    /// The user may not ask for it: a read and the member's metrics tell. They have no complaints, and of another leader not
    /// who it is.
    pub from_metrics: bool,
}

/// One row of the member list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberEntry {
    /// Member id.
    pub id: u64,
    pub name: String,
    /// Advertised client URLs (shown, never followed).
    pub client_urls: Vec<String>,
    /// Peer URLs.
    pub peer_urls: Vec<String>,
    /// Not a voting member.
    pub is_learner: bool,
}

/// An alarm that is raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Member that raised it.
    pub member_id: u64,
    /// `NOSPACE` or `CORRUPT`.
    pub kind: &'static str,
}

/// One page of a range.
#[derive(Clone, Debug)]
pub struct Page {
    /// Keys in order, with values unless keys only were asked for.
    pub kvs: Vec<KeyValue>,
    /// Revision at which it was read: pin it for the next page.
    pub revision: i64,
    /// There are more keys.
    pub more: bool,
    /// Keys in the range from this page's start on.
    pub count: i64,
}

/// Which keys a range answers and how.
#[derive(Clone, Copy, Debug)]
pub struct RangeSpec<'a> {
    /// First key.
    pub from: &'a [u8],
    /// End, exclusive; empty = the key alone.
    pub to: &'a [u8],
    /// At most so many keys, 0 = all.
    pub limit: i64,
    /// At this revision, 0 = now (linearizable).
    pub revision: i64,
    /// Leave the values out.
    pub keys_only: bool,
    /// Only the count.
    pub count_only: bool,
    /// Answered by the member alone, perhaps not with the newest.
    pub serializable: bool,
    /// Sorted by value, not by key. etcd 3.7 answers `keys_only` from its index, without the keys' leases; to sort by
    /// value it has to read them, and still sends no value.
    pub by_value: bool,
}

impl<'a> RangeSpec<'a> {
    /// All of `[from, to)`, now, with values.
    pub fn new(from: &'a [u8], to: &'a [u8]) -> Self {
        RangeSpec {
            from,
            to,
            limit: 0,
            revision: 0,
            keys_only: false,
            count_only: false,
            serializable: false,
            by_value: false,
        }
    }

    pub(super) fn options(&self) -> GetOptions {
        let mut o = GetOptions::new()
            .with_limit(self.limit)
            .with_revision(self.revision);
        if !self.to.is_empty() {
            o = o.with_range(self.to);
        }
        if self.keys_only {
            o = o.with_keys_only();
        }
        if self.count_only {
            o = o.with_count_only();
        }
        if self.serializable {
            o = o.with_serializable();
        }
        if self.by_value {
            o = o.with_sort(SortTarget::Value, SortOrder::Ascend);
        }
        o
    }
}
