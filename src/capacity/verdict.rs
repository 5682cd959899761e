//! Whether a trial was carried.

use super::bottleneck::{Bottleneck, bottleneck, generator};
use super::search::Outcome;
use crate::human::numbers::{rate, seconds};
use crate::human::threshold::{Figure, Threshold};
use crate::measure::stats::{normal_quantile, wilson_upper};
use crate::measure::validity::{Check, Verdict};
use crate::report::result::{RunResult, ThresholdResult, ThresholdVerdict};

/// A trial, judged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) outcome: Outcome,
    /// In a clause: what it rests on.
    pub(super) reason: String,
    /// Of a trial that was not carried.
    pub(super) bottleneck: Option<Bottleneck>,
}

/// The class of the compactor's compactions.
const COMPACTION: &str = "compactor/compact";

/// Compactions in the measure phase; none where the workload has no compactor, or the etcd may not be compacted.
pub(super) fn compactions(r: &RunResult) -> Option<u64> {
    let planned = r.header.classes.iter().any(|c| c.name == COMPACTION);
    planned.then(|| r.class(COMPACTION).map_or(0, |c| c.figures.counts.ok))
}

/// Carried: every threshold passed, all that was offered was answered, no store failed, and the trial had a compaction if the workload has
/// them. What the generator could not send says nothing of etcd.
pub(super) fn judge(r: &RunResult) -> Judged {
    let told =
        |t: &crate::report::result::ThresholdResult| format!("{}: {}", t.expression, t.basis);
    let ours = r.validity.reasons.iter().find(|reason| {
        matches!(
            reason.check,
            Check::ScheduleLag | Check::ClientCpu | Check::RuntimeBusy | Check::LittlesLaw
        )
    });
    let not_carried = if let Some(guard) = r.guards.last() {
        Some(format!(
            "stopped by the {} guard: {}",
            guard.guard, guard.cause
        ))
    } else if r.validity.saturated {
        let (offered, achieved) = (r.total.offered_rate, r.total.achieved_rate);
        Some(format!(
            "saturated: offered {}/s, achieved {}/s",
            rate(offered),
            rate(achieved)
        ))
    } else if let Some(outage) = r.outages.iter().find(|o| o.is_a_failure()) {
        Some(format!(
            "store {} failed for {}",
            outage.store,
            seconds(outage.length)
        ))
    } else {
        let mut missed = r.thresholds_with(ThresholdVerdict::Missed);
        missed.find(|t| operations(r, t) != Some(0)).map(told)
    };
    // A generator that is late makes etcd look slow; one that is late and finds etcd fast has proved it all the same.
    if let Some(reason) =
        ours.filter(|reason| reason.verdict == Verdict::Invalid || not_carried.is_some())
    {
        return Judged {
            outcome: Outcome::GeneratorBound,
            reason: reason.text.clone(),
            bottleneck: Some(generator(r, &reason.text)),
        };
    }
    if let Some(reason) = not_carried {
        return Judged {
            outcome: Outcome::Failed,
            reason,
            bottleneck: Some(bottleneck(r)),
        };
    }
    // A threshold on operations of which there were none is missed, and says nothing.
    let open = r
        .thresholds
        .iter()
        .filter(|t| t.verdict != ThresholdVerdict::Passed);
    let (few, open): (Vec<_>, Vec<_>) = open.partition(|t| too_few(r, t));
    let (outcome, reason) = match (open.first(), few.first()) {
        (Some(open), _) => (Outcome::Undecided, told(open)),
        (None, Some(few)) => (Outcome::TooFew, told(few)),
        (None, None) if compactions(r) == Some(0) => {
            let reason = "no compaction in the measure phase";
            (Outcome::Undecided, reason.to_owned())
        }
        (None, None) => {
            let first = r.thresholds.first();
            (Outcome::Passed, first.map_or_else(String::new, told))
        }
    };
    Judged {
        outcome,
        reason,
        bottleneck: None,
    }
}

/// Operations that a threshold speaks of; none for those on etcd.
fn operations(r: &RunResult, t: &ThresholdResult) -> Option<u64> {
    let rule = Threshold::parse(&t.expression).ok()?;
    match rule.subject.as_str() {
        "etcd" => None,
        "all" => Some(r.total.counts.offered),
        class => Some(r.class(class).map_or(0, |c| c.figures.counts.offered)),
    }
}

/// Whether the threshold could not pass with so few operations, even if none of them was beyond it.
fn too_few(r: &RunResult, t: &ThresholdResult) -> bool {
    let allowed = Threshold::parse(&t.expression)
        .ok()
        .and_then(|rule| match rule.figure {
            Figure::Percentile(p) => Some(1.0 - p / 100.0),
            Figure::Missed => Some(rule.bound),
            _ => None,
        });
    match (operations(r, t), allowed) {
        (Some(0), _) => true,
        (Some(n), Some(allowed)) => wilson_upper(0.0, n as f64, normal_quantile(0.95)) > allowed,
        _ => false,
    }
}
