//! What fillings tell: the answer and its tables. Pure.

use super::record::{Answered, Record};
use crate::experiment::analysis::{Evidence, Findings};
use crate::experiment::result::Table;
use crate::report::RunResult;
use crate::report::text::units::{bytes, count, rate, seconds, three};
use std::collections::BTreeMap;

/// An autoscaler (or anybody) that replaces unready nodes, but not when more than this share of them is.
const GUARD: f64 = 0.5;
/// A forecast this near has come true.
const NEAR: f64 = 0.10;

/// One filling with where it comes from.
struct Filled<'a> {
    name: String,
    record: Record,
    run: &'a RunResult,
}

pub(super) fn answer(evidence: &Evidence<'_>) -> Findings {
    let all = fillings(evidence);
    if all.is_empty() {
        return Findings {
            answer: "no etcd was filled to its end yet".to_owned(),
            ..Findings::default()
        };
    }
    let mut tables = vec![
        forecasts(&all),
        filling(&all),
        while_full(&all),
        blast(&all),
    ];
    tables.extend([recovery(&all), at_full(&all), matrix(&all)]);
    tables.retain(|t| !t.rows.is_empty());
    Findings {
        answer: sentence(&all),
        tables,
        notes: notes(&all),
        data: serde_json::json!({
            "fillings": all.iter().map(|f| serde_json::json!({
                "trial": f.name,
                "forecastBeforeOff": f.off(1),
                "forecastAtQuarterOff": f.off(2),
                "record": f.record,
            })).collect::<Vec<_>>(),
        }),
    }
}

fn fillings<'a>(evidence: &'a Evidence<'_>) -> Vec<Filled<'a>> {
    let plan = evidence.plan;
    let mut all: Vec<(usize, Filled<'a>)> = Vec::new();
    let of_trials = evidence
        .trials
        .iter()
        .zip(evidence.runs)
        .zip(evidence.after);
    for ((trial, run), after) in of_trials {
        let (Some(run), Some(after)) = (run, after) else {
            continue;
        };
        let Ok(record) = serde_json::from_value::<Record>(after.clone()) else {
            continue;
        };
        let mut name = format!("etcd {}", record.etcd);
        let like = |a: &&crate::experiment::plan::ArmPlan| {
            a.stores.first().map(|s| &s.version) == Some(&record.etcd)
        };
        // Versions tell arms apart, unless they do not.
        if plan.arms.iter().filter(like).count() > 1 {
            name = trial.arm.clone();
        }
        if plan.rungs.len() > 1 {
            name = format!("{name}, {}", trial.rung);
        }
        if plan.pairs > 1 {
            name = format!("{name}, {}", trial.pair);
        }
        let rung = plan
            .rungs
            .iter()
            .position(|r| *r == trial.rung)
            .unwrap_or(0);
        let arm = plan
            .arms
            .iter()
            .position(|a| a.name == trial.arm)
            .unwrap_or(0);
        let place = (rung * plan.arms.len() + arm) * plan.pairs as usize + trial.pair as usize;
        all.push((place, Filled { name, record, run }));
    }
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, f)| f).collect()
}

impl Filled<'_> {
    /// By which share of the true time the forecast of that number was late (above 0: it came later than said).
    fn off(&self, forecast: usize) -> Option<f64> {
        let said = self.record.forecasts.get(forecast)?.full_at?;
        Some(self.record.full_at? / said - 1.0)
    }

    fn down(&self) -> f64 {
        let last = self.record.recovery.last().map(|s| s.at + s.took);
        let first = self.record.recovery.first().map(|s| s.at);
        last.zip(first).map_or(0.0, |(l, f)| l - f)
    }
}

fn sentence(all: &[Filled<'_>]) -> String {
    let full: Vec<&Filled<'_>> = all.iter().filter(|f| f.record.full_at.is_some()).collect();
    let Some(first) = full.first() else {
        let said = all[0].record.forecasts.iter().rev().find_map(|f| f.full_at);
        let said = said.map_or("never".to_owned(), seconds);
        return format!(
            "not full within the load's time; {said} was said: give it a longer --set phases.duration"
        );
    };
    let names: Vec<&str> = full.iter().map(|f| f.name.as_str()).collect();
    let worst = full
        .iter()
        .filter_map(|f| Some((f.off(1)?, *f)))
        .max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
    let when = match (full.len(), worst) {
        (1, Some((off, f))) => format!(
            "{} was full {} into the load, {} than the {} said before it",
            f.name,
            seconds(f.record.full_at.unwrap_or_default()),
            later(off),
            seconds(f.record.forecasts[1].full_at.unwrap_or_default()),
        ),
        (_, Some((off, f))) => format!(
            "{} were full within {} of the time said before the load (the farthest: {}, {})",
            names.join(", "),
            percent(off.abs()),
            f.name,
            later(off),
        ),
        (_, None) => format!("{} was full, and nothing had been said", first.name),
    };
    let refused: u64 = full
        .iter()
        .flat_map(|f| f.record.while_full.values())
        .map(|a| a.no_space)
        .sum();
    let writes_ok: u64 = full.iter().map(|f| written(f)).sum();
    let blast = full.iter().max_by_key(|f| f.record.blast.not_ready);
    let blast = blast.map_or(String::new(), |f| {
        let b = &f.record.blast;
        if b.not_ready > 0 {
            format!(
                "; {} of {} nodes would be NotReady",
                b.not_ready, f.record.nodes
            )
        } else {
            "; no node was without a renewal for its grace period".to_owned()
        }
    });
    let lost: u64 = full
        .iter()
        .filter_map(|f| f.run.verify.as_ref())
        .map(|v| v.lost)
        .sum();
    let acknowledged: u64 = full
        .iter()
        .filter_map(|f| f.run.verify.as_ref())
        .map(|v| v.acknowledged)
        .sum();
    let stuck = full
        .iter()
        .find(|f| f.record.not_recovered.is_some() || f.record.writable_at.is_none());
    let back = match stuck {
        Some(f) => format!(
            "; {} did not come back: {}",
            f.name,
            f.record
                .not_recovered
                .as_deref()
                .unwrap_or("writes went on failing after the disarming")
        ),
        None => {
            let longest = full.iter().map(|f| f.down()).fold(0.0, f64::max);
            format!(
                "; compact, defragment and disarm took {} and brought writes back",
                seconds(longest)
            )
        }
    };
    format!(
        "{when}; then {} writes were refused and {} answered{blast}{back}; {} of {} acknowledged writes {} lost",
        count(refused),
        none(writes_ok),
        none(lost),
        count(acknowledged),
        if lost == 1 { "was" } else { "were" },
    )
}

/// Writes that were answered well while full.
fn written(f: &Filled<'_>) -> u64 {
    let of =
        |class: &String| {
            f.run.header.classes.iter().any(|c| {
                c.name == *class && matches!(c.verb.as_str(), "create" | "update" | "grant")
            })
        };
    f.record
        .while_full
        .iter()
        .filter(|(c, _)| of(c))
        .map(|(_, a)| a.ok)
        .sum()
}

fn table(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Table {
    Table {
        title: title.to_owned(),
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        rows,
    }
}

fn forecasts(all: &[Filled<'_>]) -> Table {
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
    table(
        "time to full, seconds of load: (Q - used) / growth, as was said, and as it came",
        &["", "said", "used", "growth", "full at", "came at", "off"],
        rows,
    )
}

fn filling(all: &[Filled<'_>]) -> Table {
    let row = |f: &Filled<'_>| {
        let r = &f.record;
        let quota = r.quota as f64;
        let p99 = |q: Option<&super::record::Quarter>| match q {
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
    table(
        "filling: overshoot, memory, and Lease renewals in the first and the last quarter of the way",
        &[
            "",
            "quota",
            "writes",
            "critical rate",
            "overshoot",
            "file at most",
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

fn while_full(all: &[Filled<'_>]) -> Table {
    let mut rows = Vec::new();
    for f in all {
        for (i, (class, a)) in f.record.while_full.iter().enumerate() {
            let Answered {
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
                ok.to_string(),
                no_space.to_string(),
                others(other),
            ]);
        }
    }
    table(
        "while full: what was answered and what was refused",
        &["", "op class", "answered", "no space", "other errors"],
        rows,
    )
}

fn blast(all: &[Filled<'_>]) -> Table {
    let row = |f: &Filled<'_>| {
        let (r, b) = (&f.record, &f.record.blast);
        let share = b.not_ready as f64 / r.nodes.max(1) as f64;
        let guarded = if share > GUARD { 0 } else { b.not_ready };
        vec![
            f.name.clone(),
            seconds(b.silence),
            format!("{} ({})", seconds(b.grace), r.kubernetes),
            format!("{} of {}", b.not_ready, r.nodes),
            b.first_at
                .zip(r.full_at)
                .map_or("-".to_owned(), |(t, full)| seconds(t - full)),
            b.not_ready.to_string(),
            guarded.to_string(),
        ]
    };
    table(
        "the cluster: nodes whose Lease was not renewed within the node-monitor grace period, and what an autoscaler would replace",
        &[
            "",
            "no renewal for",
            "grace period",
            "NotReady",
            "first after full by",
            "replaced",
            "with a 50 % guard",
        ],
        all.iter()
            .filter(|f| f.record.full_at.is_some())
            .map(row)
            .collect(),
    )
}

fn recovery(all: &[Filled<'_>]) -> Table {
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
    table(
        "the way back, beside the load",
        &[
            "",
            "step",
            "took",
            "reads stood still",
            "file after",
            "writes answered",
        ],
        rows,
    )
}

fn at_full(all: &[Filled<'_>]) -> Table {
    let row = |f: &Filled<'_>| {
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
    table(
        "a full file without load",
        &["", "file", "restart", "snapshot", "compact", "defragment"],
        all.iter()
            .filter(|f| f.record.at_full.size > 0)
            .map(row)
            .collect(),
    )
}

/// One row per operation; the columns are the etcds, each once.
fn matrix(all: &[Filled<'_>]) -> Table {
    let mut etcds: Vec<&Filled<'_>> = Vec::new();
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
    let row = |(i, c): (usize, &super::record::Checked)| {
        let mut cells = vec![c.operation.clone(), c.expected.clone()];
        cells.extend(etcds.iter().map(|f| match f.record.matrix.get(i) {
            Some(c) if c.holds() => c.found.clone(),
            Some(c) => format!("{} (!)", c.found),
            None => "-".to_owned(),
        }));
        cells
    };
    Table {
        title: "the operation matrix: a full etcd asked one operation after the other".to_owned(),
        columns,
        rows: first.record.matrix.iter().enumerate().map(row).collect(),
    }
}

fn notes(all: &[Filled<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    for f in all {
        let r = &f.record;
        if let Some(off) = f.off(1).filter(|off| off.abs() > NEAR) {
            notes.push(format!(
                "{}: the forecast was off by {}, more than {}",
                f.name,
                signed(off),
                percent(NEAR)
            ));
        }
        if let Some(v) = &f.run.verify {
            notes.push(format!(
                "{}: {} writes were indeterminate (refused, perhaps applied all the same); the sweep found {} of them applied",
                f.name,
                count(v.indeterminate),
                none(v.indeterminate_applied)
            ));
        }
        if let Some(compactor) = r.while_full.get("compactor/txn") {
            let Answered { ok, no_space, .. } = compactor;
            let refused = match ok {
                0 => "each time".to_owned(),
                ok => format!("each time but {ok}"),
            };
            notes.push(format!(
                "{}: kube-apiserver's compactor came {} times while full and was refused {refused}: it cannot free a \
                 full etcd, since its first step is a write",
                f.name,
                ok + no_space
            ));
        }
        let broken: Vec<&str> = r
            .matrix
            .iter()
            .filter(|c| !c.holds())
            .map(|c| c.operation.as_str())
            .collect();
        if !broken.is_empty() {
            notes.push(format!(
                "{}: not as expected: {}",
                f.name,
                broken.join("; ")
            ));
        }
        if r.full_at.is_some() && r.blast.not_ready == 0 {
            notes.push(format!(
                "{}: renewals were missing for {}, less than the grace period of {}",
                f.name,
                seconds(r.blast.silence),
                seconds(r.blast.grace)
            ));
        }
    }
    notes
}

/// `197 object-gone`; `0`.
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

fn later(off: f64) -> String {
    let how = if off < 0.0 { "earlier" } else { "later" };
    format!("{} {how}", percent(off.abs()))
}

fn none(n: u64) -> String {
    if n == 0 { "none".to_owned() } else { count(n) }
}

fn percent(share: f64) -> String {
    format!("{} %", three(share * 100.0))
}

fn signed(share: f64) -> String {
    format!(
        "{}{}",
        if share < 0.0 { "-" } else { "+" },
        percent(share.abs())
    )
}
