//! The few statistical functions that are needed: moments, Wilson's bound, quantiles of the normal and
//! of Student's t.

/// Count, mean and variance of a sequence, by Welford's update.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Takes a value.
    pub fn record(&mut self, x: f64) {
        self.count += 1;
        let delta = x - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (x - self.mean);
    }

    /// Values taken.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Mean; 0 if empty.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Sample variance (n − 1); 0 for fewer than two values.
    pub fn variance(&self) -> f64 {
        if self.count < 2 {
            0.0
        } else {
            self.squares / (self.count - 1) as f64
        }
    }
}

/// Wilson's upper bound of a proportion p̂ seen in n effective trials, at normal quantile z:
/// (p̂ + z²/2n + z√(p̂(1−p̂)/n + z²/4n²)) / (1 + z²/n). 1 if n is 0.
pub fn wilson_upper(proportion: f64, n: f64, z: f64) -> f64 {
    if n <= 0.0 {
        return 1.0;
    }
    let (p, z2) = (proportion.clamp(0.0, 1.0), z * z);
    let root = (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((p + z2 / (2.0 * n) + z * root) / (1.0 + z2 / n)).min(1.0)
}

/// Wilson's lower bound likewise; 0 if n is 0.
pub fn wilson_lower(proportion: f64, n: f64, z: f64) -> f64 {
    if n <= 0.0 {
        return 0.0;
    }
    1.0 - wilson_upper(1.0 - proportion, n, z)
}

/// The standard normal quantile of 0 < p < 1 (±∞ outside), to 1.2e-9, by Acklam's rational approximation.
pub fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    /// Where the tails begin.
    const TAIL: f64 = 0.024_25;
    let horner = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, &k| sum * x + k);
    if p <= 0.0 {
        f64::NEG_INFINITY
    } else if p >= 1.0 {
        f64::INFINITY
    } else if p < TAIL {
        let q = (-2.0 * p.ln()).sqrt();
        horner(&C, q) / horner(&D, q)
    } else if p > 1.0 - TAIL {
        -normal_quantile(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        q * horner(&A, r) / horner(&B, r)
    }
}

/// The quantile of 0 < p < 1 of Student's t with `freedom` > 0 degrees of freedom (±∞ outside, NaN for
/// no freedom), by bisection of its distribution.
pub fn t_quantile(p: f64, freedom: f64) -> f64 {
    if freedom <= 0.0 || freedom.is_nan() || p.is_nan() {
        return f64::NAN;
    }
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    if p < 0.5 {
        return -t_quantile(1.0 - p, freedom);
    }
    let (mut low, mut high) = (0.0, 1.0);
    while t_distribution(high, freedom) < p && high < 1e300 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if t_distribution(middle, freedom) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// P(T ≤ t), t ≥ 0: 1 − I(ν/(ν+t²); ν/2, 1/2)/2.
fn t_distribution(t: f64, freedom: f64) -> f64 {
    1.0 - incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5) / 2.0
}

/// The regularised incomplete beta function, by Lentz's evaluation of its continued fraction
/// (Abramowitz and Stegun 26.5.8).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast only on this side of the mean.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    const TINY: f64 = 1e-300;
    let nonzero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let (mut c, mut d) = (1.0, 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0)));
    let mut value = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = value;
        for term in [even, odd] {
            d = 1.0 / nonzero(1.0 + term * d);
            c = nonzero(1.0 + term / c);
            value *= c * d;
        }
        if (value / before - 1.0).abs() < 1e-15 {
            break;
        }
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln();
    front.exp() * value / a
}

/// ln Γ(x), x > 0: recurrence up to 15, then Stirling's series.
fn ln_gamma(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < 15.0 {
        shift += x.ln();
        x += 1.0;
    }
    let (r, r2) = (1.0 / x, 1.0 / (x * x));
    let series = r * (1.0 / 12.0 - r2 * (1.0 / 360.0 - r2 * (1.0 / 1260.0 - r2 / 1680.0)));
    (x - 0.5) * x.ln() - x + (2.0 * std::f64::consts::PI).ln() / 2.0 + series - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b}");
    }

    #[test]
    fn normal_quantiles_are_the_tabulated_ones() {
        close(normal_quantile(0.5), 0.0, 1e-9);
        close(normal_quantile(0.975), 1.959_963_984_540_054, 1e-8);
        close(normal_quantile(0.95), 1.644_853_626_951_473, 1e-8);
        close(normal_quantile(0.001), -3.090_232_306_167_813, 1e-8);
        close(normal_quantile(0.999_999), 4.753_424_308_822_9, 1e-7);
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
    }

    #[test]
    fn t_quantiles_are_the_tabulated_ones() {
        close(t_quantile(0.975, 1.0), 12.706_204_736, 1e-7);
        close(t_quantile(0.975, 2.0), 4.302_652_729_7, 1e-8);
        close(t_quantile(0.975, 7.0), 2.364_624_251_6, 1e-8);
        close(t_quantile(0.995, 9.0), 3.249_835_541_6, 1e-8);
        close(t_quantile(0.025, 30.0), -2.042_272_456_3, 1e-8);
        close(t_quantile(0.975, 1e6), 1.959_966, 1e-5);
        assert!(t_quantile(0.9, 0.0).is_nan());
    }

    #[test]
    fn wilson_is_above_what_was_seen() {
        // 1 of 10 at 95 % two-sided: (0.0179, 0.4042).
        close(wilson_upper(0.1, 10.0, 1.959_964), 0.404_150, 1e-5);
        // None of n: z²/(n + z²).
        close(
            wilson_upper(0.0, 300.0, 1.644_854),
            2.705_544 / 302.705_544,
            1e-6,
        );
        assert_eq!(wilson_upper(0.0, 0.0, 1.96), 1.0);
        close(wilson_lower(0.1, 10.0, 1.959_964), 0.017_876, 1e-5);
        assert_eq!(wilson_lower(0.5, 0.0, 1.96), 0.0);
        assert_eq!(wilson_upper(1.0, 50.0, 1.96), 1.0);
    }

    #[test]
    fn moments_of_a_known_sample() {
        let mut m = Moments::default();
        [1.0, 2.0, 3.0, 4.0].iter().for_each(|&x| m.record(x));
        assert_eq!((m.count(), m.mean()), (4, 2.5));
        close(m.variance(), 5.0 / 3.0, 1e-12);
        assert_eq!(Moments::default().variance(), 0.0);
    }
}
