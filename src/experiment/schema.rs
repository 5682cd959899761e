//! The JSON Schemas of the experiment file and of `experiment.json`, of a history and its trend, generated from the types.

use super::file::spec::ExperimentFile;
use super::history::{Entry, Trend};
use super::result::document::ExperimentResult;

/// Of an experiment file, as it is committed: two spaces, a final newline.
pub fn file_schema() -> String {
    format!("{:#}\n", schemars::schema_for!(ExperimentFile).to_value())
}

/// Of `experiment.json`.
pub fn result_schema() -> String {
    format!("{:#}\n", schemars::schema_for!(ExperimentResult).to_value())
}

/// Of a line of a history.
pub fn history_schema() -> String {
    format!("{:#}\n", schemars::schema_for!(Entry).to_value())
}

/// Of `etcdmark trend -o json`.
pub fn trend_schema() -> String {
    format!("{:#}\n", schemars::schema_for!(Trend).to_value())
}
