//! What one worker measured: histograms, counts and intended seconds per (phase, op class), handed
//! over once a second.

use super::in_flight::InFlight;
use crate::clock::{Nanos, SECOND};
use crate::kube::OpClass;
use crate::measure::{Hist, SparseHist};
use crate::report::{Counts, Event, FailureEvent, IntendedRow, Metric, Phase};
use crate::rpc::errors::ErrorClass;
use hdrhistogram::Histogram;
use std::collections::{HashSet, VecDeque};

/// Service, wait and lag go out every so many seconds (responses every second).
const LONG_INTERVAL: u64 = 10;

/// The phases that have operations.
const PHASES: [Phase; 3] = [Phase::Populate, Phase::Warmup, Phase::Measure];

#[derive(Debug, Default)]
struct Record {
    histograms: [Hist; 5],
    counts: Counts,
    total: Counts,
    rows: VecDeque<Row>,
}

#[derive(Debug, Default)]
struct Row {
    second: u64,
    offered: u64,
    answered: u64,
    missed: u64,
    max: Nanos,
    responses: SparseHist,
}

/// One histogram of one interval.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) phase: Phase,
    pub(crate) class: OpClass,
    pub(crate) metric: Metric,
    /// Length in whole seconds, where it is longer than the batch.
    pub(crate) seconds: Option<u64>,
    pub(crate) histogram: Histogram<u64>,
}

/// What one worker hands over for one second, or for the part of it up to a phase's end.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) worker: usize,
    /// Whole seconds since t0 at its start.
    pub(crate) second: u64,
    /// Which part of that second, from 0.
    pub(crate) part: u32,
    /// Its start and end.
    pub(crate) from: Nanos,
    pub(crate) to: Nanos,
    /// The phase at its start.
    pub(crate) phase: Option<Phase>,
    pub(crate) lines: Vec<Line>,
    pub(crate) counts: Vec<(Phase, OpClass, Counts)>,
    pub(crate) events: Vec<Event>,
    pub(crate) in_flight: u64,
    pub(crate) queued: u64,
    pub(crate) in_flight_seconds: f64,
    pub(crate) residence_seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) runtime_busy_seconds: f64,
    pub(crate) runtime_parks: u64,
    pub(crate) saturated: u64,
}

/// An attempt's answer, for counting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) ready: Nanos,
    pub(crate) sent: Option<Nanos>,
    pub(crate) done: Nanos,
    pub(crate) answered: bool,
    pub(crate) bytes_sent: usize,
    pub(crate) bytes_received: usize,
}

/// An operation that was offered. [`Recorder::end`] takes it, so that it ends once; what never ends is censored.
#[derive(Debug)]
#[must_use = "an operation that is offered ends as ok, failed or skipped"]
pub(crate) struct Operation {
    intended: Nanos,
    phase: Phase,
    class: OpClass,
    closed: bool,
}

impl Operation {
    pub(crate) fn intended(&self) -> Nanos {
        self.intended
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn class(&self) -> OpClass {
        self.class
    }

    /// From a closed loop: no response time.
    pub(crate) fn closed(&self) -> bool {
        self.closed
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done at this instant.
    Ok(Nanos),
    /// Given up at this instant.
    Failed(Nanos),
    /// Dropped by an explicit rule.
    Skipped,
}

/// Measures one worker.
#[derive(Debug)]
pub(crate) struct Recorder {
    t0: Nanos,
    /// Arrivals have ended: what the measure phase intended and is counted now belongs to the drain.
    draining: bool,
    records: Vec<Option<Box<Record>>>,
    seen: HashSet<(Phase, OpClass, &'static str)>,
    events: Vec<Event>,
    pub(crate) in_flight: InFlight,
}

impl Recorder {
    /// `t0` is the monotonic instant of the run's t = 0.
    pub(crate) fn new(t0: Nanos, now: Nanos) -> Self {
        let mut records = Vec::new();
        records.resize_with(PHASES.len() * OpClass::COUNT, || None);
        Recorder {
            t0,
            draining: false,
            records,
            seen: HashSet::new(),
            events: Vec::new(),
            in_flight: InFlight::new(now),
        }
    }

    fn record(&mut self, phase: Phase, class: OpClass) -> &mut Record {
        let slot = PHASES
            .iter()
            .position(|p| *p == phase)
            .unwrap_or(PHASES.len() - 1);
        self.records[slot * OpClass::COUNT + class as usize].get_or_insert_default()
    }

    fn second(&self, t: Nanos) -> u64 {
        t.saturating_sub(self.t0) / SECOND
    }

    /// An operation is intended at this instant.
    pub(crate) fn offer(
        &mut self,
        phase: Phase,
        class: OpClass,
        intended: Nanos,
        closed: bool,
    ) -> Operation {
        let second = self.second(intended);
        let record = self.record(phase, class);
        record.counts.offered += 1;
        record.row(second).offered += 1;
        Operation {
            intended,
            phase,
            class,
            closed,
        }
    }

    /// How it ended; a success after `limit` is late.
    pub(crate) fn end(&mut self, operation: Operation, outcome: Outcome, limit: Nanos) {
        match outcome {
            Outcome::Ok(done) => self.ok(&operation, done, limit),
            Outcome::Failed(at) => self.failed(&operation, at),
            Outcome::Skipped => self.skipped(&operation),
        }
    }

    /// `n` operations at once (populate).
    pub(crate) fn offered_and_done(&mut self, phase: Phase, class: OpClass, n: u64) {
        let counts = &mut self.record(phase, class).counts;
        counts.offered += n;
        counts.ok += n;
    }

    /// The engine picked a session up `lag` ns after it was intended.
    pub(crate) fn schedule_lag(&mut self, phase: Phase, class: OpClass, lag: Nanos) {
        self.record(phase, class)
            .histogram(Metric::ScheduleLag)
            .record(lag);
    }

    /// An attempt was answered or failed.
    pub(crate) fn attempt(&mut self, phase: Phase, class: OpClass, a: &Attempt, ok: bool) {
        let record = self.record(phase, class);
        let counts = &mut record.counts;
        counts.bytes_received += a.bytes_received as u64;
        counts.answered += u64::from(a.answered);
        if let Some(sent) = a.sent {
            counts.attempts += 1;
            counts.bytes_sent += a.bytes_sent as u64;
            record
                .histogram(Metric::Wait)
                .record(sent.saturating_sub(a.ready));
            if ok {
                record
                    .histogram(Metric::Service)
                    .record(a.done.saturating_sub(sent));
            }
        }
    }

    /// An acknowledged write made a revision.
    pub(crate) fn revision(&mut self, phase: Phase, class: OpClass) {
        self.record(phase, class).counts.revisions += 1;
    }

    /// A CAS lost.
    pub(crate) fn conflict(&mut self, phase: Phase, class: OpClass) {
        self.record(phase, class).counts.conflicts += 1;
    }

    /// A failed attempt, by class; the first of its class in a phase gets a line of its own.
    pub(crate) fn error(
        &mut self,
        phase: Phase,
        class: OpClass,
        error: &ErrorClass,
        message: &str,
        at: Nanos,
    ) {
        let entry = self
            .record(phase, class)
            .counts
            .errors
            .entry(error.name.to_owned())
            .or_default();
        entry.count += 1;
        entry.effect = Some(error.effect);
        if entry.message.is_empty() {
            message.clone_into(&mut entry.message);
        }
        if self.seen.insert((phase, class, error.name)) {
            let t = self.seconds(at);
            self.events.push(Event::Failure(FailureEvent {
                t,
                class: class.name().to_owned(),
                error: error.name.to_owned(),
                message: message.to_owned(),
            }));
        }
    }

    /// A closed-loop operation has no response time.
    fn ok(&mut self, operation: &Operation, done: Nanos, limit: Nanos) {
        let (intended, closed) = (operation.intended, operation.closed);
        let response = done.saturating_sub(intended);
        let late = !closed && response > limit;
        let second = self.second(intended);
        let record = self.record(operation.phase, operation.class);
        record.counts.ok += 1;
        record.counts.late += u64::from(late);
        if !closed {
            record.histogram(Metric::Response).record(response);
        }
        let row = record.row(second);
        row.answered += 1;
        row.missed += u64::from(late);
        row.max = row.max.max(response);
        row.responses.record(response);
    }

    fn failed(&mut self, operation: &Operation, at: Nanos) {
        let response = at.saturating_sub(operation.intended);
        let second = self.second(operation.intended);
        let record = self.record(operation.phase, operation.class);
        record.counts.failed += 1;
        record.histogram(Metric::Error).record(response);
        let row = record.row(second);
        row.answered += 1;
        row.missed += 1;
        row.max = row.max.max(response);
    }

    fn skipped(&mut self, operation: &Operation) {
        let second = self.second(operation.intended);
        let record = self.record(operation.phase, operation.class);
        record.counts.skipped += 1;
        let row = record.row(second);
        row.answered += 1;
        row.missed += 1;
    }

    /// Arrivals have ended, and everything until now was handed over.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    /// At the drain deadline: what is unanswered is censored.
    pub(crate) fn censor(&mut self) {
        for record in self.records.iter_mut().flatten() {
            let mut all = record.total.clone();
            all.add(&record.counts);
            let open = all
                .offered
                .saturating_sub(all.ok + all.failed + all.skipped + all.censored);
            record.counts.censored += open;
            for row in &mut record.rows {
                row.missed += row.offered.saturating_sub(row.answered);
                row.answered = row.answered.max(row.offered);
            }
        }
    }

    /// An event of this worker, sent with the next batch.
    pub(crate) fn push_event(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Seconds since t0.
    pub(crate) fn seconds(&self, at: Nanos) -> f64 {
        at.saturating_sub(self.t0) as f64 / SECOND as f64
    }

    /// Everything since the last call. `whole`: the second ends, and with it perhaps a long interval; `last`
    /// also flushes long intervals and open rows.
    pub(crate) fn take(&mut self, second: u64, whole: bool, last: bool) -> Batch {
        let mut batch = Batch {
            second,
            events: std::mem::take(&mut self.events),
            ..Batch::default()
        };
        for (i, slot) in self.records.iter_mut().enumerate() {
            let Some(record) = slot else { continue };
            let phase = PHASES[i / OpClass::COUNT];
            let class = OpClass::ALL[i % OpClass::COUNT];
            let long = last || whole && (second + 1).is_multiple_of(LONG_INTERVAL);
            for metric in Metric::ALL {
                let each_second = matches!(metric, Metric::Response | Metric::Error);
                if !each_second && !long {
                    continue;
                }
                let hist = record.histogram(*metric);
                let hist = hist.take();
                batch.saturated += hist.saturated();
                if let Some(histogram) = hist.into_histogram() {
                    batch.lines.push(Line {
                        phase,
                        class,
                        metric: *metric,
                        seconds: (!each_second).then_some(second % LONG_INTERVAL + 1),
                        histogram,
                    });
                }
            }
            let counts = std::mem::take(&mut record.counts);
            if counts != Counts::default() {
                record.total.add(&counts);
                let drained = self.draining && phase == Phase::Measure;
                let phase = if drained { Phase::Drain } else { phase };
                batch.counts.push((phase, class, counts));
            }
            while record
                .rows
                .front()
                .is_some_and(|r| last || (r.second < second && r.answered >= r.offered))
            {
                if let Some(row) = record.rows.pop_front() {
                    batch.events.push(Event::Intended(row.event(phase, class)));
                }
            }
        }
        batch
    }
}

impl Record {
    fn histogram(&mut self, metric: Metric) -> &mut Hist {
        &mut self.histograms[metric as usize]
    }

    /// The row of an intended second; rows are few and mostly the last one is meant.
    fn row(&mut self, second: u64) -> &mut Row {
        let at = self.rows.iter().rposition(|r| r.second <= second);
        let at = match at {
            Some(i) if self.rows[i].second == second => i,
            Some(i) => {
                self.rows.insert(
                    i + 1,
                    Row {
                        second,
                        ..Row::default()
                    },
                );
                i + 1
            }
            None => {
                self.rows.push_front(Row {
                    second,
                    ..Row::default()
                });
                0
            }
        };
        &mut self.rows[at]
    }
}

impl Row {
    fn event(self, phase: Phase, class: OpClass) -> IntendedRow {
        IntendedRow {
            t: self.second as f64,
            phase: Some(phase),
            class: class.name().to_owned(),
            offered: self.offered,
            missed: self.missed,
            max: self.max,
            histogram: self.responses.buckets().to_vec(),
        }
    }
}
