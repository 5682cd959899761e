//! What fillings tell: the answer and its tables. Pure.

use super::filling::{Filling, fillings};
use super::record::ResponseCounts;
use super::tables;
use crate::experiment::analysis::{Evidence, Findings};
use crate::human::numbers::{count, seconds, three};

/// A forecast this near has come true.
const NEAR: f64 = 0.10;

pub(super) fn answer(evidence: &Evidence<'_>) -> Findings {
    let (all, unreadable) = fillings(evidence);
    if all.is_empty() {
        return Findings {
            answer: "no trial has filled an etcd yet".to_owned(),
            notes: unreadable,
            ..Findings::default()
        };
    }
    Findings {
        answer: sentence(&all),
        tables: tables::all(&all),
        notes: [unreadable, notes(&all)].concat(),
        data: serde_json::json!({
            "fillings": all.iter().map(|f| serde_json::json!({
                "trial": f.name,
                "forecastBeforeOff": f.off(1),
                "forecastAtQuarterOff": f.off(2),
                "record": f.record,
            })).collect::<Vec<_>>(),
        }),
        regression: false,
    }
}

fn sentence(all: &[Filling<'_>]) -> String {
    let full: Vec<&Filling<'_>> = all.iter().filter(|f| f.record.full_at.is_some()).collect();
    let Some(first) = full.first() else {
        let said = all[0].record.forecasts.iter().rev().find_map(|f| f.full_at);
        let said = said.map_or("never".to_owned(), seconds);
        return format!(
            "did not become full during the load; the forecast was {said}: use a longer --set phases.duration"
        );
    };
    let names: Vec<&str> = full.iter().map(|f| f.name.as_str()).collect();
    let worst = full
        .iter()
        .filter_map(|f| Some((f.off(1)?, *f)))
        .max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
    let when = match (full.len(), worst) {
        (1, Some((off, f))) => format!(
            "{} became full {} after the load began, {} than the forecast of {}",
            f.name,
            seconds(f.record.full_at.unwrap_or_default()),
            later(off),
            seconds(f.record.forecasts[1].full_at.unwrap_or_default()),
        ),
        (_, Some((off, f))) => format!(
            "{} became full within {} of the forecast made before the load (largest deviation: {}, {})",
            names.join(", "),
            percent(off.abs()),
            f.name,
            later(off),
        ),
        (_, None) => format!("{} became full, and there was no forecast", first.name),
    };
    let refused: u64 = full
        .iter()
        .flat_map(|f| f.record.while_full.values())
        .map(|a| a.no_space)
        .sum();
    let writes_ok: u64 = full.iter().map(|f| written(f)).sum();
    let renewing = full
        .iter()
        .filter_map(|f| Some((f, f.record.lease_impact.as_ref()?)));
    let lease_impact = renewing.max_by_key(|(_, b)| b.not_ready);
    let lease_impact = lease_impact.map_or(String::new(), |(f, b)| match b.not_ready {
        0 => format!(
            "; the trial is too short to tell whether nodes become NotReady: renewals failed for {}, the grace \
             period is {}",
            seconds(b.silence),
            seconds(b.grace)
        ),
        n if n == f.record.nodes => format!("; all {n} nodes would be NotReady"),
        n => format!("; at least {n} of {} nodes would be NotReady", f.record.nodes),
    });
    let swept = swept(&full);
    let missing: Vec<&str> = all
        .iter()
        .filter(|f| f.record.full_at.is_none())
        .map(|f| f.name.as_str())
        .collect();
    let missing = match missing.as_slice() {
        [] => String::new(),
        names => format!(
            "; did not become full during the load: {}",
            names.join(", ")
        ),
    };
    let stuck = full
        .iter()
        .find(|f| f.record.not_recovered.is_some() || f.record.writable_at.is_none());
    let back = match stuck {
        // Nobody has led it back: nothing is known of the way.
        Some(f) if f.record.not_recovered.is_none() && f.record.recovery.is_empty() => format!(
            "; the load of {} ended before recovery began: use a longer --set phases.duration",
            f.name
        ),
        Some(f) => format!(
            "; {} did not recover: {}",
            f.name,
            f.record
                .not_recovered
                .as_deref()
                .unwrap_or("writes kept failing after the alarm was disarmed")
        ),
        None => {
            let longest = full.iter().map(|f| f.down()).fold(0.0, f64::max);
            format!(
                "; compaction, defragmentation and disarming took {} and restored writes",
                seconds(longest)
            )
        }
    };
    let counted = full.iter().any(|f| !f.record.while_full.is_empty());
    let then = if counted {
        format!(
            "; then {} writes failed with \"no space\" and {} succeeded",
            count(refused),
            none(writes_ok)
        )
    } else {
        "; etcd was full for less than a whole second".to_owned()
    };
    format!("{when}{missing}{then}{lease_impact}{back}; {swept}")
}

/// What the sweeps after the load say of the acknowledged writes, and of how many keys they can say it: an Event that
/// has expired cannot be looked for.
fn swept(full: &[&Filling<'_>]) -> String {
    let reports = || full.iter().filter_map(|f| f.run.verify.as_ref());
    let undone = reports().find_map(|v| v.incomplete.as_deref());
    if reports().count() < full.len() || undone.is_some() {
        let why = undone.map_or(String::new(), |why| format!(": {why}"));
        return format!(
            "unknown whether acknowledged writes were lost, because a verification failed{why}"
        );
    }
    let sum = |of: fn(&crate::report::VerifyReport) -> u64| reports().map(of).sum::<u64>();
    let (lost, expired) = (sum(|v| v.lost), sum(|v| v.expired));
    let beside = match expired {
        0 => String::new(),
        n => format!(", {} more expired", count(n)),
    };
    let what = match lost {
        0 => "no acknowledged write was lost".to_owned(),
        1 => "1 acknowledged write was lost".to_owned(),
        n => format!("{} acknowledged writes were lost", count(n)),
    };
    let keys = count(sum(|v| v.keys));
    format!("{what} ({keys} keys compared{beside})")
}

/// Writes that were answered well while full.
fn written(f: &Filling<'_>) -> u64 {
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

fn notes(all: &[Filling<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    for f in all {
        let r = &f.record;
        if let Some(off) = f.off(1).filter(|off| off.abs() > NEAR) {
            notes.push(format!(
                "{}: the forecast deviates by {}, more than {}",
                f.name,
                signed(off),
                percent(NEAR)
            ));
        }
        if let Some(v) = f.run.verify.as_ref().filter(|v| v.incomplete.is_none()) {
            notes.push(format!(
                "{}: {} writes were indeterminate (refused, but possibly applied); verification found {} of \
                 them applied",
                f.name,
                count(v.indeterminate),
                none(v.indeterminate_applied)
            ));
        }
        let compactor = r.while_full.get("compactor/txn");
        if let Some(compactor) = compactor.filter(|c| c.no_space > 0) {
            let ResponseCounts { ok, no_space, .. } = compactor;
            notes.push(format!(
                "{}: while full, etcd refused {no_space} of {} rounds of kube-apiserver's compactor: the compactor \
                 cannot free a full etcd, because its first step is a write",
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
                "{}: unexpected results: {}",
                f.name,
                broken.join("; ")
            ));
        }
        if let Some(reason) = &r.not_checked {
            notes.push(format!(
                "{}: could not be filled again for the operation matrix: {reason}",
                f.name
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
