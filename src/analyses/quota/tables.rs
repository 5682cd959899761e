//! The tables of fillings: one row, or block of rows, for each.

use super::answer::signed;
use super::filling::Filling;
use super::record::{OperationCheck, Quarter, ResponseCounts};
use crate::experiment::result::document::Table;
use crate::human::numbers::{bytes, count, rate, seconds};
use std::collections::BTreeMap;

/// An autoscaler (or anybody) that replaces unready nodes, but not when more than this share of them is.
const GUARD: f64 = 0.5;
/// All of them that have rows.
pub(super) fn all(of: &[Filling<'_>]) -> Vec<Table> {
    let mut tables = vec![
        forecasts(of),
        filling(of),
        while_full(of),
        lease_impact(of),
        recovery(of),
        at_full(of),
        matrix(of),
    ];
    tables.retain(|t| !t.rows.is_empty());
    tables
}

fn forecasts(all: &[Filling<'_>]) -> Table {
    let mut rows = Vec::new();
    for f in all {
        for (i, said) in f.record.forecasts.iter().enumerate() {
            rows.push(vec![
                if i == 0 {
                    f.name.clone()
                } else {
                    String::new()
                },
                said.when.clone(),
                bytes(said.used),
                format!("{}/s", bytes(said.growth)),
                said.full_at.map_or("never".to_owned(), seconds),
                f.record
                    .full_at
                    .filter(|_| i + 1 == f.record.forecasts.len())
                    .map_or(String::new(), seconds),
                f.off(i).map_or(String::new(), signed),
            ]);
        }
    }
    Table::new(
        "time to full, in seconds of load: the forecast (Q - used) / growth, and the actual time",
        &[
            "",
            "forecast",
            "used",
            "growth",
            "full at",
            "actual",
            "deviation",
        ],
        rows,
    )
}

fn filling(all: &[Filling<'_>]) -> Table {
    let row = |f: &Filling<'_>| {
        let r = &f.record;
        let quota = r.quota as f64;
        let p99 = |q: Option<&Quarter>| match q {
            Some(q) if q.missed * 100 > q.offered => "missed".to_owned(),
            Some(q) => q.p99.map_or("-".to_owned(), seconds),
            None => "-".to_owned(),
        };
        vec![
            f.name.clone(),
            bytes(quota),
            format!("{}/s", rate(r.rate)),
            r.critical_rate
                .map_or("-".to_owned(), |c| format!("{}/s", rate(c))),
            r.at_once
                .map_or("-".to_owned(), |size| signed(size / quota - 1.0)),
            bytes(r.largest),
            bytes(r.rss),
            p99(r.quarters.first()),
            p99(r.quarters.last()),
        ]
    };
    Table::new(
        "filling: overshoot, memory, and Lease renewals in the first and the last quarter of the time to full",
        &[
            "",
            "quota",
            "writes",
            "critical rate",
            "overshoot",
            "largest file",
            "RSS",
            "p99 first",
            "p99 last",
        ],
        all.iter()
            .filter(|f| f.record.full_at.is_some())
            .map(row)
            .collect(),
    )
}

fn while_full(all: &[Filling<'_>]) -> Table {
    let mut rows = Vec::new();
    for f in all {
        for (i, (class, a)) in f.record.while_full.iter().enumerate() {
            let ResponseCounts {
                ok,
                no_space,
                other,
            } = a;
            rows.push(vec![
                if i == 0 {
                    f.name.clone()
                } else {
                    String::new()
                },
                class.clone(),
                count(*ok),
                count(*no_space),
                others(other),
            ]);
        }
    }
    Table::new(
        "while full: answered and refused requests",
        &["", "op class", "answered", "no space", "other errors"],
        rows,
    )
}

fn lease_impact(all: &[Filling<'_>]) -> Table {
    let row = |f: &Filling<'_>| {
        let (r, b) = (&f.record, f.record.lease_impact.as_ref()?);
        let share = b.not_ready as f64 / r.nodes.max(1) as f64;
        let guarded = if share > GUARD { 0 } else { b.not_ready };
        Some(vec![
            f.name.clone(),
            seconds(b.silence),
            format!("{} ({})", seconds(b.grace), r.kubernetes),
            format!("at least {} of {}", b.not_ready, r.nodes),
            b.first_at
                .zip(r.full_at)
                .map_or("-".to_owned(), |(t, full)| seconds(t - full)),
            b.not_ready.to_string(),
            guarded.to_string(),
        ])
    };
    Table::new(
        "the cluster: nodes whose Lease was not renewed within the node-monitor grace period, and nodes that an \
         autoscaler would replace",
        &[
            "",
            "no renewal for",
            "grace period",
            "NotReady",
            "first, after full",
            "replaced",
            "with a 50 % guard",
        ],
        all.iter()
            .filter(|f| f.record.full_at.is_some())
            .filter_map(row)
            .collect(),
    )
}

fn recovery(all: &[Filling<'_>]) -> Table {
    let mut rows = Vec::new();
    for f in all {
        for (i, step) in f.record.recovery.iter().enumerate() {
            let last = i + 1 == f.record.recovery.len();
            let back = f.record.writable_at.filter(|_| last);
            rows.push(vec![
                if i == 0 {
                    f.name.clone()
                } else {
                    String::new()
                },
                step.name.clone(),
                seconds(step.took),
                seconds(step.reads_stood),
                bytes(step.size as f64),
                back.map_or("no".to_owned(), |_| "yes".to_owned()),
            ]);
        }
    }
    Table::new(
        "recovery, while the load continues",
        &[
            "",
            "step",
            "took",
            "reads blocked",
            "file after",
            "writes answered",
        ],
        rows,
    )
}

fn at_full(all: &[Filling<'_>]) -> Table {
    let row = |f: &Filling<'_>| {
        let a = &f.record.at_full;
        vec![
            f.name.clone(),
            bytes(a.size as f64),
            a.restart.map_or("-".to_owned(), seconds),
            format!(
                "{} ({})",
                seconds(a.snapshot),
                bytes(a.snapshot_bytes as f64)
            ),
            seconds(a.compact),
            seconds(a.defragment),
        ]
    };
    Table::new(
        "a full file, without load",
        &["", "file", "restart", "snapshot", "compact", "defragment"],
        all.iter()
            .filter(|f| f.record.at_full.size > 0)
            .map(row)
            .collect(),
    )
}

/// One row per operation; the columns are the etcds, each once.
fn matrix(all: &[Filling<'_>]) -> Table {
    let mut etcds: Vec<&Filling<'_>> = Vec::new();
    for f in all.iter().filter(|f| !f.record.matrix.is_empty()) {
        if etcds.iter().all(|e| e.record.etcd != f.record.etcd) {
            etcds.push(f);
        }
    }
    let Some(first) = etcds.first() else {
        return Table::default();
    };
    let mut columns = vec!["".to_owned(), "expected".to_owned()];
    columns.extend(etcds.iter().map(|f| format!("etcd {}", f.record.etcd)));
    let row = |(i, c): (usize, &OperationCheck)| {
        let mut cells = vec![c.operation.clone(), c.expected.clone()];
        cells.extend(etcds.iter().map(|f| match f.record.matrix.get(i) {
            Some(c) if c.holds() => c.found.clone(),
            Some(c) => format!("{} (!)", c.found),
            None => "-".to_owned(),
        }));
        cells
    };
    Table {
        title: "operation matrix: each operation against a full etcd".to_owned(),
        columns,
        rows: first.record.matrix.iter().enumerate().map(row).collect(),
    }
}

/// `197 deadline`; `0`.
fn others(other: &BTreeMap<String, u64>) -> String {
    let named: Vec<String> = other
        .iter()
        .map(|(name, n)| format!("{n} {name}"))
        .collect();
    if named.is_empty() {
        "0".to_owned()
    } else {
        named.join(", ")
    }
}
