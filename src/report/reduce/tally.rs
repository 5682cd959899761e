//! What happened to the operations of the measure phase, and what the generator itself did meanwhile.

use super::measured;
use crate::report::event::{ClientSample, Counts, Interval, Phase};
use crate::report::result::ClientFigures;
use crate::rpc::errors::is_unanswered;
use std::collections::BTreeMap;

/// What happened to one op class in the measure phase.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    /// Of these, succeeded in the last interval.
    pub(super) last_ok: u64,
    /// Succeeded between the measure phase's begin and end: the warm-up's too, but not the drain's.
    pub(super) ok_within: u64,
    /// Failed within it by an answer of etcd.
    pub(super) refused_within: u64,
}

/// When the measure phase is, as far as is known.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: Option<f64>,
    pub(super) end: Option<f64>,
}

impl Span {
    fn begun(self, t: f64) -> bool {
        self.start.is_some_and(|start| t > start - 1e-3)
    }

    /// An interval is within the phase unless it starts at its end or later (drain).
    fn holds(self, t: f64) -> bool {
        self.begun(t) && self.end.is_none_or(|end| t < end - 1e-3)
    }
}

#[derive(Default)]
pub(super) struct Tallies {
    pub(super) classes: BTreeMap<String, Tally>,
    /// End of the last interval of the measure phase.
    pub(super) counted: f64,
    client: ClientFigures,
    /// Busy seconds of each worker's runtime.
    busy: Vec<f64>,
    /// Σ backlog × seconds, Σ seconds.
    backlog: (f64, f64),
}

impl Tallies {
    pub(super) fn interval(&mut self, i: &Interval, measure: Span) {
        let within = matches!(i.phase, Some(Phase::Warmup | Phase::Measure)) && measure.holds(i.t);
        for (class, counts) in &i.classes {
            let tally = self.classes.entry(class.clone()).or_default();
            if i.phase.is_some_and(measured) {
                tally.counts.add(counts);
                tally.last_ok = counts.ok;
            }
            if within {
                tally.ok_within += counts.ok;
                let errors = counts.errors.iter().filter(|(name, _)| is_unanswered(name));
                let unanswered: u64 = errors.map(|(_, e)| e.count).sum();
                tally.refused_within += counts.failed.saturating_sub(unanswered);
            }
        }
        let backlog = i.in_flight + i.queued;
        if !measure.begun(i.t) {
            self.client.backlog_start = backlog;
        }
        if within && i.phase == Some(Phase::Measure) {
            self.counted = self.counted.max(i.t + i.length);
            self.client.in_flight_end = i.in_flight;
            self.client.queued_end = i.queued;
            self.backlog.0 += backlog as f64 * i.length;
            self.backlog.1 += i.length;
        }
    }

    pub(super) fn client_sample(&mut self, c: &ClientSample) {
        let mine = &mut self.client;
        if c.wall_jump.abs() > mine.wall_jump.abs() {
            mine.wall_jump = c.wall_jump;
        }
        if c.phase != Some(Phase::Measure) {
            return;
        }
        mine.samples += 1;
        mine.cpu_seconds += c.cpu_seconds;
        mine.wall_seconds += c.wall_seconds;
        mine.rss_max = mine.rss_max.max(c.rss);
        mine.in_flight_seconds += c.in_flight_seconds;
        mine.service_seconds += c.service_seconds;
        let workers = c.runtime_busy_seconds.len().max(self.busy.len());
        self.busy.resize(workers, 0.0);
        for (sum, seconds) in self.busy.iter_mut().zip(&c.runtime_busy_seconds) {
            *sum += seconds;
        }
    }

    /// The generator's own figures, of a run with so many attempts.
    pub(super) fn client(&self, attempts: u64) -> ClientFigures {
        let mut client = self.client.clone();
        if self.backlog.1 > 0.0 {
            client.backlog_mean = self.backlog.0 / self.backlog.1;
        }
        if client.wall_seconds > 0.0 {
            let busiest = self.busy.iter().copied().fold(0.0, f64::max);
            client.busiest_worker = busiest / client.wall_seconds;
        }
        if attempts > 0 && client.samples > 0 {
            client.cpu_per_attempt = Some(client.cpu_seconds / attempts as f64);
        }
        client
    }
}
