//! An operator's cron job with `etcdctl defrag`: every member of every store, one after the other. A member answers
//! nothing meanwhile. The first turn comes after one period.
//!
//! Source: etcd.io, "Maintenance" (defragmentation).

use super::{DefaultArrivals, Definition, Exceptions, Form, Members};
use super::{Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::Cells;

pub(super) const DEFINITION: Definition = Definition {
    name: "defragmenter",
    about: "A cron job defragments every member of every store, one at a time, the leader last; first after one \
            period. Only for an etcd that etcdmark started, or with `--yes-this-etcd-is-mine`.",
    fields: &[],
    // A night's would be no turn in most runs.
    arrivals: DefaultArrivals::PeriodRequired {
        advice: "choose a period shorter than warm-up plus duration, because the first defragmentation comes \
                 after one period",
    },
    forms: Form::PERIOD,
    members: Members::ONE,
    // It keeps its clock, and a cron job's first turn comes after one period.
    conduct: Exceptions {
        scales: false,
        spread: false,
        whole_etcd: Some(|store| {
            format!("defragments store {store}, which blocks its members one at a time")
        }),
        ..Exceptions::USUAL
    },
    model: |_| Box::new(Defragmenter),
};

#[derive(Debug)]
struct Defragmenter;

impl Cells for Defragmenter {
    fn cells(&self) -> Option<u64> {
        Some(1)
    }
}

impl Model for Defragmenter {
    fn population(&self) -> Vec<Population> {
        Vec::new()
    }

    fn members(&self) -> u64 {
        1
    }

    fn session(&self, _: u64, _: u64) -> Option<Session> {
        // It is about no object: that of a quiet client stands for none.
        let step = Step::Defragment(OpClass::Defragment);
        Some(Session::new(Kind::Probe, 0, &[step]))
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        // One of each member, which the file does not know: one at least.
        vec![(OpClass::Defragment, sessions)]
    }
}
