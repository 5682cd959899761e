//! The hollow cluster's objects: for each [`ObjectRef`], its key and the value of each of its writes,
//! byte for byte what kube-apiserver would store.

use crate::clock::UnixNanos;
use crate::workload::Cluster;

/// Which family of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Lease in kube-node-lease; index = node.
    NodeLease,
    /// Node; index = node.
    Node,
    /// CSINode; index = node.
    CsiNode,
    /// Leader-election Lease in kube-system; index = lock (0 kube-controller-manager, 1 kube-scheduler, then others).
    LeaderLease,
    /// apiserver identity Lease in kube-system; index = apiserver.
    ApiserverLease,
    /// masterleases/IP; index = apiserver.
    MasterLease,
    /// peerserverleases/ID; index = apiserver.
    PeerLease,
    /// Event; index = arrival number of the event actor (unique in a run).
    Event,
    /// Endpoints; index = service.
    Endpoints,
    /// EndpointSlice; index = service × slices per service + slice.
    EndpointSlice,
    /// etcdmark's probe key; index = 0.
    Probe,
}

/// One object of the hollow cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Family.
    pub kind: Kind,
    /// Number within the family.
    pub index: u64,
}

/// Which write of an object: its value is a function of (seed, epoch, object, write).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// 0 = the create, n = the n-th update.
    pub sequence: u32,
    /// The wall instant the write is intended for (renewTime of a Lease, lastHeartbeatTime of a Node …).
    pub at: UnixNanos,
}

/// The object factory of one hollow cluster. Pure and cheap to share (`Clone` is shallow enough for a
/// shard each); holds pre-encoded templates, nothing per object.
#[derive(Clone, Debug)]
pub struct Objects {
    _private: (),
}

impl Objects {
    /// `prefix` is `/registry-etcdmark/RUN` (no trailing slash); `epoch` is the wall instant from which
    /// creation times and event names count; `event_spacing_ns` is the mean distance of two events, so
    /// that event i's name and firstTimestamp say `epoch + i × spacing`.
    pub fn new(cluster: &Cluster, seed: u64, epoch: UnixNanos, event_spacing_ns: u64, prefix: &str) -> Self {
        let _ = (cluster, seed, epoch, event_spacing_ns, prefix);
        Objects { _private: () }
    }

    /// Appends the object's key.
    pub fn key(&self, object: ObjectRef, out: &mut Vec<u8>) {
        let _ = (object, out);
    }

    /// Appends the value of that write of the object.
    pub fn value(&self, object: ObjectRef, write: Write, out: &mut Vec<u8>) {
        let _ = (object, write, out);
    }
}
