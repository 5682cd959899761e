//! What a command that plays a load begins with: a runtime for its own calls, and the user's signals.

use super::CliError;
use super::signals;
use crate::control::Control;
use crate::exit::Exit;
use tokio::runtime::Runtime;

/// Lasts as long as the command.
pub(super) struct Session {
    /// For what talks to etcds beside the engine.
    pub(super) runtime: Runtime,
    /// Drained or stopped by signals.
    pub(super) control: Control,
}

impl Session {
    /// Watches for signals; `first` is said to the first one.
    ///
    /// # Errors
    /// The system gives no threads, or no signals.
    pub(super) fn begin(first: &'static str) -> Result<Session, CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|e| CliError::failure(format!("cannot start a runtime: {e}")))?;
        let control = signals::watched(first)?;
        Ok(Session { runtime, control })
    }

    /// Waits for etcds that start, or for the user's interrupt.
    ///
    /// # Errors
    /// Those of the start, and the interrupt.
    pub(super) fn ready<T>(
        &self,
        start: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        self.runtime.block_on(async {
            tokio::select! {
                started = start => started,
                // Dropping a local etcd that is starting ends it and removes its directory.
                () = self.control.until_interrupted() => Err(CliError {
                    message: "interrupted before etcd was ready; no results".to_owned(),
                    exit: Exit::Interrupted,
                }),
            }
        })
    }
}
