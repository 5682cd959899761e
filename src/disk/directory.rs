//! One directory under measurement: what writes to it and what was seen.

use super::appender::Appender;
use super::error::DiskError;
use super::recorder::Recorder;
use super::turns::Budget;
use crate::clock::{self, Nanos};

/// A directory with its files and figures.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) appender: Appender,
    pub(super) recorder: Recorder,
    /// Length of its turns so far, ns.
    pub(super) spent: Nanos,
    /// Share of its disk's time that others used before the measurement, 0–1.
    pub(super) busy_before: Option<f64>,
}

impl Directory {
    /// Done so far, 0–1.
    pub(super) fn share(&self, budget: Budget) -> f64 {
        budget.share(self.spent, self.appender.passes())
    }

    /// One turn, if one is left: appends until its end, or until `stop`. `since`: when the measurement began.
    /// False when nothing was left to do.
    pub(super) fn turn(
        &mut self,
        budget: Budget,
        since: Nanos,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, DiskError> {
        let Some(length) = budget.next(self.spent, self.appender.passes()) else {
            return Ok(false);
        };
        let begun = clock::now();
        let passes = self.appender.passes();
        while !stop() {
            let append = self.appender.append()?;
            self.recorder.record(append.write, append.sync);
            let rolled = self.appender.passes() != passes;
            let done = matches!(budget, Budget::Passes(n) if rolled && self.appender.passes() >= n);
            if done || append.done.saturating_sub(begun) >= length {
                break;
            }
        }
        self.recorder.end_turn(begun.saturating_sub(since));
        self.spent += clock::now() - begun;
        Ok(true)
    }
}
