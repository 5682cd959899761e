//! What every file begins with: apiVersion and metadata.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The remedy for a file of an earlier format.
pub(super) fn earlier(api_version: &str) -> Option<String> {
    (api_version == "etcdmark/v1alpha1").then(|| {
        format!(
            "{api_version:?} is an earlier format; write etcdmark/v1alpha2 and rename load.shards to load.workers, \
             ladder.rungs to sweep.levels, pairs to blocks"
        )
    })
}

/// Version of the file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The current version, the only one that is read.
    #[serde(rename = "etcdmark/v1alpha2")]
    V1Alpha2,
}

/// Name and description.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Lowercase letters, digits and dashes. Required.
    pub name: String,
    /// One line for `etcdmark list`. Default: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
