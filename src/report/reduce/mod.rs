//! Events and histograms in, [`RunResult`] out: incrementally while a run goes on, or from its files
//! afterwards, with the same outcome.
//!
//! The order of histograms relative to events does not matter (they are two files); the order of
//! events among themselves does.

mod accounts;
mod combined;
mod figures;
mod judge;
mod media;
mod missing;
mod outages;
mod outcome;
mod series;
mod servers;
mod tally;

pub use accounts::rpcs;
pub(crate) use figures::percentiles;

use super::downtime::downtimes;
use super::event::{
    ClassInfo, Counts, End, Event, Header, HistogramLine, HistogramTag, IntendedRow, Interval,
    Metric, Phase, Progress,
};
use super::result::{
    API_VERSION, ClassResult, Figures, KIND, MissingData, Outage, PhaseTime, PopulateResult,
    RunResult, StoreResult,
};
use super::threshold;
use crate::measure::{Blocks, Hist};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Accumulates a [`RunResult`].
#[derive(Default)]
pub struct Reducer {
    header: Header,
    phases: Vec<(Phase, f64)>,
    /// Last instant that any event speaks of.
    last: f64,
    /// Of the measure phase only: class → metric → histogram, stores added.
    histograms: BTreeMap<String, BTreeMap<Metric, Hist>>,
    /// Of the measure phase only: class → operations by when they were intended.
    blocks: BTreeMap<String, Blocks>,
    tallies: tally::Tallies,
    servers: servers::Servers,
    ledger: accounts::Ledger,
    media: media::Media,
    host: series::SeriesSet,
    outages: outages::Outages,
    populate: Option<Progress>,
    members: Vec<super::MemberEvent>,
    defragmentations: Vec<super::DefragmentationEvent>,
    guards: Vec<super::GuardEvent>,
    notes: Vec<super::Note>,
    losses: Vec<super::LossEvent>,
    verify: Option<super::VerifyReport>,
    cleanup: Option<super::CleanupReport>,
    end: Option<End>,
}

/// Operations that the drain waits for were intended in the measure phase.
fn measured(phase: Phase) -> bool {
    matches!(phase, Phase::Measure | Phase::Drain)
}

impl Reducer {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Header(h) => {
                let classes = h
                    .classes
                    .iter()
                    .filter(|c| c.store != ClassInfo::EACH_STORE);
                self.outages
                    .route(classes.map(|c| (c.name.clone(), c.store.clone())));
                self.outages.members(&h.stores);
                self.header = (**h).clone();
            }
            Event::Phase(p) => {
                self.seen(p.t);
                self.phases.push((p.phase, p.t));
                self.ledger.phase(p.phase);
                if p.phase == Phase::Measure {
                    self.servers.begin();
                    self.host.begin();
                }
            }
            Event::Progress(p) => {
                self.seen(p.t);
                if p.phase == Phase::Populate {
                    self.populate = Some(p.clone());
                }
            }
            Event::Interval(i) => {
                self.ledger.interval(i);
                self.interval(i);
            }
            Event::Intended(row) if row.phase == Some(Phase::Measure) => self.intended(row),
            Event::Intended(_) => {}
            Event::Client(c) => {
                self.seen(c.t);
                self.tallies.client_sample(c);
            }
            Event::Server(s) => {
                self.seen(s.t);
                self.ledger.sample(s);
                if self.measure_end().is_none() {
                    self.servers.sample(s);
                }
            }
            Event::Host(h) => {
                self.seen(h.t);
                if self.measure_end().is_none() {
                    self.host.sample(h.t, &h.values);
                }
            }
            Event::Medium(m) => {
                self.seen(m.t);
                if self.measure_start().is_some() && self.measure_end().is_none() {
                    self.media.sample(m);
                }
            }
            Event::Member(m) => {
                self.seen(m.t);
                self.outages.member(m);
                self.members.push(m.clone());
            }
            Event::Compactor(c) => {
                self.seen(c.t);
                self.ledger.compactor(c);
            }
            Event::Defragmentation(d) => {
                self.seen(d.t);
                self.ledger.defragmentation(d);
                self.defragmentations.push(d.clone());
            }
            Event::Failure(f) => {
                self.seen(f.t);
                if self.loaded() {
                    self.outages.failure(f);
                }
            }
            Event::Guard(g) => {
                self.seen(g.t);
                self.guards.push(g.clone());
            }
            Event::Note(n) => {
                self.seen(n.t);
                self.notes.push(n.clone());
            }
            Event::Loss(l) => {
                self.seen(l.t);
                self.losses.push(l.clone());
            }
            Event::Verify(v) => self.verify = Some(v.clone()),
            Event::Cleanup(c) => self.cleanup = Some(c.clone()),
            Event::End(e) => {
                self.seen(e.t);
                self.end = Some(e.clone());
            }
        }
    }

    /// Takes one interval histogram. Untagged lines are the sum of tagged ones and are not needed.
    pub fn histogram(&mut self, line: &HistogramLine<'_>) {
        if let Some(tag) = &line.tag {
            self.add_histogram(tag, line.histogram);
        }
    }

    fn add_histogram(&mut self, tag: &HistogramTag, histogram: &Histogram<u64>) {
        if !measured(tag.phase) || histogram.is_empty() {
            return;
        }
        let metrics = self.histograms.entry(tag.class.clone()).or_default();
        metrics
            .entry(tag.metric)
            .or_default()
            .add_histogram(histogram);
    }

    fn intended(&mut self, row: &IntendedRow) {
        row.add_to(self.blocks.entry(row.class.clone()).or_default());
    }

    fn seen(&mut self, t: f64) {
        if t.is_finite() {
            self.last = self.last.max(t);
        }
    }

    fn phase(&self) -> Option<Phase> {
        self.phases.last().map(|p| p.0)
    }

    fn loaded(&self) -> bool {
        matches!(
            self.phase(),
            Some(Phase::Warmup | Phase::Measure | Phase::Drain)
        )
    }

    fn measure_start(&self) -> Option<f64> {
        self.phases
            .iter()
            .find(|(p, _)| *p == Phase::Measure)
            .map(|p| p.1)
    }

    /// When the measure phase ended; None before and during it.
    fn measure_end(&self) -> Option<f64> {
        let at = self.phases.iter().position(|(p, _)| *p == Phase::Measure)?;
        self.phases.get(at + 1).map(|p| p.1)
    }

    fn interval(&mut self, i: &Interval) {
        self.seen(i.t + i.length);
        if !self.loaded() && !i.phase.is_some_and(measured) {
            return;
        }
        self.outages.interval(i);
        let measure = tally::Span {
            start: self.measure_start(),
            end: self.measure_end(),
        };
        self.tallies.interval(i, measure);
    }

    /// The result of all that was taken so far. Without an [`End`] its outcome is `killed`.
    pub fn result(&self) -> RunResult {
        let phases = self.phase_times();
        let measured_seconds = self
            .measure_start()
            .map_or(0.0, |start| self.tallies.counted.max(start) - start);
        let missing = missing::missing(self);
        let classes = self.class_results(measured_seconds, &missing);
        let total = self.total(&classes, measured_seconds, missing.is_empty());
        let client = self.tallies.client(total.counts.attempts);
        let host = self.host.all();
        let open = |c: &&ClassResult| !c.class.closed_loop;
        let tallies = classes
            .iter()
            .filter(open)
            .filter_map(|c| self.tallies.classes.get(&c.class.name));
        let outages = self.outages.all(self.last);
        let validity = judge::judge(&judge::Evidence {
            environment: &self.header.environment,
            total: &total,
            offered: classes
                .iter()
                .filter(open)
                .map(|c| c.figures.counts.offered)
                .sum(),
            ok_within: tallies.clone().map(|t| t.ok_within).sum(),
            refused_within: tallies.map(|t| t.refused_within).sum(),
            seconds: measured_seconds,
            outage: self.members_away() || outages.iter().any(Outage::is_a_failure),
            interrupted: self.end.as_ref().is_some_and(|e| e.interrupted),
            saturated_records: self.saturated_records(),
            client: &client,
            host: &host,
        });
        let lacks =
            |class: Option<&str>| missing.iter().any(|m| class.is_none_or(|c| c == m.class));
        let headline = |class: Option<&str>, q: f64| {
            if lacks(class) {
                return None;
            }
            self.headline(&classes, class, q)
        };
        let blocks = |class: Option<&str>| self.blocks(&classes, class);
        let stores = self.store_results();
        let input = threshold::ThresholdInput {
            total: &total,
            classes: &classes,
            headline: &headline,
            blocks: &blocks,
            stores: &stores,
        };
        let thresholds = self
            .header
            .thresholds
            .iter()
            .map(|e| threshold::judge(e, &input))
            .collect();
        let mut result = RunResult {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            header: self.header.clone(),
            outcome: outcome::outcome(self.end.as_ref(), self.last),
            validity,
            phases,
            measured_seconds,
            total,
            classes,
            thresholds,
            stores,
            client,
            host,
            outages,
            members: self.members.clone(),
            defragmentations: self.defragmentations.clone(),
            guards: self.guards.clone(),
            notes: self.notes.clone(),
            populate: self.populated(),
            missing: missing.clone(),
            losses: self.losses.clone(),
            verify: self.verify.clone(),
            cleanup: self.cleanup.clone(),
        };
        result.outcome.exit_code = result.exit().code();
        result
    }

    /// Whether a member could not be reached in the measure phase.
    fn members_away(&self) -> bool {
        let Some(start) = self.measure_start() else {
            return false;
        };
        let end = self.measure_end().unwrap_or(self.last);
        let mut all = downtimes(&self.header, &self.members).into_iter();
        all.any(|d| d.from < end && d.until.is_none_or(|until| until > start))
    }

    fn store_results(&self) -> Vec<StoreResult> {
        let mut results = self.servers.results(&self.header.stores);
        self.media.add_to(&mut results);
        for (result, store) in results.iter_mut().zip(&self.header.stores) {
            result.accounts =
                self.ledger
                    .of(&self.header, store, self.verify.as_ref(), self.end.as_ref());
        }
        results
    }

    fn phase_times(&self) -> Vec<PhaseTime> {
        let ends = self
            .phases
            .iter()
            .skip(1)
            .map(|p| p.1)
            .chain(std::iter::once(self.last));
        self.phases
            .iter()
            .zip(ends)
            .map(|(&(phase, start), end)| PhaseTime {
                phase,
                start,
                end: end.max(start),
            })
            .collect()
    }

    fn class_results(&self, seconds: f64, missing: &[MissingData]) -> Vec<ClassResult> {
        let (none, unknown) = (BTreeMap::new(), Blocks::default());
        self.header
            .classes
            .iter()
            .filter_map(|class| {
                let tally = self.tallies.classes.get(&class.name)?;
                if tally.counts == Counts::default() {
                    return None;
                }
                let input = figures::Input {
                    whole: !missing.iter().any(|m| m.class == class.name),
                    counts: &tally.counts,
                    ok_within: tally.ok_within,
                    seconds,
                    open: (!class.closed_loop).then_some(&tally.counts),
                    histograms: self.histograms.get(&class.name).unwrap_or(&none),
                    in_time: &self.in_time(Some(&class.name)),
                    blocks: self.blocks.get(&class.name).unwrap_or(&unknown),
                };
                Some(ClassResult {
                    class: class.clone(),
                    figures: figures::figures(&input),
                })
            })
            .collect()
    }

    fn total(&self, classes: &[ClassResult], seconds: f64, whole: bool) -> Figures {
        let (mut counts, mut open) = (Counts::default(), Counts::default());
        let mut ok_within = 0;
        for class in classes {
            counts.add(&class.figures.counts);
            if !class.class.closed_loop {
                open.add(&class.figures.counts);
            }
            ok_within += self
                .tallies
                .classes
                .get(&class.class.name)
                .map_or(0, |t| t.ok_within);
        }
        let histograms = Metric::ALL
            .iter()
            .map(|m| (*m, self.merged(None, *m)))
            .collect();
        let blocks = self.blocks(classes, None);
        figures::figures(&figures::Input {
            whole,
            counts: &counts,
            ok_within,
            seconds,
            open: classes
                .iter()
                .any(|c| !c.class.closed_loop)
                .then_some(&open),
            histograms: &histograms,
            in_time: &self.in_time(None),
            blocks: &blocks,
        })
    }

    fn populated(&self) -> Option<PopulateResult> {
        let progress = self.populate.as_ref()?;
        let time = self
            .phase_times()
            .into_iter()
            .find(|p| p.phase == Phase::Populate);
        let seconds = time.map_or(0.0, |p| p.end - p.start);
        Some(PopulateResult {
            done: progress.done,
            total: progress.total,
            unit: progress.unit.clone(),
            seconds,
            rate: figures::rate(progress.done, seconds),
        })
    }
}
