//! Times in which attempts failed, per store.

use crate::report::event::{FailureEvent, Interval};
use crate::report::result::Outage;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Outages {
    store_of: BTreeMap<String, String>,
    stores: BTreeMap<String, PerStore>,
}

#[derive(Debug, Default)]
struct PerStore {
    open: Option<Outage>,
    /// Failures told one by one since the last interval: they are finer than a second.
    told: Option<(f64, f64)>,
    closed: Vec<Outage>,
}

impl Outages {
    /// Which class goes to which store.
    pub(super) fn route(&mut self, classes: impl Iterator<Item = (String, String)>) {
        self.store_of = classes.collect();
    }

    pub(super) fn failure(&mut self, failure: &FailureEvent) {
        let Some(store) = self.store_of.get(&failure.class) else {
            return;
        };
        let told = &mut self.stores.entry(store.clone()).or_default().told;
        *told = Some(match *told {
            Some((first, last)) => (first.min(failure.t), last.max(failure.t)),
            None => (failure.t, failure.t),
        });
    }

    pub(super) fn interval(&mut self, interval: &Interval) {
        let mut seconds: BTreeMap<&str, (u64, BTreeMap<String, u64>)> = BTreeMap::new();
        for (class, counts) in &interval.classes {
            let Some(store) = self.store_of.get(class) else {
                continue;
            };
            let second = seconds.entry(store.as_str()).or_default();
            second.0 += counts.ok;
            for (error, e) in &counts.errors {
                *second.1.entry(error.clone()).or_default() += e.count;
            }
        }
        for (store, (ok, errors)) in seconds {
            self.stores
                .entry(store.to_owned())
                .or_default()
                .second(store, interval, ok, &errors);
        }
    }

    /// In order of their start; those that never ended last until `now`.
    pub(super) fn all(&self, now: f64) -> Vec<Outage> {
        let mut all: Vec<Outage> = Vec::new();
        for store in self.stores.values() {
            all.extend(store.closed.iter().cloned());
            if let Some(open) = &store.open {
                let length = (now - open.first_error).max(0.0);
                all.push(Outage {
                    length,
                    ..open.clone()
                });
            }
        }
        all.sort_by(|a, b| a.first_error.total_cmp(&b.first_error));
        all
    }
}

impl PerStore {
    fn second(
        &mut self,
        store: &str,
        interval: &Interval,
        ok: u64,
        errors: &BTreeMap<String, u64>,
    ) {
        let failed = errors.values().any(|n| *n > 0);
        if failed {
            let (mut first, mut last) = (interval.t, interval.t + interval.length);
            if let Some((f, l)) = self.told.take() {
                first = if (first..=last).contains(&f) {
                    f
                } else {
                    first
                };
                last = if (first..=last).contains(&l) { l } else { last };
            }
            let open = self.open.get_or_insert_with(|| Outage {
                store: store.to_owned(),
                first_error: first,
                last_error: last,
                first_success: None,
                length: 0.0,
                silent_seconds: 0.0,
                errors: BTreeMap::new(),
            });
            open.last_error = open.last_error.max(last);
            for (class, n) in errors {
                *open.errors.entry(class.clone()).or_default() += n;
            }
        }
        let Some(open) = &mut self.open else {
            self.told = None;
            return;
        };
        if ok == 0 {
            open.silent_seconds += interval.length;
        } else if !failed && let Some(mut done) = self.open.take() {
            done.first_success = Some(interval.t);
            done.length = (interval.t - done.first_error).max(0.0);
            self.closed.push(done);
        }
    }
}
