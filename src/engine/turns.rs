//! Whose turn it is: an object has one write in flight, a session one object and, unless it thinks, one place in
//! flight. A session that writes several objects lets go of one before it waits for the next, so that two of them
//! can never wait for each other.

use super::admission::Waiter;
use super::session::Context;
use super::worker::Worker;
use crate::clock::{self, Nanos};
use crate::kube::ObjectRef;
use crate::kube::actors::Step;
use std::rc::Rc;
use tokio::sync::oneshot;

impl Worker {
    /// Takes the object's turn for a step that needs it, and lets go of another one that the session held.
    pub(super) async fn take_turn(
        self: &Rc<Self>,
        held: &mut Option<ObjectRef>,
        object: ObjectRef,
        step: Step,
    ) {
        if *held == Some(object) || !self.needs_turn(object, step) {
            return;
        }
        self.release(held.take());
        if self.objects.get(object).busy() {
            // It is handed over busy.
            let _ = self.in_line(object).await;
        } else {
            self.objects.change(object, |s| s.set_busy(true));
        }
        *held = Some(object);
    }

    /// A place behind all who wait for the object.
    fn in_line(&self, object: ObjectRef) -> oneshot::Receiver<()> {
        let (wake, woken) = oneshot::channel();
        self.admission.queue_for(object, Waiter::Step(wake));
        woken
    }

    /// A write does; so does a read that tells whether an etcd lease has removed the object.
    fn needs_turn(&self, object: ObjectRef, step: Step) -> bool {
        let leased = || self.objects.get(object).lease().is_some();
        step.writes() || matches!(step, Step::Get(_)) && leased()
    }

    /// The object is free for the next.
    pub(super) fn release(self: &Rc<Self>, held: Option<ObjectRef>) {
        let Some(object) = held else { return };
        loop {
            let next = self.admission.next_for(object);
            // Between two steps it stays busy, so that nobody comes in between.
            if let Some(Waiter::Step(wake)) = next {
                if wake.send(()).is_ok() {
                    return;
                }
                continue;
            }
            self.objects.change(object, |s| s.set_busy(false));
            // A skipped one leaves the object free: the turn is the next one's.
            let skipped = match next {
                Some(Waiter::Session(pending)) => !self.begin(pending),
                _ => false,
            };
            if !skipped || self.admission.closing.get() {
                return;
            }
        }
    }

    /// Waits out a think time, without an object and without a place in flight: the next step is intended for
    /// when its predecessor was done plus this time. False when the load ends first, and the session with it.
    pub(super) async fn think(
        self: &Rc<Self>,
        context: &mut Context,
        held: &mut Option<ObjectRef>,
        think: Nanos,
    ) -> bool {
        self.release(held.take());
        self.leave();
        let intended = context.intended.saturating_add(think);
        let thinking = &self.admission.thinking;
        thinking.set(thinking.get() + 1);
        let goes_on = self.timers.until(intended).await;
        thinking.set(thinking.get() - 1);
        let ready = clock::now();
        self.come_back(goes_on).await;
        context.phase = self.phase(intended);
        context.intended = intended;
        context.ready = ready;
        goes_on
    }

    /// Gives a place in flight to whoever is next.
    pub(super) fn leave(self: &Rc<Self>) {
        self.admission.exit();
        while let Some(next) = self.admission.next() {
            match next {
                Waiter::Session(pending) => {
                    let _ = self.begin(pending);
                }
                Waiter::Step(wake) => {
                    if wake.send(()).is_ok() {
                        self.admission.enter();
                    }
                }
            }
        }
    }

    /// Takes a place in flight again, behind who waits for one; at once where only the session's end is left.
    async fn come_back(&self, goes_on: bool) {
        if goes_on && self.admission.full() {
            let (wake, woken) = oneshot::channel();
            self.admission.queue(Waiter::Step(wake));
            // The place is taken for it.
            let _ = woken.await;
        } else {
            self.admission.enter();
        }
    }
}
