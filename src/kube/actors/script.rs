//! The table of a longer session: each row a step, with its object, the think time before it and the share of the
//! sessions that take it. One table serves all sessions of an actor; what differs between them is in the session.

use super::Step;
use crate::clock::Nanos;
use crate::rng::{exponential, mix, unit};

/// Which object a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowObject {
    /// The session's own.
    Session,
    /// The session's other object of this number, from 0.
    Other(usize),
}

/// How long a client takes between an answer and its next request, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Think {
    /// It sends at once.
    None,
    /// Always as long.
    Fixed(Nanos),
    /// Uniformly distributed.
    Uniform {
        /// At least.
        low: Nanos,
        /// Less than this.
        high: Nanos,
    },
    /// Exponentially distributed.
    Exponential {
        /// On average.
        mean: Nanos,
    },
}

impl Think {
    /// The time that these bits mean.
    pub fn draw(self, bits: u64) -> Nanos {
        match self {
            Think::None => 0,
            Think::Fixed(time) => time,
            Think::Uniform { low, high } => {
                let width = high.saturating_sub(low) as f64;
                low.saturating_add((width * unit(bits)) as Nanos)
            }
            Think::Exponential { mean } => (mean as f64 * exponential(bits)) as Nanos,
        }
    }
}

/// One row of a script.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// What is done.
    pub step: Step,
    /// To which object.
    pub of: RowObject,
    /// The time before it, counted from when the step before it was done.
    pub think: Think,
    /// Share of the sessions that take it, 0 to 1.
    pub share: f64,
}

impl Row {
    /// A step that every session takes, at once, on its own object.
    pub const fn new(step: Step) -> Row {
        Row {
            step,
            of: RowObject::Session,
            think: Think::None,
            share: 1.0,
        }
    }
}

/// The rows of a session, in order; any number.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    rows: Vec<Row>,
    /// The first operation: what the session is offered as. It is never left out.
    first: usize,
}

impl Script {
    /// A script of these rows.
    pub fn new(rows: Vec<Row>) -> Script {
        let first = rows.iter().position(|r| r.step.is_operation());
        Script {
            first: first.unwrap_or(0),
            rows,
        }
    }

    /// The rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The next row from `at` on that the session with this draw takes, with its place and its think time. Up to
    /// the first operation there is no think time: it is due when the session is.
    pub(super) fn next(&self, at: usize, draw: u64) -> Option<(usize, Row, Nanos)> {
        let mut later = self.rows.iter().enumerate().skip(at);
        later.find_map(|(i, row)| {
            let taken = i == self.first || unit(mix(draw, i as u64, 0)) < row.share;
            let think = match i > self.first {
                true => row.think.draw(mix(draw, i as u64, 1)),
                false => 0,
            };
            taken.then_some((i, *row, think))
        })
    }
}
