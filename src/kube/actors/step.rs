//! The vocabulary of sessions: what an actor can ask the engine to do, step by step.

use crate::kube::{Kind, OpClass};

/// A family of objects that must exist before the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    /// Family.
    pub kind: Kind,
    /// Cells (nodes, services …) in the whole plan.
    pub cells: u64,
    /// Objects of the family in one cell (slices per service; otherwise 1).
    pub per_cell: u64,
    /// What creating one is counted as.
    pub class: OpClass,
}

/// Which etcd lease a write carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseUse {
    /// None.
    None,
    /// The one that the session's Grant step got.
    Granted,
}

/// One step of a session: one RPC by design, more where a conflict is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Create the object.
    Create(OpClass, LeaseUse),
    /// Update it, or create it where it is not in the store; `reread` is the GET that a client with a stale copy sends before it tries again
    /// (none: GuaranteedUpdate retries from the failed transaction's own range).
    Update {
        /// Counted as.
        class: OpClass,
        /// The GET between two tries.
        reread: Option<OpClass>,
        /// Lease.
        lease: LeaseUse,
    },
    /// Read it.
    Get(OpClass),
    /// List its family's prefix (unlimited, as the masterlease reconciler does).
    List(OpClass),
    /// A new etcd lease of `ttl` seconds, for the following steps.
    Grant(OpClass, i64),
    /// The shared etcd lease of `slot` for events (k8s.io/apiserver `pkg/storage/etcd3/lease_manager.go`):
    /// reused for `reuse` seconds or until 1,000 objects are attached, then granted anew with
    /// `ttl` seconds. Counted only when it is granted.
    SharedLease {
        /// Counted as.
        class: OpClass,
        /// Which lease manager.
        slot: usize,
        /// Seconds to grant.
        ttl: i64,
        /// Seconds of reuse.
        reuse: u64,
    },
    /// The compactor's Txn on `compact_rev_key`.
    CompactorTxn(OpClass),
    /// Compact of the revision that the previous round saw, if this session's Txn won.
    CompactorCompact(OpClass),
    /// Defragment every member of every store, one after the other; each is an operation.
    Defragment(OpClass),
}

impl Step {
    /// What it is counted as.
    pub fn class(self) -> OpClass {
        match self {
            Step::Create(c, _) | Step::Get(c) | Step::List(c) | Step::Grant(c, _) => c,
            Step::CompactorTxn(c) | Step::CompactorCompact(c) | Step::Defragment(c) => c,
            Step::Update { class, .. } | Step::SharedLease { class, .. } => class,
        }
    }

    /// Whether it writes its object.
    pub fn writes(self) -> bool {
        matches!(
            self,
            Step::Create(..) | Step::Update { .. } | Step::CompactorTxn(_)
        )
    }

    /// Whether it is offered and counted as an operation of its own: a shared lease is only where it is granted.
    pub fn is_operation(self) -> bool {
        !matches!(self, Step::SharedLease { .. })
    }
}
