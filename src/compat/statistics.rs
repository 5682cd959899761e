//! What the Go tool computes of its latencies (`pkg/report/report.go` in etcd), and the percentiles as textbooks have them
//! beside it.

use crate::clock::Nanos;

/// The percentiles that the Go tool prints, in tenths of a percent.
const PERMILLE: [u64; 8] = [100, 250, 500, 750, 900, 950, 990, 999];

/// One percentile by two rules, seconds; none where the rule has no value for so few requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Percentile {
    /// 10 to 99.9.
    pub percent: f64,
    /// The Go tool's rule: the first value whose rank i, counted from 0, has 100·i/n ≥ percent. One rank above the
    /// nearest one.
    pub go: Option<f64>,
    /// The nearest rank: the ⌈percent·n/100⌉-th smallest value.
    pub nearest_rank: Option<f64>,
}

/// What is computed of the requests that succeeded, seconds.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    pub slowest: f64,
    pub fastest: f64,
    pub average: f64,
    /// Of the population, as in the Go tool.
    pub stddev: f64,
    /// Both rules.
    pub percentiles: Vec<Percentile>,
}

/// None where no request succeeded.
pub fn of(latencies: &[Nanos]) -> Option<Statistics> {
    let mut seconds: Vec<f64> = latencies.iter().map(|ns| *ns as f64 / 1e9).collect();
    let n = seconds.len() as f64;
    let average = seconds.iter().sum::<f64>() / n;
    let squares: f64 = seconds.iter().map(|s| (s - average) * (s - average)).sum();
    seconds.sort_by(f64::total_cmp);
    let (fastest, slowest) = (*seconds.first()?, *seconds.last()?);
    let go = go_percentiles(&seconds);
    let percentiles = PERMILLE.iter().zip(go).map(|(permille, go)| Percentile {
        percent: *permille as f64 / 10.0,
        go,
        nearest_rank: nearest_rank(&seconds, *permille),
    });
    Some(Statistics {
        slowest,
        fastest,
        average,
        stddev: (squares / n).sqrt(),
        percentiles: percentiles.collect(),
    })
}

/// The Go tool's loop: at most one percentile per value, so that few values have few percentiles.
fn go_percentiles(sorted: &[f64]) -> [Option<f64>; PERMILLE.len()] {
    let mut found = [None; PERMILLE.len()];
    let mut next = 0;
    for (i, value) in sorted.iter().enumerate() {
        let Some(permille) = PERMILLE.get(next) else {
            break;
        };
        let current = i as f64 * 100.0 / sorted.len() as f64;
        if current >= *permille as f64 / 10.0 {
            // The Go tool does not print one of 0.
            found[next] = Some(*value).filter(|v| *v > 0.0);
            next += 1;
        }
    }
    found
}

fn nearest_rank(sorted: &[f64], permille: u64) -> Option<f64> {
    let rank = (permille * sorted.len() as u64).div_ceil(1000);
    let index = usize::try_from(rank.checked_sub(1)?).ok()?;
    sorted.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(n: u64) -> Vec<(f64, Option<u64>, Option<u64>)> {
        // Shuffled: 7 and the lengths below have no common divisor.
        let latencies: Vec<Nanos> = (0..n).map(|i| (1 + i * 7 % n) * 1_000_000_000).collect();
        let whole = |v: Option<f64>| v.map(|v| v as u64);
        let of = of(&latencies).unwrap();
        let each = of.percentiles.iter();
        each.map(|p| (p.percent, whole(p.go), whole(p.nearest_rank)))
            .collect()
    }

    #[test]
    fn the_go_tool_is_one_rank_high() {
        let of_1000 = both(1000);
        assert_eq!(of_1000[2], (50.0, Some(501), Some(500)));
        assert_eq!(of_1000[6], (99.0, Some(991), Some(990)));
        assert_eq!(of_1000[7], (99.9, Some(1000), Some(999)));
    }

    #[test]
    fn few_requests_have_no_high_percentiles_by_the_go_rule() {
        let of_100 = both(100);
        assert_eq!(of_100[6], (99.0, Some(100), Some(99)));
        assert_eq!(of_100[7], (99.9, None, Some(100)));
        let of_99 = both(99);
        assert_eq!(of_99[6], (99.0, None, Some(99)));
        // One percentile per value: with five, 75 % stands at the last.
        let of_5 = both(5);
        let go: Vec<_> = of_5.iter().map(|p| p.1).collect();
        assert_eq!(
            go,
            [Some(2), Some(3), Some(4), Some(5), None, None, None, None]
        );
        assert!(both(1).iter().all(|p| (p.1, p.2) == (None, Some(1))));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn the_deviation_is_that_of_the_population() {
        let of = of(&[1_000_000_000, 3_000_000_000]).unwrap();
        assert_eq!((of.average, of.stddev), (2.0, 1.0));
        assert_eq!((of.fastest, of.slowest), (1.0, 3.0));
    }
}
