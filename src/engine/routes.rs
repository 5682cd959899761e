//! Which way a request goes: the one table of stores, RPCs, limits and deadlines, made once of the plan and of what
//! preflight found.

use crate::clock::Nanos;
use crate::kube::opclass::Verb;
use crate::kube::{Kind, ObjectRef, OpClass, Resource};
use crate::rpc::Rpc;
use crate::workload::Plan;
use std::time::Duration;

/// The way of one op class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Index of the store.
    pub(crate) store: usize,
    pub(crate) rpc: Rpc,
    /// A later answer is a miss.
    pub(crate) limit: Nanos,
    /// The deadline that travels with the request.
    pub(crate) timeout: Option<Duration>,
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    by_class: Vec<Route>,
    stores: usize,
}

impl Routes {
    /// `streams` says whether all members of a store have KV.RangeStream: kube-apiserver 1.37 streams its lists there.
    pub(crate) fn new(plan: &Plan, streams: impl Fn(usize) -> bool) -> Self {
        let asks_for_streams = plan.cluster.kubernetes_version.streams_lists();
        let route = |class: &OpClass| {
            let info = class.info();
            let store = store_of(plan, info.resource);
            let streamed = info.verb == Verb::List && asks_for_streams && streams(store);
            Route {
                store,
                rpc: if streamed { Rpc::RangeStream } else { info.rpc },
                limit: plan.limits.of(*class),
                timeout: class.timeout(),
            }
        };
        Routes {
            by_class: OpClass::ALL.iter().map(route).collect(),
            stores: plan.stores.len(),
        }
    }

    /// Of an op class, whatever the object.
    pub(crate) fn of_class(&self, class: OpClass) -> Route {
        self.by_class[class as usize]
    }

    /// Of a request about an object: each store has compactors of its own.
    pub(crate) fn of(&self, class: OpClass, object: ObjectRef) -> Route {
        let route = self.of_class(class);
        match object.kind {
            Kind::CompactRev => Route {
                store: usize::try_from(object.index).unwrap_or(0) % self.stores,
                ..route
            },
            _ => route,
        }
    }
}

/// The store that a resource is routed to; what no store names goes to the first.
pub(crate) fn store_of(plan: &Plan, resource: Resource) -> usize {
    let holds = |store: &crate::workload::plan::Store| store.resources.contains(&resource);
    plan.stores.iter().position(holds).unwrap_or(0)
}
