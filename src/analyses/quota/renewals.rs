//! The hollow nodes' Lease renewals while an etcd fills up and is full: how long they took, and which nodes missed too
//! many.

use super::record::{LeaseImpact, Quarter};
use crate::kube::KubernetesVersion;
use crate::kube::OpClass;
use crate::measure::sparse::SparseHist;
use crate::report::event::{IntendedRow, Interval};

/// Node heartbeats: what a node lives by.
const CLASS: OpClass = OpClass::NodeLeaseUpdate;

/// What was seen. Instants are seconds since the load began.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    /// Per interval: from, to, renewals answered well.
    answered: Vec<(f64, f64, u64)>,
    /// Per intended second: when, offered, missed, response times.
    intended: Vec<(f64, u64, u64, SparseHist)>,
}

impl Renewals {
    /// An interval of the load.
    pub(super) fn second(&mut self, interval: &Interval, from: f64, to: f64) {
        let ok = interval.classes.get(CLASS.name()).map_or(0, |c| c.ok);
        self.answered.push((from, to, ok));
    }

    /// What was intended in the second that begins at `t`.
    pub(super) fn intended(&mut self, row: &IntendedRow, t: f64) {
        if row.class == CLASS.name() {
            let mut times = SparseHist::new();
            times.add_buckets(&row.histogram);
            self.intended.push((t, row.offered, row.missed, times));
        }
    }

    /// The quarters of the time until `full_at`.
    pub(super) fn quarters(&self, full_at: f64) -> Vec<Quarter> {
        let quarter = |n: u32| {
            let (from, to) = (
                full_at * f64::from(n) / 4.0,
                full_at * f64::from(n + 1) / 4.0,
            );
            let (mut q, mut times) = (Quarter::default(), SparseHist::new());
            // A second belongs to the quarter in which it begins; the one in which it is full, to none.
            for (t, offered, missed, of) in &self.intended {
                if *t >= from && *t < to && t + 1.0 <= full_at {
                    q.offered += offered;
                    q.missed += missed;
                    times.add(of);
                }
            }
            let at = |share: f64| times.quantile(share).map(|ns| ns as f64 / 1e9);
            (q.p50, q.p99) = (at(0.5), at(0.99));
            q
        };
        (0..4).map(quarter).collect()
    }

    /// Which of `nodes` the node controller would have called NotReady. Renewals are counted, not told apart: of `ok`
    /// renewals within a grace period at most so many nodes had one, so the others had none.
    /// None where nobody renews.
    pub(super) fn lease_impact(&self, nodes: u64, version: &str) -> Option<LeaseImpact> {
        if self.answered.iter().all(|(_, _, ok)| *ok == 0) {
            return None;
        }
        let grace = grace(version);
        let mut lease_impact = LeaseImpact {
            grace,
            ..LeaseImpact::default()
        };
        let mut last = 0.0;
        for (i, (from, to, ok)) in self.answered.iter().enumerate() {
            if *ok > 0 {
                last = *to;
            }
            lease_impact.silence = f64::max(lease_impact.silence, to - f64::min(last, *from));
            // Before that, what populate wrote still counts.
            if *to < grace {
                continue;
            }
            let within = self.answered[..=i].iter().rev();
            let renewed: u64 = within
                .take_while(|(_, done, _)| *done > to - grace)
                .map(|(_, _, ok)| ok)
                .sum();
            let silent = nodes.saturating_sub(renewed);
            if silent > 0 && lease_impact.first_at.is_none() {
                lease_impact.first_at = Some(*to);
            }
            lease_impact.not_ready = lease_impact.not_ready.max(silent);
        }
        Some(lease_impact)
    }
}

/// The node-monitor grace period, seconds; an unknown version is a newer one.
fn grace(version: &str) -> f64 {
    let version = KubernetesVersion::parse(version).unwrap_or(KubernetesVersion::V1_37);
    version.node_monitor_grace().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(ok: &[u64]) -> Renewals {
        let answered = ok
            .iter()
            .enumerate()
            .map(|(i, ok)| (i as f64, i as f64 + 1.0, *ok))
            .collect();
        Renewals {
            answered,
            intended: Vec::new(),
        }
    }

    #[test]
    fn nodes_are_lost_one_grace_period_after_their_last_renewal() {
        // 100 nodes, 10 renewals a second for 30 s, then none for a minute.
        let ok: Vec<u64> = (0..100)
            .map(|t| if (30..90).contains(&t) { 0 } else { 10 })
            .collect();
        let lease_impact = seconds(&ok).lease_impact(100, "1.31").unwrap();
        assert_eq!(
            (
                lease_impact.grace,
                lease_impact.silence,
                lease_impact.not_ready
            ),
            (40.0, 60.0, 100)
        );
        // The first of them renewed in second 20, and 60 s on the window of 40 s begins after it.
        assert_eq!(lease_impact.first_at, Some(61.0));
        let later = seconds(&ok).lease_impact(100, "1.37").unwrap();
        assert_eq!((later.grace, later.first_at), (50.0, Some(71.0)));
        let short: Vec<u64> = (0..100)
            .map(|t| if (30..60).contains(&t) { 0 } else { 10 })
            .collect();
        assert_eq!(
            seconds(&short).lease_impact(100, "1.37").unwrap().not_ready,
            0
        );
        assert_eq!(seconds(&[0; 90]).lease_impact(100, "1.37"), None);
    }

    #[test]
    fn a_second_counts_in_the_quarter_in_which_it_begins() {
        let mut all = Renewals::default();
        for t in 0..9 {
            let row = IntendedRow {
                phase: None,
                t: f64::from(t),
                class: CLASS.name().to_owned(),
                offered: 10,
                missed: 1,
                max: 0,
                histogram: vec![(1_000_000, 9)],
            };
            all.intended(&row, f64::from(t));
        }
        let quarters = all.quarters(8.5);
        assert_eq!(quarters.iter().map(|q| q.offered).sum::<u64>(), 80);
        assert!(
            quarters[0]
                .p99
                .is_some_and(|p| (0.001..0.0011).contains(&p)),
            "{quarters:?}"
        );
    }
}
