//! Whether the generator kept up.

use serde::{Deserialize, Serialize};

/// The judgement.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The numbers speak of etcd.
    #[default]
    Valid,
    /// They may.
    Doubtful,
    /// They do not.
    Invalid,
}

/// One check that was not passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reason {
    /// Which.
    pub check: String,
    /// What was measured.
    pub measured: String,
    /// What would have been right.
    pub bound: String,
    /// What to change.
    pub what_to_change: String,
}

/// Validity of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Validity {
    /// The worst of the reasons.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Achieved less than offered.
    pub saturated: bool,
}
