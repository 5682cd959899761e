//! `rate.NewLimiter(limit, 1)` of golang.org/x/time: a bucket of one token, shared by all clients. What a stall cost is
//! never caught up.

use crate::clock::{Nanos, SECOND};

/// Hands out instants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limiter {
    interval: Nanos,
    next: Nanos,
}

impl Limiter {
    /// So many per second; 0 is no limit, as in the Go tool.
    pub(super) fn new(per_second: u32) -> Limiter {
        Limiter {
            interval: match per_second {
                0 => 0,
                n => SECOND / u64::from(n),
            },
            next: 0,
        }
    }

    /// When the request of a client that asks now may go.
    pub(super) fn reserve(&mut self, now: Nanos) -> Nanos {
        let at = self.next.max(now);
        self.next = at + self.interval;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_and_nothing_is_caught_up() {
        let mut limiter = Limiter::new(1000);
        let ms = 1_000_000;
        assert_eq!(limiter.reserve(10 * ms), 10 * ms);
        assert_eq!(limiter.reserve(10 * ms), 11 * ms);
        assert_eq!(limiter.reserve(10 * ms), 12 * ms);
        // After a stall of two seconds: one goes at once, the others at the rate.
        assert_eq!(limiter.reserve(2012 * ms), 2012 * ms);
        assert_eq!(limiter.reserve(2012 * ms), 2013 * ms);
        let mut none = Limiter::new(0);
        assert_eq!([none.reserve(5), none.reserve(5)], [5, 5]);
    }
}
