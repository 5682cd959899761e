//! Why a load cannot begin, or its keys cannot be deleted: in words that are true of a load without ramp and guards.

use crate::etcd::control::ControlError;
use crate::exit::Exit;
use crate::human::numbers::bytes;
use crate::store::cleanup::CleanupError;
use crate::store::manifest::ManifestError;
use crate::store::preflight::PreflightError;

/// A load that cannot begin, or whose keys cannot be deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompatError {
    /// Names the flag or the store, and what would be right.
    pub message: String,
    /// The exit code.
    pub exit: Exit,
}

impl CompatError {
    pub(super) fn usage(message: impl Into<String>) -> CompatError {
        CompatError {
            message: message.into(),
            exit: Exit::Usage,
        }
    }

    pub(super) fn failure(message: impl Into<String>) -> CompatError {
        CompatError {
            message: message.into(),
            exit: Exit::Failure,
        }
    }
}

/// The message of a run says what this load does not do.
impl From<PreflightError> for CompatError {
    fn from(e: PreflightError) -> Self {
        let exit = e.exit();
        let message = match e {
            PreflightError::LiveCluster { endpoint, keys } => format!(
                "{endpoint} holds {keys}, and the load would affect who uses them; pass --allow-live-cluster to allow it \
                 (this load has no ramp and no guards: it is as fast as --clients and --rate let it be)"
            ),
            PreflightError::PerhapsLive { endpoint } => format!(
                "this user may not read all keys, so etcdmark cannot tell whether {endpoint} belongs to others; pass \
                 --allow-live-cluster (this load has no ramp and no guards)"
            ),
            PreflightError::TooBig {
                growth,
                projected,
                free,
                quota,
                ..
            } => {
                let [growth, projected, free] = [growth, projected, free].map(|n| bytes(n as f64));
                format!(
                    "the puts would grow the db file by about {growth} to {projected}, which is more than half of the {free} \
                     left of the quota ({quota}); use a smaller --total or --val-size, or raise --quota-backend-bytes"
                )
            }
            other => other.to_string(),
        };
        CompatError { message, exit }
    }
}

impl From<ManifestError> for CompatError {
    fn from(e: ManifestError) -> Self {
        CompatError {
            exit: e.exit(),
            message: e.to_string(),
        }
    }
}

impl From<CleanupError> for CompatError {
    fn from(e: CleanupError) -> Self {
        CompatError::failure(e.to_string())
    }
}

impl From<ControlError> for CompatError {
    fn from(e: ControlError) -> Self {
        CompatError::failure(e.to_string())
    }
}
