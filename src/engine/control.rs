//! Drain or stop a run from outside: what a signal handler, a guard or a coordinator calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// A handle to a running run. Clones act on the same run.
#[derive(Clone, Debug, Default)]
pub struct Control {
    state: Arc<AtomicU8>,
}

impl Control {
    /// Ends the load in good order: no new sessions, answers are waited for, the report is written.
    pub fn drain(&self) {
        self.state.fetch_max(1, Ordering::Relaxed);
    }

    /// Ends now: nothing is waited for; what was measured is reported.
    pub fn stop(&self) {
        self.state.fetch_max(2, Ordering::Relaxed);
    }

    /// Whether a drain (or a stop) was asked for.
    pub fn draining(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= 1
    }

    /// Whether a stop was asked for.
    pub fn stopping(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= 2
    }
}
