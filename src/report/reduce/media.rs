//! What emulated media did over the measure phase: the members' samples added up.

use crate::measure::SparseHist;
use crate::report::event::MediumSample;
use crate::report::result::{MediumFigures, StoreResult};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Media {
    /// (store, member, file) → the sum of its samples, its delays.
    files: BTreeMap<(String, String, String), (MediumSample, SparseHist)>,
}

impl Media {
    /// Adds a sample of the measure phase.
    pub(super) fn sample(&mut self, s: &MediumSample) {
        let key = (s.store.clone(), s.member.clone(), s.file.clone());
        let (sum, delays) = self.files.entry(key).or_default();
        sum.syncs += s.syncs;
        sum.asked_ns += s.asked_ns;
        sum.delayed_ns += s.delayed_ns;
        sum.short += s.short;
        sum.max = sum.max.max(s.max);
        delays.add_buckets(&s.histogram);
    }

    /// Puts what is known of them beside the members' own figures.
    pub(super) fn add_to(&self, results: &mut [StoreResult]) {
        for result in results {
            for member in &mut result.members {
                let mine = |(key, _): &(&(String, String, String), _)| {
                    key.0 == result.name && key.1 == member.member
                };
                let files = self.files.iter().filter(mine);
                member.medium = files
                    .map(|((_, _, file), (sum, delays))| figures(file, sum, delays))
                    .collect();
            }
        }
    }
}

fn figures(file: &str, sum: &MediumSample, delays: &SparseHist) -> MediumFigures {
    let mean = |total: u64| total as f64 / sum.syncs.max(1) as f64;
    let quantile = |q: f64| delays.quantile(q).unwrap_or(0).min(sum.max);
    MediumFigures {
        file: file.to_owned(),
        syncs: sum.syncs,
        asked_mean_ns: mean(sum.asked_ns),
        delay_mean_ns: mean(sum.delayed_ns),
        delay_p50_ns: quantile(0.5),
        delay_p99_ns: quantile(0.99),
        delay_max_ns: sum.max,
        short: sum.short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::result::MemberFigures;

    #[test]
    fn samples_are_added_and_stand_beside_their_member() {
        let mut media = Media::default();
        let sample = |delay: u64, n: u64| MediumSample {
            store: "main".to_owned(),
            member: "etcd-0".to_owned(),
            file: "wal".to_owned(),
            syncs: n,
            asked_ns: n * 2_000,
            delayed_ns: n * delay,
            short: 1,
            max: delay,
            histogram: vec![(crate::measure::sparse::lower_bound(delay), n)],
            ..MediumSample::default()
        };
        media.sample(&sample(1_000, 99));
        media.sample(&sample(9_000, 1));
        let member = |name: &str| MemberFigures {
            member: name.to_owned(),
            ..MemberFigures::default()
        };
        let mut results = [StoreResult {
            name: "main".to_owned(),
            members: vec![member("etcd-0"), member("etcd-1")],
            ..StoreResult::default()
        }];
        media.add_to(&mut results);
        let [with, without] = results[0].members.as_slice() else {
            panic!("two members");
        };
        assert_eq!(without.medium, []);
        let wal = &with.medium[0];
        assert_eq!((wal.syncs, wal.short, wal.delay_max_ns), (100, 2, 9_000));
        assert_eq!((wal.asked_mean_ns, wal.delay_mean_ns), (2_000.0, 1_080.0));
        // A bucket's upper end, 1/128 above at most.
        assert!((1_000..=1_008).contains(&wal.delay_p99_ns), "{wal:?}");
    }
}
