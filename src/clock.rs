//! The one module that reads time. Everything else is handed instants.
//!
//! Monotonic instants are `CLOCK_MONOTONIC` nanoseconds (the clock an absolute timerfd waits on);
//! wall instants are nanoseconds since the Unix epoch.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A monotonic instant or a span, in nanoseconds. Instants are comparable within one boot only.
pub type Nanos = u64;

/// A wall-clock instant in nanoseconds since 1970-01-01T00:00:00Z.
pub type UnixNanos = u64;

/// Nanoseconds in one second.
pub const SECOND: Nanos = 1_000_000_000;

/// Now, monotonic (`CLOCK_MONOTONIC`, in ns).
pub fn now() -> Nanos {
    of_timespec(clock_gettime(ClockId::Monotonic))
}

/// Now, on the wall (in ns since the Unix epoch; 0 before it).
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one module that reads time"
)]
pub fn unix_now() -> UnixNanos {
    // By way of libc, where a test can step it.
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, nanos)
}

/// A span in nanoseconds; the longest that fits where it is longer.
pub fn nanos(d: Duration) -> Nanos {
    Nanos::try_from(d.as_nanos()).unwrap_or(Nanos::MAX)
}

fn of_timespec(t: rustix::time::Timespec) -> u64 {
    u64::try_from(t.tv_sec).unwrap_or(0) * SECOND + u64::try_from(t.tv_nsec).unwrap_or(0)
}

/// Ties the monotonic clock to the wall clock once, so that a later step of the wall clock (NTP, an
/// operator) moves no measurement and no intended instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Monotonic side.
    pub mono: Nanos,
    /// Wall side, taken next to it.
    pub unix: UnixNanos,
}

impl Anchor {
    /// Reads both clocks now.
    pub fn new() -> Self {
        Anchor {
            mono: now(),
            unix: unix_now(),
        }
    }

    /// The wall instant of a monotonic one, as if the wall clock had never been stepped.
    pub fn unix(&self, t: Nanos) -> UnixNanos {
        (self.unix + t).saturating_sub(self.mono)
    }

    /// How far the wall clock has been stepped since the anchor was taken, in ns (signed).
    pub fn wall_jump(&self) -> i64 {
        let expected = self.unix(now());
        i64::try_from(i128::from(unix_now()) - i128::from(expected)).unwrap_or(0)
    }
}

impl Default for Anchor {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchored_wall_time_follows_the_monotonic_clock() {
        let a = Anchor {
            mono: 100,
            unix: 1_000,
        };
        assert_eq!(a.unix(150), 1_050);
        assert_eq!(a.unix(90), 990);
        assert!(Anchor::new().wall_jump().unsigned_abs() < SECOND);
    }
}
