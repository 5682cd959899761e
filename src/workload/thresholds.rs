//! Thresholds (`node-lease/update: p99 < 1s`) and primary metrics (`node-lease/update:p99`), checked against what the
//! workload sends.

use super::plan::Threshold;
use super::threshold_spec::ThresholdSpec;
use crate::document::FieldError;
use crate::document::{hint, nearest};
use crate::human::threshold::{Figure, OF_CLASS, OF_ETCD, Threshold as Rule, ThresholdError};
use crate::kube::OpClass;
use crate::rpc::errors;
use std::time::Duration;

/// How long a threshold waits before it may end the load.
const GRACE: Duration = Duration::from_secs(10);

/// Op classes of the load, each with whether it is closed-loop.
pub(super) type LoadClasses = [(OpClass, bool)];

/// One threshold; `path` is where it stands.
pub(super) fn threshold(
    path: &str,
    spec: &ThresholdSpec,
    sent: &LoadClasses,
) -> Result<Threshold, FieldError> {
    let text = spec.threshold.as_str();
    let error = |m: String| FieldError::at(path, format!("{text:?}: {m}"));
    let rule = Rule::parse(text).map_err(|e| error(hinted(&e, text)))?;
    if rule.subject != "etcd" {
        subject(&rule.subject, &rule.figure, sent).map_err(error)?;
    }
    let aborts = spec.abort_on_fail.unwrap_or(false);
    if aborts && !matches!(rule.figure, Figure::Percentile(_) | Figure::Missed) {
        return Err(error(
            "abortOnFail needs a percentile or missed: the others are known at the end only"
                .to_owned(),
        ));
    }
    if !aborts && spec.grace_time.is_some() {
        return Err(error(
            "graceTime has no effect without abortOnFail: true".to_owned(),
        ));
    }
    let grace = spec.grace_time.map_or(GRACE, |span| span.0);
    Ok(Threshold {
        rule,
        abort_after: aborts.then_some(grace),
    })
}

/// What is wrong, with the metrics that there are.
fn hinted(e: &ThresholdError, text: &str) -> String {
    let ThresholdError::Figure(name) = e else {
        return e.to_string();
    };
    let etcd = text.trim_start().starts_with("etcd");
    let (names, more) = match etcd {
        true => (&OF_ETCD, ""),
        false => (&OF_CLASS, "p50 to p99.99, "),
    };
    let meant = nearest(name, *names).map_or(String::new(), |n| format!("; did you mean {n:?}?"));
    format!("{e}{meant} (metrics: {more}{})", names.join(", "))
}

/// One primary metric, checked.
pub(super) fn primary(path: &str, text: &str, sent: &LoadClasses) -> Result<(), FieldError> {
    let error = |m: String| FieldError::at(path, format!("{text:?}: {m}"));
    let (class, metric) = text.split_once(':').ok_or_else(|| {
        error("expected CLASS:METRIC, such as \"node-lease/update:p99\"".to_owned())
    })?;
    // Often the file's, and in the way of a flag that changed an actor.
    let remedy = |m| error(format!("{m}; to compare nothing: --set primary=[]"));
    let metric = metric.trim();
    let figure = Figure::by_name(false, metric)
        .ok_or_else(|| hinted(&ThresholdError::Figure(metric.to_owned()), text))
        .map_err(remedy)?;
    subject(class.trim(), &figure, sent).map_err(remedy)
}

/// An op class by name, known or refused with the nearest.
pub(super) fn op_class(name: &str) -> Result<OpClass, String> {
    OpClass::by_name(name).ok_or_else(|| {
        let names: Vec<&str> = OpClass::ALL.iter().map(|c| c.name()).collect();
        let known = match nearest(name, names) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "`etcdmark validate` lists a workload's, such as node-lease/update".to_owned(),
        };
        format!("{name:?} is not an op class; {known}")
    })
}

/// Whether the workload has the figure of this class, or of all.
fn subject(class: &str, figure: &Figure, sent: &LoadClasses) -> Result<(), String> {
    let class = match class {
        "all" => None,
        name => Some(op_class(name)?),
    };
    if let Figure::Errors(Some(name)) = figure {
        let known = errors::names();
        if !known.contains(&name.as_str()) {
            return Err(format!(
                "{name:?} is not an error class{}",
                hint(name, &known)
            ));
        }
    }
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
    if closed && !matches!(figure, Figure::Errors(_) | Figure::Rate) {
        return Err(
            "a closed loop has no response time; use errors or rate, or make the actor open-loop with a rate"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &LoadClasses = &[
        (OpClass::NodeLeaseUpdate, false),
        (OpClass::EventCreate, true),
    ];

    fn spec(text: &str) -> ThresholdSpec {
        ThresholdSpec {
            threshold: text.to_owned(),
            abort_on_fail: None,
            grace_time: None,
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
                "node-lease/updat: p99 < 1s",
                "\"node-lease/updat\" is not an op class; did you mean \"node-lease/update\"?",
            ),
            (
                "all: p100 < 1s",
                "\"p100\" is not a metric (metrics: p50 to p99.99, max, mean, missed, errors, achieved, rate)",
            ),
            (
                "all mised < 1%",
                "\"mised\" is not a metric; did you mean \"missed\"? (metrics: p50 to p99.99, max, mean, missed, errors, \
                 achieved, rate)",
            ),
            (
                "etcd: fsnc < 1ms",
                "\"fsnc\" is not a metric; did you mean \"fsync\"? (metrics: fsync, commit, db-size, rss, cpu, \
                 leader-changes)",
            ),
            (
                "all: missed < 5",
                "\"5\" is not a share; use 0% to 100%, or 0 to 1",
            ),
            (
                "all: errors/no-spice < 1%",
                "\"no-spice\" is not an error class; did you mean \"no-space\"?",
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
                threshold("t", &spec(text), SENT).unwrap_err().message,
                format!("{text:?}: {message}")
            );
        }
        assert!(threshold("t", &spec("etcd: fsync < 10ms"), SENT).is_ok());
        assert!(primary("p", "node-lease/update:p99", SENT).is_ok());
        assert!(primary("p", "node-lease/update", SENT).is_err());
    }

    #[test]
    fn a_threshold_that_ends_the_load_is_one_that_is_known_before_its_end() {
        let aborting = |text: &str, grace| ThresholdSpec {
            abort_on_fail: Some(true),
            grace_time: grace,
            ..spec(text)
        };
        let found = threshold("t", &aborting("all: missed <= 1%", None), SENT).unwrap();
        assert_eq!(found.abort_after, Some(GRACE));
        let one = crate::human::Span::seconds(1);
        let found = threshold("t", &aborting("all: p99 < 1s", Some(one)), SENT).unwrap();
        assert_eq!(found.abort_after, Some(Duration::from_secs(1)));
        assert!(threshold("t", &aborting("etcd: rss < 1GiB", None), SENT).is_err());
        let idle = ThresholdSpec {
            grace_time: Some(one),
            ..spec("all: p99 < 1s")
        };
        assert!(threshold("t", &idle, SENT).is_err());
    }
}
