//! How long a member's log syncs took, by etcd's own histogram: added up over trials, as histograms may be.

use crate::human::numbers::{count, seconds, three};
use crate::report::MemberFigures;
use serde::Serialize;
use std::collections::BTreeMap;

/// Syncs of the write-ahead log in the measure phases of some trials.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Syncs {
    pub(super) count: f64,
    /// How long all of them took, seconds.
    pub(super) seconds: f64,
    /// By a bucket's upper bound in ns: how many took at most so long.
    pub(super) within_ns: BTreeMap<u64, f64>,
}

impl Syncs {
    /// Those of one member's trial; none if its etcd does not tell.
    pub(super) fn of(member: &MemberFigures) -> Option<Syncs> {
        let grown = |name: &str| member.series.get(name).map(|s| s.increase);
        let bound = |name: &str| -> Option<u64> {
            let bound: f64 = name.strip_prefix("wal_fsync.le.")?.parse().ok()?;
            Some((bound * 1e9).round() as u64)
        };
        let within = member.series.iter();
        Some(Syncs {
            count: grown("wal_fsync.count")?,
            seconds: grown("wal_fsync.seconds")?,
            within_ns: within
                .filter_map(|(name, s)| Some((bound(name)?, s.increase)))
                .collect(),
        })
    }

    pub(super) fn add(&mut self, more: &Syncs) {
        self.count += more.count;
        self.seconds += more.seconds;
        for (bound, n) in &more.within_ns {
            *self.within_ns.entry(*bound).or_default() += n;
        }
    }

    /// Exact, seconds.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.seconds / self.count)
    }

    /// The upper bound of the bucket in which this share of the syncs is reached: `≤ 2 ms`, `> 8.19 s`, `-`.
    pub(super) fn at_most(&self, share: f64) -> String {
        if self.count == 0.0 {
            return "-".to_owned();
        }
        let reached = |n: &f64| *n >= share * self.count;
        match self.within_ns.iter().find(|(_, n)| reached(n)) {
            Some((bound, _)) => format!("≤ {}", seconds(*bound as f64 / 1e9)),
            None => match self.within_ns.last_key_value() {
                Some((bound, _)) => format!("> {}", seconds(*bound as f64 / 1e9)),
                None => "-".to_owned(),
            },
        }
    }

    /// Cells: how many, the mean, the share of the lowest bucket, and bounds of percentiles.
    pub(super) fn row(&self) -> Vec<String> {
        let lowest = self.within_ns.first_key_value();
        let lowest = lowest.filter(|_| self.count > 0.0);
        vec![
            count(self.count as u64),
            self.mean().map_or("-".to_owned(), seconds),
            lowest.map_or("-".to_owned(), |(_, n)| {
                format!("{} %", three(100.0 * n / self.count))
            }),
            self.at_most(0.5),
            self.at_most(0.99),
            self.at_most(0.999),
            self.at_most(1.0),
        ]
    }

    /// The heads of [`Syncs::row`].
    pub(super) const COLUMNS: [&'static str; 7] =
        ["syncs", "mean", "≤ 1 ms", "p50", "p99", "p99.9", "max"];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Series;

    fn member(count: f64, seconds: f64, within: &[(&str, f64)]) -> MemberFigures {
        let grown = |v: f64| Series {
            increase: v,
            ..Series::default()
        };
        let bound = |(le, n): &(&str, f64)| (format!("wal_fsync.le.{le}"), grown(*n));
        let mut series: BTreeMap<String, Series> = within.iter().map(bound).collect();
        series.insert("wal_fsync.count".to_owned(), grown(count));
        series.insert("wal_fsync.seconds".to_owned(), grown(seconds));
        MemberFigures {
            series,
            ..MemberFigures::default()
        }
    }

    #[test]
    fn buckets_are_added_and_a_percentile_is_its_buckets_bound() {
        let a = member(
            100.0,
            0.1,
            &[("0.001", 60.0), ("0.002", 99.0), ("8.192", 99.0)],
        );
        let b = member(
            900.0,
            0.5,
            &[("0.001", 890.0), ("0.002", 900.0), ("8.192", 900.0)],
        );
        let mut both = Syncs::of(&a).unwrap();
        both.add(&Syncs::of(&b).unwrap());
        assert_eq!(
            both.row(),
            [
                "1,000", "600 µs", "95 %", "≤ 1 ms", "≤ 2 ms", "≤ 2 ms", "> 8.19 s"
            ]
        );
        assert_eq!(Syncs::of(&MemberFigures::default()), None);
        assert_eq!(Syncs::default().row()[1..], ["-"; 6]);
    }
}
