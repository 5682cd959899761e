//! Every kube-apiserver, every 10 s: its identity Lease (one Txn; 0…4 % more); its masterlease (Range, LeaseGrant
//! of 15 s, Txn, list); from 1.36 its peer lease likewise, without the list.
//!
//! Left out: the two GETs of the `kubernetes` service's Endpoints and EndpointSlice that follow the list, since a
//! hollow cluster has no such service.
//!
//! Source: k8s.io/kubernetes `pkg/controlplane/reconcilers/lease.go`, `pkg/controlplane/apiserver/server.go`;
//! recorded with 1.30 to 1.37.

use super::{Apart, DefaultArrivals, Definition, Exceptions, Form, Members};
use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::{Cells, Sessions};
use std::time::Duration;

pub(super) const DEFINITION: Definition = Definition {
    name: "apiserverLease",
    about: "Each apiserver renews its identity Lease, masterlease and peer lease.",
    fields: &[],
    // apiserver `pkg/controlplane/apiserver/server.go`: identity lease 10 s.
    arrivals: DefaultArrivals::Period {
        every: Duration::from_secs(10),
        low: 1.0,
        high: 1.04,
    },
    forms: Form::PERIOD,
    members: Members::APISERVERS,
    // `pkg/controlplane/reconcilers` and the peer leases: `wait.Until` at exactly 10 s.
    conduct: Exceptions {
        tail: Some(Apart {
            about: "masterleases and peer leases",
            from: |cluster| cluster.apiservers,
            low: 1.0,
            high: 1.0,
        }),
        ..Exceptions::USUAL
    },
    model: |scope| {
        Box::new(ApiserverLease {
            apiservers: scope.cluster.apiservers,
            peer_leases: scope.cluster.kubernetes_version.has_peer_leases(),
        })
    },
};

/// masterEndpointReconcileInterval + 5 s.
const TTL_SECONDS: i64 = 15;

#[derive(Debug)]
struct ApiserverLease {
    apiservers: u64,
    peer_leases: bool,
}

impl ApiserverLease {
    fn loops(&self) -> u64 {
        if self.peer_leases { 3 } else { 2 }
    }
}

impl Cells for ApiserverLease {
    fn cells(&self) -> Option<u64> {
        Some(self.apiservers)
    }
}

impl Model for ApiserverLease {
    fn population(&self) -> Vec<Population> {
        vec![Population {
            kind: Kind::ApiserverLease,
            cells: self.apiservers,
            per_cell: 1,
            class: OpClass::ApiserverLeaseCreate,
        }]
    }

    /// One chain per apiserver and loop: identities, then masterleases, then peer leases.
    fn members(&self) -> u64 {
        self.apiservers * self.loops()
    }

    fn session(&self, index: u64, _: u64) -> Option<Session> {
        if self.apiservers == 0 {
            return None;
        }
        let apiserver = index % self.apiservers;
        let write = Step::Update {
            class: OpClass::MasterLeaseUpdate,
            reread: None,
            lease: LeaseUse::Granted,
        };
        let get = Step::Get(OpClass::MasterLeaseGet);
        let grant = Step::Grant(OpClass::MasterLeaseGrant, TTL_SECONDS);
        Some(match (index / self.apiservers) % self.loops() {
            0 => Session::new(
                Kind::ApiserverLease,
                apiserver,
                &[Step::Update {
                    class: OpClass::ApiserverLeaseUpdate,
                    reread: None,
                    lease: LeaseUse::None,
                }],
            ),
            1 => Session::new(
                Kind::MasterLease,
                apiserver,
                &[get, grant, write, Step::List(OpClass::MasterLeaseList)],
            ),
            _ => Session::new(Kind::PeerLease, apiserver, &[get, grant, write]),
        })
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        let head = sessions / self.loops() as f64;
        let tail = sessions - head;
        self.rates_of(Sessions { head, tail })
    }

    fn rates_of(&self, sessions: Sessions) -> Vec<(OpClass, f64)> {
        // Masterlease and peer lease; the list is the masterlease's.
        let leases = sessions.tail;
        let each = leases / (self.loops() - 1) as f64;
        vec![
            (OpClass::ApiserverLeaseUpdate, sessions.head),
            (OpClass::MasterLeaseGet, leases),
            (OpClass::MasterLeaseGrant, leases),
            (OpClass::MasterLeaseUpdate, leases),
            (OpClass::MasterLeaseList, each),
        ]
    }
}
