//! Thresholds, judged: passed, missed, or undecided where the run is too short to tell.
//!
//! A percentile holds when few enough operations are beyond its bound: p99 < 1s when at most 1 % of them miss or take longer.
//! That share has an interval ([`Blocks::share_beyond`]), and so has the share of misses. One-sided, 95 %: *passed* when the
//! upper bound of the share is small enough, *missed* when the lower bound is not. The other figures are counts and means of
//! this run, and hold or not.

use super::result::{ClassResult, Figures, StoreResult, ThresholdResult, ThresholdVerdict};
use crate::human::numbers::{count, percent};
use crate::human::threshold::{Figure, Threshold};
use crate::measure::Blocks;
use crate::measure::percentile::Headline;
use crate::measure::stats::{normal_quantile, wilson_upper};

/// Of one side.
const CONFIDENCE: f64 = 0.95;

/// What thresholds are judged on.
pub(crate) struct ThresholdInput<'a> {
    /// All op classes together.
    pub(crate) total: &'a Figures,
    /// One by one.
    pub(crate) classes: &'a [ClassResult],
    /// Headline quantile (0–1) of an op class, or of all; None in a closed loop.
    pub(crate) headline: &'a dyn Fn(Option<&str>, f64) -> Option<Headline>,
    /// The operations of an op class, or of all, by when they were intended.
    pub(crate) blocks: &'a dyn Fn(Option<&str>) -> Blocks,
    pub(crate) stores: &'a [StoreResult],
}

/// Judges one expression. What cannot be judged is missed, and says why.
pub(crate) fn judge(expression: &str, input: &ThresholdInput<'_>) -> ThresholdResult {
    let judged = Threshold::parse(expression)
        .map_err(|e| format!("{expression:?}: {e}"))
        .and_then(|rule| evaluate(&rule, input));
    let (verdict, value, basis) =
        judged.unwrap_or_else(|reason| (ThresholdVerdict::Missed, None, reason));
    ThresholdResult {
        expression: expression.to_owned(),
        verdict,
        value: value.filter(|v| v.is_finite()),
        basis,
    }
}

type Judged = (ThresholdVerdict, Option<f64>, String);

fn evaluate(rule: &Threshold, input: &ThresholdInput<'_>) -> Result<Judged, String> {
    if rule.subject == "etcd" {
        let (value, basis) = of_etcd(&rule.figure, input.stores)
            .ok_or_else(|| "etcd's metrics do not tell".to_owned())?;
        return Ok(point(rule, value, basis));
    }
    let (class, figures) = match rule.subject.as_str() {
        "all" => (None, input.total),
        name => {
            let found = input.classes.iter().find(|c| c.class.name == name);
            let found = found.ok_or_else(|| format!("no operation of {name} was measured"))?;
            (Some(name), &found.figures)
        }
    };
    if figures.counts.offered == 0 && figures.counts.ok == 0 {
        return Err("no operation was measured".to_owned());
    }
    let unknown = || "it is unknown, or the response time of a closed loop".to_owned();
    match rule.figure {
        Figure::Percentile(p) => {
            let found = (input.headline)(class, p / 100.0).ok_or_else(unknown)?;
            let value = found.observed().map_or(f64::INFINITY, |ns| ns as f64 / 1e9);
            Ok(by_share(rule, value, figures, &(input.blocks)(class)))
        }
        Figure::Missed => {
            let value = figures.miss_share;
            Ok(by_share(rule, value, figures, &(input.blocks)(class)))
        }
        _ => {
            let (value, basis) = of_class(&rule.figure, figures).ok_or_else(unknown)?;
            Ok(point(rule, value, basis))
        }
    }
}

/// A share of operations that decides, and what is known of it by now.
struct Share {
    allowed: f64,
    what: &'static str,
    seen: u64,
    offered: u64,
    /// One-sided bounds at [`CONFIDENCE`].
    at_least: f64,
    at_most: f64,
}

/// The share of operations that may be beyond the bound; none for figures that are no such share.
fn allowed(rule: &Threshold) -> Option<f64> {
    match rule.figure {
        Figure::Percentile(p) => Some(1.0 - p / 100.0),
        Figure::Missed => Some(rule.bound),
        _ => None,
    }
}

/// Whether no run of `n` operations could pass, even if none of them was beyond the bound.
pub(crate) fn too_few(rule: &Threshold, n: u64) -> bool {
    let least = wilson_upper(0.0, n as f64, normal_quantile(CONFIDENCE));
    n == 0 || allowed(rule).is_some_and(|allowed| least > allowed)
}

impl Share {
    /// None for figures that are no share of operations.
    fn of(rule: &Threshold, blocks: &Blocks) -> Option<Share> {
        let allowed = allowed(rule)?;
        // What is slower than this counts, too.
        let (ns, what) = match rule.figure {
            Figure::Missed => (None, "missed"),
            _ => {
                let ns = (rule.bound * 1e9).round() as u64;
                (Some(ns), "missed or were slower")
            }
        };
        Some(Share {
            allowed,
            what,
            seen: blocks.beyond(ns),
            offered: blocks.offered(),
            at_least: blocks.share_at_least(ns, CONFIDENCE),
            at_most: blocks.share_at_most(ns, CONFIDENCE),
        })
    }

    /// Certainly not more than allowed. Of nothing, nothing is the bound: what was counted decides.
    fn is_few(&self) -> bool {
        self.at_most <= self.allowed || self.allowed == 0.0 && self.seen == 0
    }

    /// Certainly more than allowed.
    fn is_many(&self) -> bool {
        self.at_least > self.allowed
    }

    fn verdict(&self, rule: &Threshold) -> ThresholdVerdict {
        let (held, failed) = match rule.operator.is_upper() {
            true => (self.is_few(), self.is_many()),
            false => (self.is_many(), self.is_few()),
        };
        match (held, failed) {
            (true, _) => ThresholdVerdict::Passed,
            (_, true) => ThresholdVerdict::Missed,
            _ => ThresholdVerdict::Undecided,
        }
    }
}

fn by_share(rule: &Threshold, value: f64, figures: &Figures, blocks: &Blocks) -> Judged {
    let known = blocks.offered() > 0 && blocks.offered() == figures.counts.offered;
    let Some(by) = Share::of(rule, blocks).filter(|_| known) else {
        let basis = "the run's files do not tell when each operation was intended";
        return (ThresholdVerdict::Undecided, Some(value), basis.to_owned());
    };
    let verdict = by.verdict(rule);
    let (least, most) = (percent(by.at_least), percent(by.at_most));
    let range = match verdict {
        ThresholdVerdict::Undecided => format!("{least} to {most}"),
        _ if by.is_few() => format!("at most {most}"),
        _ => format!("at least {least}"),
    };
    let basis = format!(
        "{} of {} {}: {range} at 95 %, the bound is {}",
        count(by.seen),
        count(by.offered),
        by.what,
        percent(by.allowed)
    );
    (verdict, Some(value), basis)
}

/// What is counted, or a mean of the run, holds or does not.
fn point(rule: &Threshold, value: f64, basis: String) -> Judged {
    let verdict = match rule.operator.holds(value, rule.bound) {
        true => ThresholdVerdict::Passed,
        false => ThresholdVerdict::Missed,
    };
    (verdict, Some(value), basis)
}

fn of_class(figure: &Figure, f: &Figures) -> Option<(f64, String)> {
    let offered = f.counts.offered.max(1) as f64;
    let of = |n: u64| format!("of {}", count(n));
    Some(match figure {
        Figure::Errors(None) => (f.counts.failed as f64 / offered, of(f.counts.offered)),
        Figure::Errors(Some(class)) => {
            let errors = f.counts.errors.get(class).map_or(0, |e| e.count);
            let attempts = f.counts.attempts.max(1) as f64;
            (
                errors as f64 / attempts,
                format!("of {} attempts", count(f.counts.attempts)),
            )
        }
        Figure::Achieved if f.offered_rate > 0.0 => {
            (f.achieved_rate / f.offered_rate, of(f.counts.offered))
        }
        Figure::Rate => (f.achieved_rate, of(f.counts.ok)),
        Figure::Mean => f.successes.map(|s| (s.mean_ns / 1e9, of(s.count)))?,
        Figure::Max => {
            let h = f.headline?;
            let max = h.max.observed().map_or(f64::INFINITY, |ns| ns as f64 / 1e9);
            (max, of(f.counts.offered))
        }
        _ => return None,
    })
}

fn of_etcd(figure: &Figure, stores: &[StoreResult]) -> Option<(f64, String)> {
    let members = || stores.iter().flat_map(|s| &s.members);
    let n = members().count() as u64;
    let largest = |f: fn(&super::result::MemberFigures) -> Option<f64>| {
        let all: Option<Vec<f64>> = members().map(f).collect();
        let largest = all?.into_iter().reduce(f64::max)?;
        Some((largest, format!("the largest of {}", members_of(n))))
    };
    let mean = |counted: fn(&super::result::MemberFigures) -> Option<f64>,
                mean: fn(&super::result::MemberFigures) -> Option<f64>| {
        let count: f64 = members().map(counted).sum::<Option<f64>>()?;
        let total = members().map(|m| Some(counted(m)? * mean(m)?));
        let total: f64 = total.sum::<Option<f64>>()?;
        (count > 0.0).then(|| {
            (
                total / count,
                format!("the mean of {}", crate::human::numbers::count(count as u64)),
            )
        })
    };
    match figure {
        Figure::Fsync => mean(|m| m.fsyncs, |m| m.fsync_mean),
        Figure::Commit => mean(|m| m.commits, |m| m.commit_mean),
        Figure::DbSize => largest(|m| m.db_size_max),
        Figure::Rss => largest(|m| m.rss_max),
        Figure::Cpu => {
            let cores: f64 = members().map(|m| m.cpu_cores).sum::<Option<f64>>()?;
            (n > 0).then(|| (cores, format!("of {}", members_of(n))))
        }
        Figure::LeaderChanges => {
            let changes: f64 = stores
                .iter()
                .map(|s| s.leader_changes)
                .sum::<Option<f64>>()?;
            Some((changes, "counted".to_owned()))
        }
        _ => None,
    }
}

fn members_of(n: u64) -> String {
    crate::human::numbers::things(n, "member")
}

/// Whether a threshold on a percentile or on misses has certainly failed by now: for guards, which see blocks only.
pub(crate) fn has_failed(rule: &Threshold, blocks: &Blocks) -> Option<String> {
    let by = Share::of(rule, blocks)?;
    (by.verdict(rule) == ThresholdVerdict::Missed).then(|| {
        format!(
            "{}: {} of {} were beyond it, {} may be",
            rule.expression,
            count(by.seen),
            count(by.offered),
            percent(by.allowed)
        )
    })
}
