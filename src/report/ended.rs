//! How a run ended, and what its files lack.

use super::event::Metric;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An op class whose successes are not the same in `events.jsonl` and `latency.hlog`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MissingData {
    /// `actor/step`.
    pub class: String,
    /// Of what there should be one value for each success.
    pub metric: Metric,
    /// Successes in `events.jsonl`.
    pub counted: u64,
    /// Values in `latency.hlog`.
    pub found: u64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Outcome {
    /// `completed`, `interrupted`, `guard`, `failed`; `killed` when the files have no end.
    pub outcome: String,
    /// Why it failed.
    pub error: Option<String>,
    /// The user interrupted it as well, whatever else ended it.
    #[serde(default)]
    pub interrupted: bool,
    /// Last instant that is known of, seconds since t0.
    pub t: f64,
    /// Revision of each store before the first and after the last write.
    pub revisions: BTreeMap<String, (i64, i64)>,
    /// The exit code these findings call for.
    pub exit_code: u8,
}
