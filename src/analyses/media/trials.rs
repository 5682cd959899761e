//! The trials of a media experiment, and what they say of each arm.

use super::syncs::Syncs;
use crate::experiment::analysis::Evidence;
use crate::experiment::result::document::{Comparison, TrialState};
use crate::kube::OpClass;
use crate::report::{MemberFigures, RunResult};
use serde::Serialize;

/// The single writer.
const PROBE: OpClass = OpClass::ProbeUpdate;
/// A level is within the limit while no more than this share of any op class missed it: then p99 is a number.
const MISSES: f64 = 0.01;

/// What was found of an arm.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArmFound {
    pub(super) arm: String,
    /// The highest open-loop level on which, and below which, every op class met its limit in every trial.
    pub(super) highest_level: Option<String>,
    pub(super) one_writer: Option<OneWriter>,
    /// Of each member.
    pub(super) syncs: Vec<MemberSyncs>,
    /// In the measure phases of all trials.
    pub(super) leader_changes: f64,
    /// Trials that are done.
    pub(super) trials: usize,
}

/// What a single writer can do, by the lowest open-loop level.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneWriter {
    /// 1 / mean service time of the probe's writes.
    pub(super) writes_per_second: f64,
    /// 1 / mean length of a log sync.
    pub(super) syncs_per_second: Option<f64>,
    pub(super) many: Option<Many>,
}

/// What many writers at once got from the same etcd, on the closed-loop level.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Many {
    pub(super) level: String,
    /// Proposals that the leader committed.
    pub(super) writes_per_second: f64,
    /// Proposals for each of the leader's log syncs.
    pub(super) writes_per_sync: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MemberSyncs {
    pub(super) member: String,
    pub(super) leader: bool,
    /// On the open-loop levels.
    pub(super) syncs: Syncs,
}

/// The trials that count, each with its arm and level.
pub(super) struct Played<'a> {
    pub(super) trials: Vec<(&'a str, &'a str, &'a RunResult)>,
    /// Open-loop levels that were played, in the sweep's order.
    pub(super) open: Vec<&'a str>,
    /// The level with a closed loop.
    pub(super) closed: Option<&'a str>,
    /// The first metric of the answer that has a level to show, for the sweep.
    pub(super) shown: Option<&'a String>,
    pub(super) comparisons: &'a [Comparison],
    pub(super) baseline: &'a str,
}

impl<'a> Played<'a> {
    pub(super) fn of(evidence: &Evidence<'a>) -> Self {
        let done = evidence.trials.iter().zip(evidence.runs);
        let trials: Vec<_> = done
            .filter(|(t, _)| t.state == TrialState::Done)
            .filter_map(|(t, run)| Some((t.arm.as_str(), t.level.as_str(), run.as_ref()?)))
            .collect();
        let closes = |run: &RunResult| run.classes.iter().any(|c| c.class.closed_loop);
        let has = |level: &str, closed: bool| {
            let mut of_level = trials.iter().filter(|(_, r, _)| *r == level);
            of_level.any(|(_, _, run)| closes(run) == closed)
        };
        let levels = || evidence.plan.levels.iter().map(String::as_str);
        Played {
            open: levels().filter(|r| has(r, false)).collect(),
            closed: levels().find(|r| has(r, true)),
            shown: (evidence.plan.primary.iter()).find(|m| !m.starts_with(PROBE.name())),
            comparisons: evidence.comparisons,
            baseline: &evidence.plan.baseline,
            trials,
        }
    }

    pub(super) fn runs<'s>(
        &'s self,
        arm: &'s str,
        level: &'s str,
    ) -> impl Iterator<Item = &'a RunResult> + 's {
        let of = move |(a, r, _): &&(&str, &str, &'a RunResult)| *a == arm && *r == level;
        self.trials.iter().filter(of).map(|(_, _, run)| *run)
    }

    pub(super) fn arm(&self, arm: &str) -> ArmFound {
        let within = |level: &&&str| {
            let classes = self.runs(arm, level).flat_map(|run| &run.classes);
            let mut met = classes.map(|c| c.figures.miss_share <= MISSES).peekable();
            met.peek().is_some() && met.all(|met| met)
        };
        let all = || self.trials.iter().filter(|(a, ..)| *a == arm);
        let changes = all().flat_map(|(_, _, run)| &run.stores);
        ArmFound {
            arm: arm.to_owned(),
            highest_level: (self.open.iter().take_while(within).last()).map(|r| (*r).to_owned()),
            one_writer: self.one_writer(arm),
            syncs: self.syncs(arm),
            leader_changes: changes.filter_map(|s| s.leader_changes).sum(),
            trials: all().count(),
        }
    }

    fn one_writer(&self, arm: &str) -> Option<OneWriter> {
        let level = self.open.first()?;
        let probes = self.runs(arm, level).filter_map(|run| {
            let service = run.class(PROBE.name())?.figures.service?;
            Some((service.mean_ns * service.count as f64, service.count))
        });
        let (total_ns, count) = probes.fold((0.0, 0), |sum, x| (sum.0 + x.0, sum.1 + x.1));
        let mut of_log = Syncs::default();
        let leaders = self.runs(arm, level).filter_map(leader);
        leaders.filter_map(Syncs::of).for_each(|s| of_log.add(&s));
        (count > 0).then(|| OneWriter {
            writes_per_second: count as f64 * 1e9 / total_ns,
            syncs_per_second: of_log.mean().map(|mean| 1.0 / mean),
            many: self.many(arm),
        })
    }

    fn many(&self, arm: &str) -> Option<Many> {
        let level = self.closed?;
        let (mut writes, mut syncs, mut time) = (0.0, 0.0, 0.0);
        for run in self.runs(arm, level) {
            let member = leader(run)?;
            let committed = member.series.get("proposals.committed")?;
            writes += committed.increase;
            time += committed.seconds;
            syncs += member.fsyncs.unwrap_or(0.0);
        }
        (time > 0.0).then(|| Many {
            level: level.to_owned(),
            writes_per_second: writes / time,
            writes_per_sync: (syncs > 0.0).then(|| writes / syncs),
        })
    }

    fn syncs(&self, arm: &str) -> Vec<MemberSyncs> {
        let mut all: Vec<MemberSyncs> = Vec::new();
        let runs = self.open.iter().flat_map(|level| self.runs(arm, level));
        for (store, member) in runs
            .flat_map(|run| run.stores.iter())
            .flat_map(|s| s.members.iter().map(move |m| (s, m)))
        {
            let Some(syncs) = Syncs::of(member) else {
                continue;
            };
            let name = match store.name.as_str() {
                "main" => member.member.clone(),
                store => format!("{store} {}", member.member),
            };
            match all.iter_mut().find(|m| m.member == name) {
                Some(found) => found.syncs.add(&syncs),
                None => all.push(MemberSyncs {
                    member: name,
                    leader: member.leader,
                    syncs,
                }),
            }
        }
        all
    }
}

/// The member that leads the first store.
pub(super) fn leader(run: &RunResult) -> Option<&MemberFigures> {
    run.stores.first()?.members.iter().find(|m| m.leader)
}
