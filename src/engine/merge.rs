//! The workers' seconds, put together: one interval and one line per histogram, whatever the number of
//! workers.

use super::recorder::{Batch, Line};
use super::stream::Stream;
use crate::clock::{self, Anchor, Nanos, SECOND};
use crate::kube::OpClass;
use crate::report::{
    ClientSample, Counts, Event, HistogramLine, HistogramTag, Interval, Metric, Phase,
};
use crate::server::client::Meter;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// A histogram, with its length in seconds where that is longer than the interval.
type Sum = (Option<u64>, Histogram<u64>);

#[derive(Debug, Default)]
struct Second {
    from: Nanos,
    to: Nanos,
    phase: Option<Phase>,
    lines: BTreeMap<(Phase, OpClass, Metric), Sum>,
    counts: BTreeMap<Phase, BTreeMap<OpClass, Counts>>,
    in_flight: u64,
    queued: u64,
    in_flight_seconds: f64,
    residence_seconds: f64,
    worker_cpu: Vec<f64>,
    busy: Vec<f64>,
    parks: u64,
}

/// Whole seconds since t0, and which part of that second.
type Key = (u64, u32);

/// Collects batches and writes each second, or part of one, once every worker is past it.
#[derive(Debug)]
pub(crate) struct Merger {
    /// Store name of each op class.
    stores: Vec<String>,
    seconds: BTreeMap<Key, Second>,
    /// What each worker has handed over last.
    progress: Vec<Option<Key>>,
    t0: Nanos,
    meter: Meter,
    anchor: Anchor,
    saturated: u64,
}

impl Merger {
    pub(crate) fn new(workers: usize, stores: Vec<String>, t0: Nanos, anchor: Anchor) -> Self {
        Merger {
            stores,
            seconds: BTreeMap::new(),
            progress: vec![None; workers],
            t0,
            meter: Meter::new(Vec::new(), clock::now()),
            anchor,
            saturated: 0,
        }
    }

    /// Values beyond an hour, which histograms hold at their edge.
    pub(crate) fn saturated(&self) -> u64 {
        self.saturated
    }

    /// Takes a worker's batch; writes what is complete.
    pub(crate) fn batch(&mut self, mut batch: Batch, stream: &mut Stream<'_>) {
        for event in batch.events.drain(..) {
            stream.event(&event);
        }
        self.saturated += batch.saturated;
        let key = (batch.second, batch.part);
        let workers = self.progress.len();
        let second = self.seconds.entry(key).or_insert_with(|| Second {
            from: batch.from,
            phase: batch.phase,
            worker_cpu: vec![0.0; workers],
            busy: vec![0.0; workers],
            ..Second::default()
        });
        // Workers begin, and where a run ends early also stop, within milliseconds of each other.
        second.from = second.from.min(batch.from);
        second.to = second.to.max(batch.to);
        second.worker_cpu[batch.worker] += batch.cpu_seconds;
        second.busy[batch.worker] += batch.runtime_busy_seconds;
        second.parks += batch.runtime_parks;
        second.in_flight += batch.in_flight;
        second.queued += batch.queued;
        second.in_flight_seconds += batch.in_flight_seconds;
        second.residence_seconds += batch.residence_seconds;
        for Line {
            phase,
            class,
            metric,
            seconds,
            histogram,
        } in batch.lines
        {
            match second.lines.entry((phase, class, metric)) {
                std::collections::btree_map::Entry::Vacant(e) => {
                    e.insert((seconds, histogram));
                }
                std::collections::btree_map::Entry::Occupied(mut e) => {
                    // Same layout everywhere, so adding cannot fail.
                    let _ = e.get_mut().1.add(&histogram);
                }
            }
        }
        for (phase, class, counts) in batch.counts {
            second
                .counts
                .entry(phase)
                .or_default()
                .entry(class)
                .or_default()
                .add(&counts);
        }
        self.progress[batch.worker] = Some(key);
        let done = self.progress.iter().copied().min().flatten();
        while let Some(entry) = self
            .seconds
            .first_entry()
            .filter(|e| Some(*e.key()) <= done)
        {
            let ((second, _), data) = entry.remove_entry();
            self.write(second, data, stream);
        }
    }

    /// Writes everything that is there (every worker has flushed).
    pub(crate) fn flush(&mut self, stream: &mut Stream<'_>) {
        while let Some(((second, _), data)) = self.seconds.pop_first() {
            self.write(second, data, stream);
        }
    }

    fn write(&mut self, second: u64, mut data: Second, stream: &mut Stream<'_>) {
        let seconds = |t: Nanos| t as f64 / SECOND as f64;
        let start = seconds(data.from.saturating_sub(self.t0));
        let length = seconds(data.to.saturating_sub(data.from));
        let mut total: Option<Histogram<u64>> = None;
        for ((phase, class, metric), (long, histogram)) in &data.lines {
            if *phase == Phase::Measure && *metric == Metric::Response {
                match &mut total {
                    None => total = Some(histogram.clone()),
                    Some(total) => {
                        let _ = total.add(histogram);
                    }
                }
            }
            let tag = HistogramTag {
                phase: *phase,
                store: self.stores[*class as usize].clone(),
                class: class.name().to_owned(),
                metric: *metric,
            };
            let (start, length) = match long {
                Some(n) => ((second + 1).saturating_sub(*n) as f64, *n as f64),
                None => (start, length),
            };
            stream.histogram(&HistogramLine {
                start,
                length,
                tag: Some(tag),
                histogram,
            });
        }
        if let Some(total) = &total {
            stream.histogram(&HistogramLine {
                start,
                length,
                tag: None,
                histogram: total,
            });
        }
        // A second of load in which nothing happened is told as well.
        if let Some(phase @ (Phase::Warmup | Phase::Measure | Phase::Drain)) = data.phase {
            data.counts.entry(phase).or_default();
        }
        for (phase, classes) in data.counts {
            stream.event(&Event::Interval(Interval {
                t: start,
                length,
                phase: Some(phase),
                classes: classes
                    .into_iter()
                    .map(|(c, n)| (c.name().to_owned(), n))
                    .collect(),
                in_flight: data.in_flight,
                queued: data.queued,
            }));
        }
        let usage = self.meter.sample(clock::now());
        stream.event(&Event::Client(ClientSample {
            t: start,
            phase: data.phase,
            cpu_seconds: usage.cpu_seconds,
            wall_seconds: usage.wall_seconds,
            worker_cpu_seconds: data.worker_cpu,
            rss: usage.rss,
            in_flight_seconds: data.in_flight_seconds,
            service_seconds: data.residence_seconds,
            runtime_busy_seconds: data.busy,
            runtime_parks: data.parks,
            wall_jump: self.anchor.wall_jump() as f64 / 1e9,
        }));
        stream.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::validity::{Check, Verdict};
    use crate::report::Collector;

    fn batch(t0: Nanos, worker: usize, second: u64, part: u32, tenths: (u64, u64)) -> Batch {
        let at = |tenth| t0 + second * SECOND + tenth * SECOND / 10;
        let counts = Counts {
            offered: 1,
            ok: 1,
            ..Counts::default()
        };
        Batch {
            worker,
            second,
            part,
            from: at(tenths.0),
            to: at(tenths.1),
            phase: Some(Phase::Measure),
            counts: vec![(Phase::Measure, OpClass::NodeLeaseUpdate, counts)],
            ..Batch::default()
        }
    }

    fn merger(workers: usize, t0: Nanos, anchor: Anchor) -> Merger {
        Merger::new(workers, vec!["main".to_owned(); OpClass::COUNT], t0, anchor)
    }

    #[test]
    fn an_interval_is_written_when_every_worker_is_past_it_and_ends_where_a_phase_does() {
        let t0 = clock::now();
        let mut sink = Collector::default();
        let mut stream = Stream::new(&mut sink, t0);
        let mut merger = merger(2, t0, Anchor::new());
        for part in [
            batch(t0, 0, 5, 0, (0, 10)),
            batch(t0, 0, 6, 0, (0, 3)),
            batch(t0, 1, 5, 0, (0, 10)),
            batch(t0, 0, 6, 1, (3, 10)),
            batch(t0, 1, 6, 0, (0, 3)),
        ] {
            merger.batch(part, &mut stream);
        }
        let written = |sink: &Collector| -> Vec<(f64, f64, u64)> {
            let intervals = sink.events.iter().filter_map(|e| match e {
                Event::Interval(i) => Some((i.t, i.length, i.classes["node-lease/update"].ok)),
                _ => None,
            });
            intervals.collect()
        };
        // The rest of second 6 waits for the second worker.
        merger.flush(&mut stream);
        drop(stream);
        assert_eq!(
            written(&sink),
            [(5.0, 1.0, 2), (6.0, 0.3, 2), (6.3, 0.7, 1)]
        );
    }

    #[test]
    fn a_stepped_wall_clock_reaches_the_result() {
        let t0 = clock::now();
        // What the clocks say now is what they would say had the wall clock been stepped since the run began.
        for step in [3, -3_i64] {
            let unix = clock::unix_now().saturating_add_signed(-step * 1_000_000_000);
            let mut sink = Collector::default();
            let mut stream = Stream::new(&mut sink, t0);
            let mut merger = merger(
                1,
                t0,
                Anchor {
                    mono: clock::now(),
                    unix,
                },
            );
            merger.batch(batch(t0, 0, 0, 0, (0, 10)), &mut stream);
            let result = stream.result();
            let jump = result.client.wall_jump;
            assert!((jump - step as f64).abs() < 1.0, "{jump}");
            let reasons = &result.validity.reasons;
            let said = reasons.iter().find(|r| r.check == Check::WallClock);
            assert_eq!(
                said.map(|r| r.verdict),
                Some(Verdict::Doubtful),
                "{reasons:?}"
            );
        }
    }
}
