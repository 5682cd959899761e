//! Counters and gauges over the measure phase.

use crate::report::result::Series;
use std::collections::BTreeMap;

/// Named series that are sampled together.
#[derive(Clone, Debug, Default)]
pub(super) struct SeriesSet {
    begun: bool,
    previous_t: Option<f64>,
    last: BTreeMap<String, (f64, f64)>,
    series: BTreeMap<String, Series>,
    first_t: BTreeMap<String, f64>,
}

impl SeriesSet {
    /// The measure phase begins: the last sample before it is what its increases count from.
    pub(super) fn begin(&mut self) {
        self.begun = true;
    }

    /// Takes what was read at `t`.
    pub(super) fn sample(&mut self, t: f64, values: &BTreeMap<String, f64>) {
        for (name, &value) in values {
            if !value.is_finite() {
                continue;
            }
            let before = self.last.insert(name.clone(), (t, value));
            if !self.begun {
                continue;
            }
            // RPC counters are absent until they are 1: one that appears began at 0.
            let absent = match self.previous_t {
                Some(t0) if name.starts_with("grpc.") => (t0, 0.0),
                _ => (t, value),
            };
            let (t0, previous) = before.unwrap_or(absent);
            let series = self.series.entry(name.clone()).or_insert_with(|| {
                self.first_t.insert(name.clone(), t0);
                Series {
                    start: previous,
                    end: previous,
                    max: previous,
                    increase: 0.0,
                    seconds: 0.0,
                }
            });
            // A counter that fell was reset by a restart of its process: it counts from 0 again.
            series.increase += if value >= previous {
                value - previous
            } else {
                value
            };
            series.end = value;
            series.max = series.max.max(value);
            series.seconds = t - self.first_t.get(name).copied().unwrap_or(t);
        }
        self.previous_t = Some(t);
    }

    /// By name.
    pub(super) fn all(&self) -> BTreeMap<String, Series> {
        self.series.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn increases_count_from_the_last_sample_before_the_phase_and_survive_a_restart() {
        let mut set = SeriesSet::default();
        let at = |v: f64| BTreeMap::from([("x".to_owned(), v)]);
        set.sample(1.0, &at(5.0));
        set.sample(2.0, &at(10.0));
        set.begin();
        set.sample(3.0, &at(17.0));
        set.sample(4.0, &at(f64::NAN));
        set.sample(5.0, &at(2.0));
        let all = set.all();
        let expected = Series {
            start: 10.0,
            end: 2.0,
            max: 17.0,
            increase: 9.0,
            seconds: 3.0,
        };
        assert_eq!(all["x"], expected);
    }
}
