//! What `split` keeps of a trial while it is played: how late the victim's renewals were, how long none succeeded, and
//! how slow they were during compactions and defragmentations. None of it can be had from histograms of the whole phase.

use crate::experiment::play::hook::{HookError, TrialHook};
use crate::experiment::play::testbed::Testbed;
use crate::report::{Event, IntendedRow, Interval, RunResult};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// kubelet's period: a renewal that takes longer is later than the next one is due. Nanoseconds.
const PERIOD: u64 = 10_000_000_000;

/// What is kept of a trial, as `after.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TrialRecord {
    /// Its operations that succeeded later than 10 s after they were intended.
    pub(super) later_10s: u64,
    /// Likewise later than the node-monitor grace period.
    pub(super) later_grace: u64,
    /// That period, seconds.
    pub(super) grace: f64,
    /// From the load's last second in which one succeeded until its end, seconds.
    pub(super) silent: f64,
    /// The slowest of those that succeeded, by what was going on when they were intended.
    pub(super) slowest: Slowest,
    /// Compactions of each store.
    pub(super) compactions: BTreeMap<String, u64>,
}

/// The victim's slowest success, seconds; none where there was nothing of the kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Slowest {
    /// In the seconds in which a member was being defragmented.
    pub(super) defragmentation: Option<f64>,
    /// In the second of a compaction and the next, in which most of the work is done.
    pub(super) compaction: Option<f64>,
    /// In all other seconds.
    pub(super) quiet: Option<f64>,
}

/// Follows one op class through a trial.
#[derive(Debug)]
pub(super) struct RenewalHook {
    victim: String,
    grace: f64,
    record: TrialRecord,
    /// The slowest success by intended second, ns, to two digits.
    slowest: BTreeMap<u64, u64>,
    /// Seconds in which a store was compacted, and a member defragmented.
    compacted: Vec<u64>,
    defragmented: Vec<(u64, u64)>,
    /// End of the last second in which one succeeded, and of the load so far.
    last_ok: f64,
    end: f64,
}

impl RenewalHook {
    pub(super) fn new(victim: &str, grace: f64) -> Self {
        RenewalHook {
            victim: victim.to_owned(),
            grace,
            record: TrialRecord {
                grace,
                ..TrialRecord::default()
            },
            slowest: BTreeMap::new(),
            compacted: Vec::new(),
            defragmented: Vec::new(),
            last_ok: 0.0,
            end: 0.0,
        }
    }

    fn see(&mut self, event: &Event) {
        match event {
            Event::Intended(row) if row.class == self.victim => self.row(row),
            Event::Interval(interval) => self.interval(interval),
            Event::Compactor(c) if c.answered && c.revision > 0 && c.class.ends_with("compact") => {
                self.compacted.push(c.t as u64);
                *self.record.compactions.entry(c.store.clone()).or_default() += 1;
            }
            Event::Defragmentation(d) => {
                let begin = (d.t - d.seconds).max(0.0);
                self.defragmented.push((begin as u64, d.t as u64));
            }
            _ => {}
        }
    }

    fn row(&mut self, row: &IntendedRow) {
        // Not the row's max, which is also of those that failed.
        let max = row.histogram.iter().map(|(at, _)| *at).max();
        if let Some(max) = max {
            let slowest = self.slowest.entry(row.t as u64).or_default();
            *slowest = (*slowest).max(max);
        }
        let grace = (self.grace * 1e9) as u64;
        for (at, n) in &row.histogram {
            self.record.later_10s += if *at > PERIOD { *n } else { 0 };
            self.record.later_grace += if *at > grace { *n } else { 0 };
        }
    }

    /// Only while there is load: afterwards nothing is renewed anyway.
    fn interval(&mut self, interval: &Interval) {
        let Some(counts) = interval.classes.get(&self.victim) else {
            return;
        };
        let end = interval.t + interval.length;
        if counts.offered > 0 {
            self.end = self.end.max(end);
        }
        if counts.ok > 0 {
            self.last_ok = self.last_ok.max(end);
        }
    }

    fn finish(mut self) -> TrialRecord {
        let slowest = |of: &dyn Fn(u64) -> bool| {
            let rows = self.slowest.iter().filter(|(second, _)| of(**second));
            rows.map(|(_, ns)| *ns as f64 / 1e9).reduce(f64::max)
        };
        let defragmented = |s: u64| {
            self.defragmented
                .iter()
                .any(|(a, b)| (*a..=*b).contains(&s))
        };
        let compacted = |s: u64| self.compacted.iter().any(|c| (*c..=c + 1).contains(&s));
        self.record.slowest = Slowest {
            defragmentation: slowest(&defragmented),
            compaction: slowest(&|s| compacted(s) && !defragmented(s)),
            quiet: slowest(&|s| !compacted(s) && !defragmented(s)),
        };
        self.record.silent = (self.end - self.last_ok).max(0.0);
        self.record
    }
}

impl TrialHook for RenewalHook {
    fn event(&mut self, _testbed: &Testbed, event: &Event) -> Vec<String> {
        self.see(event);
        Vec::new()
    }

    fn after(
        self: Box<Self>,
        _testbed: &Testbed,
        _result: &RunResult,
    ) -> Result<Option<serde_json::Value>, HookError> {
        Ok(Some(serde_json::to_value(self.finish())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{CompactorEvent, Counts, DefragmentationEvent};

    fn row(t: f64, class: &str, ms: &[u64]) -> Event {
        Event::Intended(IntendedRow {
            phase: None,
            t,
            class: class.to_owned(),
            offered: ms.len() as u64,
            missed: 0,
            max: 99_000_000_000,
            histogram: ms.iter().map(|ms| (ms * 1_000_000, 1)).collect(),
        })
    }

    fn interval(t: f64, offered: u64, ok: u64) -> Event {
        let counts = Counts {
            offered,
            ok,
            ..Counts::default()
        };
        Event::Interval(Interval {
            t,
            length: 1.0,
            classes: BTreeMap::from([("a".to_owned(), counts)]),
            ..Interval::default()
        })
    }

    fn record(events: &[Event]) -> TrialRecord {
        let mut hook = RenewalHook::new("a", 50.0);
        events.iter().for_each(|e| hook.see(e));
        hook.finish()
    }

    #[test]
    fn lateness_is_counted_beyond_the_period_and_beyond_the_grace_period() {
        let n = record(&[
            row(1.0, "a", &[3, 9_000, 11_000, 40_000, 60_000]),
            row(1.0, "b", &[70_000]),
        ]);
        assert_eq!((n.later_10s, n.later_grace, n.grace), (3, 1, 50.0));
        assert_eq!(n.slowest.quiet, Some(60.0));
    }

    #[test]
    fn silence_is_from_the_last_success_to_the_end_of_the_load() {
        let n = record(&[
            interval(1.0, 9, 9),
            interval(2.0, 9, 1),
            interval(3.0, 9, 0),
            interval(4.0, 9, 0),
            // The drain: nothing is offered any more.
            interval(5.0, 0, 0),
        ]);
        assert_eq!(n.silent, 2.0);
        assert_eq!(record(&[interval(1.0, 9, 9)]).silent, 0.0);
    }

    #[test]
    fn the_slowest_success_is_told_by_what_was_going_on() {
        let compaction = |t, revision| {
            Event::Compactor(CompactorEvent {
                t,
                store: "main".to_owned(),
                class: "compactor/compact".to_owned(),
                answered: true,
                won: true,
                revision,
            })
        };
        let n = record(&[
            compaction(2.5, 100),
            // It was lost or is not ours: nothing was dropped.
            compaction(7.0, 0),
            Event::Defragmentation(DefragmentationEvent {
                t: 5.2,
                seconds: 0.4,
                store: "main".to_owned(),
                member: "etcd-0".to_owned(),
                leader: true,
                size_before: None,
                size_after: None,
                error: None,
            }),
            row(1.0, "a", &[1]),
            row(2.0, "a", &[2]),
            row(3.0, "a", &[30]),
            row(4.0, "a", &[400]),
            row(5.0, "a", &[9]),
            row(7.0, "a", &[8]),
        ]);
        let slowest = Slowest {
            defragmentation: Some(0.4),
            compaction: Some(0.03),
            quiet: Some(0.008),
        };
        assert_eq!(n.slowest, slowest);
        assert_eq!(n.compactions, BTreeMap::from([("main".to_owned(), 1)]));
    }
}
