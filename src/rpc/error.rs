//! Why an RPC has no answer.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Why an RPC has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// No connection could be had before the deadline; nothing was sent.
    #[error("not connected: {0}")]
    NotConnected(String),
    /// The connection or stream broke after the request may have left.
    #[error("connection broken: {0}")]
    Broken(String),
    /// No answer in time.
    #[error("deadline exceeded after {0:?}")]
    Deadline(Duration),
    /// etcd answered with a gRPC status other than OK.
    #[error("{message} (gRPC code {code})")]
    Status {
        /// gRPC code.
        code: u32,
        /// Percent-decoded `grpc-message`.
        message: String,
    },
    /// The answer could not be decoded.
    #[error("malformed answer: {0}")]
    Malformed(String),
}

/// What a failed attempt did to the store.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It was applied although it failed.
    Applied,
    /// It was not.
    NotApplied,
    /// It may or may not have been.
    Indeterminate,
}

impl Effect {
    /// Its name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Effect::Applied => "applied",
            Effect::NotApplied => "not-applied",
            Effect::Indeterminate => "indeterminate",
        }
    }
}
