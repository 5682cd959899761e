//! Two independent accounts of the same thing, so that an instrument bug shows (Little's law): the
//! integral of the number in flight over time, and the summed time that each attempt was in flight.

use crate::clock::{Nanos, SECOND};

/// Counts attempts between [`InFlight::begin`] and [`InFlight::end`].
#[derive(Debug)]
pub(crate) struct InFlight {
    now: u64,
    changed: Nanos,
    integral: u128,
    finished: u128,
    begun: u128,
}

impl InFlight {
    pub(crate) fn new(now: Nanos) -> Self {
        InFlight {
            now: 0,
            changed: now,
            integral: 0,
            finished: 0,
            begun: 0,
        }
    }

    fn advance(&mut self, at: Nanos) {
        self.integral += u128::from(self.now) * u128::from(at.saturating_sub(self.changed));
        self.changed = self.changed.max(at);
    }

    pub(crate) fn begin(&mut self, at: Nanos) {
        self.advance(at);
        self.now += 1;
        self.begun += u128::from(at);
    }

    pub(crate) fn end(&mut self, begun: Nanos, at: Nanos) {
        self.advance(at);
        self.now = self.now.saturating_sub(1);
        self.begun = self.begun.saturating_sub(u128::from(begun));
        self.finished += u128::from(at.saturating_sub(begun));
    }

    pub(crate) fn count(&self) -> u64 {
        self.now
    }

    /// (∫ in flight dt, Σ time in flight with open attempts pro rata) since the start, in seconds.
    pub(crate) fn seconds(&mut self, at: Nanos) -> (f64, f64) {
        self.advance(at);
        let open = (u128::from(self.now) * u128::from(at)).saturating_sub(self.begun);
        (
            self.integral as f64 / SECOND as f64,
            (self.finished + open) as f64 / SECOND as f64,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_accounts_agree_and_a_lost_end_shows() {
        let mut f = InFlight::new(0);
        f.begin(0);
        f.begin(SECOND);
        f.end(0, 3 * SECOND);
        let (integral, residence) = f.seconds(4 * SECOND);
        assert_eq!((integral, residence), (6.0, 6.0));
        assert_eq!(f.count(), 1);
        f.end(SECOND, 5 * SECOND);
        assert_eq!(f.seconds(9 * SECOND), (7.0, 7.0));
    }
}
