//! Times in which etcd failed attempts, or could not be reached at all, per store.

use crate::report::event::{Counts, FailureEvent, Interval, MemberEvent, StoreInfo};
use crate::report::result::Outage;
use crate::rpc::errors::{asks_for_token, is_of_the_data};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Endpoints in use; 0 = not known.
    endpoints: usize,
    down: BTreeSet<String>,
    /// Since when no operation has succeeded, by whole intervals; none = one did in the last.
    quiet: Option<f64>,
    /// The same, while requests wait for an answer.
    waiting: Option<f64>,
    /// Times without any member, with the reason of the last one that went: requests then wait instead of failing.
    dark: Vec<Dark>,
}

#[derive(Clone, Debug)]
struct Dark {
    from: f64,
    until: f64,
    reason: String,
}

impl Outages {
    /// Which class goes to which store.
    pub(super) fn route(&mut self, classes: impl Iterator<Item = (String, String)>) {
        self.store_of = classes.collect();
    }

    /// How many members each store has.
    pub(super) fn members(&mut self, stores: &[StoreInfo]) {
        for store in stores {
            self.stores.entry(store.name.clone()).or_default().endpoints = store.members.len();
        }
    }

    pub(super) fn member(&mut self, event: &MemberEvent) {
        let store = self.stores.entry(event.store.clone()).or_default();
        let dark = store.endpoints > 0 && store.down.len() >= store.endpoints;
        if event.up {
            store.down.remove(&event.endpoint);
            if let Some(last) = store.dark.last_mut().filter(|_| dark) {
                last.until = event.t;
            }
            return;
        }
        store.down.insert(event.endpoint.clone());
        if !dark && store.endpoints > 0 && store.down.len() >= store.endpoints {
            store.dark.push(Dark {
                // One that hangs is noticed late.
                from: event.t - event.silent,
                until: f64::INFINITY,
                reason: event.reason.clone(),
            });
        }
    }

    pub(super) fn failure(&mut self, failure: &FailureEvent) {
        let Some(store) = self.store_of.get(&failure.class) else {
            return;
        };
        if is_of_the_data(&failure.error) || asks_for_token(&failure.error) {
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
            for (error, e) in errors.filter(|(name, _)| is_an_outage(name, counts)) {
                *second.1.entry(error.clone()).or_default() += e.count;
            }
        }
        for (name, store) in &mut self.stores {
            match seconds.remove(name.as_str()) {
                Some((ok, errors)) => store.second(name, interval, ok, &errors),
                None if store.dark_in(interval).is_none() => {}
                None => store.second(name, interval, 0, &BTreeMap::new()),
            }
        }
        for (name, (ok, errors)) in seconds {
            let store = self.stores.entry(name.to_owned()).or_default();
            store.second(name, interval, ok, &errors);
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

/// A lost CAS is none, nor is a token that was renewed: the operation then succeeded.
fn is_an_outage(error: &str, counts: &Counts) -> bool {
    !is_of_the_data(error) && (counts.failed > 0 || !asks_for_token(error))
}

impl PerStore {
    fn dark_in(&self, interval: &Interval) -> Option<&Dark> {
        let end = interval.t + interval.length;
        let meets = |d: &&Dark| d.from < end && d.until > interval.t;
        self.dark.iter().find(meets)
    }

    fn second(
        &mut self,
        store: &str,
        interval: &Interval,
        ok: u64,
        errors: &BTreeMap<String, u64>,
    ) {
        let last = interval.t + interval.length;
        let dark = self.dark_in(interval).cloned();
        let failed = dark.is_some() || errors.values().any(|n| *n > 0);
        let told = self.told.take_if(|t| *t <= last);
        let quiet = self.quiet.filter(|_| ok == 0).unwrap_or(interval.t);
        self.quiet = (ok == 0).then_some(quiet);
        let waits = ok == 0 && interval.in_flight + interval.queued > 0;
        let waited = self.waiting;
        self.waiting = waits.then(|| waited.unwrap_or(interval.t));
        let told = told
            .into_iter()
            .chain(dark.as_ref().map(|d| d.from))
            .reduce(f64::min);
        if failed {
            let begins = self.open.is_none();
            let first = told.filter(|t| *t >= interval.t).unwrap_or(interval.t);
            let open = self.open.get_or_insert_with(|| Outage {
                store: store.to_owned(),
                first_error: first,
                last_error: last,
                first_success: None,
                length: 0.0,
                silent_seconds: 0.0,
                errors: BTreeMap::new(),
                unreachable: None,
            });
            if let Some(dark) = dark.as_ref().filter(|d| d.from < open.first_error) {
                open.silent_seconds += (open.first_error - dark.from.max(quiet)).max(0.0);
                open.first_error = dark.from;
            }
            // What waits has no error until its connection breaks.
            if let Some(since) = waited.filter(|t| begins && dark.is_none() && *t < interval.t) {
                open.silent_seconds += interval.t - since;
                open.first_error = since;
            }
            open.unreachable = open.unreachable.take().or(dark.map(|d| d.reason));
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
