//! The one histogram layout: 1 ns … 1 h, three significant digits, allocated with the first value.

use crate::clock::{Nanos, SECOND};
use hdrhistogram::Histogram;

/// Smallest distinguishable value, ns.
pub const LOWEST: Nanos = 1;
/// Largest value, ns: one hour. Larger ones are recorded as this and counted.
pub const HIGHEST: Nanos = 3600 * SECOND;
/// Significant decimal digits.
pub const DIGITS: u8 = 3;

/// An empty histogram of the layout (264 KiB once touched; untouched pages cost nothing).
pub fn layout() -> Option<Histogram<u64>> {
    // The bounds are constants and right; a test builds one.
    Histogram::new_with_bounds(LOWEST, HIGHEST, DIGITS).ok()
}

/// A histogram of nanoseconds that costs nothing until something is recorded, so that 50 op classes
/// with five metrics each are affordable.
#[derive(Clone, Debug, Default)]
pub struct Hist {
    inner: Option<Box<Histogram<u64>>>,
    saturated: u64,
}

impl Hist {
    /// Empty, not allocated.
    pub const fn new() -> Self {
        Hist {
            inner: None,
            saturated: 0,
        }
    }

    /// Records a value in ns. Above [`HIGHEST`] it is recorded as that, and counted as saturated.
    #[inline]
    pub fn record(&mut self, ns: Nanos) {
        if self.inner.is_none() {
            self.inner = layout().map(Box::new);
        }
        if ns > HIGHEST {
            self.saturated += 1;
        }
        if let Some(h) = &mut self.inner {
            h.saturating_record(ns.min(HIGHEST));
        }
    }

    /// Records a value so many times.
    pub fn record_n(&mut self, ns: Nanos, n: u64) {
        if n == 0 {
            return;
        }
        if self.inner.is_none() {
            self.inner = layout().map(Box::new);
        }
        if ns > HIGHEST {
            self.saturated += n;
        }
        if let Some(h) = &mut self.inner {
            h.saturating_record_n(ns.min(HIGHEST), n);
        }
    }

    /// Takes what was recorded, for an interval; what stays is empty.
    #[must_use]
    pub fn take(&mut self) -> Hist {
        std::mem::take(self)
    }

    /// Empties it and keeps the memory.
    pub fn clear(&mut self) {
        if let Some(h) = &mut self.inner {
            h.reset();
        }
        self.saturated = 0;
    }

    /// Adds another one: histograms are added, percentiles never averaged.
    pub fn add(&mut self, other: &Hist) {
        self.saturated += other.saturated;
        if let Some(h) = other.histogram() {
            self.add_histogram(h);
        }
    }

    /// Adds a plain histogram, e.g. one read back from `latency.hlog`. Values beyond the layout saturate.
    pub fn add_histogram(&mut self, other: &Histogram<u64>) {
        if other.is_empty() {
            return;
        }
        if self.inner.is_none() {
            self.inner = layout().map(Box::new);
        }
        let Some(mine) = &mut self.inner else { return };
        if mine.add(other).is_err() {
            // Only a histogram of another layout can hold values that do not fit.
            for v in other.iter_recorded() {
                let (value, count) = (v.value_iterated_to(), v.count_since_last_iteration());
                if value > HIGHEST {
                    self.saturated += count;
                }
                mine.saturating_record_n(value.min(HIGHEST), count);
            }
        }
    }

    /// Its `n` smallest values: what is within a limit, when those above it are counted.
    #[must_use]
    pub fn smallest(&self, n: u64) -> Hist {
        if n >= self.len() {
            return self.clone();
        }
        let mut chosen = Hist::new();
        let mut left = n;
        for step in self.inner.iter().flat_map(|h| h.iter_recorded()) {
            let count = step.count_since_last_iteration().min(left);
            if count == 0 {
                break;
            }
            left -= count;
            if chosen.inner.is_none() {
                chosen.inner = layout().map(Box::new);
            }
            if let Some(h) = &mut chosen.inner {
                h.saturating_record_n(step.value_iterated_to(), count);
            }
        }
        chosen
    }

    /// The histogram; none while nothing has been recorded.
    pub fn histogram(&self) -> Option<&Histogram<u64>> {
        self.inner.as_deref().filter(|h| !h.is_empty())
    }

    /// The histogram itself, to hand over; none while nothing has been recorded.
    pub fn into_histogram(self) -> Option<Histogram<u64>> {
        self.inner.map(|h| *h).filter(|h| !h.is_empty())
    }

    /// Nothing recorded.
    pub fn is_empty(&self) -> bool {
        self.histogram().is_none()
    }

    /// Values recorded.
    pub fn len(&self) -> u64 {
        self.inner.as_ref().map_or(0, |h| h.len())
    }

    /// Values that were above [`HIGHEST`]: must stay 0.
    pub fn saturated(&self) -> u64 {
        self.saturated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_values_are_cut_within_a_bucket_too() {
        let mut h = Hist::new();
        [5, 5, 5, 9, 1_000_000]
            .into_iter()
            .for_each(|v| h.record(v));
        let kept = |n| {
            let few = h.smallest(n);
            (few.len(), few.histogram().map_or(0, Histogram::max))
        };
        assert_eq!((kept(0), kept(2), kept(4)), ((0, 0), (2, 5), (4, 9)));
        assert_eq!(kept(9).0, 5);
    }

    #[test]
    fn costs_nothing_until_used_and_again_after_take() {
        let mut h = Hist::new();
        assert!(h.is_empty() && h.inner.is_none());
        h.record(1_000);
        h.record(0);
        assert_eq!(h.len(), 2);
        let taken = h.take();
        assert!(h.is_empty() && h.inner.is_none());
        assert_eq!(taken.len(), 2);
    }

    #[test]
    fn above_an_hour_is_counted_never_lost() {
        let mut h = Hist::new();
        h.record(HIGHEST);
        assert_eq!(h.saturated(), 0);
        h.record(HIGHEST + 1);
        h.record(u64::MAX);
        assert_eq!((h.len(), h.saturated()), (3, 2));
        h.clear();
        assert_eq!((h.len(), h.saturated()), (0, 0));
    }

    #[test]
    fn adding_counts_everything() {
        let (mut a, mut b) = (Hist::new(), Hist::new());
        (1..=1000).for_each(|i| a.record(i * 1000));
        (1..=500).for_each(|i| b.record(i * 2000));
        b.record(u64::MAX);
        a.add(&b);
        a.add(&Hist::new());
        assert_eq!((a.len(), a.saturated()), (1501, 1));

        let mut wide = Histogram::<u64>::new_with_bounds(1, 100 * HIGHEST, 3).unwrap();
        wide.record(5).unwrap();
        wide.record(2 * HIGHEST).unwrap();
        a.add_histogram(&wide);
        assert_eq!((a.len(), a.saturated()), (1503, 2));
    }
}
