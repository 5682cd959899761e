//! The sources of one worker, merged into one sequence of due instants.

use super::Share;
use super::arrivals::Arrivals;
use super::periodic::{Chain, Periodic};
use crate::clock::Nanos;
use crate::rng::stream;
use crate::schedule::Schedule;

/// A source of intended instants.
#[derive(Clone, Debug)]
pub enum Source {
    /// One stream for the whole actor.
    Arrivals(Arrivals),
    /// A population.
    Periodic(Periodic),
}

impl Source {
    /// One part of an actor's schedule. `members` is the population of a periodic one. Actors of one
    /// plan differ by `name`. None for a closed loop, which has no intended instants.
    pub fn new(
        schedule: &Schedule,
        members: u64,
        seed: u64,
        name: &str,
        share: Share,
    ) -> Option<Self> {
        let seed = stream(seed, name);
        match schedule {
            Schedule::Arrivals { process, rate } => {
                Some(Source::Arrivals(Arrivals::new(*process, rate, seed, share)))
            }
            Schedule::Periodic {
                period,
                low,
                high,
                intensity,
                tail,
                spread,
            } => {
                let chain = Chain {
                    period: *period,
                    low: *low,
                    high: *high,
                    intensity,
                    tail: *tail,
                    spread: *spread,
                };
                Some(Source::Periodic(Periodic::new(
                    &chain, members, seed, &share,
                )))
            }
            Schedule::Closed { .. } => None,
        }
    }

    fn next(&mut self) -> Option<(Nanos, u64, u64)> {
        match self {
            Source::Arrivals(a) => a.next().map(|(index, at)| (at, index, 0)),
            Source::Periodic(p) => p.next().map(|b| (b.at, b.member, b.k)),
        }
    }
}

/// A session is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Intended instant: offset from the start of the load, ns.
    pub at: Nanos,
    /// Which source, in the order in which they were added.
    pub source: usize,
    /// Arrivals: the global index. Periodic: the member.
    pub index: u64,
    /// Periodic: the member's how-manieth instant, from 0. Arrivals: 0.
    pub round: u64,
}

/// Several sources merged. Instants never decrease; at equal ones the source added first comes first.
#[derive(Clone, Debug)]
pub struct Timetable {
    rows: Vec<Row>,
    /// The row whose head is earliest.
    first: Option<usize>,
    stop_at: Nanos,
}

#[derive(Clone, Debug)]
struct Row {
    source: Source,
    head: Option<(Nanos, u64, u64)>,
}

impl Default for Timetable {
    fn default() -> Self {
        Self::new()
    }
}

impl Timetable {
    /// Empty.
    pub fn new() -> Self {
        Timetable {
            rows: Vec::new(),
            first: None,
            stop_at: Nanos::MAX,
        }
    }

    /// Adds a source; its number is what [`Due::source`] says.
    pub fn add(&mut self, mut source: Source) -> usize {
        let head = source.next();
        self.rows.push(Row { source, head });
        self.find_first();
        self.rows.len() - 1
    }

    /// Nothing is due at this offset (ns) or later.
    pub fn stop_at(&mut self, offset: Nanos) {
        self.stop_at = offset;
    }

    /// The next intended instant.
    pub fn peek(&self) -> Option<Nanos> {
        let (at, _, _) = self.rows.get(self.first?)?.head?;
        (at < self.stop_at).then_some(at)
    }

    /// Takes the next due session.
    pub fn pop(&mut self) -> Option<Due> {
        let at = self.peek()?;
        let source = self.first?;
        let row = self.rows.get_mut(source)?;
        let (_, index, round) = row.head?;
        // A ramp's square root may be off by a nanosecond; time does not go back for it.
        row.head = row.source.next().map(|(t, i, r)| (t.max(at), i, r));
        self.find_first();
        Some(Due {
            at,
            source,
            index,
            round,
        })
    }

    /// Takes the next due session if it is due by `offset` (ns, inclusive).
    pub fn pop_due(&mut self, offset: Nanos) -> Option<Due> {
        if self.peek()? <= offset {
            self.pop()
        } else {
            None
        }
    }

    fn find_first(&mut self) {
        // A worker has a dozen sources at most: a scan beats a heap.
        let heads = self
            .rows
            .iter()
            .enumerate()
            .filter_map(|(i, r)| r.head.map(|h| (h.0, i)));
        self.first = heads.min().map(|(_, i)| i);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::schedule::Stripe;
    use crate::schedule::{Process, RateProfile};
    use proptest::prelude::*;

    fn arrivals(rate: f64, process: Process) -> Schedule {
        Schedule::Arrivals {
            process,
            rate: RateProfile::constant(rate),
        }
    }

    fn periodic(seconds: u64) -> Schedule {
        Schedule::Periodic {
            period: seconds * SECOND,
            low: 1.0,
            high: 1.1,
            intensity: RateProfile::constant(1.0),
            tail: None,
            spread: true,
        }
    }

    fn table(schedules: &[(Schedule, u64)], stripe: Stripe) -> Timetable {
        let mut t = Timetable::new();
        for (i, (s, members)) in schedules.iter().enumerate() {
            if let Some(source) = Source::new(
                s,
                *members,
                3,
                &format!("actor-{i}"),
                Share::of_each(stripe),
            ) {
                t.add(source);
            }
        }
        t
    }

    #[test]
    fn merged_in_order_and_stopped() {
        let mut t = table(
            &[
                (arrivals(2.0, Process::Constant), 0),
                (arrivals(4.0, Process::Constant), 0),
            ],
            Stripe::WHOLE,
        );
        t.stop_at(SECOND);
        let dues: Vec<(u64, usize, u64)> = std::iter::from_fn(|| t.pop())
            .map(|d| (d.at / 1_000_000, d.source, d.index))
            .collect();
        assert_eq!(
            dues,
            [
                (0, 0, 0),
                (0, 1, 0),
                (250, 1, 1),
                (500, 0, 1),
                (500, 1, 2),
                (750, 1, 3)
            ]
        );
        assert_eq!(t.peek(), None);
    }

    #[test]
    fn pop_due_waits() {
        let mut t = table(&[(arrivals(1.0, Process::Constant), 0)], Stripe::WHOLE);
        assert_eq!(t.pop_due(0).map(|d| d.at), Some(0));
        assert_eq!(t.pop_due(SECOND - 1), None);
        assert_eq!(t.pop_due(SECOND).map(|d| d.index), Some(1));
    }

    #[test]
    fn a_closed_loop_has_no_instants() {
        assert!(
            Source::new(
                &Schedule::Closed { concurrency: 3 },
                0,
                1,
                "a",
                Share::of_each(Stripe::WHOLE)
            )
            .is_none()
        );
        assert_eq!(Timetable::new().pop(), None);
    }

    proptest! {
        #[test]
        fn never_back_and_the_parts_are_the_whole(
            rate in 1..50_u32, members in 0..40_u64, seconds in 1..4_u64, of in 1..6_u64,
        ) {
            let schedules = [
                (arrivals(f64::from(rate), Process::Poisson), 0),
                (periodic(seconds), members),
                (arrivals(f64::from(rate) / 3.0, Process::Constant), 0),
            ];
            let drain = |stripe| {
                let mut t = table(&schedules, stripe);
                t.stop_at(8 * SECOND);
                std::iter::from_fn(move || t.pop()).map(|d| (d.at, d.source, d.index, d.round)).collect::<Vec<_>>()
            };
            let all = drain(Stripe::WHOLE);
            prop_assert!(all.windows(2).all(|w| w[0].0 <= w[1].0));
            let mut union: Vec<_> = (0..of).filter_map(|w| Stripe::new(w, of)).flat_map(drain).collect();
            union.sort_unstable();
            let mut sorted = all;
            sorted.sort_unstable();
            prop_assert_eq!(union, sorted);
        }
    }
}
