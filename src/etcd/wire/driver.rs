//! Runs one connection: reads and writes frames, stamps *sent*, sweeps deadlines, keeps it alive.

use super::coalesce::{Coalesce, Outlet};
use super::connection::ConnectionState;
use super::dial::Io;
use super::settings::{KEEPALIVE_MIN, Settings};
use crate::clock::{self, Nanos};
use bytes::Bytes;
use h2::client::Connection;
use h2::{Ping, PingPong};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// Deadlines are looked at this often: one timer per connection instead of one per call.
const SWEEP: Nanos = 20_000_000;
/// How often a connection with requests in flight is looked at, whether anything was read.
const LOOK: Nanos = 250_000_000;

/// The future of one connection.
pub(crate) struct Driver {
    connection: Connection<Coalesce<Io>, Bytes>,
    outlet: Outlet<Io>,
    shared: Rc<ConnectionState>,
    coalesce: bool,
    /// The write is put off until the tasks that are ready now have run.
    deferred: bool,
    reads_seen: u64,
    /// The timer is set for the next sweep.
    sweeping: bool,
    timer: Pin<Box<Sleep>>,
    keepalive: Keepalive,
}

/// Tells a member that hangs from one that is slow: a ping is answered by the process, whatever its disk does. Time
/// counts only while the driver itself gets its turns: an etcdmark that stood still holds nothing against a member.
struct Keepalive {
    pings: Option<PingPong>,
    interval: Nanos,
    timeout: Nanos,
    looked_at: Nanos,
    reads: u64,
    was_active: bool,
    /// How long nothing has been read while requests, or the ping, were unanswered; from the ping on, anew.
    silent: Nanos,
    /// The same, the time before the ping included.
    unheard: Nanos,
    /// A ping is unanswered.
    pinged: bool,
    pinged_at: Option<Nanos>,
}

impl Driver {
    pub(crate) fn new(
        mut connection: Connection<Coalesce<Io>, Bytes>,
        outlet: Outlet<Io>,
        shared: Rc<ConnectionState>,
        settings: &Settings,
    ) -> Self {
        let now = clock::now();
        let interval = nanos(settings.keepalive_interval);
        let keepalive = Keepalive {
            pings: connection.ping_pong(),
            interval,
            timeout: nanos(settings.keepalive_timeout),
            looked_at: now,
            reads: 0,
            was_active: false,
            silent: 0,
            unheard: 0,
            pinged: false,
            pinged_at: None,
        };
        Driver {
            connection,
            outlet,
            shared,
            coalesce: settings.coalesce,
            deferred: false,
            reads_seen: 0,
            sweeping: false,
            timer: Box::pin(sleep(interval)),
            keepalive,
        }
    }

    /// After h2 has run: note where the bytes of each queued request end, what the server allows, and
    /// whether the connection still takes requests.
    fn after_frames(&mut self) {
        let reads = self.outlet.reads();
        let news = reads != self.reads_seen;
        self.reads_seen = reads;
        let mut handle = self.shared.send.borrow_mut();
        if (news || self.shared.opening.get())
            && let Some(send) = handle.as_mut()
        {
            self.shared.set_slots(send.current_max_send_streams());
            match send.poll_ready(&mut Context::from_waker(std::task::Waker::noop())) {
                Poll::Ready(Ok(())) => {
                    if self.shared.opening.replace(false) {
                        self.shared.opened.notify_waiters();
                    }
                }
                Poll::Ready(Err(e)) => {
                    let reason = format!("draining: {e}");
                    self.shared.retire(&reason);
                    // The last handle: h2 ends once the open streams have.
                    handle.take();
                }
                Poll::Pending => self.shared.opening.set(true),
            }
        }
        if news && !self.shared.ready.replace(true) {
            self.shared.changed.notify_waiters();
        }
        if !self.outlet.blocked() {
            let end = self.outlet.taken();
            let mut awaiting = self.shared.awaiting.borrow_mut();
            // A stream that waits for a place is always the newest.
            let held = usize::from(self.shared.opening.get());
            for (at, _) in awaiting.iter_mut().rev().skip(held) {
                if *at != u64::MAX {
                    break;
                }
                *at = end;
            }
        }
    }

    /// Writes what was gathered and stamps the requests that have thereby left.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Poll::Ready(Err(e)) = self.outlet.poll_drain(cx) {
            return Err(e);
        }
        let gone = self.outlet.handed_over();
        let mut awaiting = self.shared.awaiting.borrow_mut();
        let mut now = None;
        while awaiting.front().is_some_and(|(at, _)| *at <= gone) {
            if let Some((_, call)) = awaiting.pop_front() {
                call.stamp_sent(*now.get_or_insert_with(clock::now));
            }
        }
        Ok(())
    }

    /// Sweeps deadlines and sees to keepalive when the timer says so; the reason if the connection is dead.
    fn on_time(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        self.keepalive.hear_pong(cx)?;
        if !self.sweeping && !self.shared.deadlines.borrow().is_empty() {
            self.sweeping = true;
            self.timer.set(sleep(SWEEP));
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = clock::now();
            let mut deadlines = self.shared.deadlines.borrow_mut();
            deadlines.retain(|call| {
                call.sweep(now);
                !call.is_finished()
            });
            self.sweeping = !deadlines.is_empty();
            let due = self
                .keepalive
                .tick(now, self.outlet.reads(), self.shared.active.get())
                .inspect_err(|_| self.shared.unheard.set(self.keepalive.unheard))?;
            let next = due.saturating_sub(now);
            self.timer
                .set(sleep(if self.sweeping { next.min(SWEEP) } else { next }));
        }
        Ok(())
    }

    fn end(&mut self, reason: &str, failure: Option<h2::Error>) -> Poll<()> {
        *self.shared.failure.borrow_mut() = failure;
        self.shared.closed.set(true);
        self.shared.send.borrow_mut().take();
        self.shared.retire(reason);
        Poll::Ready(())
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match &mut *this.shared.driver.borrow_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            empty => *empty = Some(cx.waker().clone()),
        }
        match Pin::new(&mut this.connection).poll(cx) {
            Poll::Ready(Ok(())) => return this.end("closed by the server", None),
            Poll::Ready(Err(e)) => return this.end(&e.to_string(), Some(e)),
            Poll::Pending => this.after_frames(),
        }
        if this.coalesce && !this.deferred && !this.outlet.is_empty() {
            // Behind every task that is ready now: what they send leaves in the same write.
            this.deferred = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.deferred = false;
        if let Err(e) = this.write(cx) {
            // What the peer said before it closed (a TLS alert) is worth more than a broken pipe.
            return match Pin::new(&mut this.connection).poll(cx) {
                Poll::Ready(Err(said)) => this.end(&said.to_string(), Some(said)),
                _ => this.end(&e.to_string(), None),
            };
        }
        // After the write: what was only waiting for this turn is not taken for unsent.
        match this.on_time(cx) {
            Ok(()) => Poll::Pending,
            Err(reason) => this.end(&reason, None),
        }
    }
}

impl Keepalive {
    fn hear_pong(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        if self.pinged
            && let Some(pings) = &mut self.pings
            && let Poll::Ready(pong) = pings.poll_pong(cx)
        {
            pong.map_err(|e| format!("keepalive: {e}"))?;
            self.pinged = false;
        }
        Ok(())
    }

    /// Pings a silent connection that has requests in flight (etcd forbids pings without streams, and more than one
    /// in 5 s); returns when to look again.
    fn tick(&mut self, now: Nanos, reads: u64, active: usize) -> Result<Nanos, String> {
        let watched = now.saturating_sub(self.looked_at).min(2 * LOOK);
        self.looked_at = now;
        let waited = std::mem::replace(&mut self.was_active, active > 0) || self.pinged;
        if reads != self.reads {
            self.reads = reads;
            (self.silent, self.unheard) = (0, 0);
        } else if waited {
            self.silent += watched;
            self.unheard += watched;
        }
        if self.pinged {
            if self.silent >= self.timeout {
                return Err(format!(
                    "hangs: keepalive ping unanswered for {:?}",
                    Duration::from_nanos(self.timeout)
                ));
            }
            return Ok(now + LOOK.min(self.timeout));
        }
        if active == 0 {
            return Ok(now + self.interval);
        }
        let recent = |at: Nanos| now.saturating_sub(at) < nanos(KEEPALIVE_MIN);
        if self.silent >= self.interval
            && !self.pinged_at.is_some_and(recent)
            && let Some(pings) = &mut self.pings
        {
            pings
                .send_ping(Ping::opaque())
                .map_err(|e| format!("keepalive: {e}"))?;
            (self.pinged, self.pinged_at, self.silent) = (true, Some(now), 0);
        }
        Ok(now + LOOK.min(self.interval))
    }
}

fn sleep(span: Nanos) -> Sleep {
    tokio::time::sleep(Duration::from_nanos(span))
}

fn nanos(d: Duration) -> Nanos {
    d.as_nanos().try_into().unwrap_or(Nanos::MAX / 2)
}
