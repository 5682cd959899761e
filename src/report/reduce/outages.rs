//! Times in which etcd failed attempts, per store.

use crate::report::event::{FailureEvent, Interval};
use crate::report::result::Outage;
use crate::rpc::errors::is_of_the_data;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub(super) struct Outages {
    store_of: BTreeMap<String, String>,
    stores: BTreeMap<String, PerStore>,
    /// The last interval, all phases together: two of them end in the second in which a phase does.
    last: Option<Interval>,
}

#[derive(Clone, Debug, Default)]
struct PerStore {
    open: Option<Outage>,
    /// The first failure that was told since the last interval that is judged: finer than a second.
    told: Option<f64>,
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
        if is_of_the_data(&failure.error) {
            return;
        }
        let told = &mut self.stores.entry(store.clone()).or_default().told;
        *told = Some(told.map_or(failure.t, |first| first.min(failure.t)));
    }

    pub(super) fn interval(&mut self, interval: &Interval) {
        match &mut self.last {
            Some(last) if last.t == interval.t => {
                for (class, counts) in &interval.classes {
                    last.classes.entry(class.clone()).or_default().add(counts);
                }
            }
            last => {
                let before = last.replace(interval.clone());
                before.iter().for_each(|before| self.judge(before));
            }
        }
    }

    fn judge(&mut self, interval: &Interval) {
        let mut seconds: BTreeMap<&str, (u64, BTreeMap<String, u64>)> = BTreeMap::new();
        for (class, counts) in &interval.classes {
            let Some(store) = self.store_of.get(class) else {
                continue;
            };
            let second = seconds.entry(store.as_str()).or_default();
            second.0 += counts.ok;
            let errors = counts.errors.iter();
            for (error, e) in errors.filter(|(name, _)| !is_of_the_data(name)) {
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
        let mut settled = self.clone();
        let last = settled.last.take();
        last.iter().for_each(|last| settled.judge(last));
        let mut all: Vec<Outage> = Vec::new();
        for store in settled.stores.values() {
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
        let last = interval.t + interval.length;
        let told = self.told.take_if(|t| *t <= last);
        if failed {
            let first = told.filter(|t| *t >= interval.t).unwrap_or(interval.t);
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
