//! Open files: every connection is one.

use super::CliError;
use crate::workload::ResolvedWorkload;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to what the run needs, or says what is missing.
///
/// # Errors
/// The hard limit is too low.
pub fn raise(resolved: &ResolvedWorkload) -> Result<(), CliError> {
    let needed = (resolved.load.connections * resolved.stores.len()
        + 64 * resolved.load.workers.max(1)) as u64;
    raise_to(
        needed,
        &format!("--connections {}", resolved.load.connections),
    )
}

/// The same, for a number of files; `flag` is what asks for them.
///
/// # Errors
/// The hard limit is too low.
pub fn raise_to(needed: u64, flag: &str) -> Result<(), CliError> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|n| n >= needed) {
        return Ok(());
    }
    let wanted = limit.maximum.unwrap_or(needed).min(needed);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        },
    );
    if getrlimit(Resource::Nofile)
        .current
        .is_none_or(|n| n >= needed)
    {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "{flag} needs {needed} open files, but the limit is {wanted}: raise it (ulimit -n {needed}) \
         or use fewer connections"
    )))
}
