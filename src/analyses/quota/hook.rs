//! Sees to one filling: forecasts before it and on the way, notes what the full etcd answers, recovers it, and lets
//! the trial end.

use super::forecast::Forecast;
use super::matrix;
use super::record::{ForecastPoint, Record, ResponseCounts};
use super::recovery::{Recovery, recover};
use super::renewals::Renewals;
use crate::clock::{self, Nanos};
use crate::control::Control;
use crate::experiment::plan::Fill;
use crate::experiment::play::hook::{HookError, TrialHook};
use crate::experiment::play::testbed::Testbed;
use crate::human::numbers::{bytes, rate, seconds};
use crate::report::event::{Interval, PhaseEvent, ServerSample};
use crate::report::{Event, Phase, RunResult};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// etcd's word for a write that finds no space, as `rpc/errors.rs` calls it.
const NO_SPACE: &str = "no-space";
/// At this share of the way to full the growth that was seen tells the rest.
const SECOND_FORECAST: f64 = 0.25;
/// A recovery that takes longer than this has failed.
const RECOVERED_WITHIN: Duration = Duration::from_secs(900);

/// What is said when nothing is left to write.
const NEVER: &str = "never full";

/// Sees to one filling.
#[derive(Debug)]
pub(super) struct QuotaHook {
    record: Record,
    forecast: Forecast,
    fill: Fill,
    control: Control,
    renewals: Renewals,
    /// When the load began, in the stream's seconds and on the clock.
    begun: Option<(f64, Nanos)>,
    /// Size of the file as last sampled.
    size: f64,
    recovery: Option<Arc<Mutex<Recovery>>>,
    /// Steps of it that were told already.
    told: usize,
    /// Why the etcd is no more.
    died: Option<String>,
}

impl TrialHook for QuotaHook {
    fn before(&mut self) -> Vec<String> {
        let quota = self.record.quota as f64;
        let used = self.forecast.populated;
        let full_at = self.forecast.time_to(quota - used);
        let said = self.keep_forecast("before anything", 0.0, used, full_at);
        let critical = self.record.critical_rate.map_or(String::new(), |r| {
            format!(
                "; with kube-apiserver's compactor every {}, it never becomes full below {}/s of this mix",
                seconds(self.record.interval),
                rate(r)
            )
        });
        vec![format!("{said}{critical}")]
    }

    fn event(&mut self, testbed: &Testbed, event: &Event) -> Vec<String> {
        match event {
            Event::Phase(phase) => self.phase(phase),
            Event::Server(sample) => self.sample(sample),
            Event::Failure(failure) if failure.error == NO_SPACE => self.full(failure.t),
            Event::Intended(row) => {
                if let Some((begun, _)) = self.begun {
                    self.renewals.intended(row, row.t - begun);
                }
                Vec::new()
            }
            Event::Interval(interval) => self.second(testbed, interval),
            _ => Vec::new(),
        }
    }

    fn after(
        mut self: Box<Self>,
        testbed: &Testbed,
        _result: &RunResult,
    ) -> Result<Option<serde_json::Value>, HookError> {
        if let Some(reason) = self.died.take() {
            return Err(HookError::EtcdEnded(reason));
        }
        if self.needs_recovery(testbed) {
            self.recover(testbed);
        }
        let record = &mut self.record;
        if let Some(recovery) = &self.recovery {
            let done = recovery
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            record.recovery = done.steps;
            record.not_recovered = match done.ended {
                true => done.error,
                false => Some("it was not complete when the trial ended".to_owned()),
            };
        }
        if let Some(full_at) = record.full_at {
            record.quarters = self.renewals.quarters(full_at);
            record.lease_impact = self.renewals.lease_impact(record.nodes, &record.kubernetes);
        }
        let etcd = testbed.etcds().next().map(|(_, etcd)| etcd);
        if let Some(etcd) = etcd.filter(|e| e.members().len() == 1)
            && record.full_at.is_some()
            && record.not_recovered.is_none()
        {
            let quota = record.quota.unsigned_abs();
            let checked = testbed.block_on(async {
                tokio::select! {
                    checked = matrix::check(etcd, quota) => Some(checked),
                    () = self.control.until_interrupted() => None,
                }
            });
            match checked.ok_or(HookError::Interrupted)? {
                Ok(checked) => (record.matrix, record.at_full) = checked,
                Err(e) => record.not_checked = Some(e.to_string()),
            }
        }
        Ok(Some(serde_json::to_value(&self.record)?))
    }

    fn abort(mut self: Box<Self>, testbed: &Testbed) -> Vec<String> {
        if !self.needs_recovery(testbed) {
            return Vec::new();
        }
        match self.recover(testbed) {
            None => vec![
                "etcd was full and was recovered: compacted, defragmented, disarmed".to_owned(),
            ],
            Some(reason) => vec![format!(
                "etcd is full and could not be recovered ({reason}); run: etcdctl compact --physical REVISION; \
                 etcdctl defrag; etcdctl alarm disarm"
            )],
        }
    }
}

impl QuotaHook {
    pub(super) fn new(record: Record, forecast: Forecast, fill: Fill, control: Control) -> Self {
        QuotaHook {
            record,
            forecast,
            fill,
            control,
            renewals: Renewals::default(),
            begun: None,
            size: 0.0,
            recovery: None,
            told: 0,
            died: None,
        }
    }

    /// It is full, it stays when the trial is over, and nobody has recovered it.
    fn needs_recovery(&self, testbed: &Testbed) -> bool {
        let ended = self.recovery.as_ref().is_some_and(|r| {
            let recovery = r.lock().unwrap_or_else(PoisonError::into_inner);
            recovery.ended && recovery.error.is_none()
        });
        self.record.full_at.is_some() && !ended && testbed.etcds().next().is_none()
    }

    /// Recovers it without load; why that failed, if so.
    fn recover(&mut self, testbed: &Testbed) -> Option<String> {
        let target = testbed.targets().into_iter().next()?;
        let recovery = Arc::new(Mutex::new(Recovery::default()));
        self.recovery = Some(Arc::clone(&recovery));
        let start = self.begun.map_or(0, |(_, begun)| begun);
        testbed.block_on(recover(target, start, Arc::clone(&recovery)));
        let recovery = recovery.lock().unwrap_or_else(PoisonError::into_inner);
        recovery.error.clone()
    }

    fn phase(&mut self, phase: &PhaseEvent) -> Vec<String> {
        if self.begun.is_some() || !matches!(phase.phase, Phase::Warmup | Phase::Measure) {
            return Vec::new();
        }
        self.begun = Some((phase.t, clock::now()));
        self.record.used = self.size;
        let full_at = self.forecast.time_to(self.record.quota as f64 - self.size);
        vec![self.keep_forecast("before the load", 0.0, self.size, full_at)]
    }

    fn sample(&mut self, sample: &ServerSample) -> Vec<String> {
        let value = |name: &str| sample.values.get(name).copied();
        let Some(size) = value("db.size") else {
            return Vec::new();
        };
        self.size = size;
        let Some((begun, _)) = self.begun else {
            return Vec::new();
        };
        if self.record.full_at.is_some() {
            if self.recovery.is_none() {
                self.record.at_once.get_or_insert(size);
                self.record.largest = self.record.largest.max(size);
                self.record.rss = value("process.rss").unwrap_or(self.record.rss);
            }
            return Vec::new();
        }
        let (quota, used, t) = (self.record.quota as f64, self.record.used, sample.t - begun);
        let early = self.record.forecasts.len() > 2;
        if early || t <= 0.0 || size - used < SECOND_FORECAST * (quota - used) {
            return Vec::new();
        }
        let full_at = t + (quota - size) / ((size - used) / t);
        vec![self.keep_forecast("at 25 %", t, size, Some(full_at))]
    }

    fn full(&mut self, t: f64) -> Vec<String> {
        let Some((begun, _)) = self.begun.filter(|_| self.record.full_at.is_none()) else {
            return Vec::new();
        };
        let full_at = t - begun;
        self.record.full_at = Some(full_at);
        let off = self.record.forecasts.iter().rev().find_map(|f| f.full_at);
        let off = off.map_or(String::new(), |p| {
            format!(" (last forecast: {})", seconds(p))
        });
        vec![format!(
            "full after {} of load{off}: etcd answers writes with \"database space exceeded\"",
            seconds(full_at)
        )]
    }

    /// An interval of the load.
    fn second(&mut self, testbed: &Testbed, interval: &Interval) -> Vec<String> {
        let Some((begun, clock_begun)) = self.begun else {
            return Vec::new();
        };
        if let Some(dead) = testbed.etcds().find_map(|(_, etcd)| etcd.check().err()) {
            // Nothing that comes now speaks of a full etcd.
            self.control.drain();
            return match self.died.replace(dead.to_string()) {
                None => vec![format!("etcd has ended: {dead}")],
                Some(_) => Vec::new(),
            };
        }
        let (from, to) = (interval.t - begun, interval.t - begun + interval.length);
        self.renewals.second(interval, from, to);
        let Some(full_at) = self.record.full_at else {
            return Vec::new();
        };
        let Some(recovery) = self.recovery.clone() else {
            if from >= full_at {
                self.answers(interval);
            }
            if to < full_at + self.fill.hold {
                return Vec::new();
            }
            let recovery = Arc::new(Mutex::new(Recovery::default()));
            self.recovery = Some(Arc::clone(&recovery));
            let Some(target) = testbed.targets().into_iter().next() else {
                return Vec::new();
            };
            drop(testbed.spawn(recover(target, clock_begun, recovery)));
            return vec!["recovery: compact, defragment, disarm".to_owned()];
        };
        let Recovery {
            steps,
            ended,
            error,
        } = recovery
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut notes: Vec<String> = steps[self.told.min(steps.len())..]
            .iter()
            .map(|s| {
                format!(
                    "{} took {}, blocked reads for up to {}; the file has {}",
                    s.name,
                    seconds(s.took),
                    seconds(s.reads_stood),
                    bytes(s.size as f64)
                )
            })
            .collect();
        self.told = steps.len();
        let recovered = steps.last().map_or(0.0, |s| s.at + s.took);
        if ended && error.is_none() && from >= recovered && self.record.writable_at.is_none() {
            let failed = interval
                .classes
                .values()
                .any(|c| c.errors.contains_key(NO_SPACE));
            if !failed {
                self.record.writable_at = Some(from);
                notes.push("writes no longer fail with \"no space\"".to_owned());
            }
        }
        let overdue = to > full_at + self.fill.hold + RECOVERED_WITHIN.as_secs_f64();
        let since = self.record.writable_at.map_or(0.0, |t| to - t);
        if overdue || error.is_some() || since >= self.fill.after {
            self.control.drain();
        }
        notes
    }

    /// What was answered in a second in which etcd was full throughout.
    fn answers(&mut self, interval: &Interval) {
        for (class, counts) in &interval.classes {
            let into: &mut ResponseCounts =
                self.record.while_full.entry(class.clone()).or_default();
            into.ok += counts.ok;
            for (name, error) in &counts.errors {
                match name.as_str() {
                    NO_SPACE => into.no_space += error.count,
                    _ => *into.other.entry(name.clone()).or_default() += error.count,
                }
            }
        }
    }

    /// Keeps a forecast, and says it.
    ///
    /// `at` is when, seconds since the load began.
    fn keep_forecast(&mut self, when: &str, at: f64, used: f64, full_at: Option<f64>) -> String {
        let quota = self.record.quota as f64;
        let growth = full_at.map_or(0.0, |t| (quota - used) / (t - at).max(1e-9));
        self.record.forecasts.push(ForecastPoint {
            when: when.to_owned(),
            used,
            growth,
            full_at,
        });
        let Some(t) = full_at else {
            return format!(
                "{NEVER}: the workload does not grow the file to {}",
                bytes(quota)
            );
        };
        format!(
            "forecast {when}: full {} after the load begins; quota {}, {} used, {}/s of growth",
            seconds(t),
            bytes(quota),
            bytes(used),
            bytes(growth)
        )
    }
}
