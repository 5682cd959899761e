//! How a trial's run ended.

use crate::measure::validity::{Check, Reason, Validity, Verdict};
use crate::report::RunResult;
use serde::{Deserialize, Serialize};

/// As in the run's own result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was played to its end.
    Completed,
    /// A guard, or the analysis, ended the load.
    Guard,
    /// The user ended it.
    Interrupted,
    /// It failed on its way.
    Failed,
    /// Its files have no end.
    Killed,
}

/// Schedule lag p99 above this loses a trial, ns. In an experiment it is the same for all arms: held against the response time, as in
/// a run, it would lose the trials of the faster arm more often, and those with the shorter response times of them.
const LAG_LOST_NS: f64 = 10e6;

/// Whether the generator did not keep up with a trial, so that it is played once more.
pub(super) fn is_invalid(validity: &Validity) -> bool {
    let mut reasons = validity.reasons.iter();
    let lost = |r: &Reason| r.verdict == Verdict::Invalid && !is_small_lag(r);
    let small = validity.reasons.iter().any(is_small_lag);
    validity.verdict == Verdict::Invalid && (reasons.any(lost) || !small)
}

fn is_small_lag(r: &Reason) -> bool {
    r.check == Check::ScheduleLag && r.measured <= LAG_LOST_NS
}

impl Outcome {
    /// Of a run.
    pub fn of(run: &RunResult) -> Self {
        match run.outcome.outcome.as_str() {
            "completed" => Outcome::Completed,
            "guard" => Outcome::Guard,
            "interrupted" => Outcome::Interrupted,
            "killed" => Outcome::Killed,
            _ => Outcome::Failed,
        }
    }

    /// Whether the trial is whole. A guard ends a trial as the experiment wants it.
    pub fn is_whole(self) -> bool {
        matches!(self, Outcome::Completed | Outcome::Guard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::validity::{ValidityInputs, judge};

    #[test]
    fn lag_that_is_short_loses_no_trial_however_fast_etcd_was() {
        let of = |lag: u64, response: u64| {
            is_invalid(&judge(&ValidityInputs {
                schedule_lag_p99: Some(lag),
                response_p99: Some(response),
                offered: Some(1000),
                ..ValidityInputs::default()
            }))
        };
        // Both arms of a block find the same lag of 1.5 ms; one answers in 2 ms, the other in 20.
        assert!(!of(1_500_000, 2_000_000));
        assert!(!of(1_500_000, 20_000_000));
        assert!(of(15_000_000, 20_000_000));
        let other = ValidityInputs {
            schedule_lag_p99: Some(1_500_000),
            response_p99: Some(2_000_000),
            offered: Some(1000),
            in_flight_seconds: Some(10.0),
            service_seconds: Some(5.0),
            ..ValidityInputs::default()
        };
        assert!(
            is_invalid(&judge(&other)),
            "Little's law, beside a short lag"
        );
    }
}
