//! Response times that one of a run's two files counts and the other does not hold.

use super::tally::Tally;
use crate::measure::Hist;
use crate::report::event::Metric;
use crate::report::result::MissingData;
use std::collections::BTreeMap;

/// What is missing of one op class, if anything is. `ended`: the run wrote its last event. A run that was killed may
/// lack its last second in one of the files.
pub(super) fn missing(
    class: &str,
    closed: bool,
    tally: &Tally,
    histograms: &BTreeMap<Metric, Hist>,
    ended: bool,
) -> Option<MissingData> {
    let metric = if closed {
        Metric::Service
    } else {
        Metric::Response
    };
    let counted = tally.counts.ok;
    let found = histograms.get(&metric).map_or(0, Hist::len);
    let whole = match (closed, ended) {
        // Service times are of attempts, of which there may be more, and are written every ten seconds only.
        (true, true) => found >= counted,
        (true, false) => true,
        (false, true) => found == counted,
        (false, false) => found.abs_diff(counted) <= tally.last_ok,
    };
    (!whole).then(|| MissingData {
        class: class.to_owned(),
        metric,
        counted,
        found,
    })
}
