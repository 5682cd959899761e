//! An emulated storage medium, as a run records it.

use serde::{Deserialize, Serialize};

/// An emulated storage medium in the header.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MediumInfo {
    pub name: String,
    /// The file's `spec`.
    pub spec: serde_json::Value,
    /// Seed of the times that it asks for.
    pub seed: u64,
    /// What a sync of the write-ahead log takes without the medium: subtracted from each time asked for.
    pub wal: SyncCost,
    /// The same of the database.
    pub db: SyncCost,
    /// What the write-ahead log lies on in truth.
    pub base_file_system: String,
}

/// What a sync takes before any medium is emulated: medians, measured before etcd was started.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct SyncCost {
    /// In its directory, ns.
    pub base_ns: u64,
    /// Holding it and letting it go, ns.
    pub overhead_ns: u64,
}
