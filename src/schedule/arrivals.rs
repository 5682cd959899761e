//! One stream of arrivals for a whole actor, constant or Poisson, at a rate that may change over time.

use super::Share;
use super::profile::Warp;
use crate::clock::Nanos;
use crate::rng::{exponential, mix};
use crate::schedule::{Process, RateProfile};

/// The arrivals of one part: yields (global index, offset in ns), in order.
///
/// Constant: arrival i is at H⁻¹(i), which for a constant rate λ is i/λ. Poisson: at H⁻¹(S_i), where S
/// is a unit-rate Poisson process (Lewis and Shedler's time-scale change), the same for every part.
#[derive(Clone, Debug)]
pub struct Arrivals {
    warp: Warp,
    cursor: usize,
    process: Process,
    seed: u64,
    share: Share,
    /// Where the next index of this part is looked for.
    next: u64,
    /// Poisson: how many gaps `sum` holds.
    summed: u64,
    /// Poisson: Σ of the first `summed` gaps.
    sum: f64,
}

impl Arrivals {
    /// The arrivals of the schedule that belong to this share.
    pub fn new(process: Process, rate: &RateProfile, seed: u64, share: Share) -> Self {
        Arrivals {
            warp: Warp::new(rate),
            cursor: 0,
            process,
            seed,
            share,
            next: 0,
            summed: 0,
            sum: 0.0,
        }
    }
}

impl Iterator for Arrivals {
    type Item = (u64, Nanos);

    /// None once the rate stays zero (or time runs out, after 584 years), or for a share without cells.
    fn next(&mut self) -> Option<(u64, Nanos)> {
        let index = self.share.next(self.next)?;
        let count = match self.process {
            Process::Constant => index as f64,
            Process::Poisson => {
                // Every part adds up the same gaps in the same order, so that all agree to the last bit.
                while self.summed <= index {
                    self.sum += exponential(mix(self.seed, self.summed, 0));
                    self.summed += 1;
                }
                self.sum
            }
        };
        let at = self.warp.inverse_from(count, &mut self.cursor)?;
        self.next = index.checked_add(1)?;
        Some((index, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::schedule::Segment;
    use crate::schedule::Stripe;
    use proptest::prelude::*;

    fn whole(process: Process, rate: &RateProfile) -> Arrivals {
        Arrivals::new(process, rate, 7, Share::of_each(Stripe::WHOLE))
    }

    #[test]
    fn constant_arrivals_are_exact() {
        let ats: Vec<u64> = whole(Process::Constant, &RateProfile::constant(1000.0))
            .take(3)
            .map(|a| a.1)
            .collect();
        assert_eq!(ats, [0, 1_000_000, 2_000_000]);
        let thirds: Vec<u64> = whole(Process::Constant, &RateProfile::constant(3.0))
            .take(4)
            .map(|a| a.1)
            .collect();
        assert_eq!(thirds, [0, 333_333_333, 666_666_667, SECOND]);
    }

    #[test]
    fn nothing_drifts_in_ten_billion_arrivals() {
        for rate in [7_u64, 3_000, 9_973, 1_000_003] {
            let mut a = whole(Process::Constant, &RateProfile::constant(rate as f64));
            for i in [1_000_000_007_u64, 9_999_999_999] {
                a.next = i;
                let (index, at) = a.next().unwrap();
                let exact =
                    (u128::from(i) * 1_000_000_000 + u128::from(rate) / 2) / u128::from(rate);
                assert_eq!(index, i);
                assert!(
                    exact.abs_diff(u128::from(at)) <= 1,
                    "{at} instead of {exact}"
                );
            }
        }
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_variance_of_an_exponential() {
        let rate = 250.0;
        let n = 200_000;
        let ats: Vec<u64> = whole(Process::Poisson, &RateProfile::constant(rate))
            .take(n)
            .map(|a| a.1)
            .collect();
        let gaps: Vec<f64> = ats
            .windows(2)
            .map(|w| (w[1] - w[0]) as f64 / 1e9 * rate)
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.04, "{variance}");
        // Independent: the lag-1 correlation's standard error is 0.002.
        let correlation = gaps
            .windows(2)
            .map(|w| (w[0] - mean) * (w[1] - mean))
            .sum::<f64>()
            / gaps.len() as f64
            / variance;
        assert!(correlation.abs() < 0.01, "{correlation}");
    }

    #[test]
    fn two_seeds_differ_and_one_repeats() {
        let rate = RateProfile::constant(10.0);
        let of = |seed| -> Vec<_> {
            Arrivals::new(Process::Poisson, &rate, seed, Share::of_each(Stripe::WHOLE))
                .take(50)
                .collect()
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    fn profiles() -> impl Strategy<Value = RateProfile> {
        let segment = (1..8_u64, 0..5_u32, 0..5_u32).prop_map(|(d, a, b)| Segment {
            duration: d * 171_000_007,
            from: f64::from(a) * 31.3,
            to: f64::from(b) * 97.1,
        });
        (proptest::collection::vec(segment, 0..5), 0..200_u32).prop_map(|(segments, then)| {
            RateProfile {
                segments,
                then: f64::from(then),
            }
        })
    }

    fn processes() -> impl Strategy<Value = Process> {
        prop_oneof![Just(Process::Constant), Just(Process::Poisson)]
    }

    proptest! {
        #[test]
        fn parts_together_are_the_whole(
            p in profiles(), process in processes(), seed: u64, of in 1..9_u64,
        ) {
            let n = 400;
            let all: Vec<_> = Arrivals::new(process, &p, seed, Share::of_each(Stripe::WHOLE)).take(n).collect();
            let mut union: Vec<_> = (0..of)
                .filter_map(|w| Stripe::new(w, of))
                .flat_map(|s| Arrivals::new(process, &p, seed, Share::of_each(s)).take_while(|a| a.0 < n as u64))
                .collect();
            union.sort_unstable();
            prop_assert_eq!(union, all);
        }

        #[test]
        fn arrivals_never_go_back_and_count_to_the_integral(
            p in profiles(), process in processes(), seed: u64, until in 1..10_u64,
        ) {
            let end = until * SECOND;
            let ats: Vec<u64> = Arrivals::new(process, &p, seed, Share::of_each(Stripe::WHOLE))
                .map(|a| a.1)
                .take_while(|&at| at < end)
                .collect();
            prop_assert!(ats.windows(2).all(|w| w[0] <= w[1]));
            let (n, expected) = (ats.len() as f64, p.expected(0, end));
            // Constant: ⌈H⌉, give or take rounding at the end. Poisson: six standard deviations.
            let tolerance = match process {
                Process::Constant => 1.001,
                Process::Poisson => 6.0 * expected.sqrt() + 6.0,
            };
            prop_assert!((n - expected).abs() <= tolerance, "{n} arrivals, expected {expected}");
        }
    }
}
