//! Why a metric cannot be compared.

use crate::document::nearest;
use crate::kube::OpClass;

/// A metric that is none, or that a workload does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// No colon.
    #[error("{0:?} is not CLASS:FIGURE, such as \"node-lease/update:p99\"")]
    Form(String),
    /// What stands before the colon.
    #[error("{metric:?}: {subject:?} is neither an op class nor all, etcd or client{hint}")]
    #[expect(missing_docs, reason = "the message has them")]
    Subject {
        metric: String,
        subject: String,
        hint: String,
    },
    /// What stands behind the colon.
    #[error("{metric:?}: {figure:?} is not one of its figures{hint} (figures: {known})")]
    #[expect(missing_docs, reason = "the message has them")]
    Figure {
        metric: String,
        figure: String,
        hint: String,
        known: String,
    },
    /// The workload has other op classes.
    #[error("no actor sends {class}; the workload sends: all, {sent}")]
    #[expect(missing_docs, reason = "the message has them")]
    NotSent { class: &'static str, sent: String },
    /// A closed loop has no intended instants.
    #[error(
        "a closed loop has no response time; use service-p50, service-p99, service-mean, errors or rate"
    )]
    ClosedLoop,
}

impl MetricError {
    pub(super) fn unknown_subject(metric: &str, subject: &str) -> Self {
        let known = OpClass::ALL.iter().map(|c| c.name());
        MetricError::Subject {
            metric: metric.to_owned(),
            subject: subject.to_owned(),
            hint: hint(subject, known.chain(["all", "etcd", "client"])),
        }
    }

    pub(super) fn unknown_figure(metric: &str, figure: &str, known: &[&'static str]) -> Self {
        MetricError::Figure {
            metric: metric.to_owned(),
            figure: figure.to_owned(),
            hint: hint(figure, known.iter().copied()),
            known: known.join(", "),
        }
    }
}

fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(name, known).map_or(String::new(), |n| format!("; did you mean {n:?}?"))
}
