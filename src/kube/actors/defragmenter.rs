//! An operator's cron job with `etcdctl defrag`: every member of every store, one after the other. A member answers
//! nothing meanwhile. The first turn comes after one period.
//!
//! Source: etcd.io, "Maintenance" (defragmentation).

use super::{Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};

#[derive(Debug)]
pub(super) struct Defragmenter;

impl Model for Defragmenter {
    fn population(&self) -> Vec<Population> {
        Vec::new()
    }

    fn members(&self) -> u64 {
        1
    }

    fn session(&mut self, _: u64, _: u64) -> Option<Session> {
        // It is about no object: that of a quiet client stands for none.
        let step = Step::Defragment(OpClass::Defragment);
        Some(Session::new(Kind::Probe, 0, &[step]))
    }

    fn classes(&self) -> Vec<OpClass> {
        vec![OpClass::Defragment]
    }
}
