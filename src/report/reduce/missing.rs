//! Response times that one of a run's two files counts and the other does not hold.

use super::Reducer;
use super::tally::Tally;
use crate::measure::Hist;
use crate::report::event::Metric;
use crate::report::result::MissingData;
use std::collections::BTreeMap;

/// By op class, in the header's order.
pub(super) fn missing(run: &Reducer) -> Vec<MissingData> {
    let none = BTreeMap::new();
    let classes = run.header.classes.iter().filter_map(|class| {
        let name = class.name.as_str();
        let tally = run.tallies.classes.get(name)?;
        let histograms = run.histograms.get(name).unwrap_or(&none);
        of_class(
            name,
            class.closed_loop,
            tally,
            histograms,
            run.end.is_some(),
        )
    });
    classes.collect()
}

/// What is missing of one op class, if anything is. `ended`: the run wrote its last event. A run that was killed may
/// lack its last second in one of the files.
fn of_class(
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
