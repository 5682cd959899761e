//! A rate over time.

use crate::clock::Nanos;

/// A rate (or intensity) over time since load start: piecewise linear; the last value holds for ever.
#[derive(Clone, Debug, PartialEq)]
pub struct RateProfile {
    /// In order; may be empty.
    pub segments: Vec<Segment>,
    /// After the last segment.
    pub then: f64,
}

/// A linear piece of a [`RateProfile`]; `from == to` is a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// Length, ns.
    pub duration: Nanos,
    /// Value at its start.
    pub from: f64,
    /// Value at its end.
    pub to: f64,
}

impl RateProfile {
    /// Puts a ramp from 0 to the first value before everything else.
    pub fn ramp_in(&mut self, duration: Nanos) {
        let to = self.segments.first().map_or(self.then, |s| s.from);
        let ramp = Segment {
            duration,
            from: 0.0,
            to,
        };
        self.segments.insert(0, ramp);
    }

    /// The same value for ever.
    pub fn constant(value: f64) -> Self {
        RateProfile {
            segments: Vec::new(),
            then: value,
        }
    }
}
