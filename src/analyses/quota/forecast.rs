//! When a plan's writes fill a store: (Q − used) / (r × b), with the plan's own objects, rates and expiries.

use crate::engine::writes::{Writes, Written, populated, writes};
use crate::measure::quota_model::{Put, Share, bytes_per_revision, delete_size, put_size};
use crate::workload::Plan;

/// Numbers that decide some bytes of an element: a revision of five digits, an etcd lease's id of 63 bits.
const REVISION: i64 = 50_000;
const LEASE: i64 = i64::MAX;
/// Populate's writes come so fast that each commit of etcd's backend is full.
const POPULATE_RATE: f64 = 1e6;
/// No forecast looks further, seconds.
const HORIZON: f64 = 30.0 * 86_400.0;
/// Halvings of the time that is looked for: the horizon to less than a millisecond.
const HALVINGS: usize = 40;

/// What a plan writes into a store, over time.
#[derive(Clone, Debug)]
pub(super) struct Forecast {
    /// Bytes of the file that populate takes, by the model.
    pub(super) populated: f64,
    sources: Vec<Writes>,
}

/// What the first seconds of the load write.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    /// Elements: puts, and the tombstones of what has expired.
    mix: Vec<Share>,
    /// Revisions, and those of them that are puts.
    pub(super) revisions: f64,
    pub(super) puts: f64,
    /// Bytes of the file that one of them takes, at this mix and rate: b.
    pub(super) each: f64,
    /// Keys that were created and have not expired, in bytes of the file.
    pub(super) alive: f64,
}

impl Load {
    /// By how much the file grows.
    pub(super) fn bytes(&self) -> f64 {
        self.revisions * self.each
    }
}

impl Forecast {
    /// # Errors
    /// In words, when the plan has a closed loop: it writes as fast as etcd answers.
    pub(super) fn of(plan: &Plan, store: usize) -> Result<Self, String> {
        let sources = writes(plan, store);
        if sources
            .iter()
            .any(|s| s.each(0).is_none() && !s.written.is_empty())
        {
            return Err(
                "the workload writes in a closed loop, as fast as etcd answers, so there is no forecast; give \
                 its actors a rate"
                    .to_owned(),
            );
        }
        let there: Vec<Share> = populated(plan, store)
            .iter()
            .map(|(n, w)| share(*n as f64, put(w)))
            .collect();
        let keys: f64 = there.iter().map(|s| s.weight).sum();
        Ok(Forecast {
            populated: keys * bytes_per_revision(&there, POPULATE_RATE),
            sources,
        })
    }

    /// What the first `seconds` of the load write.
    pub(super) fn load(&self, seconds: f64) -> Load {
        let mut load = Load::default();
        let (mut made, mut gone) = (Vec::new(), 0.0);
        for source in &self.sources {
            let each = source.each(nanos(seconds)).unwrap_or(0.0);
            for w in &source.written {
                load.mix.push(share(each, put(w)));
                load.puts += each;
                let expired = w.ttl.map_or(0.0, |ttl| {
                    source.each(nanos(seconds - ttl as f64)).unwrap_or(0.0)
                });
                if expired > 0.0 && w.create {
                    load.mix.push(share(expired, delete_size(w.key)));
                    gone += expired;
                }
                if w.create {
                    made.push(share(each, put(w)));
                }
            }
        }
        load.revisions = load.mix.iter().map(|s| s.weight).sum();
        load.each = bytes_per_revision(&load.mix, load.revisions / seconds.max(1e-9));
        let created: f64 = made.iter().map(|s| s.weight).sum();
        let of_new = bytes_per_revision(&made, created / seconds.max(1e-9));
        load.alive = (created - gone).max(0.0) * of_new;
        load
    }

    /// Seconds of load after which the file has grown by `bytes`; none within 30 days.
    pub(super) fn time_to(&self, bytes: f64) -> Option<f64> {
        let (mut low, mut high) = (0.0, 1.0);
        while self.load(high).bytes() < bytes {
            low = high;
            high *= 2.0;
            if high > HORIZON {
                return None;
            }
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.load(middle).bytes() < bytes {
                low = middle;
            } else {
                high = middle;
            }
            if high - low < 1e-3 {
                break;
            }
        }
        Some(high)
    }

    /// The rate of this mix at which kube-apiserver's compactor can no longer keep the file under `quota`, puts per
    /// second. Its rounds come every `interval`, seconds, and between one and two of them stay, so at s times the
    /// plan's rate the file has at the most what populate left + s × (what is alive of what was created + the
    /// elements of two intervals).
    pub(super) fn critical_rate(&self, quota: f64, interval: f64) -> Option<f64> {
        let window = 2.0 * interval;
        let history = self.load(window);
        let lives = self.sources.iter().flat_map(|s| &s.written);
        let longest = lives.filter_map(|w| w.ttl).max().unwrap_or(0) as f64;
        let alive = self.load(window.max(longest)).alive;
        let (room, mut times, mut each) = (quota - self.populated, 0.0, history.each);
        // At another rate pages are filled otherwise: each round comes nearer.
        for _ in 0..4 {
            let all = (alive / history.each + history.revisions) * each;
            if all <= 0.0 || !all.is_finite() {
                return None;
            }
            times = room.max(0.0) / all;
            each = bytes_per_revision(&history.mix, times * history.revisions / window);
        }
        Some(times * history.puts / window)
    }
}

fn nanos(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e9) as u64
}

fn share(weight: f64, size: u64) -> Share {
    Share { weight, size }
}

fn put(w: &Written) -> u64 {
    put_size(&Put {
        key: w.key,
        value: w.value,
        create_revision: REVISION,
        mod_revision: REVISION,
        version: if w.create { 1 } else { 2 },
        lease: if w.ttl.is_some() { LEASE } else { 0 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Control;
    use crate::target::Target;
    use crate::workload::{Overrides, RunSettings, Source};

    /// The workload `events` with changes.
    fn plan(changes: &[(&str, &str)]) -> Plan {
        let mut overrides = Overrides::default();
        for (path, value) in changes {
            overrides.push(format!("--set {path}={value}"), *path, *value);
        }
        let resolved = Source::load("events").unwrap().resolve(&overrides);
        let settings = RunSettings {
            run_id: "x".to_owned(),
            prefix: "/registry-etcdmark/x".to_owned(),
            epoch: 1_700_000_000_000_000_000,
            keep_data: false,
            verify: false,
            guards: Vec::new(),
            allow_live_cluster: false,
            control: Control::default(),
        };
        let target = Target::plain(vec!["http://127.0.0.1:1".to_owned()]);
        resolved.unwrap().into_plan(vec![target], settings).unwrap()
    }

    fn close(a: f64, b: f64) -> bool {
        (a / b - 1.0).abs() < 0.01
    }

    #[test]
    fn time_is_what_is_left_divided_by_rate_and_bytes() {
        let forecast = Forecast::of(&plan(&[("actors.events.rate", "1000")]), 0).unwrap();
        let load = forecast.load(10.0);
        assert!(close(load.revisions, 10_000.0), "{load:?}");
        // An Event of some 900 B and its key (docs/guide/quota.md has the measured bytes).
        assert!((900.0..1300.0).contains(&load.each), "{load:?}");
        let t = forecast.time_to(64e6).unwrap();
        assert!(close(t, 64e6 / (1000.0 * load.each)), "{t}");
        // Nothing is populated, and everything lives for an hour.
        assert_eq!(forecast.populated, 0.0);
        assert!(forecast.time_to(f64::INFINITY).is_none());
    }

    #[test]
    fn events_that_expire_leave_tombstones() {
        let of = |ttl| {
            let changes = [("actors.events.rate", "1000"), ("actors.events.ttl", ttl)];
            Forecast::of(&plan(&changes), 0).unwrap()
        };
        let (long, short) = (of("1h").load(100.0), of("10s").load(100.0));
        // 90 of the 100 seconds' creates are gone; a tenth of the arrivals are updates and leave none of their own.
        let tombstones = short.revisions - long.revisions;
        assert!((75_000.0..=90_000.0).contains(&tombstones), "{tombstones}");
        let each = (short.bytes() - long.bytes()) / tombstones;
        assert!((100.0..250.0).contains(&each), "{each}");
    }

    #[test]
    fn a_stage_without_load_is_waited_through() {
        let changes = [
            ("actors.events.rate", "1000"),
            ("actors.events.stages", "[{duration: 20s, multiplier: 0}]"),
        ];
        let later = Forecast::of(&plan(&changes), 0).unwrap();
        let now = Forecast::of(&plan(&changes[..1]), 0).unwrap();
        let (later, now) = (later.time_to(32e6), now.time_to(32e6));
        // After its stages a profile goes on as the last one: never, then.
        assert!(now.is_some() && later.is_none(), "{later:?}");
    }

    #[test]
    fn the_critical_rate_counts_what_is_alive_and_what_two_intervals_wrote() {
        let of = |ttl| {
            let changes = [("actors.events.rate", "1000"), ("actors.events.ttl", ttl)];
            Forecast::of(&plan(&changes), 0).unwrap()
        };
        // Events that live for an hour and a minute: ten minutes of history beside 61 of living ones. A tenth of the
        // arrivals are updates, which add to history only.
        let forecast = of("1h");
        let rate = forecast.critical_rate(2e9, 300.0).unwrap();
        let each = forecast.load(600.0).each;
        let by_hand = 2e9 / (each * (600.0 + 0.9 * 3660.0));
        assert!((rate / by_hand - 1.0).abs() < 0.05, "{rate}, {by_hand}");
        // Short-lived ones leave room, but for their tombstones.
        let short = of("10s").critical_rate(2e9, 300.0).unwrap();
        assert!(
            short > 4.0 * rate && short < 2e9 / (600.0 * each),
            "{short}"
        );
        assert_eq!(forecast.critical_rate(0.0, 300.0), Some(0.0));
    }

    #[test]
    fn a_closed_loop_has_no_forecast() {
        let changes = [("actors.events.concurrency", "4"), ("primary", "[]")];
        let refused = Forecast::of(&plan(&changes), 0).unwrap_err();
        assert!(refused.contains("closed loop"), "{refused}");
    }
}
