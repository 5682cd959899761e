//! Drain or stop a run from outside: what a signal handler, a guard or a coordinator calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

/// A handle to a running run. Clones act on the same run.
#[derive(Clone, Debug, Default)]
pub struct Control {
    state: Arc<AtomicU8>,
    interrupted: Arc<AtomicBool>,
    abandoned: Arc<AtomicBool>,
}

/// How often somebody who waits for a stop looks.
const LOOK: Duration = Duration::from_millis(50);

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
        self.state.load(Ordering::Relaxed) >= 1 || self.abandoned.load(Ordering::Relaxed)
    }

    /// The run has failed: its shards end at once, but nobody asked to leave the keys behind.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Whether shards shall end at once.
    pub(crate) fn halting(&self) -> bool {
        self.stopping() || self.abandoned.load(Ordering::Relaxed)
    }

    /// Waits until the run is interrupted.
    pub async fn until_interrupted(&self) {
        while !self.interrupted() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until a stop is asked for.
    pub(crate) async fn until_stopping(&self) {
        while !self.stopping() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until shards shall end at once.
    pub(crate) async fn until_halting(&self) {
        while !self.halting() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether a stop was asked for.
    pub fn stopping(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= 2
    }
}
