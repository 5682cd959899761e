//! The figures that an experiment compares: `node-lease/update:p99`, `all:missed`, `etcd:rss`. Each is a function of
//! one trial's result.

use super::figures;
use super::metric_error::MetricError;
use crate::kube::OpClass;
use crate::report::RunResult;
use crate::workload::ClassRate;
use serde::{Deserialize, Serialize};

/// Figures of an op class, or of all: of the response time (a miss is +∞), of the service time, shares and rates.
const OF_CLASS: [&str; 13] = [
    "p50",
    "p90",
    "p99",
    "p99.9",
    "max",
    "mean",
    "missed",
    "errors",
    "achieved",
    "rate",
    "service-p50",
    "service-p99",
    "service-mean",
];
/// Figures of the etcds of all stores together.
const OF_ETCD: [&str; 10] = [
    "cpu",
    "rss",
    "db-size",
    "fsync",
    "commit",
    "leader-changes",
    // Work per operation that succeeded: hardly any noise.
    "cpu-per-op",
    "fsyncs-per-op",
    "commits-per-op",
    "written-per-op",
];
/// Figures of the generator.
const OF_CLIENT: [&str; 2] = ["cpu", "rss"];

/// In which unit a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// 0 to 1.
    Share,
    /// Operations per second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// CPU cores used on average.
    Cores,
    /// A number of something.
    Count,
}

/// How two arms' figures are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// By their ratio: the mean of the blocks' logarithms of ratios.
    Ratio,
    /// By their difference: what can be 0 has no ratio.
    Difference,
}

impl Scale {
    /// How far an arm is from the baseline: ln(arm / baseline), or arm − baseline.
    pub(crate) fn difference(self, baseline: f64, arm: f64) -> f64 {
        match self {
            Scale::Ratio => (arm / baseline).ln(),
            Scale::Difference => arm - baseline,
        }
    }

    /// δ, as it is written, on the scale of [`Scale::difference`].
    pub(crate) fn bound(self, delta: f64) -> f64 {
        match self {
            Scale::Ratio => delta.ln_1p(),
            Scale::Difference => delta,
        }
    }

    /// A difference as it is shown: arm / baseline, or arm − baseline.
    pub(crate) fn shown(self, difference: f64) -> f64 {
        match self {
            Scale::Ratio => difference.exp(),
            Scale::Difference => difference,
        }
    }

    /// A difference as δ is written: 0.1 is 10 % more.
    pub(crate) fn excess(self, difference: f64) -> f64 {
        match self {
            Scale::Ratio => difference.exp_m1(),
            Scale::Difference => difference,
        }
    }
}

/// A figure of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// As written: `SUBJECT:FIGURE`.
    pub name: String,
    subject: Subject,
    figure: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    All,
    Class(OpClass),
    Etcd,
    Client,
}

/// What a trial measured of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MetricValue {
    /// In the metric's unit.
    Value(f64),
    /// So many operations missed that the percentile is one of them: +∞.
    Missed,
}

impl MetricValue {
    /// +∞ if missed.
    pub fn number(self) -> f64 {
        match self {
            MetricValue::Value(v) => v,
            MetricValue::Missed => f64::INFINITY,
        }
    }
}

impl Metric {
    /// `SUBJECT:FIGURE`.
    ///
    /// # Errors
    /// It is none; the error says what would be right.
    pub fn parse(text: &str) -> Result<Metric, MetricError> {
        let (subject, figure) = text
            .split_once(':')
            .map(|(s, f)| (s.trim(), f.trim()))
            .ok_or_else(|| MetricError::Form(text.to_owned()))?;
        let (subject, figures): (Subject, &[&'static str]) = match subject {
            "all" => (Subject::All, &OF_CLASS),
            "etcd" => (Subject::Etcd, &OF_ETCD),
            "client" => (Subject::Client, &OF_CLIENT),
            name => {
                let class = OpClass::by_name(name);
                let class = class.ok_or_else(|| MetricError::unknown_subject(text, name))?;
                (Subject::Class(class), &OF_CLASS)
            }
        };
        let found = figures.iter().find(|f| **f == figure);
        let figure = found.ok_or_else(|| MetricError::unknown_figure(text, figure, figures))?;
        Ok(Metric {
            name: text.to_owned(),
            subject,
            figure,
        })
    }

    /// Whether it is the same figure, however it is written.
    pub fn same(&self, other: &Metric) -> bool {
        (self.subject, self.figure) == (other.subject, other.figure)
    }

    /// Whether a workload that sends these op classes has it.
    ///
    /// # Errors
    /// It does not; the error says what it has.
    pub fn fits(&self, sent: &[ClassRate]) -> Result<(), MetricError> {
        let open = match self.subject {
            Subject::Etcd | Subject::Client => return Ok(()),
            Subject::All => sent.iter().any(|c| c.per_second.is_some()),
            Subject::Class(class) => match sent.iter().find(|c| c.class == class) {
                Some(found) => found.per_second.is_some(),
                None => {
                    let names: Vec<&str> = sent.iter().map(|c| c.class.name()).collect();
                    return Err(MetricError::NotSent {
                        class: class.name(),
                        sent: names.join(", "),
                    });
                }
            },
        };
        let closed_too =
            self.figure.starts_with("service-") || matches!(self.figure, "errors" | "rate");
        if open || closed_too {
            return Ok(());
        }
        Err(MetricError::ClosedLoop)
    }

    /// Of a trial; none where it was not measured.
    pub fn of(&self, r: &RunResult) -> Option<MetricValue> {
        match self.subject {
            Subject::All => figures::of_figures(self.figure, &r.total),
            Subject::Class(class) => {
                figures::of_figures(self.figure, &r.class(class.name())?.figures)
            }
            Subject::Etcd => figures::of_etcd(self.figure, r).map(MetricValue::Value),
            Subject::Client => {
                let value = match self.figure {
                    "cpu" if r.client.wall_seconds > 0.0 => {
                        r.client.cpu_seconds / r.client.wall_seconds
                    }
                    "rss" => r.client.rss_max? as f64,
                    _ => return None,
                };
                Some(MetricValue::Value(value))
            }
        }
    }

    /// Its unit.
    pub fn unit(&self) -> Unit {
        match (self.subject, self.figure) {
            (_, "missed" | "errors" | "achieved") => Unit::Share,
            (_, "rate") => Unit::PerSecond,
            (_, "cpu") => Unit::Cores,
            (_, "rss" | "db-size" | "written-per-op") => Unit::Bytes,
            (_, "leader-changes" | "fsyncs-per-op" | "commits-per-op") => Unit::Count,
            _ => Unit::Seconds,
        }
    }

    /// How it is compared.
    pub fn scale(&self) -> Scale {
        match self.figure {
            "missed" | "errors" | "leader-changes" => Scale::Difference,
            _ => Scale::Ratio,
        }
    }

    /// δ: a smaller departure does not matter. For ratios a share (0.1 is 10 %), else in the metric's unit.
    pub fn delta(&self) -> f64 {
        match self.figure {
            "p50" | "mean" | "service-p50" | "service-mean" | "cpu" | "rss" | "db-size" => 0.05,
            "rate" | "achieved" => 0.03,
            "missed" | "errors" => 0.01,
            "cpu-per-op" | "fsyncs-per-op" | "commits-per-op" | "written-per-op" => 0.05,
            "leader-changes" => 1.0,
            _ => 0.1,
        }
    }

    /// What an operator calls the metric of this name; the name itself where it is none.
    pub fn title_of(name: &str) -> String {
        Metric::parse(name).map_or_else(|_| name.to_owned(), |metric| metric.title())
    }

    /// What an operator calls it: `Lease renewals p99`.
    pub fn title(&self) -> String {
        let figure = match self.figure {
            "db-size" => "database",
            "cpu" => "CPU",
            "rss" => "RSS",
            "cpu-per-op" => "CPU time per operation",
            "fsyncs-per-op" => "WAL syncs per operation",
            "commits-per-op" => "backend commits per operation",
            "written-per-op" => "bytes written per operation",
            other => other,
        };
        match self.subject {
            Subject::All => format!("all operations' {figure}"),
            Subject::Class(class) => format!("{} {figure}", class.info().title),
            Subject::Etcd => format!("etcd's {figure}"),
            Subject::Client => format!("etcdmark's own {figure}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_metric_says_what_would_be_right() {
        for (text, message) in [
            (
                "node-lease/update",
                "\"node-lease/update\" is not CLASS:FIGURE, such as \"node-lease/update:p99\"",
            ),
            (
                "node-lease/updat:p99",
                "\"node-lease/updat:p99\": \"node-lease/updat\" is neither an op class nor all, etcd or client; did you \
                 mean \"node-lease/update\"?",
            ),
            (
                "etcd:rsss",
                "\"etcd:rsss\": \"rsss\" is not one of its figures; did you mean \"rss\"? (figures: cpu, rss, db-size, fsync, \
                 commit, leader-changes, cpu-per-op, fsyncs-per-op, commits-per-op, written-per-op)",
            ),
        ] {
            assert_eq!(Metric::parse(text).unwrap_err().to_string(), message);
        }
        let metric = Metric::parse("event/create:p99").unwrap();
        assert_eq!(
            metric
                .fits(&[ClassRate {
                    class: OpClass::NodeLeaseUpdate,
                    per_second: Some(1.0)
                }])
                .unwrap_err()
                .to_string(),
            "no actor sends event/create; the workload sends: all, node-lease/update"
        );
        let closed = [ClassRate {
            class: OpClass::EventCreate,
            per_second: None,
        }];
        assert_eq!(metric.fits(&closed), Err(MetricError::ClosedLoop));
        assert!(
            Metric::parse("event/create:service-p99")
                .unwrap()
                .fits(&closed)
                .is_ok()
        );
    }
}
