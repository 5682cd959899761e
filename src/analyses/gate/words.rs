//! The gate in words: the sentence first, the table after it.

use super::metric::{Judged, Verdict};
use crate::experiment::analysis::Evidence;
use crate::experiment::result::document::{Table, TrialResult, TrialState};
use crate::experiment::result::metric::Metric;
use crate::experiment::result::phrases;
use crate::human::numbers::{percent, things, three};
use crate::measure::gate::{FIRST, SECOND, Stage};

/// One verdict for all, then each metric with its verdict.
pub(super) fn answer(evidence: &Evidence<'_>, all: &[Judged]) -> String {
    let plan = evidence.plan;
    let head = plan.others().next().map_or("head", |arm| arm.name.as_str());
    let base = plan.baseline.as_str();
    let blocks = all.iter().map(Judged::blocks).min().unwrap_or(0);
    if plan.gate.as_ref().is_some_and(|gate| gate.null) {
        let told = all.iter().map(noise).collect::<Vec<_>>().join("; ");
        return format!(
            "noise of one etcd against itself over {}: {told}",
            things(blocks as u64, "block")
        );
    }
    let with = |verdict: Verdict| all.iter().filter(move |m| m.verdict == verdict);
    let one = match () {
        () if with(Verdict::Worse).next().is_some() => format!("{head} is worse than {base}"),
        () if blocks < FIRST => {
            let needed = things(FIRST as u64, "block");
            return format!("no verdict yet: {blocks} of {needed} of the screen");
        }
        () if all.iter().any(|m| m.candidate && m.second.is_none()) => {
            let fresh = blocks - FIRST;
            return format!(
                "{head} may be worse than {base}: {fresh} of {SECOND} fresh blocks that confirm it"
            );
        }
        () if all.iter().all(|m| m.verdict == Verdict::Equivalent) => {
            format!("{head} is equivalent to {base}")
        }
        () if with(Verdict::Better).next().is_some()
            && with(Verdict::Inconclusive).next().is_none() =>
        {
            format!("{head} is better than {base}")
        }
        () => format!("inconclusive: no metric of {head} is shown to be worse than {base}'s"),
    };
    let effects = |verdict: Verdict| {
        let told = with(verdict).map(|m| format!("{} {}", title(m), effect(m)));
        told.collect::<Vec<_>>().join(", ")
    };
    let titles = |verdict: Verdict| with(verdict).map(title).collect::<Vec<_>>().join(", ");
    let parts = [
        ("", effects(Verdict::Worse)),
        ("better: ", effects(Verdict::Better)),
        ("equivalent: ", titles(Verdict::Equivalent)),
        ("inconclusive: ", effects(Verdict::Inconclusive)),
        ("not measured: ", titles(Verdict::NotMeasured)),
    ];
    let parts = parts.iter().filter(|(_, told)| !told.is_empty());
    let parts: Vec<String> = parts.map(|(what, told)| format!("{what}{told}")).collect();
    let basis = match all.iter().any(|m| m.candidate) {
        true => format!("{FIRST} blocks screened, {SECOND} fresh ones to confirm"),
        false => format!("{FIRST} blocks screened"),
    };
    format!("{one}: {} ({basis})", parts.join("; "))
}

fn title(m: &Judged) -> String {
    Metric::title_of(&m.metric)
}

/// `+12 % (+9 to +15 %)`.
fn effect(m: &Judged) -> String {
    let Some(estimate) = m.estimate() else {
        return "-".to_owned();
    };
    let interval = m.interval.map_or(String::new(), |(low, high)| {
        format!(" ({} to {})", signed(m, low), signed(m, high))
    });
    format!("{}{interval}", signed(m, estimate))
}

fn signed(m: &Judged, d: f64) -> String {
    let share = m.scale.excess(d);
    let sign = if share < 0.0 { "-" } else { "+" };
    format!("{sign}{}", percent(share.abs()))
}

/// `etcd's CPU 6 %, finds +4.7 %`.
fn noise(m: &Judged) -> String {
    match (m.detectable, m.gates) {
        (None, _) => format!("{}: too few blocks", title(m)),
        (Some(d), true) => format!(
            "{} gates at {} (finds +{})",
            title(m),
            percent(m.delta),
            percent(d)
        ),
        (Some(d), false) => format!(
            "{} does not gate at {} (finds +{})",
            title(m),
            percent(m.delta),
            percent(d)
        ),
    }
}

pub(super) fn table(evidence: &Evidence<'_>, all: &[Judged]) -> Table {
    let head = evidence
        .plan
        .others()
        .next()
        .map_or("head", |arm| arm.name.as_str());
    let row = |m: &Judged| {
        let unit = Metric::parse(&m.metric).ok().map(|metric| metric.unit());
        let figure = |v: Option<f64>| match (v, unit) {
            (Some(v), Some(unit)) => phrases::figure(v, unit),
            _ => "-".to_owned(),
        };
        let p = |stage: Option<Stage>| stage.map_or("-".to_owned(), |s| three(s.worse));
        vec![
            m.metric.clone(),
            figure(m.base_median),
            figure(m.head_median),
            effect(m),
            percent(m.delta),
            m.detectable
                .map_or("-".to_owned(), |d| format!("+{}", percent(d))),
            p(m.first),
            p(m.second.filter(|_| m.candidate)),
            word(m.verdict).to_owned(),
        ]
    };
    let columns = [
        "gating metric",
        evidence.plan.baseline.as_str(),
        head,
        "effect (90 %)",
        "δ",
        "finds",
        "p screen",
        "p confirm",
        "verdict",
    ];
    Table::new("gate", &columns, all.iter().map(row).collect())
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Worse => "WORSE",
        Verdict::Better => "better",
        Verdict::Equivalent => "equivalent",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotMeasured => "not measured",
    }
}

pub(super) fn notes(evidence: &Evidence<'_>, all: &[Judged]) -> Vec<String> {
    let mut notes = Vec::new();
    let weak: Vec<String> = all
        .iter()
        .filter(|m| m.detectable.is_some() && !m.gates)
        .map(title)
        .collect();
    if !weak.is_empty() {
        notes.push(format!(
            "too noisy here to gate at their δ: {}; a smaller effect than under `finds` passes unseen in more than one of five \
             cases",
            weak.join(", ")
        ));
    }
    let arms = evidence.plan.arms.iter().map(|arm| {
        let of = |t: &&TrialResult| t.arm == arm.name;
        let lost = |t: &&TrialResult| t.repeated || t.state == TrialState::Invalid;
        (
            arm.name.as_str(),
            evidence.trials.iter().filter(of).filter(lost).count(),
        )
    });
    let arms: Vec<(&str, usize)> = arms.collect();
    if arms.iter().any(|(_, lost)| *lost > 0) {
        let told: Vec<String> = arms
            .iter()
            .map(|(arm, lost)| format!("{arm} {lost}"))
            .collect();
        notes.push(format!(
            "trials played again because they were invalid: {}",
            told.join(", ")
        ));
    }
    notes
}
