//! The trials of an arm on a level, and the figures of them that comparisons do not have.

use super::hook::TrialRecord;
use crate::experiment::analysis::Evidence;
use crate::experiment::level::LevelName;
use crate::experiment::result::comparison::middle;
use crate::experiment::result::document::TrialState;
use crate::measure::paired::{CONFIDENCE, MeanInterval, mean_interval};
use crate::report::{ClassResult, Figures, MemberFigures, Outage, Phase, RunResult, StoreResult};
use serde::Deserialize;

/// etcd's flag that sets the quota.
const QUOTA: &str = "quota-backend-bytes";
/// The class of errors that a full store answers with.
const NO_SPACE: &str = "no-space";

/// A trial that was played to its end and whose numbers speak of etcd.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    pub(super) block: u32,
    pub(super) run: &'a RunResult,
    pub(super) record: TrialRecord,
}

/// All of an arm's trials on a level, by block.
#[derive(Debug)]
pub(super) struct Trials<'a>(pub(super) Vec<Trial<'a>>);

impl<'a> Trials<'a> {
    pub(super) fn of(evidence: &Evidence<'a>, level: &LevelName, arm: &str) -> Self {
        let rows = evidence.trials.iter().zip(evidence.runs);
        let rows = rows.zip(evidence.after);
        let rows = rows
            .filter(|((t, _), _)| t.level == *level && t.arm == arm && t.state == TrialState::Done);
        let mut all: Vec<Trial<'a>> = rows
            .filter_map(|((t, run), after)| {
                let record = after
                    .as_ref()
                    .map(|v| TrialRecord::deserialize(v).unwrap_or_default());
                Some(Trial {
                    block: t.block,
                    run: run.as_ref()?,
                    record: record.unwrap_or_default(),
                })
            })
            .collect();
        all.sort_by_key(|t| t.block);
        Trials(all)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sum of a count over the trials.
    pub(super) fn sum(&self, count: impl Fn(&Trial<'a>) -> u64) -> u64 {
        self.0.iter().map(count).sum()
    }

    /// The median over the trials that have the figure.
    pub(super) fn median(&self, figure: impl Fn(&Trial<'a>) -> Option<f64>) -> Option<f64> {
        middle(self.0.iter().filter_map(figure))
    }

    /// The largest.
    pub(super) fn most(&self, figure: impl Fn(&Trial<'a>) -> Option<f64>) -> Option<f64> {
        self.0.iter().filter_map(figure).reduce(f64::max)
    }

    /// What a figure has more than the baseline's, over the blocks that both have: the mean, and its interval from six
    /// blocks on.
    pub(super) fn more_than(
        &self,
        base: &Trials<'a>,
        figure: impl Fn(&Trial<'a>) -> Option<f64>,
    ) -> Option<(f64, Option<MeanInterval>)> {
        let differences: Vec<f64> = self
            .0
            .iter()
            .filter_map(|t| {
                let other = base.0.iter().find(|b| b.block == t.block)?;
                Some(figure(t)? - figure(other)?)
            })
            .collect();
        let n = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / n;
        (n > 0.0).then(|| (mean, mean_interval(&differences, CONFIDENCE)))
    }
}

impl<'a> Trial<'a> {
    /// An op class, if it was sent.
    pub(super) fn class(&self, name: &str) -> Option<&'a Figures> {
        self.run.class(name).map(|c| &c.figures)
    }

    /// Writes of Events.
    pub(super) fn events(&self) -> impl Iterator<Item = &'a ClassResult> {
        let writes = |c: &&ClassResult| {
            c.class.resource == "events" && matches!(c.class.verb.as_str(), "create" | "update")
        };
        self.run.classes.iter().filter(writes)
    }

    /// Events per second: as planned where the plan gives a rate, else as offered.
    pub(super) fn event_rate(&self) -> f64 {
        let offered = || self.events().map(|c| c.figures.offered_rate).sum();
        self.planned_rate().unwrap_or_else(offered)
    }

    fn planned_rate(&self) -> Option<f64> {
        let plan = &self.run.header.plan["spec"];
        let actors = plan["actors"].as_array()?.iter();
        let events = actors.filter(|a| a["kind"] == "event");
        let each: Option<f64> = events.map(|a| a["rate"].as_f64()).sum();
        Some(each? * plan["load"]["rateScale"].as_f64().unwrap_or(1.0))
    }

    /// A figure summed over the members of its stores, or of one; none if a member does not tell.
    pub(super) fn members(
        &self,
        store: Option<&str>,
        figure: fn(&MemberFigures) -> Option<f64>,
    ) -> Option<f64> {
        let stores = self.run.stores.iter();
        let stores = stores.filter(|s: &&StoreResult| store.is_none_or(|name| s.name == name));
        let mut members = stores.flat_map(|s| &s.members).peekable();
        members.peek()?;
        members.map(figure).sum()
    }

    /// The first time that a store was full: the store, and seconds since the load began.
    pub(super) fn no_space(&self) -> Option<(&'a str, f64)> {
        let full = |o: &&Outage| o.errors.contains_key(NO_SPACE);
        let outages = self.run.outages.iter().filter(full);
        let first = outages.min_by(|a, b| a.first_error.total_cmp(&b.first_error))?;
        let load = |p: Phase| matches!(p, Phase::Warmup | Phase::Measure);
        let began = self.run.phases.iter().find(|p| load(p.phase))?.start;
        Some((&first.store, first.first_error - began))
    }
}

/// A level's quota, if it sets one, bytes.
pub(super) fn quota(evidence: &Evidence<'_>, level: &LevelName) -> Option<f64> {
    let flags = evidence.plan.level_flags.get(level)?;
    let value = |f: &String| {
        let (name, value) = f.trim_start_matches('-').split_once('=')?;
        (name == QUOTA).then(|| value.parse().ok())?
    };
    flags.iter().find_map(value)
}
