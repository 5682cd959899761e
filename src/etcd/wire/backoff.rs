//! Pauses between attempts to connect: exponential with jitter, so that a dead member is not hammered
//! and many clients do not come back at once.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(5);

/// 100 ms, doubling up to 5 s, each × U(1.0, 1.5).
pub(crate) struct Backoff {
    next: Duration,
    rng: SmallRng,
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Backoff {
            next: FIRST,
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// The pause before the next attempt.
    pub(crate) fn pause(&mut self) -> Duration {
        let base = self.next;
        self.next = (base * 2).min(LAST);
        base.mul_f64(self.rng.random_range(1.0..1.5))
    }

    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_hammers_and_never_waits_longer_than_the_cap_and_its_jitter() {
        let mut backoff = Backoff::new(7);
        let pauses: Vec<_> = (0..12).map(|_| backoff.pause()).collect();
        assert!(
            pauses
                .iter()
                .all(|p| *p >= FIRST && *p <= LAST.mul_f64(1.5))
        );
        assert!(pauses[0] < Duration::from_millis(150));
        assert!(pauses[11] >= LAST);
        assert!(pauses[10] != pauses[11], "jitter");
        backoff.reset();
        assert!(backoff.pause() < Duration::from_millis(150));
    }
}
