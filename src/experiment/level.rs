//! What a level of the sweep is called.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A level's name; empty in an experiment without a sweep.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct LevelName(String);

impl LevelName {
    /// A level of a sweep.
    pub fn new(name: impl Into<String>) -> Self {
        LevelName(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// There is no sweep.
    pub fn is_unnamed(&self) -> bool {
        self.0.is_empty()
    }

    /// The name with `before` and `after` around it; nothing without a sweep.
    #[must_use]
    pub fn between(&self, before: &str, after: &str) -> String {
        match self.is_unnamed() {
            true => String::new(),
            false => format!("{before}{}{after}", self.0),
        }
    }
}

impl fmt::Display for LevelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl PartialEq<str> for LevelName {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}
