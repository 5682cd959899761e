//! Comma-separated values: a row per trial and metric, so that a block's arms can be paired. A miss is `inf`.

use crate::experiment::result::document::ExperimentResult;
use crate::experiment::result::metric::{Metric, Unit};
use crate::report::export::ExportError;
use crate::report::export::csv::{cell, table};

const HEAD: [&str; 8] = [
    "trial", "block", "level", "arm", "state", "metric", "unit", "value",
];

/// Trials in the order of play; one that was not played has no row.
///
/// # Errors
/// None in practice: it is written to memory.
pub fn render(r: &ExperimentResult) -> Result<String, ExportError> {
    let rows = r.trials.iter().flat_map(|t| {
        t.values.iter().map(|(metric, value)| {
            let state = serde_json::to_value(t.state).unwrap_or_default();
            let unit = Metric::parse(metric).map_or("", |m| unit(m.unit()));
            vec![
                t.trial.to_string(),
                t.block.to_string(),
                t.level.to_string(),
                t.arm.clone(),
                state.as_str().unwrap_or_default().to_owned(),
                metric.clone(),
                unit.to_owned(),
                cell(Some(value.number())),
            ]
        })
    });
    table(&HEAD, rows)
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "seconds",
        Unit::Share => "share",
        Unit::PerSecond => "per_second",
        Unit::Bytes => "bytes",
        Unit::Cores => "cores",
        Unit::Count => "count",
    }
}
