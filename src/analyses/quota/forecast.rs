//! When a plan's writes fill a store: (Q − used) / (r × b), with the plan's own objects, rates and expiries.

use crate::engine::writes::{ActorWrites, WriteSample, populated, writes};
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

/// A plan whose growth is not known beforehand.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ForecastError {
    #[error(
        "the workload writes in a closed loop, as fast as etcd answers, so there is no forecast; give its actors \
         a rate"
    )]
    ClosedLoop,
}

/// What a plan writes into a store, over time.
#[derive(Clone, Debug)]
pub(super) struct Forecast {
    /// Bytes of the file that populate takes, by the model.
    pub(super) populated: f64,
    sources: Vec<ActorWrites>,
}

/// What the first seconds of the load write.
#[derive(Clone, Debug, Default)]
pub(super) struct WriteMix {
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

impl WriteMix {
    /// By how much the file grows.
    pub(super) fn bytes(&self) -> f64 {
        self.revisions * self.each
    }
}

impl Forecast {
    /// # Errors
    /// The plan has a closed loop: it writes as fast as etcd answers.
    pub(super) fn of(plan: &Plan, store: usize) -> Result<Self, ForecastError> {
        let sources = writes(plan, store);
        if sources
            .iter()
            .any(|s| s.each(0).is_none() && !s.samples.is_empty())
        {
            return Err(ForecastError::ClosedLoop);
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
    pub(super) fn load(&self, seconds: f64) -> WriteMix {
        let mut load = WriteMix::default();
        let (mut made, mut gone) = (Vec::new(), 0.0);
        for source in &self.sources {
            let each = source.each(nanos(seconds)).unwrap_or(0.0);
            for w in &source.samples {
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
        let lives = self.sources.iter().flat_map(|s| &s.samples);
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

fn put(w: &WriteSample) -> u64 {
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
mod tests;
