//! Change points: how often noise alarms, and which steps are found.

use crate::noise::Noise;
use crate::simulations;
use etcdmark::measure::change::change_points;

/// Series of `n` whose last `after` figures are `step` standard deviations higher; neighbours correlate by `a`. The share
/// with a change, and with one within a figure of the true place.
fn told(n: usize, after: usize, step: f64, a: f64, series: u64) -> (f64, f64) {
    let (mut any, mut right) = (0, 0);
    for seed in 0..series {
        let mut noise = Noise::new(seed * 7919 + n as u64);
        let mut slow = noise.normal();
        let figures: Vec<f64> = (0..n)
            .map(|i| {
                slow = a * slow + (1.0 - a * a).sqrt() * noise.normal();
                slow + if i + after >= n { step } else { 0.0 }
            })
            .collect();
        let found = change_points(&figures, 1);
        any += u64::from(!found.is_empty());
        right += u64::from(found.iter().any(|c| c.at.abs_diff(n - after) <= 1));
    }
    (any as f64 / series as f64, right as f64 / series as f64)
}

#[test]
fn noise_alarms_as_rarely_as_it_is_told_and_steps_are_found() {
    let series = simulations(12, 2000);
    println!("runs after  step  correlation  any change  right place");
    for (n, after, step, a, at_most, at_least) in [
        (20, 0, 0.0, 0.0, 0.005, 0.0),
        (50, 0, 0.0, 0.0, 0.005, 0.0),
        (50, 0, 0.0, 0.3, 1.0, 0.0),
        (50, 0, 0.0, 0.6, 1.0, 0.0),
        (30, 10, 2.0, 0.0, 1.0, 0.45),
        (30, 10, 3.0, 0.0, 1.0, 0.85),
        (30, 5, 3.0, 0.0, 1.0, 0.6),
        (30, 3, 5.0, 0.0, 1.0, 0.65),
        (100, 10, 2.0, 0.0, 1.0, 0.65),
    ] {
        let (any, right) = told(n, after, step, a, series);
        println!("{n:4} {after:5} {step:5} {a:12} {any:11.4} {right:12.3}");
        // Of a few series, the share is not exact.
        let slack = if series < 1000 {
            2.0 / series as f64
        } else {
            0.0
        };
        assert!(
            any <= at_most + slack / 4.0,
            "{n} {after} {step} {a}: {any}"
        );
        assert!(right >= at_least - slack, "{n} {after} {step} {a}: {right}");
    }
}
