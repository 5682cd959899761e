//! Once a second a shard hands over what it measured, on whole seconds since the run's t0.

use super::pace::Pacer;
use super::shard::{Message, Shard};
use crate::clock::{self, Nanos, SECOND};
use crate::report::{Event, MemberEvent};
use rustix::time::{ClockId, clock_gettime};
use std::io;
use tokio_metrics::RuntimeMonitor;

/// Knows which second is next and what was handed over last.
pub(crate) struct Ticker {
    t0: Nanos,
    /// The second that is being filled.
    second: u64,
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
        Ticker {
            t0,
            second: clock::now().saturating_sub(t0) / SECOND,
            cpu: thread_cpu(),
            integral: 0.0,
            residence: 0.0,
            intervals: Box::new(monitor.intervals()),
        }
    }

    /// The end of the second that is being filled.
    pub(crate) fn next(&self) -> Nanos {
        self.t0 + (self.second + 1) * SECOND
    }

    /// Hands over every second that has ended by now.
    pub(crate) fn catch_up(&mut self, shard: &Shard) {
        while clock::now() >= self.next() {
            self.hand_over(shard, false);
            self.second += 1;
        }
    }

    /// Hands over what there is; `last` with all open rows and long intervals.
    pub(crate) fn flush(&mut self, shard: &Shard, last: bool) {
        self.catch_up(shard);
        self.hand_over(shard, last);
    }

    /// Ticks for ever, beside something else.
    pub(crate) async fn run(&mut self, shard: &Shard) -> io::Error {
        let mut pacer = match Pacer::new(false) {
            Ok(pacer) => pacer,
            Err(e) => return e,
        };
        loop {
            if let Err(e) = pacer.until(self.next()).await {
                return e;
            }
            self.catch_up(shard);
        }
    }

    fn hand_over(&mut self, shard: &Shard, last: bool) {
        let mut recorder = shard.recorder.borrow_mut();
        for (store, pool) in shard.plan.stores.iter().zip(&shard.pools) {
            for change in pool.take_events() {
                let t = recorder.seconds(change.at);
                recorder.push_event(Event::Member(MemberEvent {
                    t,
                    store: store.name.clone(),
                    endpoint: change.endpoint,
                    up: change.up,
                    reason: change.reason,
                }));
            }
        }
        let (integral, residence) = recorder.in_flight.seconds(clock::now());
        let mut batch = recorder.take(self.second, last);
        batch.shard = shard.index;
        batch.in_flight = recorder.in_flight.count();
        batch.queued = shard.queued();
        batch.in_flight_seconds = integral - std::mem::replace(&mut self.integral, integral);
        batch.residence_seconds = residence - std::mem::replace(&mut self.residence, residence);
        let cpu = thread_cpu();
        batch.cpu_seconds = cpu - std::mem::replace(&mut self.cpu, cpu);
        if let Some(metrics) = self.intervals.next() {
            batch.runtime_busy = metrics.busy_ratio();
            batch.runtime_parks = metrics.total_park_count;
        }
        drop(recorder);
        shard.tell(Message::Batch(Box::new(batch)));
    }
}

/// CPU seconds of this thread.
fn thread_cpu() -> f64 {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}
