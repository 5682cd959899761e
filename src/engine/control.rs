//! Drain or stop a run from outside: what a signal handler, a guard or a coordinator calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// A handle to a running run. Clones act on the same run.
#[derive(Clone, Debug, Default)]
pub struct Control {
    state: Arc<AtomicU8>,
    interrupted: Arc<AtomicBool>,
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

    /// What Ctrl-C does: drains the first time, stops the second; the outcome is `interrupted`.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
        if self.draining() {
            self.stop()
        } else {
            self.drain()
        }
    }

    /// Whether somebody interrupted the run (rather than a guard or its duration).
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
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
