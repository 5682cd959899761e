//! Seeded random numbers for simulations.

use etcdmark::measure::stats::normal_quantile;
use etcdmark::rng::{mix, unit};

/// A sequence of random numbers.
pub(crate) struct Noise {
    seed: u64,
    next: u64,
}

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Noise { seed, next: 0 }
    }

    /// 0 to 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.next += 1;
        unit(mix(self.seed, self.next, 0)).clamp(1e-12, 1.0 - 1e-12)
    }

    /// Mean 0, standard deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        normal_quantile(self.uniform())
    }
}
