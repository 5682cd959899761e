//! What fillings tell: the answer and its tables. Pure.

use super::record::{Answered, Record};
use super::tables;
use crate::experiment::analysis::{Evidence, Findings};
use crate::report::RunResult;
use crate::report::text::units::{count, seconds, three};

/// A forecast this near has come true.
const NEAR: f64 = 0.10;

/// One filling with where it comes from.
pub(super) struct Filled<'a> {
    pub(super) name: String,
    pub(super) record: Record,
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
    Findings {
        answer: sentence(&all),
        tables: tables::all(&all),
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
    pub(super) fn off(&self, forecast: usize) -> Option<f64> {
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

pub(super) fn signed(share: f64) -> String {
    format!(
        "{}{}",
        if share < 0.0 { "-" } else { "+" },
        percent(share.abs())
    )
}
