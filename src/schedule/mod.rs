//! Intended instants. Pure: computed from the plan and a seed, never from a clock.
//!
//! Every instant is an offset in nanoseconds from the start of the load, and a function of (schedule,
//! seed, index): however many parts a plan is cut into, their union is the same schedule.

mod arrivals;
mod periodic;
mod profile;
mod rate_profile;
mod share;
mod spec;
mod timetable;

pub use arrivals::Arrivals;
pub use periodic::{Chain, Periodic, PeriodicInstant};
pub use profile::Warp;
pub use rate_profile::{RateProfile, Segment};
pub use share::{Cells, Share};
pub use spec::{Process, Schedule, Tail};
pub use timetable::{Due, Source, Timetable};

use crate::clock::Nanos;

/// The part `part`/`of` of a plan's cells: what one worker, process or host owns, namely the cells whose number is
/// congruent to `part` modulo `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stripe {
    part: u64,
    of: u64,
}

impl Stripe {
    /// All of it.
    pub const WHOLE: Stripe = Stripe { part: 0, of: 1 };

    /// Part `part` of `of`; none unless `part < of`.
    pub fn new(part: u64, of: u64) -> Option<Self> {
        (part < of).then_some(Stripe { part, of })
    }

    /// Which part, 0 ≤ part < of.
    pub fn part(self) -> u64 {
        self.part
    }

    /// How many parts there are.
    pub fn of(self) -> u64 {
        self.of
    }

    /// Whether an index belongs to this part.
    pub fn owns(self, index: u64) -> bool {
        index % self.of == self.part
    }

    /// How many of the indices 0..count belong to this part.
    pub fn share_of(self, count: u64) -> u64 {
        count / self.of + u64::from(count % self.of > self.part)
    }
}

/// Sessions of an actor, in a time or per second, over all parts: of the members before [`Tail::from`], and of those
/// from there on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sessions {
    /// Of the first members: of all, if none differ.
    pub head: f64,
    /// Of the tail.
    pub tail: f64,
}

impl Sessions {
    /// Of all members.
    pub fn total(self) -> f64 {
        self.head + self.tail
    }
}

/// Sessions expected in `[from, to)` ns of a schedule (periodic: `members` members). None for a closed loop, which
/// has no schedule.
pub fn expected(schedule: &Schedule, members: u64, from: Nanos, to: Nanos) -> Option<Sessions> {
    sessions(schedule, members, |rate| rate.expected(from, to))
}

/// The highest rate of a schedule, sessions per second. None for a closed loop.
pub fn peak_rate(schedule: &Schedule, members: u64) -> Option<Sessions> {
    sessions(schedule, members, RateProfile::max_rate)
}

fn sessions(
    schedule: &Schedule,
    members: u64,
    of: impl Fn(&RateProfile) -> f64,
) -> Option<Sessions> {
    match schedule {
        Schedule::Arrivals { rate, .. } => Some(Sessions {
            head: of(rate),
            tail: 0.0,
        }),
        Schedule::Periodic {
            period,
            low,
            high,
            intensity,
            tail,
            ..
        } => {
            let each = of(intensity) / ((*period).max(1) as f64 / 1e9);
            let first = tail.map_or(members, |t| t.from.min(members));
            let by = |n: u64, low: f64, high: f64| n as f64 * each / ((low + high) / 2.0);
            Some(Sessions {
                head: by(first, *low, *high),
                tail: tail.map_or(0.0, |t| by(members - first, t.low, t.high)),
            })
        }
        Schedule::Closed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::schedule::RateProfile;

    #[test]
    fn stripes_partition() {
        for count in 0..40 {
            for of in 1..7 {
                let parts: u64 = (0..of)
                    .filter_map(|w| Stripe::new(w, of))
                    .map(|s| s.share_of(count))
                    .sum();
                assert_eq!(parts, count);
                for s in (0..of).filter_map(|w| Stripe::new(w, of)) {
                    let owned = (0..count).filter(|i| s.owns(*i)).count();
                    assert_eq!(s.share_of(count), owned as u64);
                }
            }
        }
        assert_eq!(Stripe::new(3, 3), None);
    }

    #[test]
    fn expectations_of_the_kinds_of_schedule() {
        let periodic = Schedule::Periodic {
            period: 10 * SECOND,
            low: 1.0,
            high: 1.04,
            intensity: RateProfile::constant(1.0),
            tail: None,
            spread: true,
        };
        let n = expected(&periodic, 1000, 0, 102 * SECOND).unwrap().total();
        assert!((n - 10_000.0).abs() < 1e-6, "{n}");
        let rate = peak_rate(&periodic, 1000).unwrap().total();
        assert!((rate - 1000.0 / 10.2).abs() < 1e-9, "{rate}");
        assert_eq!(
            expected(&Schedule::Closed { concurrency: 4 }, 0, 0, SECOND),
            None
        );
    }
}
