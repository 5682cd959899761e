//! One gating metric: its blocks, and what they say.

use crate::experiment::analysis::Evidence;
use crate::experiment::result::comparison::{middle, values};
use crate::experiment::result::metric::{Metric, MetricValue, Scale};
use crate::measure::gate::{FIRST, SECOND, Stage, better, candidate, confirmed, detectable, stage};
use crate::measure::paired::mean_interval;
use serde::Serialize;

/// Of the interval that is read beside ±δ: both one-sided tests at 5 % then say that there is no difference that matters.
const CONFIDENCE: f64 = 0.9;

/// What is said of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// Found by the screen, confirmed by fresh blocks.
    Worse,
    Better,
    /// The interval is within ±δ.
    Equivalent,
    Inconclusive,
    /// No block has both figures.
    NotMeasured,
}

/// A metric, judged.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Judged {
    pub(super) metric: String,
    pub(super) verdict: Verdict,
    /// As in the file.
    pub(super) delta: f64,
    #[serde(skip)]
    pub(super) scale: Scale,
    /// ln(head / base), or head − base, of each usable block.
    pub(super) differences: Vec<f64>,
    pub(super) first: Option<Stage>,
    /// Of fresh blocks.
    pub(super) second: Option<Stage>,
    /// The screen found that it may be worse.
    pub(super) candidate: bool,
    /// 90 % interval of the blocks that the verdict is about.
    pub(super) interval: Option<(f64, f64)>,
    /// The smallest effect that a gate of this metric would find in four of five cases, as `delta` is.
    pub(super) detectable: Option<f64>,
    /// That is δ or less: it can be relied on as a gate.
    pub(super) gates: bool,
    pub(super) base_median: Option<f64>,
    pub(super) head_median: Option<f64>,
}

impl Judged {
    /// Usable blocks.
    pub(super) fn blocks(&self) -> usize {
        self.differences.len()
    }

    /// The estimate that is shown: of the fresh blocks where there are some and the screen found it.
    pub(super) fn estimate(&self) -> Option<f64> {
        let fresh = self.second.filter(|_| self.candidate);
        fresh.or(self.first).map(|stage| stage.estimate)
    }
}

/// Every gating metric, in the file's order.
pub(super) fn judged(evidence: &Evidence<'_>) -> Vec<Judged> {
    let plan = evidence.plan;
    let (Some(gate), Some(head)) = (&plan.gate, plan.others().next()) else {
        return Vec::new();
    };
    let Some(level) = plan.levels.first() else {
        return Vec::new();
    };
    let of = |metric: &str, arm: &str| values(plan, evidence.trials, metric, level, arm);
    let m = gate.metrics.len();
    let each = gate.metrics.iter().filter_map(|wanted| {
        let metric = Metric::parse(&wanted.metric).ok()?;
        let (base, head) = (
            of(&wanted.metric, &plan.baseline),
            of(&wanted.metric, &head.name),
        );
        Some(judge(&metric, wanted.delta, &base, &head, m))
    });
    each.collect()
}

/// `metrics`: how many gate.
fn judge(
    metric: &Metric,
    delta: f64,
    base: &[Option<MetricValue>],
    head: &[Option<MetricValue>],
    metrics: usize,
) -> Judged {
    let scale = metric.scale();
    let bound = scale.bound(delta);
    let (mut differences, mut bases, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    for (b, h) in base.iter().zip(head) {
        let (Some(b), Some(h)) = (b, h) else { continue };
        let (b, h) = (b.number(), h.number());
        let d = scale.difference(b, h);
        // A miss is infinite: a block with one has no difference, and is not used.
        if d.is_finite() {
            differences.push(d);
            bases.push(b);
            heads.push(h);
        }
    }
    let screened = &differences[..differences.len().min(FIRST)];
    let fresh = &differences[screened.len()..differences.len().min(FIRST + SECOND)];
    let first = stage(screened).filter(|_| screened.len() == FIRST);
    let second = stage(fresh).filter(|_| fresh.len() == SECOND);
    let candidate = first.is_some_and(|s| candidate(&s, bound));
    let of_mean = |d: &[f64]| mean_interval(d, CONFIDENCE).filter(|_| d.len() >= FIRST);
    let about = if candidate { fresh } else { &differences[..] };
    let found = of_mean(about).map(|i| (i.low, i.high));
    let within = found.is_some_and(|(low, high)| low > -bound && high < bound);
    let verdict = match (first, second) {
        _ if differences.is_empty() => Verdict::NotMeasured,
        (_, Some(s)) if candidate && confirmed(&s, bound, metrics) => Verdict::Worse,
        (Some(s), _) if better(&s, bound, metrics) => Verdict::Better,
        (Some(_), _) if within => Verdict::Equivalent,
        _ => Verdict::Inconclusive,
    };
    let smallest = of_mean(&differences).map(|i| detectable(i.deviation, SECOND));
    Judged {
        metric: metric.name.clone(),
        verdict,
        delta,
        scale,
        first,
        second,
        candidate,
        interval: found,
        detectable: smallest.map(|d| scale.excess(d)),
        gates: smallest.is_some_and(|d| d <= bound),
        base_median: middle(bases.into_iter()),
        head_median: middle(heads.into_iter()),
        differences,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(base: f64, ratio: impl Fn(usize) -> f64, blocks: usize) -> Judged {
        let value = |v: f64| Some(MetricValue::Value(v));
        let bases: Vec<_> = (0..blocks).map(|_| value(base)).collect();
        let heads: Vec<_> = (0..blocks).map(|i| value(base * ratio(i))).collect();
        let metric = Metric::parse("etcd:cpu-per-op").unwrap();
        judge(&metric, 0.05, &bases, &heads, 8)
    }

    fn wobble(i: usize) -> f64 {
        [0.99, 1.0, 1.01][i % 3]
    }

    #[test]
    fn worse_takes_both_stages() {
        let screened = of(1e-4, |i| 1.1 * wobble(i), FIRST);
        assert!(screened.candidate && screened.second.is_none());
        assert_eq!(screened.verdict, Verdict::Inconclusive);
        let both = of(1e-4, |i| 1.1 * wobble(i), FIRST + SECOND);
        assert_eq!(both.verdict, Verdict::Worse);
        assert!((both.scale.shown(both.estimate().unwrap()) - 1.1).abs() < 0.01);
        // The screen was misled; the fresh blocks are as the base.
        let misled = of(
            1e-4,
            |i| if i < FIRST { 1.1 } else { wobble(i) },
            FIRST + SECOND,
        );
        assert_eq!(misled.verdict, Verdict::Equivalent);
        assert!((misled.scale.shown(misled.estimate().unwrap()) - 1.0).abs() < 0.01);
    }

    #[test]
    fn other_verdicts() {
        assert_eq!(of(1e-4, wobble, FIRST).verdict, Verdict::Equivalent);
        assert_eq!(
            of(1e-4, |i| 0.9 * wobble(i), FIRST).verdict,
            Verdict::Better
        );
        assert_eq!(of(1e-4, wobble, 3).verdict, Verdict::Inconclusive);
        assert_eq!(of(1e-4, wobble, 0).verdict, Verdict::NotMeasured);
        let noisy = of(1e-4, |i| [0.5, 2.0, 1.0, 1.2][i % 4], FIRST);
        assert_eq!((noisy.verdict, noisy.gates), (Verdict::Inconclusive, false));
        assert!(noisy.detectable.unwrap() > 0.3, "{noisy:?}");
    }
}
