//! What a quiet client sees: linearizable reads of one key and, with `writes`, a CAS on it in turn.

use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};

#[derive(Debug)]
pub(super) struct Probe {
    pub(super) writes: bool,
}

impl Model for Probe {
    fn population(&self) -> Vec<Population> {
        vec![Population {
            kind: Kind::Probe,
            cells: 1,
            per_cell: 1,
            class: OpClass::ProbeCreate,
        }]
    }

    fn members(&self) -> u64 {
        1
    }

    fn session(&mut self, index: u64, occurrence: u64) -> Option<Session> {
        let turn = index + occurrence;
        let step = if self.writes && turn % 2 == 1 {
            Step::Update {
                class: OpClass::ProbeUpdate,
                reread: None,
                lease: LeaseUse::None,
                upsert: false,
            }
        } else {
            Step::Get(OpClass::ProbeGet)
        };
        Some(Session::new(Kind::Probe, 0, &[step]))
    }

    fn classes(&self) -> Vec<OpClass> {
        let mut all = vec![OpClass::ProbeCreate, OpClass::ProbeGet];
        if self.writes {
            all.push(OpClass::ProbeUpdate);
        }
        all
    }
}
