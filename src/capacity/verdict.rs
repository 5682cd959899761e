//! Whether a trial was carried.

use super::bottleneck::{Bottleneck, bottleneck, generator};
use super::search::Outcome;
use crate::human::numbers::{rate, seconds};
use crate::human::threshold::Threshold;
use crate::measure::validity::{Check, Verdict};
use crate::report::result::{RunResult, ThresholdResult, ThresholdVerdict};
use crate::report::threshold::too_few;

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

/// Passed: every threshold passed, all that was offered was answered, no store failed, and there was a compaction if the workload has
/// them. What the generator could not send says nothing of etcd.
pub(super) fn judge(r: &RunResult) -> Judged {
    let told = |t: &ThresholdResult| format!("{}: {}", t.expression, t.basis);
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
        // One on operations of which there were none is missed, and says nothing.
        let of_none = |t: &ThresholdResult| {
            let rule = Threshold::parse(&t.expression);
            rule.is_ok_and(|rule| operations(r, &rule) == Some(0))
        };
        let mut missed = r.thresholds_with(ThresholdVerdict::Missed);
        missed.find(|t| !of_none(t)).map(told)
    };
    // A late generator makes etcd look slow. A trial that passes all the same has passed, unless it is invalid.
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
    let open = r
        .thresholds
        .iter()
        .filter(|t| t.verdict != ThresholdVerdict::Passed);
    let (few, open): (Vec<_>, Vec<_>) = open.partition(|t| says_nothing(r, t));
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
fn operations(r: &RunResult, rule: &Threshold) -> Option<u64> {
    match rule.subject.as_str() {
        "etcd" => None,
        "all" => Some(r.total.counts.offered),
        class => Some(r.class(class).map_or(0, |c| c.figures.counts.offered)),
    }
}

/// Whether the threshold says nothing, for want of operations.
fn says_nothing(r: &RunResult, t: &ThresholdResult) -> bool {
    let rule = Threshold::parse(&t.expression).ok();
    rule.is_some_and(|rule| operations(r, &rule).is_some_and(|n| too_few(&rule, n)))
}
