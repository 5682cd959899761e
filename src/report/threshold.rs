//! Thresholds, judged: `node-lease/update: p99 < 1s`, `all: missed <= 1%`.
//!
//! Figures: `p50` … `p99.99`, `max` (headline: a miss is +∞), `mean` (of successes), `missed` and
//! `errors` (shares of the offered operations), `achieved` (share of the offered rate), `rate`
//! (operations per second).

use super::result::{ClassResult, Figures, ThresholdResult};
use crate::measure::percentile::Headline;

/// What thresholds are judged on.
pub(crate) struct ThresholdInput<'a> {
    /// All op classes together.
    pub(crate) total: &'a Figures,
    /// One by one.
    pub(crate) classes: &'a [ClassResult],
    /// Headline quantile (0–1) of an op class, or of all; None in a closed loop.
    pub(crate) headline: &'a dyn Fn(Option<&str>, f64) -> Option<Headline>,
}

/// Judges one expression. What cannot be judged has not passed, and says why.
pub(crate) fn judge(expression: &str, input: &ThresholdInput<'_>) -> ThresholdResult {
    let found = evaluate(expression, input);
    let (value, passed, reason) = match found {
        Ok((value, passed)) if value.is_finite() => (Some(value), passed, None),
        Ok((_, passed)) => (
            None,
            passed,
            Some("missed: more operations missed than this percentile allows".to_owned()),
        ),
        Err(reason) => (None, false, Some(reason)),
    };
    ThresholdResult {
        expression: expression.to_owned(),
        value,
        passed,
        reason,
    }
}

fn evaluate(expression: &str, input: &ThresholdInput<'_>) -> Result<(f64, bool), String> {
    let grammar = || format!("{expression:?} is not CLASS: FIGURE < VALUE");
    let (class, rest) = match expression.split_once(':') {
        Some((class, rest)) => (class.trim(), rest),
        None => ("all", expression),
    };
    let at = rest.find(['<', '>']).ok_or_else(grammar)?;
    let (metric, comparison) = rest.split_at(at);
    let operator = if comparison.get(1..2) == Some("=") {
        2
    } else {
        1
    };
    let (operator, bound) = comparison.split_at(operator);
    let bound = number(bound.trim()).ok_or_else(grammar)?;
    let figures = match class {
        "all" => input.total,
        name => input
            .classes
            .iter()
            .find(|c| c.class.name == name)
            .map(|c| &c.figures)
            .ok_or_else(|| format!("no operation of {name} was measured"))?,
    };
    if figures.counts.offered == 0 && figures.counts.ok == 0 {
        return Err("no operation was measured".to_owned());
    }
    let quantile = |q: f64| (input.headline)(Some(class).filter(|c| *c != "all"), q);
    let value = figure(metric.trim(), figures, &quantile).ok_or_else(|| {
        format!(
            "{:?} has no value: it is unknown, or the response time of a closed loop",
            metric.trim()
        )
    })?;
    let passed = match operator {
        "<" => value < bound,
        "<=" => value <= bound,
        ">" => value > bound,
        _ => value >= bound,
    };
    Ok((value, passed))
}

fn figure(metric: &str, f: &Figures, quantile: &dyn Fn(f64) -> Option<Headline>) -> Option<f64> {
    let offered = f.counts.offered.max(1) as f64;
    match metric {
        "missed" => Some(f.miss_share),
        "errors" => Some(f.counts.failed as f64 / offered),
        "achieved" if f.offered_rate > 0.0 => Some(f.achieved_rate / f.offered_rate),
        "rate" => Some(f.achieved_rate),
        "mean" => f.successes.map(|s| s.mean_ns / 1e9),
        "max" => f.headline.map(|h| as_seconds(h.max)),
        _ => {
            let percent: f64 = metric.strip_prefix('p')?.parse().ok()?;
            (0.0..=100.0)
                .contains(&percent)
                .then(|| quantile(percent / 100.0))?
                .map(as_seconds)
        }
    }
}

/// A miss is +∞.
fn as_seconds(h: Headline) -> f64 {
    h.value().map_or(f64::INFINITY, |ns| ns as f64 / 1e9)
}

/// `1s`, `250ms`, `80us`, `2m`, `1%`, `0.5` → seconds, a share, a plain number.
fn number(s: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 8] = [
        ("/s", 1.0),
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("%", 0.01),
    ];
    let (digits, scale) = UNITS
        .iter()
        .find_map(|(unit, scale)| Some((s.strip_suffix(unit)?, *scale)))
        .unwrap_or((s, 1.0));
    let value: f64 = digits.trim().parse().ok()?;
    value.is_finite().then_some(value * scale)
}
