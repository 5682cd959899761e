//! What the validity judgement is given.

use super::figures::rate;
use crate::measure::validity::{Reason, Validity, Verdict};
use crate::report::event::Environment;
use crate::report::result::{ClientFigures, Figures, Series};
use std::collections::BTreeMap;

/// What the run left to judge by.
pub(super) struct Evidence<'a> {
    pub(super) environment: &'a Environment,
    pub(super) total: &'a Figures,
    /// Operations per second that were answered, for good or ill, within the measure phase.
    pub(super) answered_rate: f64,
    pub(super) client: &'a ClientFigures,
    pub(super) host: &'a BTreeMap<String, Series>,
}

pub(super) fn judge(e: &Evidence<'_>) -> Validity {
    let _ = (rate, e.host, e.answered_rate, e.client);
    let mut v = Validity {
        saturated: e.answered_rate < 0.99 * e.total.offered_rate,
        ..Validity::default()
    };
    if let (Some(lag), Some(response)) = (e.total.lag, e.total.successes) {
        if lag.p99_ns > response.p99_ns / 2 {
            v.verdict = Verdict::Invalid;
            v.reasons.push(Reason {
                check: "pacing lag".into(),
                measured: format!("p99 {} ns", lag.p99_ns),
                bound: "half of response p99".into(),
                what_to_change: "fewer nodes, more cores".into(),
            });
        }
    }
    if e.environment.shares_cores_with_etcd && v.verdict == Verdict::Valid {
        v.verdict = Verdict::Doubtful;
        v.reasons.push(Reason {
            check: "shared cores".into(),
            measured: format!("shares {} cores with etcd", e.environment.cpus),
            bound: "none".into(),
            what_to_change: "run etcdmark on another machine".into(),
        });
    }
    v
}
