//! The shards' seconds, put together: one interval and one line per histogram, whatever the number of
//! shards.

use super::recorder::{Batch, Line};
use super::stream::Stream;
use crate::clock::{self, Anchor};
use crate::kube::OpClass;
use crate::report::{
    ClientSample, Counts, Event, HistogramLine, HistogramTag, Interval, Metric, Phase,
};
use crate::server::client::Meter;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
struct Second {
    lines: BTreeMap<(Phase, OpClass, Metric), (u64, Histogram<u64>)>,
    counts: BTreeMap<Phase, BTreeMap<OpClass, Counts>>,
    in_flight: u64,
    queued: u64,
    in_flight_seconds: f64,
    residence_seconds: f64,
    shard_cpu: Vec<f64>,
    busy: Vec<f64>,
    parks: u64,
}

/// Collects batches and writes each second once every shard is past it.
#[derive(Debug)]
pub(crate) struct Merger {
    shards: usize,
    /// Store name of each op class.
    stores: Vec<String>,
    /// Op classes of closed loops.
    seconds: BTreeMap<u64, Second>,
    /// The second that each shard is filling.
    progress: Vec<u64>,
    meter: Meter,
    anchor: Anchor,
    saturated: u64,
}

impl Merger {
    pub(crate) fn new(shards: usize, stores: Vec<String>, anchor: Anchor) -> Self {
        Merger {
            shards,
            stores,
            seconds: BTreeMap::new(),
            progress: vec![0; shards],
            meter: Meter::new(Vec::new(), clock::now()),
            anchor,
            saturated: 0,
        }
    }

    /// Values beyond an hour, which histograms hold at their edge.
    pub(crate) fn saturated(&self) -> u64 {
        self.saturated
    }

    /// Takes a shard's batch; writes what is complete.
    pub(crate) fn batch(&mut self, mut batch: Batch, stream: &mut Stream<'_>, phase: Phase) {
        for event in batch.events.drain(..) {
            stream.event(&event);
        }
        self.saturated += batch.saturated;
        let second = self.seconds.entry(batch.second).or_default();
        second.shard_cpu.resize(self.shards, 0.0);
        second.busy.resize(self.shards, 0.0);
        second.shard_cpu[batch.shard] += batch.cpu_seconds;
        second.busy[batch.shard] = second.busy[batch.shard].max(batch.runtime_busy);
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
        self.progress[batch.shard] = self.progress[batch.shard].max(batch.second);
        let done = self.progress.iter().copied().min().unwrap_or(0);
        while let Some(entry) = self.seconds.first_entry().filter(|e| *e.key() < done) {
            let (second, data) = entry.remove_entry();
            self.write(second, data, stream, phase);
        }
    }

    /// Writes everything that is there (every shard has flushed).
    pub(crate) fn flush(&mut self, stream: &mut Stream<'_>, phase: Phase) {
        while let Some((second, data)) = self.seconds.pop_first() {
            self.write(second, data, stream, phase);
        }
    }

    fn write(&mut self, second: u64, data: Second, stream: &mut Stream<'_>, phase: Phase) {
        let mut total: Option<Histogram<u64>> = None;
        for ((phase, class, metric), (seconds, histogram)) in &data.lines {
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
            stream.histogram(&HistogramLine {
                start: (second + 1).saturating_sub(*seconds) as f64,
                length: *seconds as f64,
                tag: Some(tag),
                histogram,
            });
        }
        if let Some(total) = &total {
            stream.histogram(&HistogramLine {
                start: second as f64,
                length: 1.0,
                tag: None,
                histogram: total,
            });
        }
        for (phase, classes) in data.counts {
            stream.event(&Event::Interval(Interval {
                t: second as f64,
                length: 1.0,
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
            t: second as f64,
            phase: Some(phase),
            cpu_seconds: usage.cpu_seconds,
            wall_seconds: usage.wall_seconds,
            shard_cpu_seconds: data.shard_cpu,
            rss: usage.rss,
            in_flight_seconds: data.in_flight_seconds,
            service_seconds: data.residence_seconds,
            runtime_busy: data.busy,
            runtime_parks: data.parks,
            wall_jump: self.anchor.wall_jump() as f64 / 1e9,
        }));
        stream.flush();
    }
}
