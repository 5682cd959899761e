//! The state of one request that its caller and the connection's driver share.

use crate::clock::Nanos;
use crate::rpc::RpcError;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Not yet written.
const UNSENT: Nanos = 0;

/// Shared by caller and driver.
pub(crate) struct CallState {
    /// When the call entered the connection.
    pub(crate) entered: Nanos,
    sent: Cell<Nanos>,
    timeout: Option<Duration>,
    timeout_ns: Nanos,
    expired: Cell<bool>,
    finished: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl CallState {
    pub(crate) fn new(entered: Nanos, timeout: Option<Duration>) -> Rc<Self> {
        Rc::new(CallState {
            entered,
            sent: Cell::new(UNSENT),
            timeout,
            timeout_ns: timeout.map_or(Nanos::MAX, |t| {
                t.as_nanos().try_into().unwrap_or(Nanos::MAX)
            }),
            expired: Cell::new(false),
            finished: Cell::new(false),
            waker: RefCell::new(None),
        })
    }

    pub(crate) fn sent(&self) -> Option<Nanos> {
        match self.sent.get() {
            UNSENT => None,
            t => Some(t),
        }
    }

    pub(crate) fn stamp_sent(&self, now: Nanos) {
        if self.sent.get() == UNSENT {
            self.sent.set(now);
        }
    }

    pub(crate) fn finish(&self) {
        self.finished.set(true);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.get()
    }

    /// Ends the call if its deadline has passed: counted from *sent*, or from its entry while it has
    /// not been sent.
    pub(crate) fn sweep(&self, now: Nanos) {
        let from = self.sent().unwrap_or(self.entered);
        if !self.expired.get() && now.saturating_sub(from) >= self.timeout_ns {
            self.expired.set(true);
            if let Some(waker) = self.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }

    /// The error of an expired call.
    pub(crate) fn expiry(&self) -> RpcError {
        let timeout = self.timeout.unwrap_or_default();
        if self.sent().is_some() {
            RpcError::Deadline(timeout)
        } else {
            // etcd acts on a unary request only once all of it is there.
            RpcError::NotConnected(format!(
                "the connection did not accept the whole request within {timeout:?} (flow control)"
            ))
        }
    }

    /// Polls `work` unless the call has expired; `None` = expired.
    pub(crate) fn poll_until_expired<T>(
        &self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        if self.expired.get() {
            return Poll::Ready(None);
        }
        match work(cx) {
            Poll::Ready(x) => Poll::Ready(Some(x)),
            Poll::Pending => {
                if self.timeout.is_some() {
                    let mut waker = self.waker.borrow_mut();
                    match &mut *waker {
                        Some(w) => w.clone_from(cx.waker()),
                        empty => *empty = Some(cx.waker().clone()),
                    }
                }
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_counts_from_sent() {
        let call = CallState::new(1_000, Some(Duration::from_nanos(500)));
        call.stamp_sent(1_400);
        call.sweep(1_899);
        assert!(!call.expired.get());
        call.sweep(1_900);
        assert!(call.expired.get());
        assert_eq!(call.expiry(), RpcError::Deadline(Duration::from_nanos(500)));
    }

    #[test]
    fn what_was_never_sent_expires_as_not_connected() {
        let call = CallState::new(1_000, Some(Duration::from_nanos(500)));
        call.sweep(1_500);
        assert!(call.expired.get());
        assert!(matches!(call.expiry(), RpcError::NotConnected(_)));
    }
}
