//! Once a second, and where a phase ends, a worker hands over what it measured.

use super::load::Times;
use super::message::Message;
use super::worker::Worker;
use crate::clock::{self, Nanos, SECOND};
use crate::report::{Event, MemberEvent, Phase};
use rustix::time::{ClockId, clock_gettime};
use tokio_metrics::RuntimeMonitor;

/// Knows which interval is being filled and what was handed over last. Intervals end on whole seconds since t0,
/// and where warm-up, measure and drain begin: what is counted in a phase is exactly what happened in it.
pub(crate) struct Ticker {
    t0: Nanos,
    /// The second that is being filled, which part of it, and since when.
    second: u64,
    part: u32,
    from: Nanos,
    /// Of the load, once it is known; `end` is moved where the load ends early.
    times: Option<Times>,
    cpu: f64,
    integral: f64,
    residence: f64,
    intervals: Box<dyn Iterator<Item = tokio_metrics::RuntimeMetrics>>,
}

impl std::fmt::Debug for Ticker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticker")
            .field("second", &self.second)
            .finish_non_exhaustive()
    }
}

impl Ticker {
    /// For the current thread's runtime.
    pub(crate) fn new(t0: Nanos) -> Self {
        let monitor = RuntimeMonitor::new(&tokio::runtime::Handle::current());
        let now = clock::now();
        Ticker {
            t0,
            second: now.saturating_sub(t0) / SECOND,
            part: 0,
            from: now,
            times: None,
            cpu: thread_cpu(),
            integral: 0.0,
            residence: 0.0,
            intervals: Box::new(monitor.intervals()),
        }
    }

    /// The load's phases are known, or its end has moved.
    pub(crate) fn phases(&mut self, times: Times) {
        self.times = Some(times);
    }

    /// The end of the second that is being filled.
    fn whole(&self) -> Nanos {
        self.t0 + (self.second + 1) * SECOND
    }

    /// The end of the interval that is being filled.
    pub(crate) fn next(&self) -> Nanos {
        let cuts = self.times.map(|t| [t.start, t.measure, t.end]);
        cuts.into_iter()
            .flatten()
            .filter(|cut| *cut > self.from)
            .fold(self.whole(), Nanos::min)
    }

    /// The phase of the interval that is being filled.
    fn phase(&self) -> Phase {
        match self.times {
            None => Phase::Populate,
            Some(t) if self.from < t.start => Phase::Settle,
            Some(t) if self.from >= t.end => Phase::Drain,
            Some(t) => t.phase(self.from),
        }
    }

    /// Hands over every interval that has ended by now.
    pub(crate) fn catch_up(&mut self, worker: &Worker) {
        while clock::now() >= self.next() {
            self.hand_over(worker, self.next(), false);
        }
    }

    /// Hands over what there is; `last` with all open rows and long intervals.
    pub(crate) fn flush(&mut self, worker: &Worker, last: bool) {
        self.catch_up(worker);
        self.hand_over(worker, clock::now().min(self.next()), last);
    }

    /// Ticks for ever, beside something else.
    pub(crate) async fn run(&mut self, worker: &Worker) {
        loop {
            worker.timers.until(self.next()).await;
            self.catch_up(worker);
        }
    }

    fn hand_over(&mut self, worker: &Worker, to: Nanos, last: bool) {
        let whole = to == self.whole();
        let mut recorder = worker.recorder.borrow_mut();
        for (store, pool) in worker.run.plan.stores.iter().zip(&worker.pools) {
            for change in pool.take_events() {
                let t = recorder.seconds(change.at);
                recorder.push_event(Event::Member(MemberEvent {
                    t,
                    store: store.name.clone(),
                    endpoint: change.endpoint,
                    up: change.up,
                    reason: change.reason,
                    silent: change.unheard as f64 / SECOND as f64,
                    process: None,
                }));
            }
        }
        for loss in worker.losses.take() {
            recorder.push_event(Event::Loss(loss));
        }
        let (integral, residence) = recorder.in_flight.seconds(clock::now());
        let mut batch = recorder.take(self.second, whole, last);
        batch.worker = worker.index;
        batch.part = self.part;
        (batch.from, batch.to) = (self.from, to);
        batch.phase = Some(self.phase());
        batch.in_flight = recorder.in_flight.count();
        batch.queued = worker.admission.queued();
        batch.in_flight_seconds = integral - std::mem::replace(&mut self.integral, integral);
        batch.residence_seconds = residence - std::mem::replace(&mut self.residence, residence);
        let cpu = thread_cpu();
        batch.cpu_seconds = cpu - std::mem::replace(&mut self.cpu, cpu);
        if let Some(metrics) = self.intervals.next() {
            batch.runtime_busy_seconds = metrics.total_busy_duration.as_secs_f64();
            batch.runtime_parks = metrics.total_park_count;
        }
        (self.second, self.part) = if whole {
            (self.second + 1, 0)
        } else {
            (self.second, self.part + 1)
        };
        self.from = to;
        if self.phase() == Phase::Drain {
            recorder.drain();
        }
        drop(recorder);
        worker.tell(Message::Batch(Box::new(batch)));
    }
}

/// CPU seconds of this thread.
fn thread_cpu() -> f64 {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}
