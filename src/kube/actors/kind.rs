//! What an actor models, with its own settings.

use crate::kube::Resource;
use std::time::Duration;

/// What an actor models; its own settings.
#[derive(Clone, Debug, PartialEq)]
pub enum ActorKind {
    /// Each kubelet renews its Lease in kube-node-lease.
    NodeLease,
    /// Each kubelet writes its Node's status.
    NodeStatus,
    /// Event creates with shared TTL leases; `series_share` of the arrivals update an earlier Event
    /// (Range + Txn) instead.
    Event {
        /// Share of arrivals that are series updates, 0 ≤ x < 1.
        series_share: f64,
        /// The apiserver's `--event-ttl`; the etcd lease gets TTL + min(60 s, 5 %).
        ttl: Duration,
    },
    /// Leader-election holders renew their lock; each lock has `standbys` pollers.
    LeaderLease {
        /// Standby candidates per lock, each one Range per poll.
        standbys: u64,
    },
    /// Each apiserver renews its identity Lease, masterlease and (by version) peer lease.
    ApiserverLease,
    /// Whole-object Endpoints updates of a rolling update.
    Endpoints,
    /// EndpointSlice updates of a rolling update.
    EndpointSlice,
    /// kube-apiserver's compactor: Txn on `compact_rev_key`, then Compact of the previous round's revision.
    Compactor {
        /// Stores of the workload: an apiserver has a compactor for each.
        stores: u64,
    },
    /// An operator's cron job: defragments every member of every store, one after the other.
    Defragmenter,
    /// A client without a watch cache: lists every object of a resource, whole.
    List {
        /// What it lists.
        resource: Resource,
    },
    /// A quiet client: linearizable reads, and with `writes` a CAS on one key.
    Probe {
        /// Also write.
        writes: bool,
    },
}
