//! Timers: tasks of a worker that wait for an instant, woken in order by one pacer. Sessions that think, clients of a
//! closed loop and writers of populate may be thousands; each costs an entry here, not an open file.

use super::pace::Pacer;
use crate::clock::{self, Nanos};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use tokio::sync::{Notify, oneshot};

/// The tasks of a worker that wait.
#[derive(Debug)]
pub(crate) struct Timers {
    /// Nobody waits for this instant, or for a later one.
    end: Cell<Nanos>,
    /// By the instant at which they go on, then in the order in which they came.
    waiting: RefCell<BTreeMap<(Nanos, u64), oneshot::Sender<()>>>,
    came: Cell<u64>,
    /// One that is due before all others has come.
    sooner: Notify,
}

impl Timers {
    /// Nobody waits.
    pub(crate) fn new() -> Self {
        Timers {
            end: Cell::new(Nanos::MAX),
            waiting: RefCell::default(),
            came: Cell::new(0),
            sooner: Notify::new(),
        }
    }

    /// Who waits for this instant or for a later one is told that it does not come.
    pub(crate) fn end_at(&self, end: Nanos) {
        self.end.set(end);
        // To drop their senders is to tell them.
        drop(self.waiting.borrow_mut().split_off(&(end, 0)));
    }

    /// Returns at or after `at`, never before; false at once when the end comes first.
    pub(crate) async fn until(&self, at: Nanos) -> bool {
        if at >= self.end.get() {
            return false;
        }
        if at <= clock::now() {
            return true;
        }
        let (wake, woken) = oneshot::channel();
        let key = (at, self.came.get());
        self.came.set(key.1 + 1);
        let first = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.insert(key, wake);
            waiting.first_key_value().is_some_and(|(k, _)| *k == key)
        };
        if first {
            self.sooner.notify_one();
        }
        woken.await.is_ok()
    }

    /// Wakes them in their turn, for ever.
    ///
    /// # Errors
    /// The pacer's.
    pub(crate) async fn run(&self, mut pacer: Pacer) -> io::Error {
        loop {
            let next = self.waiting.borrow().first_key_value().map(|(k, _)| k.0);
            match next {
                None => self.sooner.notified().await,
                Some(at) if at <= clock::now() => {
                    let first = self.waiting.borrow_mut().pop_first();
                    if let Some((_, wake)) = first {
                        // Who does not listen any more has ended.
                        let _ = wake.send(());
                    }
                }
                Some(at) => tokio::select! {
                    () = self.sooner.notified() => {}
                    waited = pacer.until(at) => if let Err(e) = waited {
                        return e;
                    },
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    async fn with_timers(test: impl Future<Output = ()>, timers: &Timers) {
        let pacer = Pacer::new(false).unwrap();
        tokio::select! {
            () = test => {}
            failed = timers.run(pacer) => panic!("{failed:?}"),
        }
    }

    fn block_on(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test);
    }

    #[test]
    fn each_goes_on_in_its_turn_however_they_came() {
        block_on(async {
            let timers = Timers::new();
            // Far enough away that all of them wait before the first is due, even where this thread stands still.
            let now = clock::now() + 2_000 * MS;
            let order = RefCell::new(Vec::new());
            let one = async |ms: Nanos| {
                let at = now + ms * MS;
                assert!(timers.until(at).await);
                assert!(clock::now() >= at);
                order.borrow_mut().push(ms);
            };
            let all = async {
                tokio::join!(one(30), one(10), one(20), one(0));
            };
            with_timers(all, &timers).await;
            assert_eq!(*order.borrow(), [0, 10, 20, 30]);
        });
    }

    #[test]
    fn the_end_ends_who_would_go_on_after_it() {
        block_on(async {
            let timers = Timers::new();
            let now = clock::now();
            let before = timers.until(now + 2_000 * MS);
            let after = timers.until(now + 3_600_000 * MS);
            let drain = async {
                while timers.waiting.borrow().len() < 2 {
                    tokio::task::yield_now().await;
                }
                timers.end_at(now + 60_000 * MS);
                assert_eq!(timers.waiting.borrow().len(), 1);
            };
            let all = async {
                let (before, after, ()) = tokio::join!(before, after, drain);
                assert!(before && !after);
                assert!(!timers.until(now + 60_000 * MS).await);
            };
            with_timers(all, &timers).await;
        });
    }
}
