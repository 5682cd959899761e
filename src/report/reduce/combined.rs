//! One op class, or several together: histograms and blocks are added, percentiles never averaged.

use super::{Reducer, figures};
use crate::measure::hist::HIGHEST;
use crate::measure::percentile::Headline;
use crate::measure::{Blocks, Hist};
use crate::report::event::{Counts, Metric};
use crate::report::result::ClassResult;

impl Reducer {
    /// The measure phase's merged histogram of a metric: of one op class, or of all together.
    pub fn merged(&self, class: Option<&str>, metric: Metric) -> Hist {
        let mut sum = Hist::new();
        let chosen = self
            .histograms
            .iter()
            .filter(|(name, _)| class.is_none_or(|c| c == *name));
        chosen
            .filter_map(|(_, metrics)| metrics.get(&metric))
            .for_each(|h| sum.add(h));
        sum
    }

    /// Response times of the operations that were in time, of one op class or of all together. A class has one
    /// limit, so that its late responses are its largest; classes with different limits are cut before they are
    /// added, since a late response of one may be faster than those in time of another.
    pub(super) fn in_time(&self, class: Option<&str>) -> Hist {
        let mut sum = Hist::new();
        for (name, metrics) in &self.histograms {
            let Some(h) = metrics.get(&Metric::Response) else {
                continue;
            };
            if class.is_none_or(|c| c == name) {
                let late = self.tallies.classes.get(name).map_or(0, |t| t.counts.late);
                sum.add(&h.smallest(h.len().saturating_sub(late)));
            }
        }
        sum
    }

    pub(super) fn headline(
        &self,
        classes: &[ClassResult],
        class: Option<&str>,
        q: f64,
    ) -> Option<Headline> {
        let mut open = classes
            .iter()
            .filter(|c| !c.class.closed_loop && class.is_none_or(|name| name == c.class.name))
            .peekable();
        open.peek()?;
        let mut counts = Counts::default();
        open.for_each(|c| counts.add(&c.figures.counts));
        figures::offered(&counts, &self.in_time(class)).percentile(q)
    }

    /// Values that did not fit the histograms and were recorded as their highest.
    pub(super) fn saturated_records(&self) -> u64 {
        let all = self
            .histograms
            .values()
            .flat_map(|m| m.values())
            .filter_map(Hist::histogram);
        all.filter(|h| h.max() >= HIGHEST)
            .map(|h| h.count_between(HIGHEST, h.max()))
            .sum()
    }

    /// Of an op class, or of all that have intended instants.
    pub(super) fn blocks(&self, classes: &[ClassResult], class: Option<&str>) -> Blocks {
        let open = classes.iter().filter(|c| !c.class.closed_loop);
        let chosen = open.filter(|c| class.is_none_or(|name| name == c.class.name));
        Blocks::sum(chosen.filter_map(|c| self.blocks.get(&c.class.name)))
    }
}
