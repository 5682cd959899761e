//! Figures over time: each sync counts with its length, as a write meets it that arrives at any instant. A stop of 100 ms
//! is one of thousands of syncs, but a tenth of a second in which every write waits; a figure over syncs hides it, which
//! is coordinated omission.

use super::result::Sample;
use crate::clock::Nanos;
use crate::measure::{Block, Blocks, Hist, Offered, SparseHist};
use hdrhistogram::Histogram;

/// Values are recorded once for each so many ns of their length.
const STEP: u64 = 1_000;

/// The syncs of a histogram of ns, each as often as its length in µs (once at least).
pub(super) fn by_length(syncs: &Histogram<u64>) -> Hist {
    let mut all = Hist::new();
    for v in syncs.iter_recorded() {
        let (ns, n) = (v.value_iterated_to(), v.count_since_last_iteration());
        all.record_n(ns, n.saturating_mul((ns / STEP).max(1)));
    }
    all
}

/// Seconds of a block, at first.
const BLOCK: f64 = 0.1;
const BLOCK_NS: u64 = (BLOCK * 1e9) as u64;

/// Syncs by length, in blocks of the time that was spent in appends.
#[derive(Debug)]
pub(super) struct OverTime {
    done: Blocks,
    /// The block under way: its number and its syncs.
    current: (u64, SparseHist),
}

impl Default for OverTime {
    fn default() -> Self {
        OverTime {
            done: Blocks::of_units(BLOCK),
            current: (0, SparseHist::new()),
        }
    }
}

impl OverTime {
    /// Takes a sync that began after `busy` ns of appends. It counts where it began, with its whole length.
    pub(super) fn record(&mut self, busy: Nanos, sync: Nanos) {
        let now = busy / BLOCK_NS;
        if now != self.current.0 {
            Self::close(&mut self.done, &mut self.current);
            self.current.0 = now;
        }
        self.current.1.record_n(sync, (sync / STEP).max(1));
    }

    fn close(done: &mut Blocks, (n, syncs): &mut (u64, SparseHist)) {
        let in_time = std::mem::take(syncs);
        let offered = in_time.len();
        done.add(*n, &Block { offered, in_time });
    }

    /// The 95 % interval of the p99; None below six blocks. `syncs`: all of them, in full resolution.
    pub(super) fn p99(&self, syncs: &Histogram<u64>) -> Option<Sample> {
        let (mut blocks, mut current) = (self.done.clone(), self.current.clone());
        Self::close(&mut blocks, &mut current);
        let weighted = by_length(syncs);
        let all = Offered {
            successes: weighted.histogram(),
            offered: weighted.len(),
            missed: 0,
        };
        let found = blocks.percentile(0.99, &all)?;
        Some(Sample {
            blocks: found.blocks,
            block_seconds: found.block_seconds,
            p99_low_ns: found.low.value()?,
            p99_high_ns: found.high.and_then(|high| high.value()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn of(values: &[(u64, u64)]) -> Histogram<u64> {
        let mut all = Hist::new();
        for (ns, n) in values {
            all.record_n(*ns, *n);
        }
        all.histogram().unwrap().clone()
    }

    #[test]
    fn a_stop_counts_with_its_length() {
        // A minute of the preset `stalls`: 2 ms, and two stops of 4 s. Over syncs p99 is 2 ms.
        let syncs = of(&[(2 * MS, 26_000), (4_000 * MS, 2)]);
        assert_eq!(syncs.value_at_quantile(0.99) / MS, 2);
        let weighted = by_length(&syncs);
        let p99 = weighted.histogram().unwrap().value_at_quantile(0.99);
        assert!(p99 > 3_900 * MS, "{p99}");
    }

    /// Syncs one after the other.
    fn sample(values: impl IntoIterator<Item = u64>) -> Option<Sample> {
        let (mut over_time, mut all, mut busy) = (OverTime::default(), Hist::new(), 0);
        for ns in values {
            over_time.record(busy, ns);
            all.record(ns);
            busy += ns;
        }
        over_time.p99(all.histogram()?)
    }

    #[test]
    fn two_stops_say_little_of_how_often_they_come() {
        let steady = || std::iter::repeat_n(2 * MS, 13_000);
        let stop = || std::iter::once(4_000 * MS);
        let found = sample(steady().chain(stop()).chain(steady()).chain(stop())).unwrap();
        assert_eq!(found.p99_high_ns, None);
        assert!(found.p99_low_ns < 10 * MS, "{found:?}");
    }

    #[test]
    fn syncs_that_take_equally_long_have_a_narrow_interval() {
        let found = sample(std::iter::repeat_n(300_000, 50_000)).unwrap();
        assert!(found.p99_low_ns.abs_diff(300_000) < 300);
        assert!(found.p99_high_ns.unwrap().abs_diff(300_000) < 300);
        // 15 s; blocks of a tenth of a second are put together as they become many.
        assert!(found.blocks >= 6, "{found:?}");
        assert!(
            sample(std::iter::repeat_n(300_000, 1_000)).is_none(),
            "0.3 s are too short"
        );
    }
}
