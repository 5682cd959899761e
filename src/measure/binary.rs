//! An etcd binary, as a run records it.

use serde::{Deserialize, Serialize};

/// Which etcd was started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BinaryInfo {
    /// Absolute, links followed.
    pub path: String,
    /// As `etcd --version` prints it, with the pre-release part.
    pub version: String,
    /// SHA-256 of the file, hex.
    pub sha256: String,
}
