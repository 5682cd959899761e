//! What is kept of the appends of one directory.

use super::judge::LIMIT_P99;
use super::over_time::OverTime;
use super::result::Turn;
use crate::clock::Nanos;
use crate::local::medium::LONGEST_SEQUENCE;
use crate::measure::Hist;
use crate::measure::stats::Moments;

/// Histograms, and what an interval and a drift are computed from.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) sync: Hist,
    pub(super) write: Hist,
    /// Syncs by when they were made.
    pub(super) over_time: OverTime,
    /// The first syncs themselves, ns, for a medium's file.
    pub(super) first: Vec<Nanos>,
    /// Time in write and fdatasync, ns.
    pub(super) busy: Nanos,
    /// Syncs that took longer than etcd's limit, and how long they took together, ns.
    pub(super) slow: (u64, Nanos),
    pub(super) turns: Vec<Turn>,
    turn: (Moments, Nanos),
}

impl Recorder {
    /// With room for all that it keeps: nothing is allocated between two syncs.
    pub(super) fn new() -> Self {
        Recorder {
            first: Vec::with_capacity(LONGEST_SEQUENCE),
            ..Recorder::default()
        }
    }

    /// Takes one append, ns.
    pub(super) fn record(&mut self, write: Nanos, sync: Nanos) {
        self.write.record(write);
        self.sync.record(sync);
        self.over_time.record(self.busy, sync);
        if self.first.len() < LONGEST_SEQUENCE {
            self.first.push(sync);
        }
        self.busy += write + sync;
        if sync > LIMIT_P99 {
            self.slow.0 += 1;
            self.slow.1 += sync;
        }
        self.turn.0.record(sync as f64);
        self.turn.1 = self.turn.1.max(sync);
    }

    /// Sequential syncs per second; 0 before the first one.
    pub(super) fn per_second(&self) -> f64 {
        if self.busy == 0 {
            return 0.0;
        }
        self.sync.len() as f64 / (self.busy as f64 / 1e9)
    }

    /// Closes a turn that began `t` ns after the measurement did. One without an append is none.
    pub(super) fn end_turn(&mut self, t: Nanos) {
        let (moments, max_ns) = std::mem::take(&mut self.turn);
        if moments.count() > 0 {
            self.turns.push(Turn {
                t: t as f64 / 1e9,
                syncs: moments.count(),
                mean_ns: moments.mean(),
                max_ns,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_append_is_in_everything() {
        let mut r = Recorder::default();
        r.record(1_000, 200_000);
        r.record(2_000, LIMIT_P99);
        r.end_turn(5_000_000_000);
        r.record(1_000, LIMIT_P99 + 1);
        r.end_turn(6_000_000_000);
        r.end_turn(7_000_000_000);
        assert_eq!((r.sync.len(), r.write.len()), (3, 3));
        assert_eq!(r.first, [200_000, LIMIT_P99, LIMIT_P99 + 1]);
        assert_eq!(r.busy, 4_000 + 200_000 + 2 * LIMIT_P99 + 1);
        assert_eq!(r.slow, (1, LIMIT_P99 + 1));
        let turns: Vec<(f64, u64, Nanos)> =
            r.turns.iter().map(|t| (t.t, t.syncs, t.max_ns)).collect();
        assert_eq!(turns, [(5.0, 2, LIMIT_P99), (6.0, 1, LIMIT_P99 + 1)]);
    }
}
