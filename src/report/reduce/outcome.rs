//! How a run ended.

use crate::report::event::End;
use crate::report::result::Outcome;
use std::collections::BTreeMap;

/// From the last event; without one, the run was killed at `last`, s.
pub(super) fn outcome(end: Option<&End>, last: f64) -> Outcome {
    match end {
        Some(end) => Outcome {
            outcome: end.outcome.clone(),
            error: end.error.clone(),
            interrupted: end.interrupted,
            t: last,
            revisions: end.revisions.clone(),
            exit_code: 0,
        },
        None => Outcome {
            outcome: "killed".to_owned(),
            error: Some(
                "the run's files have no end record: etcdmark was killed or is still running"
                    .to_owned(),
            ),
            interrupted: false,
            t: last,
            revisions: BTreeMap::new(),
            exit_code: 0,
        },
    }
}
