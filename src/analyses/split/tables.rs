//! What the answer of `split` rests on, as tables.

use super::title;
use super::trials::{Trial, Trials, quota};
use crate::experiment::analysis::Evidence;
use crate::experiment::level::LevelName;
use crate::experiment::result::document::Table;
use crate::experiment::result::metric::Unit;
use crate::experiment::result::phrases;
use crate::human::numbers::{bytes, count, percent, rate, seconds, three};
use crate::measure::Cores;
use crate::report::{Counts, MemberFigures};
use std::collections::BTreeMap;

/// What they are made of.
pub(super) struct Tables<'a> {
    pub(super) evidence: &'a Evidence<'a>,
    /// The op class that suffers.
    pub(super) victim: &'a str,
    /// The level on which the cost is told.
    pub(super) cost_on: Option<&'a LevelName>,
}

/// Nothing to say.
const NONE: &str = "-";

impl Tables<'_> {
    /// All tables that there is something to say in, and what has to be said of them.
    pub(super) fn all(&self) -> (Vec<Table>, Vec<String>) {
        let tables = [self.lateness(), self.full(), self.pauses(), self.cost()];
        let tables = tables.into_iter().filter(|t| !t.rows.is_empty());
        (tables.collect(), self.notes())
    }

    /// Every level and arm that was played.
    fn played(&self) -> impl Iterator<Item = (&LevelName, &str, Trials<'_>)> {
        let plan = self.evidence.plan;
        let all = plan.levels.iter().flat_map(move |r| {
            let arms = plan.arms.iter();
            arms.map(move |a| (r, a.name.as_str()))
        });
        all.map(|(level, arm)| (level, arm, Trials::of(self.evidence, level, arm)))
            .filter(|(_, _, trials)| !trials.is_empty())
    }

    fn counted(&self, trials: &Trials<'_>, f: fn(&Counts) -> u64) -> u64 {
        trials.sum(|t| t.class(self.victim).map_or(0, |c| f(&c.counts)))
    }

    fn lateness(&self) -> Table {
        let mut rows = Vec::new();
        for (level, arm, trials) in self.played() {
            let dropped = self.counted(&trials, |c| c.skipped + c.censored);
            let mut errors: BTreeMap<&str, u64> = BTreeMap::new();
            for trial in &trials.0 {
                let counts = trial.class(self.victim).map(|c| &c.counts);
                for (name, e) in counts.iter().flat_map(|c| &c.errors) {
                    *errors.entry(name).or_default() += e.count;
                }
            }
            let errors = errors
                .iter()
                .map(|(name, n)| format!("{} {name}", count(*n)));
            let errors: Vec<String> = errors.collect();
            let slowest =
                |t: &Trial<'_>| Some(t.class(self.victim)?.successes?.max_ns as f64 / 1e9);
            rows.push(vec![
                level.to_string(),
                arm.to_owned(),
                count(self.counted(&trials, |c| c.offered)),
                count(self.counted(&trials, |c| c.failed)),
                count(dropped),
                count(trials.sum(|t| t.record.later_10s)),
                count(trials.sum(|t| t.record.later_grace)),
                trials.most(slowest).map_or(NONE.to_owned(), seconds),
                if errors.is_empty() {
                    NONE.to_owned()
                } else {
                    errors.join(", ")
                },
            ]);
        }
        let grace = format!("> {}", seconds(self.grace()));
        Table::new(
            &format!("{}, all trials of an arm", title(self.victim)),
            &[
                "level", "arm", "offered", "failed", "dropped", "> 10 s", &grace, "slowest",
                "errors",
            ],
            rows,
        )
    }

    /// What happens when Events have filled an etcd.
    fn full(&self) -> Table {
        let mut rows = Vec::new();
        for (level, arm, trials) in self.played() {
            let Some(quota) = quota(self.evidence, level) else {
                continue;
            };
            let full = trials.0.iter().filter_map(Trial::no_space);
            let stores: Vec<&str> = full.map(|(s, _)| s).collect();
            let reached = match stores.first() {
                Some(store) => format!("{store}, in {} of {}", stores.len(), trials.0.len()),
                None => "none".to_owned(),
            };
            let after = trials.median(|t| t.no_space().map(|(_, t)| t));
            let share = |failed: u64, offered: u64| match (failed, offered) {
                (_, 0) => NONE.to_owned(),
                (0, _) => "none".to_owned(),
                (f, o) => percent(f as f64 / o as f64),
            };
            let events = |f: fn(&Counts) -> u64| {
                trials.sum(|t| t.events().map(|c| f(&c.figures.counts)).sum())
            };
            rows.push(vec![
                level.to_string(),
                arm.to_owned(),
                bytes(quota),
                reached,
                after.map_or(NONE.to_owned(), seconds),
                share(
                    self.counted(&trials, |c| c.failed),
                    self.counted(&trials, |c| c.offered),
                ),
                share(
                    events(|c| c.offered.saturating_sub(c.ok)),
                    events(|c| c.offered),
                ),
                seconds(trials.median(|t| Some(t.record.silent)).unwrap_or(0.0)),
            ]);
        }
        let failed = format!("{} failed", title(self.victim));
        Table::new(
            "a full quota",
            &[
                "level",
                "arm",
                "quota",
                "full",
                "after",
                &failed,
                "Events lost",
                "no renewal for",
            ],
            rows,
        )
    }

    /// How slow the victim was during compactions and defragmentations.
    fn pauses(&self) -> Table {
        let mut rows = Vec::new();
        for (level, arm, trials) in self.played() {
            let defragmented = trials.sum(|t| t.run.defragmentations.len() as u64);
            let compacted = trials.sum(|t| t.record.compactions.values().sum());
            if defragmented + compacted == 0 {
                continue;
            }
            let longest = trials.most(|t| {
                let all = t.run.defragmentations.iter().filter(|d| d.error.is_none());
                let longest = all.max_by(|a, b| a.seconds.total_cmp(&b.seconds));
                longest.map(|d| d.seconds)
            });
            let store = |t: &Trial<'_>| {
                let stores = t.run.classes.iter();
                let of = stores.filter(|c| c.class.name == self.victim);
                of.map(|c| c.class.store.clone()).next()
            };
            let own = trials.0.first().and_then(store).unwrap_or_default();
            let own = trials.most(|t| {
                let all = t.run.defragmentations.iter();
                let of_store = all.filter(|d| d.error.is_none() && d.store == own);
                of_store.map(|d| d.seconds).reduce(f64::max)
            });
            let or_none = |s: Option<f64>| s.map_or(NONE.to_owned(), seconds);
            rows.push(vec![
                level.to_string(),
                arm.to_owned(),
                count(compacted),
                count(defragmented),
                or_none(longest),
                or_none(own),
                or_none(trials.median(|t| t.record.slowest.quiet)),
                or_none(trials.median(|t| t.record.slowest.compaction)),
                or_none(trials.median(|t| t.record.slowest.defragmentation)),
            ]);
        }
        Table::new(
            &format!(
                "pauses: longest defragmentation in any store and in the store of the {0}; slowest of the {0} \
                 without maintenance, during compactions and during defragmentations (median of the trials)",
                title(self.victim)
            ),
            &[
                "level",
                "arm",
                "compactions",
                "defrags",
                "longest",
                "in that store",
                "slowest: quiet",
                "compacting",
                "defragmenting",
            ],
            rows,
        )
    }

    /// What the etcds of an arm take.
    fn cost(&self) -> Table {
        let mut rows = Vec::new();
        let plan = self.evidence.plan;
        let Some(level) = self.cost_on else {
            return Table::default();
        };
        let base = Trials::of(self.evidence, level, &plan.baseline);
        for arm in &plan.arms {
            let trials = Trials::of(self.evidence, level, &arm.name);
            if trials.is_empty() {
                continue;
            }
            let figure = |store: Option<&str>, of: fn(&MemberFigures) -> Option<f64>| {
                trials.median(|t| t.members(store, of))
            };
            let row = |name: &str, store: Option<&str>| {
                let show = |of: fn(&MemberFigures) -> Option<f64>, unit: Unit| {
                    figure(store, of).map_or(NONE.to_owned(), |v| phrases::figure(v, unit))
                };
                let syncs = trials
                    .median(|t| Some(t.members(store, |m| m.fsyncs)? / t.run.measured_seconds));
                vec![
                    arm.name.clone(),
                    name.to_owned(),
                    show(|m| m.cpu_cores, Unit::Cores),
                    show(|m| m.rss_max, Unit::Bytes),
                    show(|m| m.db_size_end, Unit::Bytes),
                    syncs.map_or(NONE.to_owned(), |s| format!("{}/s", rate(s))),
                ]
            };
            let mut total = row("all", None);
            if arm.name == plan.baseline {
                total.extend(["baseline".to_owned(), "baseline".to_owned()]);
            } else {
                let more = |of: fn(&MemberFigures) -> Option<f64>, unit: Unit| {
                    let more = trials.more_than(&base, |t| t.members(None, of));
                    more.map_or(NONE.to_owned(), |(m, i)| phrases::more(m, i, unit))
                };
                total.push(more(|m| m.cpu_cores, Unit::Cores));
                total.push(more(|m| m.rss_max, Unit::Bytes));
            }
            rows.push(total);
            if arm.stores.len() > 1 {
                rows.extend(arm.stores.iter().map(|s| row(&s.store, Some(&s.store))));
            }
        }
        let on = level.between(" on level ", "");
        Table::new(
            &format!("resource use of the etcds{on} (median of the trials; peak memory)"),
            &[
                "arm",
                "store",
                "CPU",
                "memory",
                "database",
                "log syncs",
                "CPU more",
                "memory more",
            ],
            rows,
        )
    }

    fn grace(&self) -> f64 {
        let record = self.played().flat_map(|(_, _, trials)| {
            let all = trials.0.iter().map(|t| t.record.grace);
            all.collect::<Vec<f64>>()
        });
        record.fold(0.0, f64::max)
    }

    fn notes(&self) -> Vec<String> {
        let runs = || self.evidence.runs.iter().flatten();
        let mut notes = Vec::new();
        let grace = self.grace();
        if grace > 0.0 {
            notes.push(format!(
                "a node whose Lease is not renewed for {} becomes NotReady (node-monitor grace period); the \
                 late renewals do not include failed or dropped ones",
                seconds(grace)
            ));
        }
        let several = self.evidence.plan.arms.iter().any(|a| a.stores.len() > 1);
        if let Some(run) = runs().next().filter(|_| several) {
            let machine = &run.header.environment;
            let mut cpus = machine.cpus;
            if let (Some(etcd), Some(client)) = (&machine.etcd_cores, &machine.client_cores) {
                let all: Cores = etcd.iter().chain(client.iter()).collect();
                cpus = u32::try_from(all.count()).unwrap_or(cpus);
            }
            notes.push(format!(
                "the etcds of an arm and etcdmark share this machine ({} cores){}: a split helps more when each \
                 etcd has its own machine",
                three(f64::from(cpus)),
                if self.one_disk() { " and its disk" } else { "" }
            ));
        }
        notes
    }

    /// Whether an arm's etcds lie on one file system.
    fn one_disk(&self) -> bool {
        self.evidence.plan.arms.iter().any(|a| {
            let mut of = a.stores.iter().map(|s| &s.file_system);
            let first = of.next();
            a.stores.len() > 1 && of.all(|f| Some(f) == first)
        })
    }
}
