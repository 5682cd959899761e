//! `media`: what the storage medium below etcd does to writes: one at a time, on the ladder, and where etcd is saturated.
//!
//! What is shown is what was measured of etcd on the medium, never what the medium would be capable of: a sync's length is
//! etcd's own, and "in parallel" is what a closed loop of many writers got from the same etcd.

use super::analysis::{Analysis, Evidence, Findings};
use super::metric::Metric;
use super::result::{Comparison, State, Table};
use super::say;
use super::syncs::Syncs;
use crate::kube::OpClass;
use crate::report::text::units::{rate, seconds, three};
use crate::report::{MemberFigures, RunResult};
use serde::Serialize;

/// The single writer.
const PROBE: OpClass = OpClass::ProbeUpdate;
/// A rung is within the limit while no more than this share of any op class missed it: then p99 is a number.
const MISSES: f64 = 0.01;

/// The analysis.
#[derive(Debug)]
pub(super) struct Media;

impl Analysis for Media {
    fn name(&self) -> &'static str {
        "media"
    }

    fn answer(&self, evidence: &Evidence<'_>) -> Findings {
        let played = Played::of(evidence);
        let arms: Vec<ArmFound> = (evidence.plan.arms.iter())
            .map(|a| played.arm(&a.name))
            .collect();
        let tables = [writers(&arms), played.ladder(&arms), syncs(&arms)];
        Findings {
            answer: answer(evidence, &played, &arms),
            tables: tables.into_iter().flatten().collect(),
            notes: vec![elections(evidence, &arms)],
            data: serde_json::to_value(&arms).unwrap_or_default(),
        }
    }
}

/// What was found of an arm.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ArmFound {
    arm: String,
    /// The highest open-loop rung on which, and below which, every op class met its limit in every trial.
    highest_rung: Option<String>,
    one_writer: Option<OneWriter>,
    /// Of each member.
    syncs: Vec<MemberSyncs>,
    /// In the measure phases of all trials.
    leader_changes: f64,
    /// Trials that are done.
    trials: usize,
}

/// What a single writer can do, by the lowest open-loop rung.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OneWriter {
    /// 1 / mean service time of the probe's writes.
    writes_per_second: f64,
    /// 1 / mean length of a log sync.
    syncs_per_second: Option<f64>,
    many: Option<Many>,
}

/// What many writers at once got from the same etcd, on the closed-loop rung.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Many {
    rung: String,
    /// Proposals that the leader committed.
    writes_per_second: f64,
    /// Proposals for each of the leader's log syncs.
    writes_per_sync: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberSyncs {
    member: String,
    leader: bool,
    /// On the open-loop rungs.
    syncs: Syncs,
}

/// The trials that count, each with its arm and rung.
struct Played<'a> {
    trials: Vec<(&'a str, &'a str, &'a RunResult)>,
    /// Open-loop rungs that were played, in the ladder's order.
    open: Vec<&'a str>,
    /// The rung with a closed loop.
    closed: Option<&'a str>,
    /// The first metric of the answer that has a rung to show, for the ladder.
    shown: Option<&'a String>,
    comparisons: &'a [Comparison],
    baseline: &'a str,
}

impl<'a> Played<'a> {
    fn of(evidence: &Evidence<'a>) -> Self {
        let done = evidence.trials.iter().zip(evidence.runs);
        let trials: Vec<_> = done
            .filter(|(t, _)| t.state == State::Done)
            .filter_map(|(t, run)| Some((t.arm.as_str(), t.rung.as_str(), run.as_ref()?)))
            .collect();
        let closes = |run: &RunResult| run.classes.iter().any(|c| c.class.closed_loop);
        let has = |rung: &str, closed: bool| {
            let mut of_rung = trials.iter().filter(|(_, r, _)| *r == rung);
            of_rung.any(|(_, _, run)| closes(run) == closed)
        };
        let rungs = || evidence.plan.rungs.iter().map(String::as_str);
        Played {
            open: rungs().filter(|r| has(r, false)).collect(),
            closed: rungs().find(|r| has(r, true)),
            shown: (evidence.plan.primary.iter()).find(|m| !m.starts_with(PROBE.name())),
            comparisons: evidence.comparisons,
            baseline: &evidence.plan.baseline,
            trials,
        }
    }

    fn runs<'s>(&'s self, arm: &'s str, rung: &'s str) -> impl Iterator<Item = &'a RunResult> + 's {
        let of = move |(a, r, _): &&(&str, &str, &'a RunResult)| *a == arm && *r == rung;
        self.trials.iter().filter(of).map(|(_, _, run)| *run)
    }

    fn arm(&self, arm: &str) -> ArmFound {
        let within = |rung: &&&str| {
            let classes = self.runs(arm, rung).flat_map(|run| &run.classes);
            let mut met = classes.map(|c| c.figures.miss_share <= MISSES).peekable();
            met.peek().is_some() && met.all(|met| met)
        };
        let all = || self.trials.iter().filter(|(a, ..)| *a == arm);
        let changes = all().flat_map(|(_, _, run)| &run.stores);
        ArmFound {
            arm: arm.to_owned(),
            highest_rung: (self.open.iter().take_while(within).last()).map(|r| (*r).to_owned()),
            one_writer: self.one_writer(arm),
            syncs: self.syncs(arm),
            leader_changes: changes.filter_map(|s| s.leader_changes).sum(),
            trials: all().count(),
        }
    }

    fn one_writer(&self, arm: &str) -> Option<OneWriter> {
        let rung = self.open.first()?;
        let probes = self.runs(arm, rung).filter_map(|run| {
            let service = run.class(PROBE.name())?.figures.service?;
            Some((service.mean_ns * service.count as f64, service.count))
        });
        let (total_ns, count) = probes.fold((0.0, 0), |sum, x| (sum.0 + x.0, sum.1 + x.1));
        let mut of_log = Syncs::default();
        let leaders = self.runs(arm, rung).filter_map(leader);
        leaders.filter_map(Syncs::of).for_each(|s| of_log.add(&s));
        (count > 0).then(|| OneWriter {
            writes_per_second: count as f64 * 1e9 / total_ns,
            syncs_per_second: of_log.mean().map(|mean| 1.0 / mean),
            many: self.many(arm),
        })
    }

    fn many(&self, arm: &str) -> Option<Many> {
        let rung = self.closed?;
        let (mut writes, mut syncs, mut time) = (0.0, 0.0, 0.0);
        for run in self.runs(arm, rung) {
            let member = leader(run)?;
            let committed = member.series.get("proposals.committed")?;
            writes += committed.increase;
            time += committed.seconds;
            syncs += member.fsyncs.unwrap_or(0.0);
        }
        (time > 0.0).then(|| Many {
            rung: rung.to_owned(),
            writes_per_second: writes / time,
            writes_per_sync: (syncs > 0.0).then(|| writes / syncs),
        })
    }

    fn syncs(&self, arm: &str) -> Vec<MemberSyncs> {
        let mut all: Vec<MemberSyncs> = Vec::new();
        let runs = self.open.iter().flat_map(|rung| self.runs(arm, rung));
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

    /// The answer's metric on every open rung, and how high each arm came.
    fn ladder(&self, arms: &[ArmFound]) -> Option<Table> {
        let metric = Metric::parse(self.shown?).ok()?;
        if self.open.len() < 2 {
            return None;
        }
        let cell = |arm: &str, rung: &str| {
            let of = |c: &&Comparison| c.metric == metric.name && c.rung == rung;
            let mut of_rung = self.comparisons.iter().filter(of);
            let (value, missed) = if arm == self.baseline {
                let first = of_rung.next()?;
                (first.baseline_median, first.baseline_missed > 0)
            } else {
                let own = of_rung.find(|c| c.arm == arm)?;
                (own.arm_median, own.arm_missed > 0)
            };
            Some(say::median(value, missed, metric.unit()))
        };
        let row = |found: &ArmFound| {
            let cells = self.open.iter();
            let cells = cells.map(|r| cell(&found.arm, r).unwrap_or_else(|| "-".to_owned()));
            let highest = found.highest_rung.clone();
            [
                vec![found.arm.clone()],
                cells.collect(),
                vec![highest.unwrap_or_else(|| "none".to_owned())],
            ]
            .concat()
        };
        let columns = ["arm"].into_iter().chain(self.open.iter().copied());
        Some(Table {
            title: format!(
                "the ladder: {}, and the highest rung on which at most 1 % of every op class missed its limit",
                metric.title()
            ),
            columns: columns
                .chain(["within the limit"])
                .map(str::to_owned)
                .collect(),
            rows: arms.iter().map(row).collect(),
        })
    }
}

/// The member that leads the first store.
fn leader(run: &RunResult) -> Option<&MemberFigures> {
    run.stores.first()?.members.iter().find(|m| m.leader)
}

fn writers(arms: &[ArmFound]) -> Option<Table> {
    let of = |found: &ArmFound| {
        let one = found.one_writer.as_ref()?;
        let dash = || "-".to_owned();
        let many = one.many.as_ref();
        Some(vec![
            found.arm.clone(),
            seconds(1.0 / one.writes_per_second),
            format!("{}/s", rate(one.writes_per_second)),
            one.syncs_per_second
                .map_or_else(dash, |s| format!("{}/s", rate(s))),
            many.map_or_else(dash, |m| format!("{}/s", rate(m.writes_per_second))),
            many.map_or_else(dash, |m| {
                format!(
                    "{} %",
                    three(100.0 * one.writes_per_second / m.writes_per_second)
                )
            }),
            many.and_then(|m| m.writes_per_sync)
                .map_or_else(dash, three),
        ])
    };
    let rows: Vec<Vec<String>> = arms.iter().filter_map(of).collect();
    let rung = arms
        .iter()
        .find_map(|a| a.one_writer.as_ref()?.many.as_ref());
    let rung = rung.map_or(String::new(), |m| {
        format!("; many: the writes that etcd committed on rung {}", m.rung)
    });
    (!rows.is_empty()).then(|| Table {
        title: format!(
            "latency-bound: what one writer can do, by the means of its writes and of etcd's log syncs{rung}"
        ),
        columns: ["arm", "a write", "one writer", "syncs", "many", "one of many", "writes per sync"]
            .map(str::to_owned)
            .to_vec(),
        rows,
    })
}

fn syncs(arms: &[ArmFound]) -> Option<Table> {
    let row = |found: &ArmFound, member: &MemberSyncs| {
        let leads = if member.leader { ", leads" } else { "" };
        let name = if found.syncs.len() > 1 {
            format!("{} ({}{leads})", found.arm, member.member)
        } else {
            found.arm.clone()
        };
        [vec![name], member.syncs.row()].concat()
    };
    let rows = arms
        .iter()
        .flat_map(|a| a.syncs.iter().map(move |m| row(a, m)));
    let rows: Vec<Vec<String>> = rows.collect();
    (!rows.is_empty()).then(|| Table {
        title: "etcd's log syncs on the open-loop rungs: the mean is exact, the rest as fine as etcd's buckets".to_owned(),
        columns: ["arm"].into_iter().chain(Syncs::COLUMNS).map(str::to_owned).collect(),
        rows,
    })
}

fn elections(evidence: &Evidence<'_>, arms: &[ArmFound]) -> String {
    let changed = arms.iter().filter(|a| a.leader_changes > 0.0);
    let changed: Vec<String> = changed
        .map(|a| {
            format!(
                "{} {} in {} trials",
                a.arm,
                three(a.leader_changes),
                a.trials
            )
        })
        .collect();
    if !changed.is_empty() {
        return format!(
            "elections: {}; a leader that waits for its disk longer than the election timeout (1 s by default) is replaced",
            changed.join(", ")
        );
    }
    let single = |a: &super::plan::ArmPlan| a.stores.iter().all(|s| s.members == 1);
    if evidence.plan.arms.iter().all(single) {
        return "elections: none; a single member has nobody who could replace it, however long it waits for its disk"
            .to_owned();
    }
    "elections: no leader changed in any trial".to_owned()
}

/// Every primary metric on the lowest rung, how high each arm came, and how alike the arms are where etcd is saturated.
fn answer(evidence: &Evidence<'_>, played: &Played<'_>, arms: &[ArmFound]) -> String {
    let on = |rung: &str, metric: &str| -> Vec<&Comparison> {
        let of = |c: &&Comparison| c.rung == rung && c.metric == metric && c.pairs > 0;
        evidence.comparisons.iter().filter(of).collect()
    };
    let sentence = |metric: &str, about: &[&Comparison]| {
        let title = Metric::parse(metric).map_or(metric.to_owned(), |m| m.title());
        let clauses: Vec<String> = about.iter().map(|c| say::clause(c)).collect();
        format!("{title}: {}", clauses.join("; "))
    };
    let first = played.open.first().copied().unwrap_or_default();
    let (mut parts, mut rests) = (Vec::new(), Vec::new());
    for metric in &evidence.plan.primary {
        let about = on(first, metric);
        if !about.is_empty() {
            parts.push(sentence(metric, &about));
            rests.extend(about);
        }
    }
    if played.open.len() > 1 {
        let highest = arms
            .iter()
            .map(|a| format!("{} {}", a.arm, a.highest_rung.as_deref().unwrap_or("none")));
        let highest: Vec<String> = highest.collect();
        parts.push(format!(
            "highest rung within the limit: {}",
            highest.join(", ")
        ));
    }
    let saturated = played.closed.and_then(|rung| {
        let metric = evidence
            .plan
            .metrics
            .iter()
            .find(|m| m.ends_with(":rate"))?;
        let about = on(rung, metric);
        (!about.is_empty()).then(|| format!("saturated ({rung}), {}", sentence(metric, &about)))
    });
    parts.extend(saturated);
    if parts.is_empty() {
        return "no pair of trials is done that could tell".to_owned();
    }
    let rung = if first.is_empty() {
        String::new()
    } else {
        format!(" on rung {first}")
    };
    format!(
        "against {}{rung}, {}{}",
        evidence.plan.baseline,
        parts.join(". "),
        say::basis(evidence.plan, &rests)
    )
}
