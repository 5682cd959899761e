//! The closed table of op classes: what a histogram is kept for. `actor/step`, with its verb,
//! resource and RPC.

use super::Resource;
use crate::rpc::Rpc;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a request does to an object, in Kubernetes' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Txn: if MOD(K)==0 then put.
    Create,
    /// Txn: if MOD(K)==rev then put else range.
    Update,
    /// Txn: if MOD(K)==rev then delete else range.
    Delete,
    /// Range, limit 1.
    Get,
    /// Range over a prefix, in pages at a pinned revision.
    List,
    /// LeaseGrant.
    Grant,
    /// Compact.
    Compact,
    /// Defragment, of one member.
    Defragment,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct OpClassInfo {
    /// `actor/step`.
    pub name: &'static str,
    /// What the operator calls it: "Lease renewals".
    pub title: &'static str,
    /// What it does.
    pub verb: Verb,
    /// To which resource; routes it to a store.
    pub resource: Resource,
    /// By which RPC (what etcd's `grpc_server_handled_total` counts it as); a list may be streamed
    /// (the engine's routes).
    pub rpc: Rpc,
}

/// What kube-apiserver leaves of its request timeout to a write, as recorded (`grpc-timeout: 33999516u`).
const WRITE_TIMEOUT: Duration = Duration::from_secs(34);
/// Of a GET or LIST.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

macro_rules! op_classes {
    ($($variant:ident $name:literal $title:literal $verb:ident $resource:ident $rpc:ident;)*) => {
        /// What a histogram is kept for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum OpClass { $(#[doc = $title] $variant),* }

        impl OpClass {
            /// Every op class, in the order of the table.
            pub const ALL: &'static [OpClass] = &[$(OpClass::$variant),*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Its row.
            pub const fn info(self) -> OpClassInfo {
                match self {
                    $(OpClass::$variant => OpClassInfo {
                        name: $name, title: $title, verb: Verb::$verb,
                        resource: Resource::$resource, rpc: Rpc::$rpc,
                    }),*
                }
            }
        }
    };
}

op_classes! {
    NodeLeaseCreate     "node-lease/create"      "Lease creates"              Create  Leases         Txn;
    NodeLeaseUpdate     "node-lease/update"      "Lease renewals"             Update  Leases         Txn;
    NodeLeaseGet        "node-lease/get"         "Lease reads after conflict" Get     Leases         Range;
    NodeCreate          "node/create"            "Node creates"               Create  Nodes          Txn;
    NodeStatusUpdate    "node-status/update"     "Node status updates"        Update  Nodes          Txn;
    CsiNodeCreate       "csinode/create"         "CSINode creates"            Create  CsiNodes       Txn;
    EventCreate         "event/create"           "Event creates"              Create  Events         Txn;
    EventGet            "event/get"              "Event reads before patch"   Get     Events         Range;
    EventPatch          "event/patch"            "Event series updates"       Update  Events         Txn;
    EventGrant          "event/lease-grant"      "Event lease grants"         Grant   Events         LeaseGrant;
    LeaderLeaseCreate   "leader-lease/create"    "leader lock creates"        Create  Leases         Txn;
    LeaderLeaseUpdate   "leader-lease/update"    "leader lock renewals"       Update  Leases         Txn;
    LeaderLeaseGet      "leader-lease/get"       "standby lock reads"         Get     Leases         Range;
    ApiserverLeaseCreate "apiserver-lease/create" "apiserver identity creates" Create Leases         Txn;
    ApiserverLeaseUpdate "apiserver-lease/update" "apiserver identity renewals" Update Leases        Txn;
    MasterLeaseGet      "master-lease/get"       "masterlease reads"          Get     MasterLeases   Range;
    MasterLeaseGrant    "master-lease/lease-grant" "masterlease grants"       Grant   MasterLeases   LeaseGrant;
    MasterLeaseUpdate   "master-lease/update"    "masterlease writes"         Update  MasterLeases   Txn;
    MasterLeaseList     "master-lease/list"      "masterlease lists"          List    MasterLeases   Range;
    EndpointsCreate     "endpoints/create"       "Endpoints creates"          Create  Endpoints      Txn;
    EndpointsUpdate     "endpoints/update"       "Endpoints updates"          Update  Endpoints      Txn;
    EndpointSliceCreate "endpointslice/create"   "EndpointSlice creates"      Create  EndpointSlices Txn;
    EndpointSliceUpdate "endpointslice/update"   "EndpointSlice updates"      Update  EndpointSlices Txn;
    ListNodes           "list/nodes"             "Node lists"                 List    Nodes          Range;
    ListLeases          "list/leases"            "Lease lists"                List    Leases         Range;
    ListEvents          "list/events"            "Event lists"                List    Events         Range;
    ListEndpoints       "list/endpoints"         "Endpoints lists"            List    Endpoints      Range;
    ListEndpointSlices  "list/endpointslices"    "EndpointSlice lists"        List    EndpointSlices Range;
    CompactorTxn        "compactor/txn"          "compactor elections"        Update  Internal       Txn;
    CompactorCompact    "compactor/compact"      "compactions"                Compact Internal       Compact;
    Defragment          "defragmenter/defragment" "defragmentations"          Defragment Internal    Defragment;
    ProbeGet            "probe/get"              "probe reads"                Get     Internal       Range;
    ProbeCreate         "probe/create"           "probe key creates"          Create  Internal       Txn;
    ProbeUpdate         "probe/update"           "probe writes"               Update  Internal       Txn;
}

impl OpClass {
    /// `actor/step`.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The deadline that kube-apiserver gives the request, which travels as `grpc-timeout`: that of the API
    /// request behind it. Its own loops (masterleases, peer leases, compaction) and etcdctl defrag have none.
    pub const fn timeout(self) -> Option<Duration> {
        let info = self.info();
        match (info.resource, info.verb) {
            (Resource::MasterLeases, _) | (_, Verb::Compact | Verb::Defragment) => None,
            _ if matches!(self, OpClass::CompactorTxn) => None,
            (_, Verb::Get | Verb::List) => Some(READ_TIMEOUT),
            _ => Some(WRITE_TIMEOUT),
        }
    }

    /// Whether each store has its own: compactions and defragmentations act on a store, not on a resource.
    pub const fn of_each_store(self) -> bool {
        matches!(
            self,
            OpClass::CompactorTxn | OpClass::CompactorCompact | OpClass::Defragment
        )
    }

    /// Whether it writes an object.
    pub const fn is_write(self) -> bool {
        matches!(self.info().verb, Verb::Create | Verb::Update | Verb::Delete)
    }

    /// The op class of that name.
    pub fn by_name(name: &str) -> Option<OpClass> {
        Self::ALL.iter().copied().find(|c| c.name() == name)
    }
}

impl Serialize for OpClass {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for OpClass {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        OpClass::by_name(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown op class {name:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::OpClass;
    use std::collections::BTreeSet;

    #[test]
    fn deadlines_are_those_that_were_recorded() {
        let seconds = |class: OpClass| class.timeout().map(|t| t.as_secs());
        for class in OpClass::ALL {
            let name = class.name();
            let expected = match name.rsplit_once('/') {
                Some(("master-lease" | "compactor" | "defragmenter", _)) => None,
                Some(("list", _) | (_, "get")) => Some(60),
                _ => Some(34),
            };
            assert_eq!(seconds(*class), expected, "{name}");
        }
    }

    #[test]
    fn names_are_unique_and_resolve() {
        let names: BTreeSet<_> = OpClass::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), OpClass::COUNT);
        for c in OpClass::ALL {
            assert_eq!(OpClass::by_name(c.name()), Some(*c));
        }
    }
}
