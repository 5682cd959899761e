//! Coverage of the p99 interval: how often it holds the true value, when a slow component moves the response times.

use crate::noise::Noise;
use crate::simulations;
use etcdmark::measure::{Block, Blocks, Hist, Offered, SparseHist};

/// A run of a minute at `rate` operations per second: ln(response) = slow + fast, where the slow component is
/// an AR(1) of standard deviation `sd` with a correlation time of `tau` operations, and the fast one is normal.
struct Run {
    rate: u64,
    sd: f64,
    tau: f64,
}

const FAST: f64 = 0.5;
const SECONDS: u64 = 60;
/// z of 99 %.
const Z99: f64 = 2.326_347_9;

impl Run {
    /// What the p99 of an endless run would be, ns.
    fn truth(&self) -> f64 {
        1e6 * (Z99 * self.sd.hypot(FAST)).exp()
    }

    /// Whether the interval of one run exists and holds the truth.
    fn holds(&self, seed: u64) -> Option<bool> {
        let mut noise = Noise::new(seed);
        let (a, mut slow) = ((-1.0 / self.tau).exp(), noise.normal());
        let (mut blocks, mut all) = (Blocks::default(), Hist::new());
        for second in 0..SECONDS {
            let mut in_time = SparseHist::new();
            for _ in 0..self.rate {
                slow = a * slow + (1.0 - a * a).sqrt() * noise.normal();
                let ns = 1e6 * (self.sd * slow + FAST * noise.normal()).exp();
                in_time.record(ns as u64);
                all.record(ns as u64);
            }
            let offered = self.rate;
            blocks.add(second, &Block { offered, in_time });
        }
        let of = Offered {
            successes: all.histogram(),
            offered: SECONDS * self.rate,
            missed: 0,
        };
        let found = blocks.percentile(0.99, &of)?;
        let (low, high) = (found.low.value()?, found.high?.value()?);
        // A bucket of 1 % is as exact as the histogram is.
        Some(low as f64 * 0.999 <= self.truth() && self.truth() <= high as f64 * 1.001)
    }
}

#[test]
fn the_p99_interval_holds_what_it_promises_with_a_slow_component() {
    let runs = simulations(60, 1000);
    println!("rate    sd   tau  intervals  coverage");
    for (rate, sd, tau, least) in [
        (1000, 0.0, 1.0, 0.9),
        (1000, 0.1, 300.0, 0.9),
        (1000, 0.1, 2000.0, 0.9),
        (1000, 0.2, 300.0, 0.9),
        (1000, 0.2, 1000.0, 0.9),
        (1000, 0.2, 2000.0, 0.9),
        (300, 0.2, 300.0, 0.9),
        // Correlated over an eighteenth, a twentieth and a third of the run: this minute does not hold what is so slow.
        (300, 0.2, 1000.0, 0.7),
        (100, 0.2, 300.0, 0.8),
        (100, 0.2, 2000.0, 0.4),
    ] {
        let run = Run { rate, sd, tau };
        let found: Vec<bool> = (0..runs).filter_map(|seed| run.holds(seed)).collect();
        let coverage = found.iter().filter(|held| **held).count() as f64 / found.len() as f64;
        println!(
            "{rate:4}  {sd:4}  {tau:4}  {:9}  {coverage:.3}",
            found.len()
        );
        let error = (least * (1.0 - least) / found.len() as f64).sqrt();
        assert!(
            coverage >= least - 2.0 * error,
            "rate {rate}, sd {sd}, tau {tau}: {coverage}"
        );
    }
}
