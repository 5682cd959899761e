//! How long syncs take: pure functions of a number in [0, 1) and of the time since the start.

use crate::clock::Nanos;
use crate::rng::{mix, unit};

/// The time of one sync.
#[derive(Clone, Debug, PartialEq)]
pub enum SyncTime {
    /// Always the same, ns.
    Constant(Nanos),
    /// A distribution.
    Quantiles(Quantiles),
    /// What was measured, in its order.
    Sequence(Sequence),
}

impl SyncTime {
    /// The time of the sync with this number: independent draws, or a sequence from where the seed says, round and round.
    pub fn of(&self, seed: u64, number: u64) -> Nanos {
        match self {
            SyncTime::Sequence(sequence) => sequence.nth(mix(seed, 0, 0), number),
            _ => self.at(unit(mix(seed, 0, number))),
        }
    }

    /// The time at `u` in [0, 1): uniform numbers give the distribution.
    pub fn at(&self, u: f64) -> Nanos {
        match self {
            SyncTime::Constant(time) => *time,
            SyncTime::Quantiles(quantiles) => quantiles.at(u),
            SyncTime::Sequence(sequence) => sequence.at(u),
        }
    }

    /// The mean, ns.
    pub fn mean(&self) -> f64 {
        match self {
            SyncTime::Constant(time) => *time as f64,
            SyncTime::Quantiles(quantiles) => quantiles.mean(),
            SyncTime::Sequence(sequence) => sequence.mean(),
        }
    }

    /// The median, ns.
    pub fn median(&self) -> Nanos {
        self.at(0.5)
    }
}

/// Quantiles of a distribution, log-linear in between: tails fall off, and a straight line from p99 to the largest
/// value would hold too many long syncs.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantiles {
    /// (p, ns), both rising; the last p is 1.
    points: Vec<(f64, Nanos)>,
}

impl Quantiles {
    pub(super) fn new(points: Vec<(f64, Nanos)>) -> Self {
        Quantiles { points }
    }

    /// The mean, ns: ∫ exp over each log-linear piece, (v1 - v0) / ln(v1 / v0).
    pub fn mean(&self) -> f64 {
        let (mut sum, mut before) = (0.0, None);
        for &(p, v) in &self.points {
            let v = v as f64;
            let (p0, v0) = before.unwrap_or((0.0, v));
            let piece = if v > v0 { (v - v0) / (v / v0).ln() } else { v };
            sum += (p - p0) * piece;
            before = Some((p, v));
        }
        sum
    }

    /// The value at `u` in [0, 1], ns.
    pub fn at(&self, u: f64) -> Nanos {
        let after = self.points.partition_point(|(p, _)| *p < u);
        let Some(&(p1, v1)) = self.points.get(after) else {
            return self.points.last().map_or(0, |last| last.1);
        };
        let Some(&(p0, v0)) = after.checked_sub(1).and_then(|i| self.points.get(i)) else {
            return v1;
        };
        let (low, high) = ((v0 as f64).ln(), (v1 as f64).ln());
        (low + (high - low) * (u - p0) / (p1 - p0)).exp().round() as Nanos
    }
}

/// Times of consecutive syncs, ns; never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    times: Vec<Nanos>,
    sorted: Vec<Nanos>,
}

impl Sequence {
    /// None without a time.
    pub(super) fn new(times: Vec<Nanos>) -> Option<Self> {
        let mut sorted = times.clone();
        sorted.sort_unstable();
        (!times.is_empty()).then_some(Sequence { times, sorted })
    }

    fn nth(&self, first: u64, number: u64) -> Nanos {
        let n = self.times.len() as u64;
        let at = (first % n + number % n) % n;
        self.times[usize::try_from(at).unwrap_or(0)]
    }

    /// The value at `u` in [0, 1], ns.
    fn at(&self, u: f64) -> Nanos {
        let n = self.sorted.len();
        let rank = (u * n as f64).ceil() as usize;
        self.sorted[rank.clamp(1, n) - 1]
    }

    /// The mean, ns.
    fn mean(&self) -> f64 {
        let sum: f64 = self.times.iter().map(|t| *t as f64).sum();
        sum / self.times.len() as f64
    }
}

/// Regular times in which the medium does nothing: the last `length` of each `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalls {
    /// Period, ns.
    pub every: Nanos,
    /// Length, ns; less than the period.
    pub length: Nanos,
}

impl Stalls {
    /// When a sync is done that begins at `start` (ns since the medium's own start) and takes `time` of a working
    /// medium: what is under way in a stall is held like what begins in it.
    pub fn done(&self, start: Nanos, time: Nanos) -> Nanos {
        let working = self.every - self.length;
        let worked = (start / self.every) * working + (start % self.every).min(working);
        let target = worked + time;
        let done = (target / working) * self.every + target % working;
        // The end of a period's work is the beginning of its stall, not of the next period.
        if time > 0 && target.is_multiple_of(working) {
            return (done - self.length).max(start);
        }
        done.max(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_met_and_the_rest_lies_between() {
        let q = Quantiles::new(vec![(0.5, 200), (0.99, 2_000), (1.0, 80_000)]);
        for (u, want) in [
            (0.0, 200),
            (0.3, 200),
            (0.5, 200),
            (0.99, 2_000),
            (1.0, 80_000),
        ] {
            assert_eq!(q.at(u), want, "{u}");
        }
        // Halfway in p is the geometric mean.
        assert_eq!(q.at(0.745), 632);
        assert_eq!(q.at(0.995), 12_649);
        let mut last = 0;
        for i in 0..=1000 {
            let v = q.at(f64::from(i) / 1000.0);
            assert!(v >= last);
            last = v;
        }
    }

    #[test]
    fn uniform_numbers_give_the_distribution() {
        let time = SyncTime::Quantiles(Quantiles::new(vec![
            (0.5, 200_000),
            (0.99, 2_000_000),
            (1.0, 80_000_000),
        ]));
        let mut all: Vec<Nanos> = (0..10_000).map(|i| time.at(unit(mix(7, 0, i)))).collect();
        all.sort_unstable();
        // The numbers are seeded, so these are facts and not chances.
        for (at, want) in [(4_000, 200_000.0), (7_449, 632_455.0), (9_799, 1_908_000.0)] {
            let found = all[at] as f64;
            assert!((found / want - 1.0).abs() < 0.1, "{at}: {found} {want}");
        }
        let mean = all.iter().map(|v| *v as f64).sum::<f64>() / all.len() as f64;
        assert!(
            (mean / time.mean() - 1.0).abs() < 0.05,
            "{mean} {}",
            time.mean()
        );
        assert_eq!(SyncTime::Constant(5).at(0.9), 5);
    }

    #[test]
    fn a_sequence_keeps_its_order_and_its_bursts_and_quantiles_do_not() {
        // 1,000 syncs, twenty slow ones in a row.
        let times: Vec<Nanos> = (0..1_000)
            .map(|i| {
                if (400..420).contains(&i) {
                    50_000
                } else {
                    300 + i
                }
            })
            .collect();
        let n = times.len() as u64;
        let sequence = SyncTime::Sequence(Sequence::new(times.clone()).unwrap());
        let longest_burst = |time: &SyncTime| {
            let (mut longest, mut now) = (0, 0);
            for i in 0..n {
                now = if time.of(9, i) >= 50_000 { now + 1 } else { 0 };
                longest = longest.max(now);
            }
            longest
        };
        let played: Vec<Nanos> = (0..n).map(|i| sequence.of(9, i)).collect();
        let first = times.iter().position(|t| *t == played[0]).unwrap();
        let (end, begin) = times.split_at(first);
        assert_eq!(played, [begin, end].concat());
        // Round and round, from elsewhere with another seed.
        assert_eq!(sequence.of(9, n + 5), played[5]);
        assert_ne!(sequence.of(10, 0), played[0]);
        assert_eq!(longest_burst(&sequence), 20);
        let points = vec![(0.98, 1_299), (0.980_001, 50_000), (1.0, 50_000)];
        let drawn = SyncTime::Quantiles(Quantiles::new(points));
        assert!(longest_burst(&drawn) < 5, "{}", longest_burst(&drawn));
        assert_eq!((sequence.at(0.0), sequence.at(1.0)), (300, 50_000));
        assert!((sequence.mean() / drawn.mean() - 1.0).abs() < 0.5);
        assert_eq!(Sequence::new(Vec::new()), None);
    }

    #[test]
    fn stalls_hold_what_is_under_way_and_what_begins() {
        // Works 0–56 and 60–116, stalls 56–60 and 116–120.
        let s = Stalls {
            every: 60,
            length: 4,
        };
        for (start, time, want) in [
            (0, 5, 5),
            (54, 2, 56),
            (54, 3, 61),
            (56, 1, 61),
            (59, 1, 61),
            (60, 1, 61),
            (57, 0, 60),
            (0, 57, 61),
            (0, 112, 116),
            (0, 113, 121),
        ] {
            assert_eq!(s.done(start, time), want, "{start} + {time}");
        }
    }
}
