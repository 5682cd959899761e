//! Where a series changed: change points by energy statistics.
//!
//! E-divisive: D. S. Matteson and N. A. James, "A Nonparametric Approach for Multiple Change Point Analysis of Multivariate
//! Data", JASA 109 (2014), arXiv:1306.4933; what Apache Otava (once Hunter: M. Fleming et al., "Hunter: Using Change Point
//! Detection to Hunt for Performance Regressions", ICPE 2023) is built on. A segment is split where the energy distance of
//! the two sides is largest, if few of its permutations have one as large; then each side likewise. Two things differ from
//! Otava: the significance is the paper's permutation test, which Otava replaces by a t-test of the split that it has
//! chosen, so that noise alarms more often than its p says; and figures far from the others are brought nearer, so that one
//! outlier is no change, and a miss (+∞) is far above all.

use crate::rng::mix;

/// A change is told when at most this share of permutations splits as well.
pub const ALPHA: f64 = 0.002;
/// Permutations.
const ROUNDS: u64 = 1999;
/// No figure is further from the median than so many of the median distances from it.
const FARTHEST: f64 = 8.0;
/// Fewest figures on each side.
const SIDE: usize = 2;
/// The shortest series in which a change can be told, in its middle: shorter ones have too few permutations.
pub const FEWEST: usize = 12;
/// Figures that are looked at, from the last one back: the work grows with their square.
pub const LATEST: usize = 200;

/// A change of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first figure after it.
    pub at: usize,
    /// Share of permutations that split as well, the series itself being one.
    pub p: f64,
    /// Median from the change before, or the beginning.
    pub before: f64,
    /// Median until the next change, or the end.
    pub after: f64,
}

/// In order. `seed` draws the permutations: the same series has the same changes.
pub fn change_points(series: &[f64], seed: u64) -> Vec<ChangePoint> {
    let mut found = Vec::new();
    let from = series.len().saturating_sub(LATEST);
    split(&series[from..], from, seed, &mut found);
    found.sort_unstable_by_key(|(at, _)| *at);
    let mut ends = vec![from];
    ends.extend(found.iter().map(|(at, _)| *at));
    ends.push(series.len());
    let sides = ends.windows(3).zip(&found);
    sides
        .map(|(ends, &(at, p))| ChangePoint {
            at,
            p,
            before: median(&series[ends[0]..at]),
            after: median(&series[at..ends[2]]),
        })
        .collect()
}

/// The median; the upper one of two, since +∞ has no middle with anything.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn split(series: &[f64], from: usize, seed: u64, found: &mut Vec<(usize, f64)>) {
    let figures = scaled(series);
    let Some((at, energy)) = best(&figures) else {
        return;
    };
    let Some(p) = significance(figures, energy, mix(seed, from as u64, series.len() as u64)) else {
        return;
    };
    found.push((from + at, p));
    split(&series[..at], from, seed, found);
    split(&series[at..], from + at, seed, found);
}

/// Distances from the median in units of their median, none further than [`FARTHEST`]; where most are the same, what is larger
/// or smaller is so by 1.
fn scaled(series: &[f64]) -> Vec<f64> {
    let middle = median(series);
    let distances: Vec<f64> = series.iter().map(|x| (x - middle).abs()).collect();
    let scale = median(&distances);
    let side = |x: f64| f64::from(u8::from(x > middle)) - f64::from(u8::from(x < middle));
    let figure = |x: &f64| match middle.is_finite() && scale.is_finite() && scale > 0.0 {
        true => ((x - middle) / scale).clamp(-FARTHEST, FARTHEST),
        false => side(*x),
    };
    series.iter().map(figure).collect()
}

/// The split of the largest energy: its place and the energy. None for what is too short.
fn best(z: &[f64]) -> Option<(usize, f64)> {
    let n = z.len();
    if n < 2 * SIDE {
        return None;
    }
    let distance = |i: usize, k: usize| (z[i] - z[k]).abs();
    // Of each figure to all before it, and to those before the split.
    let to_all: Vec<f64> = (0..n)
        .map(|k| (0..k).map(|i| distance(i, k)).sum())
        .collect();
    let mut to_left = vec![0.0; n];
    let (mut within_left, mut best) = (0.0, None);
    for at in 1..=n - SIDE {
        within_left += to_left[at - 1];
        for (k, sum) in to_left.iter_mut().enumerate().skip(at) {
            *sum += distance(at - 1, k);
        }
        if at < SIDE {
            continue;
        }
        let (mut between, mut within_right) = (0.0, 0.0);
        // The right side may end before the series does: what follows may be another change.
        for k in at..n {
            between += to_left[k];
            within_right += to_all[k] - to_left[k];
            let right = k + 1 - at;
            if right < SIDE {
                continue;
            }
            let (l, r) = (at as f64, right as f64);
            let pairs = |count: f64| count * (count - 1.0) / 2.0;
            let energy = 2.0 * between / (l * r) - within_left / pairs(l) - within_right / pairs(r);
            let scaled = energy * l * r / (l + r);
            if best.is_none_or(|(_, most)| scaled > most) {
                best = Some((at, scaled));
            }
        }
    }
    best
}

/// The permutation test; none as soon as it cannot be [`ALPHA`] or less any more.
fn significance(mut figures: Vec<f64>, energy: f64, seed: u64) -> Option<f64> {
    let mut as_good = 1;
    for round in 0..ROUNDS {
        for i in (1..figures.len()).rev() {
            let other = mix(seed, round, i as u64) % (i as u64 + 1);
            figures.swap(i, other as usize);
        }
        // Sums in another order differ in their last digits.
        as_good += u64::from(best(&figures).is_some_and(|(_, e)| e >= energy * (1.0 - 1e-9)));
        if as_good as f64 / (ROUNDS + 1) as f64 > ALPHA {
            return None;
        }
    }
    Some(as_good as f64 / (ROUNDS + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Around 1, never the same, without a trend.
    fn wobble(i: usize) -> f64 {
        1.0 + 0.01 * (mix(7, i as u64, 0) % 100) as f64 / 100.0
    }

    fn places(series: &[f64]) -> Vec<usize> {
        change_points(series, 1).iter().map(|c| c.at).collect()
    }

    #[test]
    fn the_energy_is_that_of_the_paper() {
        // By hand: {1,1} and {3,3}: E = 2·2 − 0 − 0 = 4, times 2·2/4.
        assert_eq!(best(&[1.0, 1.0, 3.0, 3.0]), Some((2, 4.0)));
        // {1,2} and {5,6}: E = 2·(4+5+3+4)/4 − 1 − 1 = 6.
        assert_eq!(best(&[1.0, 2.0, 5.0, 6.0]), Some((2, 6.0)));
        assert_eq!(best(&[1.0, 2.0, 3.0]), None);
    }

    #[test]
    fn steps_are_found_where_they_are() {
        let step = |at: usize| -> Vec<f64> {
            (0..40)
                .map(|i| wobble(i) * if i < at { 1.0 } else { 1.1 })
                .collect()
        };
        for at in [5, 20, 36] {
            let found = change_points(&step(at), 1);
            assert_eq!(found.iter().map(|c| c.at).collect::<Vec<_>>(), [at]);
            assert!(
                (found[0].after / found[0].before - 1.1).abs() < 0.01,
                "{found:?}"
            );
        }
        let mut two = step(15);
        two[30..].iter_mut().for_each(|x| *x *= 0.8);
        assert_eq!(places(&two), [15, 30]);
    }

    #[test]
    fn what_is_no_change_is_none() {
        let steady: Vec<f64> = (0..60).map(wobble).collect();
        assert_eq!(places(&steady), [0; 0]);
        assert_eq!(places(&[1.0; 50]), [0; 0]);
        assert_eq!(places(&[]), [0; 0]);
        let mut outlier = steady;
        outlier[30] = 1000.0;
        assert_eq!(places(&outlier), [0; 0]);
        // Few figures can be arranged in too few ways.
        let step =
            |n: usize| -> Vec<f64> { (0..n).map(|i| if i < n / 2 { 1.0 } else { 2.0 }).collect() };
        assert_eq!(places(&step(FEWEST + 2)), [FEWEST / 2 + 1]);
        assert_eq!(places(&step(FEWEST - 2)), [0; 0]);
        assert_eq!(places(&[1.0, 1.0, 9.0, 9.0]), [0; 0]);
    }

    #[test]
    fn a_miss_is_larger_than_any_figure() {
        let missed: Vec<f64> = (0..30)
            .map(|i| if i < 20 { wobble(i) } else { f64::INFINITY })
            .collect();
        let found = change_points(&missed, 1);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].at, found[0].after), (20, f64::INFINITY));
    }

    #[test]
    fn only_the_latest_figures_are_looked_at() {
        let long: Vec<f64> = (0..LATEST + 60)
            .map(|i| wobble(i) + if i < 40 { 0.0 } else { 1.0 })
            .collect();
        assert_eq!(places(&long), [0; 0]);
        let long: Vec<f64> = (0..LATEST + 60)
            .map(|i| wobble(i) + if i < 100 { 0.0 } else { 1.0 })
            .collect();
        assert_eq!(places(&long), [100]);
    }
}
