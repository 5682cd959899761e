//! The answer as text.

use super::bottleneck::Limit;
use super::document::{CapacityResult, CapacityTrial};
use super::search::{Outcome, Stage};
use crate::human::numbers::{count, percent, rate, seconds, things, three};
use crate::human::shell;
use crate::measure::percentile::Headline;
use crate::report::text::{align, figure};
use std::path::Path;

/// A size as people write it.
pub(super) fn size(size: f64) -> String {
    match size.fract() == 0.0 && size >= 1.0 {
        true => count(size as u64),
        false => three(size),
    }
}

/// The first line.
pub(super) fn sentence(r: &CapacityResult) -> String {
    let of = |s: f64| r.question.of.of(s);
    let mut parts = Vec::new();
    if r.lost_writes() > 0 {
        parts.push(format!(
            "etcd lost {}",
            things(r.lost_writes(), "acknowledged write")
        ));
    }
    if !r.complete {
        parts.push(format!(
            "incomplete after {}",
            things(r.trials.len() as u64, "trial")
        ));
    }
    let limit = r.bottleneck.as_ref();
    let generator = limit.is_some_and(|b| matches!(b.limit, Limit::Generator | Limit::SharedCpu));
    parts.push(match (r.carried, r.not_carried) {
        (None, Some(failed)) => format!("this etcd does not carry {}", of(failed)),
        (None, None) => "nothing is known yet".to_owned(),
        (Some(carried), None) => format!(
            "this etcd carries at least {}, the most that was tried",
            of(carried)
        ),
        (Some(carried), Some(_)) if generator => {
            format!("this etcd carries at least {}", of(carried))
        }
        (Some(carried), Some(failed)) => format!(
            "this etcd carries {} (>= {}, < {})",
            of(carried),
            size(carried),
            size(failed)
        ),
    });
    if r.carried.is_some() {
        let n = r.question.range.confirmations;
        parts.push(match r.confirmed {
            true => format!("confirmed by {n} of {n} trials on fresh seeds"),
            false if r.too_few => {
                "not confirmed: too few operations; measure longer (--duration)".to_owned()
            }
            false => "not confirmed".to_owned(),
        });
    }
    if let (Some(trial), Some(b)) = (r.refused(), limit) {
        let (at, reason) = (of(trial.attempt.size), &trial.reason);
        let (name, evidence) = (b.limit.name(), &b.evidence);
        parts.push(match b.limit {
            Limit::Generator => format!("generator-bound at {at}: {evidence}"),
            Limit::Unknown => format!("at {at}, {reason}; what limits it is {name} ({evidence})"),
            _ => format!("at {at}, {reason}; the limit is {name} ({evidence})"),
        });
    }
    if let Some(required) = r.question.required.filter(|_| r.complete) {
        let enough = r.confirmed && r.carried.is_some_and(|c| c >= required);
        let word = if enough { "met" } else { "not met" };
        parts.push(format!("--at-least {} {word}", size(required)));
    }
    parts.join("; ")
}

/// The answer, the curve, and where the files are.
pub fn render(r: &CapacityResult, dir: Option<&Path>) -> String {
    let mut out = format!("{}\n", r.summary);
    let head = [
        "",
        r.question.of.field(),
        "seed",
        "outcome",
        "offered/s",
        "done/s",
        "p50",
        "p99",
        "p99.9",
        "missed",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(r.trials.iter().map(row));
    if !r.trials.is_empty() {
        out.push('\n');
        for line in align(&rows) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out.push('\n');
    for t in r.trials.iter().filter(|t| t.outcome != Outcome::Passed) {
        let limit = t
            .bottleneck
            .as_ref()
            .map_or(String::new(), |b| match b.limit {
                // The reason has the evidence.
                Limit::Generator => format!("; limit: {}", b.limit.name()),
                _ => format!("; limit: {} ({})", b.limit.name(), b.evidence),
            });
        out.push_str(&format!("trial {}: {}{limit}\n", t.trial, t.reason));
    }
    let q = &r.question;
    let last = r.trials.last();
    let compactions = match last.map(|t| t.compactions) {
        Some(None) => {
            ", without compactions: the workload has none, or this etcd is not etcdmark's to compact"
        }
        _ => "",
    };
    out.push_str(&format!(
        "a trial passes when {} (one-sided, 95 %), measured for {} or longer, unsaturated and with no store failing{compactions}\n",
        q.thresholds.join(" and "),
        seconds(q.seconds),
    ));
    if !r.complete && !r.trials.is_empty() {
        out.push_str("to continue, run the same command with the same --out\n");
    }
    if let Some(dir) = dir {
        out.push_str(&format!(
            "results in {}\n",
            shell::word(&dir.display().to_string())
        ));
    }
    out
}

/// A trial's row of the curve.
fn row(t: &CapacityTrial) -> Vec<String> {
    let figure = |h: Option<Headline>| h.map_or("-".to_owned(), figure);
    let confirmation = if t.attempt.stage == Stage::Confirmation {
        " (confirmation)"
    } else {
        ""
    };
    vec![
        format!("trial {}{confirmation}", t.trial),
        size(t.attempt.size),
        t.attempt.seed.to_string(),
        word(t.outcome).to_owned(),
        rate(t.offered_rate),
        rate(t.achieved_rate),
        figure(t.p50),
        figure(t.p99),
        figure(t.p999),
        if t.miss_share == 0.0 {
            "0".to_owned()
        } else {
            percent(t.miss_share)
        },
    ]
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Undecided => "undecided",
        Outcome::TooFew => "too few",
        Outcome::GeneratorBound => "generator-bound",
    }
}

/// One line for progress: `4,100 nodes: passed: all missed <= 1%: 0 of 1,834 missed: …`.
pub fn trial_line(r: &CapacityResult) -> Option<String> {
    let t = r.trials.last()?;
    let size = r.question.of.of(t.attempt.size);
    Some(format!("{size}: {}: {}", word(t.outcome), t.reason))
}
