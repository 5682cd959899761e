//! The mathematics of a rate that changes over time: H(t) = ∫ rate, and its inverse, in closed form
//! per linear piece, so that the i-th arrival is computed from i and no error accumulates.

use crate::clock::Nanos;
use crate::schedule::RateProfile;

impl RateProfile {
    /// H(t): arrivals expected in [0, t), t in ns.
    pub fn cumulative(&self, t: Nanos) -> f64 {
        Warp::new(self).cumulative(t)
    }

    /// The instant (ns, rounded) at which H exceeds `count`: that of arrival number `count`, counted
    /// from 0. None if it never does, because the rate ends at zero.
    pub fn inverse(&self, count: f64) -> Option<Nanos> {
        Warp::new(self).inverse(count)
    }

    /// Arrivals expected in `[from, to)` ns.
    pub fn expected(&self, from: Nanos, to: Nanos) -> f64 {
        let warp = Warp::new(self);
        (warp.cumulative(to) - warp.cumulative(from)).max(0.0)
    }

    /// Mean rate over `[from, to)` ns, per second; the rate at `from` if the span is empty.
    pub fn mean_rate(&self, from: Nanos, to: Nanos) -> f64 {
        if to > from {
            self.expected(from, to) / ((to - from) as f64 / 1e9)
        } else {
            self.rate_at(from)
        }
    }

    /// The rate at `t` ns, per second (at a step, the new one).
    pub fn rate_at(&self, t: Nanos) -> f64 {
        let mut start = 0_u64;
        for s in &self.segments {
            let end = start.saturating_add(s.duration);
            if t < end {
                return s.from + (s.to - s.from) * ((t - start) as f64 / s.duration as f64);
            }
            start = end;
        }
        self.then
    }

    /// The highest rate anywhere, per second.
    pub fn max_rate(&self) -> f64 {
        let ends = self
            .segments
            .iter()
            .filter(|s| s.duration > 0)
            .flat_map(|s| [s.from, s.to]);
        ends.fold(self.then, f64::max)
    }
}

/// A [`RateProfile`] prepared for evaluation: each piece knows where it starts in time and in count.
/// Negative and non-finite rates count as zero.
#[derive(Clone, Debug)]
pub struct Warp {
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    /// ns.
    start: Nanos,
    /// ns; the last piece has none.
    duration: Option<Nanos>,
    /// H(start).
    count: f64,
    /// H(end) − H(start); infinite for the last piece unless its rate is zero.
    gain: f64,
    /// Rate at the start, per second.
    from: f64,
    /// Change of the rate, per second per second.
    slope: f64,
}

impl Warp {
    /// Prepares a profile.
    pub fn new(profile: &RateProfile) -> Self {
        let mut pieces = Vec::with_capacity(profile.segments.len() + 1);
        let (mut start, mut count) = (0_u64, 0.0_f64);
        for s in profile.segments.iter().filter(|s| s.duration > 0) {
            let (from, to) = (rate(s.from), rate(s.to));
            let seconds = s.duration as f64 / 1e9;
            let gain = (from + to) / 2.0 * seconds;
            let slope = (to - from) / seconds;
            pieces.push(Piece {
                start,
                duration: Some(s.duration),
                count,
                gain,
                from,
                slope,
            });
            start = start.saturating_add(s.duration);
            count += gain;
        }
        let then = rate(profile.then);
        let gain = if then > 0.0 { f64::INFINITY } else { 0.0 };
        pieces.push(Piece {
            start,
            duration: None,
            count,
            gain,
            from: then,
            slope: 0.0,
        });
        Warp { pieces }
    }

    /// The rate is 1 per second for ever: H(t) is t.
    pub fn is_identity(&self) -> bool {
        matches!(self.pieces[..], [Piece { from: 1.0, .. }])
    }

    /// As [`RateProfile::cumulative`].
    pub fn cumulative(&self, t: Nanos) -> f64 {
        let i = self.pieces.partition_point(|p| p.start <= t);
        match self.pieces.get(i.saturating_sub(1)) {
            Some(p) => {
                let x = (t - p.start) as f64 / 1e9;
                p.count + ((p.from + p.slope * x / 2.0) * x).min(p.gain)
            }
            None => 0.0,
        }
    }

    /// As [`RateProfile::inverse`].
    pub fn inverse(&self, count: f64) -> Option<Nanos> {
        let mut cursor = 0;
        self.inverse_from(count, &mut cursor)
    }

    /// As [`Warp::inverse`] for a caller whose counts never decrease: `cursor` (0 at first) remembers
    /// the piece.
    pub fn inverse_from(&self, count: f64, cursor: &mut usize) -> Option<Nanos> {
        let count = count.max(0.0);
        while let Some(p) = self.pieces.get(*cursor) {
            // Not `<=`: a piece whose last arrival would fall on its end leaves it to the next one,
            // and a piece without arrivals is passed over.
            if count < p.count + p.gain {
                return p.instant(count - p.count);
            }
            *cursor += 1;
        }
        None
    }
}

impl Piece {
    /// The instant at which the piece has gained `c`.
    fn instant(&self, c: f64) -> Option<Nanos> {
        let c = c.max(0.0);
        let offset = if self.slope == 0.0 {
            quotient_ns(c, self.from)
        } else {
            // The root of from·x + slope·x²/2 = c that cancels nothing, whatever the slope's sign.
            let root = (self.from * self.from + 2.0 * self.slope * c)
                .max(0.0)
                .sqrt();
            let x = if c == 0.0 {
                0.0
            } else {
                2.0 * c / (self.from + root)
            };
            whole(x * 1e9)
        }?;
        let offset = self.duration.map_or(offset, |d| offset.min(d));
        self.start.checked_add(offset)
    }
}

/// c / rate in ns, rounded. Whole seconds apart, so that the nanoseconds stay exact when the quotient
/// has more digits than an f64: constant arrivals do not drift in a century.
fn quotient_ns(c: f64, rate: f64) -> Option<Nanos> {
    let seconds = (c / rate).floor();
    // Exact but for one rounding.
    let rest = (-seconds).mul_add(rate, c);
    let nanos = whole((rest * 1e9 / rate).max(0.0))?;
    whole(seconds)?
        .checked_mul(1_000_000_000)?
        .checked_add(nanos)
}

/// Rounded; none when it does not fit.
fn whole(x: f64) -> Option<u64> {
    (x.is_finite() && x < u64::MAX as f64).then(|| x.round() as u64)
}

fn rate(r: f64) -> f64 {
    if r.is_finite() && r > 0.0 { r } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::schedule::Segment;
    use proptest::prelude::*;

    fn ramp() -> RateProfile {
        RateProfile {
            segments: vec![Segment {
                duration: 10 * SECOND,
                from: 0.0,
                to: 100.0,
            }],
            then: 100.0,
        }
    }

    #[test]
    fn ramp_step_and_gap_have_their_closed_forms() {
        let p = ramp();
        assert_eq!(p.cumulative(5 * SECOND), 125.0);
        assert_eq!(p.cumulative(10 * SECOND), 500.0);
        assert_eq!(p.cumulative(12 * SECOND), 700.0);
        assert_eq!(p.inverse(125.0), Some(5 * SECOND));
        assert_eq!(p.inverse(0.0), Some(0));
        assert_eq!(p.inverse(700.0), Some(12 * SECOND));
        assert_eq!(p.mean_rate(0, 10 * SECOND), 50.0);
        assert_eq!(p.rate_at(5 * SECOND), 50.0);
        assert_eq!(p.max_rate(), 100.0);

        // 2 s of nothing, a 1 s burst of 10/s, then nothing.
        let burst = RateProfile {
            segments: vec![
                Segment {
                    duration: 2 * SECOND,
                    from: 0.0,
                    to: 0.0,
                },
                Segment {
                    duration: SECOND,
                    from: 10.0,
                    to: 10.0,
                },
            ],
            then: 0.0,
        };
        assert_eq!(burst.inverse(0.0), Some(2 * SECOND));
        assert_eq!(burst.inverse(9.0), Some(2 * SECOND + 900_000_000));
        assert_eq!(burst.inverse(10.0), None);
        assert_eq!(burst.expected(0, 100 * SECOND), 10.0);
        assert_eq!(burst.max_rate(), 10.0);
    }

    #[test]
    fn a_falling_ramp_to_zero_ends() {
        let p = RateProfile {
            segments: vec![Segment {
                duration: 2 * SECOND,
                from: 10.0,
                to: 0.0,
            }],
            then: 0.0,
        };
        assert_eq!(p.inverse(9.9999).map(|t| t <= 2 * SECOND), Some(true));
        assert_eq!(p.inverse(10.0), None);
        assert_eq!(p.inverse(7.5), Some(SECOND));
    }

    fn profiles() -> impl Strategy<Value = RateProfile> {
        let segment = (1..20_u64, 0..5_u32, 0..5_u32).prop_map(|(d, a, b)| Segment {
            duration: d * 137_000_003,
            from: f64::from(a) * 33.3,
            to: f64::from(b) * 71.7,
        });
        (proptest::collection::vec(segment, 0..6), 1..400_u32).prop_map(|(segments, then)| {
            RateProfile {
                segments,
                then: f64::from(then) / 3.0,
            }
        })
    }

    proptest! {
        #[test]
        fn inverse_undoes_cumulative(p in profiles(), count in 0.0..5000.0_f64) {
            let t = p.inverse(count).unwrap();
            // Half a nanosecond of rounding at the highest rate.
            let tolerance = 1e-9 * (p.max_rate() + 1.0) + 1e-9;
            prop_assert!((p.cumulative(t) - count).abs() <= tolerance, "H({t}) = {}", p.cumulative(t));
        }

        #[test]
        fn cumulative_is_the_integral_of_the_rate(p in profiles(), t in 0..30_000_u64) {
            let (n, t) = (2000, t * 1_000_000);
            let h = t as f64 / f64::from(n) / 1e9;
            let midpoints: f64 = (0..n)
                .map(|i| p.rate_at((t as f64 * (f64::from(i) + 0.5) / f64::from(n)) as u64) * h)
                .sum();
            // The midpoint rule is exact on linear pieces; each step may be off by one cell.
            let tolerance = (p.segments.len() + 1) as f64 * p.max_rate() * h + 1e-3;
            prop_assert!((p.cumulative(t) - midpoints).abs() <= tolerance);
        }
    }
}
