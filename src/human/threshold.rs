//! A threshold as people write it: `node-lease/update: p99 < 100ms`, `all missed <= 1%`, `etcd: db-size < 2GiB`.

use super::units::Span;
use std::fmt;

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// As it was written.
    pub expression: String,
    /// An op class, `all` or `etcd`.
    pub subject: String,
    pub figure: Figure,
    pub operator: Operator,
    /// Seconds, a share (0–1), operations per second, bytes, cores or a count, as the figure has it.
    pub bound: f64,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// Headline response time, 0–100: a miss is +∞.
    Percentile(f64),
    /// The slowest success.
    Max,
    /// Of successes.
    Mean,
    /// Share of offered operations.
    Missed,
    /// Share of offered operations that failed for good; of one error class: failed attempts, as a share of all attempts.
    Errors(Option<String>),
    /// Achieved / offered rate.
    Achieved,
    /// Per second.
    Rate,
    /// etcd's: mean length of a WAL sync.
    Fsync,
    /// Mean length of a backend commit.
    Commit,
    /// Largest db file of a member.
    DbSize,
    /// Largest resident set of a member.
    Rss,
    /// Cores of all members together.
    Cpu,
    /// Leader changes.
    LeaderChanges,
}

/// The names of figures of op classes but for the percentiles.
pub const OF_CLASS: [&str; 6] = ["max", "mean", "missed", "errors", "achieved", "rate"];
/// The names of etcd's figures.
pub const OF_ETCD: [&str; 6] = ["fsync", "commit", "db-size", "rss", "cpu", "leader-changes"];

/// How the figure must compare with the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is wrong with a threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThresholdError {
    /// It has not the form at all.
    Shape,
    /// No such figure of that subject.
    Figure(String),
    /// What stands on the right is no value of the figure; the text says what would be.
    Bound(String),
}

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Share,
    PerSecond,
    Bytes,
    Cores,
    Count,
}

impl Figure {
    /// By name, of an op class or of etcd.
    pub fn by_name(etcd: bool, name: &str) -> Option<Figure> {
        let percentile = || {
            let percent: f64 = name.strip_prefix('p')?.parse().ok()?;
            (percent > 0.0 && percent < 100.0).then_some(Figure::Percentile(percent))
        };
        Some(match (etcd, name) {
            (false, "max") => Figure::Max,
            (false, "mean") => Figure::Mean,
            (false, "missed") => Figure::Missed,
            (false, "errors") => Figure::Errors(None),
            (false, "achieved") => Figure::Achieved,
            (false, "rate") => Figure::Rate,
            (false, _) => match name.strip_prefix("errors/") {
                Some(class) if !class.is_empty() => Figure::Errors(Some(class.to_owned())),
                _ => percentile()?,
            },
            (true, "fsync") => Figure::Fsync,
            (true, "commit") => Figure::Commit,
            (true, "db-size") => Figure::DbSize,
            (true, "rss") => Figure::Rss,
            (true, "cpu") => Figure::Cpu,
            (true, "leader-changes") => Figure::LeaderChanges,
            (true, _) => return None,
        })
    }

    /// What it is measured in.
    pub fn unit(&self) -> Unit {
        match self {
            Figure::Percentile(_) | Figure::Max | Figure::Mean | Figure::Fsync | Figure::Commit => {
                Unit::Seconds
            }
            Figure::Missed | Figure::Errors(_) | Figure::Achieved => Unit::Share,
            Figure::Rate => Unit::PerSecond,
            Figure::DbSize | Figure::Rss => Unit::Bytes,
            Figure::Cpu => Unit::Cores,
            Figure::LeaderChanges => Unit::Count,
        }
    }
}

impl Operator {
    /// Whether a value holds against the bound.
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Operator::Less => value < bound,
            Operator::LessOrEqual => value <= bound,
            Operator::Greater => value > bound,
            Operator::GreaterOrEqual => value >= bound,
        }
    }

    /// The value must stay below.
    pub fn is_upper(self) -> bool {
        matches!(self, Operator::Less | Operator::LessOrEqual)
    }
}

impl Threshold {
    /// `SUBJECT: FIGURE < VALUE`; the colon may be left out.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Threshold, ThresholdError> {
        let (subject, rest) = match text.split_once(':') {
            Some((subject, rest)) => (subject.trim(), rest),
            None => {
                let split = text.trim().split_once(char::is_whitespace);
                split.ok_or(ThresholdError::Shape)?
            }
        };
        let at = rest.find(['<', '>']).ok_or(ThresholdError::Shape)?;
        let (figure, rest) = rest.split_at(at);
        let signs = [
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let mut signs = signs.into_iter();
        let (operator, bound) = signs
            .find_map(|(sign, operator)| Some((operator, rest.strip_prefix(sign)?.trim())))
            .ok_or(ThresholdError::Shape)?;
        let name = figure.trim();
        if name.is_empty() || subject.is_empty() {
            return Err(ThresholdError::Shape);
        }
        let figure = Figure::by_name(subject == "etcd", name)
            .ok_or_else(|| ThresholdError::Figure(name.to_owned()))?;
        Ok(Threshold {
            expression: text.to_owned(),
            subject: subject.to_owned(),
            bound: value(figure.unit(), bound).map_err(ThresholdError::Bound)?,
            figure,
            operator,
        })
    }
}

fn value(unit: Unit, text: &str) -> Result<f64, String> {
    let number = |s: &str| {
        let number = s.trim().parse::<f64>().ok();
        number.filter(|n| n.is_finite() && *n >= 0.0)
    };
    match unit {
        Unit::Seconds => Span::parse(text).map(|s| s.0.as_secs_f64()),
        Unit::Share => {
            let share = match text.strip_suffix('%') {
                Some(percent) => number(percent).map(|n| n / 100.0),
                None => number(text),
            };
            let share = share.filter(|s| *s <= 1.0);
            share.ok_or_else(|| format!("{text:?} is not a share; use 0% to 100%, or 0 to 1"))
        }
        Unit::PerSecond => number(text.strip_suffix("/s").unwrap_or(text)).ok_or_else(|| {
            format!("{text:?} is not a rate; use a number per second, such as 100/s")
        }),
        Unit::Bytes => {
            let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
            let mut units = units.into_iter();
            let scaled = units.find_map(|(unit, shift)| {
                Some(number(text.strip_suffix(unit)?)? * f64::from(shift).exp2())
            });
            scaled.or_else(|| number(text)).ok_or_else(|| {
                format!("{text:?} is not a size; use bytes, or KiB, MiB, GiB or TiB, such as 2GiB")
            })
        }
        Unit::Cores | Unit::Count => number(text)
            .ok_or_else(|| format!("{text:?} is not a number; use 0 or more, such as 1.5")),
    }
}

impl fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ThresholdError::Shape => f.write_str(
                "expected CLASS: METRIC < VALUE, such as \"node-lease/update: p99 < 1s\"",
            ),
            ThresholdError::Figure(name) => write!(f, "{name:?} is not a metric"),
            ThresholdError::Bound(message) => f.write_str(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_read() {
        use Operator::{Greater, GreaterOrEqual, Less, LessOrEqual};
        for (text, subject, figure, operator, bound) in [
            (
                "node-lease/update: p99 < 1s",
                "node-lease/update",
                Figure::Percentile(99.0),
                Less,
                1.0,
            ),
            (
                "node-lease/update p99 < 100ms",
                "node-lease/update",
                Figure::Percentile(99.0),
                Less,
                0.1,
            ),
            (
                "all: missed <= 1%",
                "all",
                Figure::Missed,
                LessOrEqual,
                0.01,
            ),
            (
                "all:achieved>=0.99",
                "all",
                Figure::Achieved,
                GreaterOrEqual,
                0.99,
            ),
            ("all rate > 100/s", "all", Figure::Rate, Greater, 100.0),
            (
                "all: p99.99 < 250ms",
                "all",
                Figure::Percentile(99.99),
                Less,
                0.25,
            ),
            (
                "event/create: errors < 1%",
                "event/create",
                Figure::Errors(None),
                Less,
                0.01,
            ),
            (
                "all: errors/timeout <= 0",
                "all",
                Figure::Errors(Some("timeout".to_owned())),
                LessOrEqual,
                0.0,
            ),
            ("etcd: fsync < 10ms", "etcd", Figure::Fsync, Less, 0.01),
            (
                "etcd db-size < 2GiB",
                "etcd",
                Figure::DbSize,
                Less,
                2_147_483_648.0,
            ),
            ("etcd: cpu < 1.5", "etcd", Figure::Cpu, Less, 1.5),
            (
                "etcd: leader-changes <= 0",
                "etcd",
                Figure::LeaderChanges,
                LessOrEqual,
                0.0,
            ),
        ] {
            let t = Threshold::parse(text).unwrap();
            assert_eq!(
                (t.subject.as_str(), t.figure, t.operator, t.bound),
                (subject, figure, operator, bound),
                "{text}"
            );
            assert_eq!(t.expression, text);
        }
    }

    #[test]
    fn what_is_none_says_what_would_be_right() {
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
                "nonsense",
                "expected CLASS: METRIC < VALUE, such as \"node-lease/update: p99 < 1s\"",
            ),
            ("all: p100 < 1s", "\"p100\" is not a metric"),
            ("all: fsync < 1s", "\"fsync\" is not a metric"),
            ("etcd: p99 < 1s", "\"p99\" is not a metric"),
            (
                "all: missed < 101%",
                "\"101%\" is not a share; use 0% to 100%, or 0 to 1",
            ),
            (
                "etcd: rss < 2GB",
                "\"2GB\" is not a size; use bytes, or KiB, MiB, GiB or TiB, such as 2GiB",
            ),
            (
                "etcd: cpu < x",
                "\"x\" is not a number; use 0 or more, such as 1.5",
            ),
            (
                "all: p99 < 1",
                "\"1\" is not a duration: write a number with a unit (ns, us, ms, s, m, h), such as 10s, 5m or 100ms",
            ),
            (
                "all: rate > NaN",
                "\"NaN\" is not a rate; use a number per second, such as 100/s",
            ),
        ] {
            assert_eq!(
                Threshold::parse(text).unwrap_err().to_string(),
                message,
                "{text}"
            );
        }
    }
}
