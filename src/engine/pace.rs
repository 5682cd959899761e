//! Waiting for an instant, inside a worker's own runtime: an absolute timerfd on Linux, tokio's
//! millisecond timers elsewhere. (Lateness p50/p99 on a 2-vCPU VM: timerfd 30–60 µs / 0.2–1.6 ms,
//! tokio 0.6–1.2 / 2–2.5 ms.)

use crate::clock::{self, Nanos};
use std::io;

/// How long before an instant a spinning pacer stops sleeping.
const SPIN: Nanos = 150_000;

/// Waits for monotonic instants.
#[derive(Debug)]
pub(crate) struct Pacer {
    timer: Timer,
    spin: bool,
}

impl Pacer {
    /// A pacer for the current thread's runtime. `spin` burns the last 150 µs instead of sleeping.
    pub(crate) fn new(spin: bool) -> io::Result<Self> {
        Ok(Pacer {
            timer: Timer::new()?,
            spin,
        })
    }

    /// Returns at or after `at`, never before.
    pub(crate) async fn until(&mut self, at: Nanos) -> io::Result<()> {
        let wake = if self.spin {
            at.saturating_sub(SPIN)
        } else {
            at
        };
        if clock::now() < wake {
            self.timer.until(wake).await?;
        } else {
            // Already due: still let the connection tasks run once.
            tokio::task::yield_now().await;
        }
        while clock::now() < at {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Timer(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Timer {
    fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        // The default slack of 50 µs would be added to every wake-up.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        let fd = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        // SAFETY: the OwnedFd lives in the AsyncFd, which gives it away to nobody: it stays open and the
        // same until it is deregistered on drop.
        #[expect(
            unsafe_code,
            reason = "tokio has no safe constructor any more that is not deprecated"
        )]
        let registered = unsafe {
            tokio::io::unix::AsyncFd::register_with_interest(fd, tokio::io::Interest::READABLE)
        };
        Ok(Timer(registered.map_err(|e| e.into_parts().1)?))
    }

    async fn until(&mut self, at: Nanos) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let spec = Timespec {
            tv_sec: i64::try_from(at / clock::SECOND).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(at % clock::SECOND).unwrap_or(0),
        };
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        timerfd_settime(
            self.0.get_ref(),
            TimerfdTimerFlags::ABSTIME,
            &Itimerspec {
                it_interval: zero,
                it_value: spec,
            },
        )?;
        loop {
            let mut guard = self.0.readable().await?;
            let mut expirations = [0u8; 8];
            match rustix::io::read(guard.get_inner(), &mut expirations) {
                Ok(_) => {
                    guard.clear_ready();
                    return Ok(());
                }
                Err(rustix::io::Errno::AGAIN) => guard.clear_ready(),
                Err(e) => return Err(e.into()),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
struct Timer;

#[cfg(not(target_os = "linux"))]
impl Timer {
    fn new() -> io::Result<Self> {
        Ok(Timer)
    }

    async fn until(&mut self, at: Nanos) -> io::Result<()> {
        let wait = std::time::Duration::from_nanos(at.saturating_sub(clock::now()));
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_early_and_in_order() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            for spin in [false, true] {
                let mut pacer = Pacer::new(spin).unwrap();
                for ms in [0, 1, 5] {
                    let at = clock::now() + ms * 1_000_000;
                    pacer.until(at).await.unwrap();
                    assert!(clock::now() >= at);
                }
                pacer.until(1).await.unwrap();
            }
        });
    }
}
