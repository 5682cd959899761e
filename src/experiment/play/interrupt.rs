//! Ctrl-C during a trial.

use super::testbed::Testbed;
use crate::control::Control;

/// Hands an interruption on to the trial under way. Each trial has a control of its own, as a guard that drains one
/// must not end the next.
pub(super) struct ForwardedInterrupt(tokio::task::JoinHandle<()>);

impl ForwardedInterrupt {
    pub(super) fn new(testbed: &Testbed, from: &Control, to: &Control) -> Self {
        let (from, to) = (from.clone(), to.clone());
        ForwardedInterrupt(testbed.spawn(async move {
            from.until_interrupted().await;
            to.interrupt();
            from.until_stopping().await;
            to.interrupt();
        }))
    }
}

impl Drop for ForwardedInterrupt {
    fn drop(&mut self) {
        self.0.abort();
    }
}
