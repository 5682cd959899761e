//! What a quiet client sees: linearizable reads of one key and, with `writes`, a CAS on it in turn.

use super::{Accepts, DefaultArrivals, Definition, Exceptions, Field, Form, Members, Value};
use super::{LeaseUse, Model, Population, Session, Step};
use crate::kube::{Kind, OpClass};
use crate::schedule::{Cells, Process};

pub(super) const DEFINITION: Definition = Definition {
    name: "probe",
    about: "An idle client reads one key.",
    fields: &[WRITES],
    arrivals: DefaultArrivals::Rate(50.0),
    forms: Form::RATES,
    members: Members::ONE,
    // It stays quiet.
    conduct: Exceptions {
        scales: false,
        process: Process::Constant,
        ..Exceptions::USUAL
    },
    model: |scope| {
        Box::new(Probe {
            writes: scope.settings.flag(&WRITES),
        })
    },
};

const WRITES: Field = Field {
    name: "writes",
    about: "also update one key by compare-and-swap",
    accepts: Accepts::Flag,
    default: |_| Value::Flag(false),
    default_text: "false",
};

#[derive(Debug)]
struct Probe {
    writes: bool,
}

impl Cells for Probe {
    fn cells(&self) -> Option<u64> {
        Some(1)
    }
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

    fn session(&self, index: u64, occurrence: u64) -> Option<Session> {
        let turn = index + occurrence;
        let step = if self.writes && turn % 2 == 1 {
            Step::Update {
                class: OpClass::ProbeUpdate,
                reread: None,
                lease: LeaseUse::None,
            }
        } else {
            Step::Get(OpClass::ProbeGet)
        };
        Some(Session::new(Kind::Probe, 0, &[step]))
    }

    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)> {
        // In turn.
        match self.writes {
            true => vec![
                (OpClass::ProbeGet, sessions / 2.0),
                (OpClass::ProbeUpdate, sessions / 2.0),
            ],
            false => vec![(OpClass::ProbeGet, sessions)],
        }
    }

    fn nameable(&self) -> Vec<OpClass> {
        vec![OpClass::ProbeGet, OpClass::ProbeUpdate]
    }
}
