//! Drain or stop a run from outside: what a signal handler, a guard or a coordinator calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use tokio::sync::Notify;

/// A handle to a running run. Clones act on the same run.
#[derive(Clone, Debug, Default)]
pub struct Control {
    state: Arc<AtomicU8>,
    interrupted: Arc<AtomicBool>,
    abandoned: Arc<AtomicBool>,
    /// Wakes who waits for any of these.
    changed: Arc<Notify>,
}

impl Control {
    /// Ends the load in good order: no new sessions, answers are waited for, the report is written.
    pub fn drain(&self) {
        self.state.fetch_max(1, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    /// Ends now: nothing is waited for; what was measured is reported.
    pub fn stop(&self) {
        self.state.fetch_max(2, Ordering::Relaxed);
        self.changed.notify_waiters();
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

    /// The run has failed: its workers end at once, but nobody asked to leave the keys behind.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    /// Whether workers shall end at once.
    pub(crate) fn halting(&self) -> bool {
        self.stopping() || self.abandoned.load(Ordering::Relaxed)
    }

    async fn until(&self, holds: fn(&Self) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if holds(self) {
                return;
            }
            changed.await;
        }
    }

    /// Waits until the run is interrupted.
    pub async fn until_interrupted(&self) {
        self.until(Self::interrupted).await;
    }

    /// Waits until a drain (or a stop) is asked for, or the run has failed.
    pub(crate) async fn until_draining(&self) {
        self.until(Self::draining).await;
    }

    /// Waits until a stop is asked for.
    pub(crate) async fn until_stopping(&self) {
        self.until(Self::stopping).await;
    }

    /// Waits until workers shall end at once.
    pub(crate) async fn until_halting(&self) {
        self.until(Self::halting).await;
    }

    /// Whether a stop was asked for.
    pub fn stopping(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= 2
    }
}

#[cfg(test)]
mod tests {
    use super::Control;

    #[test]
    fn who_waits_is_woken_and_a_failure_is_no_stop() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let control = Control::default();
        let other = control.clone();
        let thread = std::thread::spawn(move || {
            other.abandon();
            other.interrupt();
        });
        runtime.block_on(control.until_halting());
        runtime.block_on(control.until_interrupted());
        thread.join().unwrap();
        let failed = Control::default();
        failed.abandon();
        assert!(failed.halting() && failed.draining());
        assert!(!failed.stopping() && !failed.interrupted());
        failed.interrupt();
        runtime.block_on(failed.until_stopping());
    }
}
