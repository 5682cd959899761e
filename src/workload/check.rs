//! Numbers in range, with one message for all of them.

use crate::document::FieldError;
use crate::human::grouped;
use crate::human::units::Span;

/// Nodes, services, locks: more than any cluster has.
pub(super) const MAX_OBJECTS: u64 = 10_000_000;
/// Per second, all together: more than any etcd answers.
pub(super) const MAX_RATE: f64 = 10_000_000.0;
/// Longest phase or period.
pub(super) const MAX_SPAN: Span = Span::seconds(30 * 24 * 3600);

/// A whole number from `low` to `high`.
pub(super) fn whole(path: &str, value: u64, low: u64, high: u64) -> Result<u64, FieldError> {
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    let message = format!(
        "{} is out of range; use {} to {}",
        grouped(value),
        grouped(low),
        grouped(high)
    );
    Err(FieldError::at(path, message))
}

/// A whole number that has been checked to fit.
pub(super) fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A rate per second: above 0, finite and not absurd.
pub(super) fn rate(path: &str, value: f64) -> Result<f64, FieldError> {
    number(
        path,
        value,
        value > 0.0,
        0.0,
        MAX_RATE,
        "above 0 and at most 10,000,000 per second",
    )
}

/// A finite number from `low` to `high`; `ok` adds a condition, `range` says it all in words.
pub(super) fn number(
    path: &str,
    value: f64,
    ok: bool,
    low: f64,
    high: f64,
    range: &str,
) -> Result<f64, FieldError> {
    if value.is_finite() && ok && value >= low && value <= high {
        return Ok(value);
    }
    Err(FieldError::at(
        path,
        match value.abs() < 1e15 {
            true => format!("{value} is out of range; use a number {range}"),
            false => format!("{value:e} is out of range; use a number {range}"),
        },
    ))
}

/// A span from `low` to 30 days.
pub(super) fn span(path: &str, value: Span, low: Span) -> Result<Span, FieldError> {
    if (low..=MAX_SPAN).contains(&value) {
        return Ok(value);
    }
    Err(FieldError::at(
        path,
        format!("{value} is out of range; use {low} to {MAX_SPAN}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_say_the_range() {
        assert_eq!(
            whole("cluster.nodes", 20_000_000, 1, MAX_OBJECTS)
                .unwrap_err()
                .to_string(),
            "cluster.nodes: 20,000,000 is out of range; use 1 to 10,000,000"
        );
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e8] {
            assert!(rate("r", bad).is_err(), "{bad}");
        }
        assert_eq!(
            span("p", Span::seconds(0), Span::seconds(1))
                .unwrap_err()
                .message,
            "0s is out of range; use 1s to 720h"
        );
        assert!(crate::document::check_name("n", "Node_1").is_err());
    }

    #[test]
    fn grouping() {
        assert_eq!(
            ["0", "999", "1,000", "12,345,678"],
            [0, 999, 1_000, 12_345_678].map(grouped)[..]
        );
    }
}
