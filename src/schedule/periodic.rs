//! A population whose members each act periodically with jitter: kubelets that renew their Leases,
//! holders of leader locks, apiservers.

use super::Share;
use super::profile::Warp;
use crate::clock::Nanos;
use crate::rng::{mix, unit};
use crate::schedule::{RateProfile, Tail};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How each member's instants follow each other: the next is the previous + period × U(low, high).
/// `wait.JitterUntil` in `k8s.io/apimachinery` with a jitter factor of 0.04 is (1.0, 1.04).
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a> {
    /// Base period, ns.
    pub period: Nanos,
    /// Lower factor.
    pub low: f64,
    /// Upper factor.
    pub high: f64,
    /// Speeds the population's time up or slows it down; 1 everywhere is Kubernetes' own rate.
    pub intensity: &'a RateProfile,
    /// Members whose factors differ.
    pub tail: Option<Tail>,
    /// The first instants are spread uniformly over one period; else they come after one.
    pub spread: bool,
}

/// One instant of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeriodicInstant {
    /// Offset, ns.
    pub at: Nanos,
    /// Which member, 0 ≤ member < count.
    pub member: u64,
    /// Its how-manieth instant, from 0.
    pub k: u64,
}

/// The beats of one part's members, in order of time (ties in order of member). Jitter is a function
/// of (seed, member, k); a member costs 16 bytes.
#[derive(Clone, Debug)]
pub struct Periodic {
    heap: BinaryHeap<Reverse<Entry>>,
    seed: u64,
    period: f64,
    low: f64,
    width: f64,
    tail: Option<Tail>,
    /// None when the intensity is 1 throughout.
    warp: Option<Warp>,
    cursor: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// In the population's own time, ns: real time warped by the intensity.
    at: Nanos,
    member: u32,
    k: u32,
}

impl Periodic {
    /// The most members a population can have.
    pub const MAX_MEMBERS: u64 = u32::MAX as u64;

    /// The members of 0..count (at most [`Periodic::MAX_MEMBERS`]) that belong to this share.
    pub fn new(chain: &Chain<'_>, count: u64, seed: u64, share: &Share) -> Self {
        let period = chain.period.max(1) as f64;
        let (low, width) = (chain.low.max(0.0), (chain.high - chain.low).max(0.0));
        let count = count.min(Self::MAX_MEMBERS);
        // Counted first: to double a list of millions on the way costs memory.
        let mut heap = Vec::with_capacity(usize::try_from(share.share_of(count)).unwrap_or(0));
        // Counts are below 2^32, so nothing is cut off.
        let mine = (0..count).filter(|m| share.owns(*m)).map(|m| m as u32);
        heap.extend(mine.map(|member| {
            let u = unit(mix(seed, u64::from(member), 0));
            let at = (period * if chain.spread { u } else { low + width * u }) as Nanos;
            Reverse(Entry { at, member, k: 0 })
        }));
        let heap = BinaryHeap::from(heap);
        let warp = Warp::new(chain.intensity);
        Periodic {
            heap,
            seed,
            period,
            low,
            width,
            tail: chain.tail,
            warp: (!warp.is_identity()).then_some(warp),
            cursor: 0,
        }
    }

    fn gap(&self, member: u32, k: u32) -> Nanos {
        let u = unit(mix(self.seed, u64::from(member), u64::from(k)));
        let (low, width) = match self.tail {
            Some(t) if u64::from(member) >= t.from => (t.low.max(0.0), (t.high - t.low).max(0.0)),
            _ => (self.low, self.width),
        };
        ((self.period * (low + width * u)) as Nanos).max(1)
    }
}

impl Iterator for Periodic {
    type Item = PeriodicInstant;

    /// None for an empty population, or once the intensity stays zero.
    fn next(&mut self) -> Option<PeriodicInstant> {
        let Entry { at, member, k } = self.heap.peek()?.0;
        let real = match &self.warp {
            None => at,
            // The population's time is ∫ intensity, in seconds.
            Some(warp) => warp.inverse_from(at as f64 / 1e9, &mut self.cursor)?,
        };
        let next = Entry {
            at: at.checked_add(self.gap(member, k.wrapping_add(1)))?,
            member,
            k: k.wrapping_add(1),
        };
        if let Some(mut top) = self.heap.peek_mut() {
            *top = Reverse(next);
        }
        Some(PeriodicInstant {
            at: real,
            member: u64::from(member),
            k: u64::from(k),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::schedule::Segment;
    use crate::schedule::Stripe;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const PERIOD: Nanos = 10 * SECOND;

    fn population(count: u64, intensity: &RateProfile, stripe: Stripe) -> Periodic {
        Periodic::new(
            &Chain {
                period: PERIOD,
                low: 1.0,
                high: 1.04,
                intensity,
                tail: None,
                spread: true,
            },
            count,
            11,
            &Share::of_each(stripe),
        )
    }

    #[test]
    fn an_entry_is_at_most_24_bytes() {
        assert!(size_of::<Reverse<Entry>>() <= 24);
    }

    #[test]
    fn jitter_stays_in_its_bounds_and_averages_out() {
        let one = RateProfile::constant(1.0);
        let mut last: HashMap<u64, (u64, Nanos)> = HashMap::new();
        let (mut sum, mut n, mut before) = (0.0, 0.0, 0);
        for b in population(500, &one, Stripe::WHOLE).take(100_000) {
            assert!(b.at >= before);
            before = b.at;
            match last.insert(b.member, (b.k, b.at)) {
                None => assert!(b.k == 0 && b.at < PERIOD),
                Some((k, at)) => {
                    assert_eq!(b.k, k + 1);
                    let factor = (b.at - at) as f64 / PERIOD as f64;
                    assert!((0.999_999_999..=1.04).contains(&factor), "{factor}");
                    sum += factor;
                    n += 1.0;
                }
            }
        }
        assert_eq!(last.len(), 500);
        // U(1, 1.04) has standard deviation 0.0115; of the mean of 99,500 it is 0.00004.
        assert!((sum / n - 1.02).abs() < 0.000_3, "{}", sum / n);
    }

    #[test]
    fn first_instants_fill_the_period_evenly() {
        let one = RateProfile::constant(1.0);
        let mut seconds = [0_u32; 10];
        for b in population(10_000, &one, Stripe::WHOLE).take_while(|b| b.at < PERIOD) {
            seconds[(b.at / SECOND) as usize] += 1;
        }
        assert!(
            seconds.iter().all(|&n| (850..1150).contains(&n)),
            "{seconds:?}"
        );
    }

    #[test]
    fn a_cron_job_has_its_first_instant_after_one_period() {
        let one = RateProfile::constant(1.0);
        let chain = Chain {
            period: PERIOD,
            low: 1.0,
            high: 1.0,
            intensity: &one,
            tail: None,
            spread: false,
        };
        let ats = Periodic::new(&chain, 1, 11, &Share::of_each(Stripe::WHOLE)).map(|b| (b.at, b.k));
        let ats: Vec<(Nanos, u64)> = ats.take(3).collect();
        assert_eq!(ats, [(PERIOD, 0), (2 * PERIOD, 1), (3 * PERIOD, 2)]);
    }

    #[test]
    fn the_tail_has_factors_of_its_own() {
        let one = RateProfile::constant(1.0);
        let chain = Chain {
            period: PERIOD,
            low: 1.0,
            high: 1.0,
            intensity: &one,
            tail: Some(Tail {
                from: 3,
                low: 1.0,
                high: 2.2,
            }),
            spread: true,
        };
        let mut beats: HashMap<u64, Vec<Nanos>> = HashMap::new();
        for b in Periodic::new(&chain, 5, 11, &Share::of_each(Stripe::WHOLE))
            .take_while(|b| b.at < 2000 * PERIOD)
        {
            beats.entry(b.member).or_default().push(b.at);
        }
        for (member, ats) in beats {
            let gaps = ats.windows(2).map(|w| (w[1] - w[0]) as f64 / PERIOD as f64);
            let (n, sum) = gaps.fold((0.0, 0.0), |(n, sum), g| (n + 1.0, sum + g));
            // U(1, 2.2) has standard deviation 0.35; of the mean of 1,250 it is 0.01.
            let (mean, within) = if member < 3 { (1.0, 1e-9) } else { (1.6, 0.04) };
            assert!((sum / n - mean).abs() <= within, "{member}: {}", sum / n);
        }
    }

    #[test]
    fn a_ramp_lowers_the_rate_at_the_start() {
        let ramp = RateProfile {
            segments: vec![Segment {
                duration: 20 * SECOND,
                from: 0.0,
                to: 1.0,
            }],
            then: 1.0,
        };
        let ats: Vec<Nanos> = population(2000, &ramp, Stripe::WHOLE)
            .map(|b| b.at)
            .take_while(|&t| t < 60 * SECOND)
            .collect();
        let count = |a: u64, b: u64| {
            ats.iter()
                .filter(|&&t| (a * SECOND..b * SECOND).contains(&t))
                .count() as f64
        };
        // 200/s at full intensity: 1/8 of 20 s × 200 in the first half of the ramp, 3/8 in the second.
        assert!((count(0, 10) - 500.0).abs() < 100.0, "{}", count(0, 10));
        assert!((count(10, 20) - 1500.0).abs() < 150.0, "{}", count(10, 20));
        assert!(
            (count(40, 60) - 20.0 * 2000.0 / 10.2).abs() < 200.0,
            "{}",
            count(40, 60)
        );
    }

    #[test]
    fn no_members_no_beats_and_zero_intensity_ends() {
        let one = RateProfile::constant(1.0);
        assert_eq!(population(0, &one, Stripe::WHOLE).next(), None);
        let stops = RateProfile {
            segments: vec![Segment {
                duration: PERIOD,
                from: 1.0,
                to: 1.0,
            }],
            then: 0.0,
        };
        let n = population(50, &stops, Stripe::WHOLE).take(1000).count();
        assert_eq!(n, 50);
    }

    proptest! {
        #[test]
        fn parts_together_are_the_whole(count in 1..60_u64, of in 1..7_u64) {
            let one = RateProfile::constant(1.0);
            let until = |p: Periodic| p.take_while(|b| b.at < 3 * PERIOD);
            let all: Vec<PeriodicInstant> = until(population(count, &one, Stripe::WHOLE)).collect();
            let mut union: Vec<PeriodicInstant> = (0..of)
                .filter_map(|w| Stripe::new(w, of))
                .flat_map(|s| until(population(count, &one, s)))
                .collect();
            union.sort_unstable();
            prop_assert_eq!(union, all);
        }
    }
}
