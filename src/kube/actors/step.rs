//! The vocabulary of sessions: what an actor can ask the engine to do, step by step.

use crate::kube::{Kind, ObjectRef, OpClass};

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
    /// Create the session's object.
    Create(OpClass, LeaseUse),
    /// Update it; `reread` is the GET that a client with a stale copy sends before it tries again
    /// (none: GuaranteedUpdate retries from the failed transaction's own range).
    Update {
        /// Counted as.
        class: OpClass,
        /// The GET between two tries.
        reread: Option<OpClass>,
        /// Lease.
        lease: LeaseUse,
        /// Create it when it does not exist (GuaranteedUpdate with ignoreNotFound).
        upsert: bool,
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
}

/// One thing an actor does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The object that the steps are about.
    pub object: ObjectRef,
    /// In order; a failed step ends the session.
    pub steps: Steps,
}

/// At most four steps, inline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    steps: [Option<Step>; 4],
}

impl Session {
    /// A session of these steps (at most four) on that object.
    pub fn new(kind: Kind, index: u64, steps: &[Step]) -> Session {
        debug_assert!(steps.len() <= 4, "a session has at most four steps");
        let mut inline = [None; 4];
        for (to, from) in inline.iter_mut().zip(steps) {
            *to = Some(*from);
        }
        Session {
            object: ObjectRef { kind, index },
            steps: Steps { steps: inline },
        }
    }

    /// Whether any step writes the object: such sessions of one object take turns.
    pub fn writes(&self) -> bool {
        self.steps.iter().any(|s| {
            matches!(
                s,
                Step::Create(..) | Step::Update { .. } | Step::CompactorTxn(_)
            )
        })
    }
}

impl Steps {
    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Step> + '_ {
        self.steps.iter().flatten().copied()
    }

    /// The first one (a session is never empty in practice).
    pub fn first(&self) -> Option<Step> {
        self.steps[0]
    }
}
