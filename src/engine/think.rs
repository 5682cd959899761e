//! Think times: sessions that wait before their next step, woken in order by one pacer of the worker.

use super::load::Times;
use super::pace::Pacer;
use crate::clock::{self, Nanos};
use crate::report::Phase;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use tokio::sync::{Notify, oneshot};

/// The sessions of a worker that think.
#[derive(Debug)]
pub(crate) struct Thinking {
    times: Cell<Times>,
    /// By the instant at which they go on, then in the order in which they came.
    waiting: RefCell<BTreeMap<(Nanos, u64), oneshot::Sender<()>>>,
    came: Cell<u64>,
    /// One that is due before all others has come.
    sooner: Notify,
}

impl Thinking {
    /// Nobody thinks, and nobody may: the load has not begun.
    pub(crate) fn new() -> Self {
        let times = Times {
            start: 0,
            measure: 0,
            end: 0,
            drain: 0,
        };
        Thinking {
            times: Cell::new(times),
            waiting: RefCell::default(),
            came: Cell::new(0),
            sooner: Notify::new(),
        }
    }

    /// The load's instants; also when its end comes earlier than was planned. A step that would be due after the
    /// end is not begun: its session is over.
    pub(crate) fn within(&self, times: Times) {
        self.times.set(times);
        // To drop their senders is to tell them.
        drop(self.waiting.borrow_mut().split_off(&(times.end, 0)));
    }

    /// The phase of a step that is intended at this instant.
    pub(crate) fn phase(&self, intended: Nanos) -> Phase {
        self.times.get().phase(intended)
    }

    /// How many think.
    pub(crate) fn count(&self) -> u64 {
        self.waiting.borrow().len() as u64
    }

    /// Returns at or after `at`, never before; false when the load ends first.
    pub(crate) async fn until(&self, at: Nanos) -> bool {
        if at >= self.times.get().end {
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
    pub(crate) async fn run(&self, mut pacer: Pacer) -> io::Result<()> {
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
                    waited = pacer.until(at) => waited?,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    const MS: Nanos = 1_000_000;

    fn times(end: Nanos) -> Times {
        Times {
            start: 0,
            measure: 0,
            end,
            drain: 0,
        }
    }

    async fn within<T>(test: impl Future<Output = T>, thinking: &Rc<Thinking>) -> T {
        let pacer = Pacer::new(false).unwrap();
        tokio::select! {
            done = test => done,
            failed = thinking.run(pacer) => panic!("{failed:?}"),
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
            let thinking = Rc::new(Thinking::new());
            assert!(!thinking.until(clock::now()).await, "no load, no step");
            thinking.within(times(Nanos::MAX));
            let now = clock::now();
            let order = RefCell::new(Vec::new());
            let one = async |ms: Nanos| {
                let at = now + ms * MS;
                assert!(thinking.until(at).await);
                assert!(clock::now() >= at);
                order.borrow_mut().push(ms);
            };
            within(
                async { tokio::join!(one(30), one(10), one(20), one(0)) },
                &thinking,
            )
            .await;
            assert_eq!(*order.borrow(), [0, 10, 20, 30]);
            assert_eq!(thinking.count(), 0);
        });
    }

    #[test]
    fn the_end_of_the_load_ends_who_would_go_on_after_it() {
        block_on(async {
            let thinking = Rc::new(Thinking::new());
            thinking.within(times(Nanos::MAX));
            let now = clock::now();
            let before = thinking.until(now + 20 * MS);
            let after = thinking.until(now + 3_600_000 * MS);
            let drain = async {
                while thinking.count() < 2 {
                    tokio::task::yield_now().await;
                }
                thinking.within(times(now + 30 * MS));
                assert_eq!(thinking.count(), 1);
            };
            let all = async { tokio::join!(before, after, drain) };
            let (before, after, ()) = within(all, &thinking).await;
            assert!(before && !after);
            assert!(!thinking.until(now + 30 * MS).await);
            assert!(clock::now() - now < 10_000 * MS);
        });
    }
}
