//! When an actor's sessions are intended: period, rate or concurrency, stages and scaling.

use super::check::{self, number, rate, span, whole};
use super::file::{ActorSpec, Jitter, LoadSpec, Stage};
use crate::document::FieldError;
use crate::human::units::Span;
use crate::kube::Cluster;
use crate::kube::actors::{DefaultArrivals, Form};
use crate::schedule::{RateProfile, Schedule, Segment, Tail};
use std::time::Duration;

/// Where an actor's fields stand, for messages.
pub(super) struct Paths {
    pub(super) prefix: String,
}

impl Paths {
    /// `actors.NAME.FIELD`.
    pub(super) fn of(&self, field: &str) -> String {
        format!("{}{field}", self.prefix)
    }
}

/// When the actor's sessions are intended.
pub(super) fn schedule(
    spec: &mut ActorSpec,
    paths: &Paths,
    cluster: &Cluster,
    load: &LoadSpec,
) -> Result<Schedule, FieldError> {
    match form(spec, paths)? {
        Form::Concurrency => {
            for (set, field) in [
                (spec.arrival.is_some(), "arrival"),
                (!spec.stages.is_empty(), "stages"),
            ] {
                if set {
                    let message = "needs a rate; remove it, or replace concurrency by a rate";
                    return Err(FieldError::at(paths.of(field), message));
                }
            }
            no_jitter(spec, paths)?;
            let n = whole(
                &paths.of("concurrency"),
                spec.concurrency.unwrap_or(1),
                1,
                100_000,
            )?;
            Ok(Schedule::Closed { concurrency: n })
        }
        Form::Period => {
            if spec.arrival.is_some() {
                let message = "needs a rate; remove it, or replace period by a rate";
                return Err(FieldError::at(paths.of("arrival"), message));
            }
            let (period, low, high) = match (spec.kind.arrivals, spec.period) {
                (DefaultArrivals::Period { every, low, high }, given) => {
                    (given.unwrap_or(Span(every)), low, high)
                }
                (_, Some(given)) => (given, 1.0, 1.0),
                (DefaultArrivals::PeriodRequired { advice }, None) => {
                    let message = format!("is missing; {advice}");
                    return Err(FieldError::at(paths.of("period"), message));
                }
                (_, None) => (Span::seconds(10), 1.0, 1.0),
            };
            spec.period = Some(period);
            let period = span(&paths.of("period"), period, Span(Duration::from_millis(1)))?;
            // A jitter that is given holds for all members, so one that is filled in must not stand for some.
            let apart = spec.kind.conduct.tail;
            let given = spec.jitter;
            let jitter = given.unwrap_or(Jitter { low, high });
            if apart.is_none() {
                spec.jitter = Some(jitter);
            }
            let (low, high) = (jitter.low, jitter.high);
            number(
                &paths.of("jitter.low"),
                low,
                low > 0.0,
                0.0,
                100.0,
                "above 0 and at most 100",
            )?;
            number(
                &paths.of("jitter.high"),
                high,
                high >= low,
                0.0,
                100.0,
                "from jitter.low to 100",
            )?;
            let tail = apart.map(|a| Tail {
                from: (a.from)(cluster),
                low: given.map_or(a.low, |j| j.low),
                high: given.map_or(a.high, |j| j.high),
            });
            let intensity = profile(spec, paths, 1.0, true, load)?;
            let members = (spec.kind.members.count)(cluster);
            let mean = members as f64 / (period.0.as_secs_f64() * (low + high) / 2.0);
            let peak = mean * intensity.max_rate();
            sane(&paths.of("period"), &spec.name, peak)?;
            Ok(Schedule::Periodic {
                period: period.nanos(),
                low,
                high,
                intensity,
                tail,
                spread: spec.kind.conduct.spread,
            })
        }
        Form::Rate => {
            no_jitter(spec, paths)?;
            let (field, each, members) = base_rate(spec, cluster);
            let base = rate(&paths.of(field), each)? * members as f64;
            let process = *spec.arrival.get_or_insert(spec.kind.conduct.process);
            let profile = profile(spec, paths, base, false, load)?;
            sane(&paths.of(field), &spec.name, profile.max_rate())?;
            Ok(Schedule::Arrivals {
                process,
                rate: profile,
            })
        }
    }
}

/// The one form in which the arrivals are given.
fn form(spec: &ActorSpec, paths: &Paths) -> Result<Form, FieldError> {
    let given = [
        (spec.period.is_some(), "period", Form::Period),
        (spec.rate.is_some(), "rate", Form::Rate),
        (spec.rate_per_node.is_some(), "ratePerNode", Form::Rate),
        (
            spec.rate_per_service.is_some(),
            "ratePerService",
            Form::Rate,
        ),
        (spec.concurrency.is_some(), "concurrency", Form::Concurrency),
    ];
    let mut given = given
        .into_iter()
        .filter(|(set, ..)| *set)
        .map(|(_, field, form)| (field, form));
    let kind = spec.kind.name;
    match (given.next(), given.next()) {
        (Some((a, _)), Some((b, _))) => {
            let message = format!(
                "cannot be combined with {a}; an actor needs exactly one of period, a rate and concurrency"
            );
            Err(FieldError::at(paths.of(b), message))
        }
        (Some((field, form)), None) if !spec.kind.forms.contains(&form) => {
            let right = match spec.kind.forms {
                [Form::Period] => "period",
                _ => "rate or concurrency",
            };
            Err(FieldError::at(
                paths.of(field),
                format!("kind {kind} does not support it; use {right}"),
            ))
        }
        (Some((_, form)), None) => Ok(form),
        (None, _) => Ok(match spec.kind.arrivals {
            DefaultArrivals::Period { .. } | DefaultArrivals::PeriodRequired { .. } => Form::Period,
            _ => Form::Rate,
        }),
    }
}

fn no_jitter(spec: &ActorSpec, paths: &Paths) -> Result<(), FieldError> {
    match spec.jitter {
        None => Ok(()),
        Some(_) => Err(FieldError::at(
            paths.of("jitter"),
            "needs a period; remove it, or give a period",
        )),
    }
}

/// Which field says the rate, its value per second, and how many times it counts.
fn base_rate(spec: &mut ActorSpec, cluster: &Cluster) -> (&'static str, f64, u64) {
    if spec.rate.is_none() && spec.rate_per_node.is_none() && spec.rate_per_service.is_none() {
        match spec.kind.arrivals {
            DefaultArrivals::Rate(r) => spec.rate = Some(r),
            DefaultArrivals::PerNode(r) => spec.rate_per_node = Some(r),
            DefaultArrivals::PerService(r) => spec.rate_per_service = Some(r),
            DefaultArrivals::Period { .. } | DefaultArrivals::PeriodRequired { .. } => {}
        }
    }
    match (spec.rate, spec.rate_per_node, spec.rate_per_service) {
        (Some(r), _, _) => ("rate", r, 1),
        (_, Some(r), _) => ("ratePerNode", r, cluster.nodes),
        (_, _, Some(r)) => ("ratePerService", r, cluster.services),
        _ => ("rate", 0.0, 1),
    }
}

/// Stages, `rateScale` and `rateRamp` as one profile. `base` is 1 for a periodic actor's intensity.
fn profile(
    spec: &ActorSpec,
    paths: &Paths,
    base: f64,
    periodic: bool,
    load: &LoadSpec,
) -> Result<RateProfile, FieldError> {
    let mut segments = Vec::with_capacity(spec.stages.len() + 1);
    let mut value = base;
    for (i, stage) in spec.stages.iter().enumerate() {
        let path = |field: &str| paths.of(&format!("stages.{i}.{field}"));
        let duration = span(
            &path("duration"),
            stage.duration,
            Span(Duration::from_millis(1)),
        )?;
        let target = target(stage, base, periodic, path)?;
        let from = if stage.ramp == Some(true) {
            value
        } else {
            target
        };
        segments.push(Segment {
            duration: duration.nanos(),
            from,
            to: target,
        });
        value = target;
    }
    let mut profile = RateProfile {
        segments,
        then: value,
    };
    if spec.kind.conduct.scales {
        let scale = load.rate_scale.unwrap_or(1.0);
        profile.then *= scale;
        for s in &mut profile.segments {
            (s.from, s.to) = (s.from * scale, s.to * scale);
        }
        if let Some(ramp) = load.rate_ramp.filter(|r| !r.0.is_zero()) {
            profile.ramp_in(ramp.nanos());
        }
    }
    Ok(profile)
}

fn target(
    stage: &Stage,
    base: f64,
    periodic: bool,
    path: impl Fn(&str) -> String,
) -> Result<f64, FieldError> {
    match (stage.rate, stage.multiplier) {
        (Some(_), None) if periodic => Err(FieldError::at(
            path("rate"),
            "the rate of a periodic actor follows from its period; use multiplier",
        )),
        (Some(r), None) => number(
            &path("rate"),
            r,
            true,
            0.0,
            check::MAX_RATE,
            "from 0 to 10,000,000 per second",
        ),
        (None, Some(m)) => Ok(base
            * number(
                &path("multiplier"),
                m,
                true,
                0.0,
                1e6,
                "from 0 to 1,000,000",
            )?),
        (Some(_), Some(_)) => Err(FieldError::at(
            path("rate"),
            "cannot be combined with multiplier; remove one of them",
        )),
        (None, None) => Err(FieldError::at(
            path("multiplier"),
            "is missing; give a stage a rate or a multiplier",
        )),
    }
}

fn sane(path: &str, name: &str, rate: f64) -> Result<(), FieldError> {
    if rate.is_finite() && rate <= check::MAX_RATE {
        return Ok(());
    }
    let message =
        format!("actor {name:?} would send {rate:.0} requests/s; the maximum is 10,000,000/s");
    Err(FieldError::at(path, message))
}
