//! The grammar of thresholds (`node-lease/update: p99 < 1s`) and primary metrics (`node-lease/update:p99`).

use super::plan::{Operator, Threshold, ThresholdMetric};
use crate::document::FieldError;
use crate::document::{hint, nearest};
use crate::human::units::Span;
use crate::kube::OpClass;

const EXAMPLE: &str = "node-lease/update: p99 < 1s";
const METRICS: &str = "p50 to p99.99, max, mean, missed, errors, achieved, rate";
const NAMES: [&str; 6] = ["max", "mean", "missed", "errors", "achieved", "rate"];

/// Op classes of the load, each with whether it is closed-loop.
pub(super) type LoadClasses = [(OpClass, bool)];

/// One threshold; `path` is where it stands.
pub(super) fn threshold(
    path: &str,
    text: &str,
    sent: &LoadClasses,
) -> Result<Threshold, FieldError> {
    let error = |m: String| FieldError::at(path, format!("{text:?}: {m}"));
    let shape = || {
        error(format!(
            "expected CLASS: METRIC < VALUE, such as {EXAMPLE:?}"
        ))
    };
    let (class, rest) = text.split_once(':').ok_or_else(shape)?;
    let at = rest.find(['<', '>']).ok_or_else(shape)?;
    let (metric, rest) = rest.split_at(at);
    let (comparison, value) = [
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ]
    .into_iter()
    .find_map(|(sign, c)| rest.strip_prefix(sign).map(|v| (c, v.trim())))
    .ok_or_else(shape)?;
    let (class, metric) = subject(class.trim(), metric.trim(), sent).map_err(error)?;
    let value = figure(metric, value).map_err(error)?;
    Ok(Threshold {
        expression: text.to_owned(),
        class,
        metric,
        comparison,
        value,
    })
}

/// One primary metric, checked.
pub(super) fn primary(path: &str, text: &str, sent: &LoadClasses) -> Result<(), FieldError> {
    let error = |m: String| FieldError::at(path, format!("{text:?}: {m}"));
    let (class, metric) = text.split_once(':').ok_or_else(|| {
        error("expected CLASS:METRIC, such as \"node-lease/update:p99\"".to_owned())
    })?;
    // Often the file's, and in the way of a flag that changed an actor.
    let remedy = |m| error(format!("{m}; to compare nothing: --set primary=[]"));
    subject(class.trim(), metric.trim(), sent)
        .map_err(remedy)
        .map(drop)
}

/// An op class by name, known or refused with the nearest.
pub(super) fn op_class(name: &str) -> Result<OpClass, String> {
    OpClass::by_name(name).ok_or_else(|| {
        let names: Vec<&str> = OpClass::ALL.iter().map(|c| c.name()).collect();
        format!("{name:?} is not an op class{}", hint(name, &names))
    })
}

fn subject(
    class: &str,
    metric: &str,
    sent: &LoadClasses,
) -> Result<(Option<OpClass>, ThresholdMetric), String> {
    let class = if class == "all" {
        None
    } else {
        Some(op_class(class)?)
    };
    let metric = metric_of(metric)?;
    let closed = match class {
        None => !sent.is_empty() && sent.iter().all(|(_, closed)| *closed),
        Some(c) => match sent.iter().find(|(s, _)| *s == c) {
            Some((_, closed)) => *closed,
            None => {
                let names: Vec<&str> = sent.iter().map(|(c, _)| c.name()).collect();
                return Err(format!(
                    "no actor sends {}; the workload sends: all, {}",
                    c.name(),
                    names.join(", ")
                ));
            }
        },
    };
    let without_response = matches!(
        metric,
        ThresholdMetric::ErrorShare | ThresholdMetric::AchievedRate
    );
    if closed && !without_response {
        return Err(
            "a closed loop has no response time; use errors or rate, or make the actor open-loop with a rate"
                .to_owned(),
        );
    }
    Ok((class, metric))
}

fn metric_of(name: &str) -> Result<ThresholdMetric, String> {
    let percentile = name
        .strip_prefix('p')
        .and_then(|p| p.parse::<f64>().ok())
        .filter(|p| *p > 0.0 && *p < 100.0);
    Ok(match name {
        "max" => ThresholdMetric::Max,
        "mean" => ThresholdMetric::Mean,
        "missed" => ThresholdMetric::MissShare,
        "errors" => ThresholdMetric::ErrorShare,
        "achieved" => ThresholdMetric::AchievedShare,
        "rate" => ThresholdMetric::AchievedRate,
        _ => match percentile {
            Some(p) => ThresholdMetric::Percentile(p),
            None => {
                let meant = nearest(name, NAMES)
                    .map_or(String::new(), |n| format!("; did you mean {n:?}?"));
                return Err(format!(
                    "{name:?} is not a metric{meant} (metrics: {METRICS})"
                ));
            }
        },
    })
}

/// Seconds, a share from 0 to 1, or a number per second.
fn figure(metric: ThresholdMetric, text: &str) -> Result<f64, String> {
    let number = |s: &str| {
        s.trim()
            .parse::<f64>()
            .ok()
            .filter(|n| n.is_finite() && *n >= 0.0)
    };
    match metric {
        ThresholdMetric::Percentile(_) | ThresholdMetric::Max | ThresholdMetric::Mean => {
            Span::parse(text).map(|s| s.0.as_secs_f64())
        }
        ThresholdMetric::MissShare
        | ThresholdMetric::ErrorShare
        | ThresholdMetric::AchievedShare => {
            let share = match text.strip_suffix('%') {
                Some(percent) => number(percent).map(|n| n / 100.0),
                None => number(text),
            };
            share
                .filter(|s| *s <= 1.0)
                .ok_or_else(|| format!("{text:?} is not a share; use 0% to 100%, or 0 to 1"))
        }
        ThresholdMetric::AchievedRate => {
            let per_second = text.strip_suffix("/s").unwrap_or(text);
            number(per_second).ok_or_else(|| {
                format!("{text:?} is not a rate; use a number per second, such as 100/s")
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &LoadClasses = &[
        (OpClass::NodeLeaseUpdate, false),
        (OpClass::EventCreate, true),
    ];

    #[test]
    fn thresholds_read() {
        for (text, class, metric, comparison, value) in [
            (
                EXAMPLE,
                Some(OpClass::NodeLeaseUpdate),
                ThresholdMetric::Percentile(99.0),
                Operator::Less,
                1.0,
            ),
            (
                "all: missed <= 1%",
                None,
                ThresholdMetric::MissShare,
                Operator::LessOrEqual,
                0.01,
            ),
            (
                "all:achieved>=0.99",
                None,
                ThresholdMetric::AchievedShare,
                Operator::GreaterOrEqual,
                0.99,
            ),
            (
                "all: rate > 100/s",
                None,
                ThresholdMetric::AchievedRate,
                Operator::Greater,
                100.0,
            ),
            (
                "all: p99.99 < 250ms",
                None,
                ThresholdMetric::Percentile(99.99),
                Operator::Less,
                0.25,
            ),
            (
                "event/create: errors < 1%",
                Some(OpClass::EventCreate),
                ThresholdMetric::ErrorShare,
                Operator::Less,
                0.01,
            ),
        ] {
            let t = threshold("t", text, SENT).unwrap();
            assert_eq!(
                (t.class, t.metric, t.comparison, t.value),
                (class, metric, comparison, value),
                "{text}"
            );
            assert_eq!(t.expression, text);
        }
    }

    #[test]
    fn bad_thresholds_say_what_would_be_right() {
        for (text, message) in [
            (
                "p99 < 1s",
                "expected CLASS: METRIC < VALUE, such as \"node-lease/update: p99 < 1s\"",
            ),
            (
                "all: p99 = 1s",
                "expected CLASS: METRIC < VALUE, such as \"node-lease/update: p99 < 1s\"",
            ),
            (
                "node-lease/updat: p99 < 1s",
                "\"node-lease/updat\" is not an op class; did you mean \"node-lease/update\"?",
            ),
            (
                "all: p100 < 1s",
                "\"p100\" is not a metric (metrics: p50 to p99.99, max, mean, missed, errors, achieved, rate)",
            ),
            (
                "all: missed < 101%",
                "\"101%\" is not a share; use 0% to 100%, or 0 to 1",
            ),
            (
                "all: missed < 5",
                "\"5\" is not a share; use 0% to 100%, or 0 to 1",
            ),
            (
                "all: p99 < 1",
                "\"1\" is not a duration: write a number with a unit (ns, us, ms, s, m, h), such as 10s, 5m or 100ms",
            ),
            (
                "all: rate > NaN",
                "\"NaN\" is not a rate; use a number per second, such as 100/s",
            ),
            (
                "probe/get: p99 < 1s",
                "no actor sends probe/get; the workload sends: all, node-lease/update, event/create",
            ),
            (
                "event/create: p99 < 1s",
                "a closed loop has no response time; use errors or rate, or make the actor open-loop with a rate",
            ),
        ] {
            assert_eq!(
                threshold("t", text, SENT).unwrap_err().message,
                format!("{text:?}: {message}")
            );
        }
        assert!(primary("p", "node-lease/update:p99", SENT).is_ok());
        assert!(primary("p", "node-lease/update", SENT).is_err());
    }
}
