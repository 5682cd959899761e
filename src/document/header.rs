//! What every file begins with: apiVersion and metadata.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only one so far.
    #[serde(rename = "etcdmark/v1alpha1")]
    V1Alpha1,
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
