//! The tables of a media experiment.

use super::syncs::Syncs;
use super::trials::{ArmFound, MemberSyncs, Played};
use crate::experiment::result::document::{Comparison, Table};
use crate::experiment::result::metric::Metric;
use crate::experiment::result::phrases;
use crate::human::numbers::{rate, seconds, three};

impl Played<'_> {
    /// The answer's metric on every open level, and how high each arm came.
    pub(super) fn sweep(&self, arms: &[ArmFound]) -> Option<Table> {
        let metric = Metric::parse(self.shown?).ok()?;
        if self.open.len() < 2 {
            return None;
        }
        let cell = |arm: &str, level: &str| {
            let of = |c: &&Comparison| c.metric == metric.name && c.level == level;
            let mut of_level = self.comparisons.iter().filter(of);
            let (value, missed) = if arm == self.baseline {
                let first = of_level.next()?;
                (first.baseline_median, first.baseline_missed > 0)
            } else {
                let own = of_level.find(|c| c.arm == arm)?;
                (own.arm_median, own.arm_missed > 0)
            };
            Some(phrases::median(value, missed, metric.unit()))
        };
        let row = |found: &ArmFound| {
            let cells = self.open.iter();
            let cells = cells.map(|r| cell(&found.arm, r).unwrap_or_else(|| "-".to_owned()));
            let highest = found.highest_level.clone();
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
                "sweep: {}, and the highest level at which at most 1 % of each op class missed its limit",
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

pub(super) fn writers(arms: &[ArmFound]) -> Option<Table> {
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
    let level = arms
        .iter()
        .find_map(|a| a.one_writer.as_ref()?.many.as_ref());
    let level = level.map_or(String::new(), |m| {
        format!(
            "; many writers: writes that etcd committed on level {}",
            m.level
        )
    });
    (!rows.is_empty()).then(|| Table {
        title: format!(
            "latency-bound: the rate of one writer, from the mean times of its writes and of etcd's log syncs{level}"
        ),
        columns: ["arm", "mean write", "one writer", "syncs", "many writers", "share of one", "writes per sync"]
            .map(str::to_owned)
            .to_vec(),
        rows,
    })
}

pub(super) fn syncs(arms: &[ArmFound]) -> Option<Table> {
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
        title: "etcd's log syncs on the open-loop levels: the mean is exact; the other columns have the \
                resolution of etcd's buckets".to_owned(),
        columns: ["arm"].into_iter().chain(Syncs::COLUMNS).map(str::to_owned).collect(),
        rows,
    })
}
