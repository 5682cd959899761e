//! `split`: what an etcd of their own for some resources does for the heartbeats beside them, and what it costs.
//!
//! A level with a quota asks what fails when Events have filled an etcd; one with defragmentations, what their pauses
//! are; of the others, the one with the most Events is the flood that the answer speaks of first.

mod data;
mod hook;
mod tables;
mod trials;

use crate::experiment::analysis::{Analysis, Evidence, Findings};
use crate::experiment::level::LevelName;
use crate::experiment::plan::ExperimentPlan;
use crate::experiment::play::hook::{HookError, TrialHook, TrialStart};
use crate::experiment::result::document::Comparison;
use crate::experiment::result::metric::{Metric, Unit};
use crate::experiment::result::phrases;
use crate::human::numbers::{bytes, percent, rate};
use crate::kube::OpClass;
use hook::RenewalHook;
use tables::Tables;
use trials::{Trials, quota};

/// The analysis.
#[derive(Debug)]
pub(super) struct Split;

impl Analysis for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn answer(&self, evidence: &Evidence<'_>) -> Findings {
        let levels = Levels::of(evidence);
        let about = levels
            .flood
            .as_ref()
            .map_or(Vec::new(), |f| f.about(evidence));
        let parts: Vec<String> = [
            levels
                .flood
                .as_ref()
                .and_then(|f| f.effect(evidence, &about)),
            levels.quota.as_ref().and_then(|r| isolation(evidence, r)),
            levels.flood.as_ref().and_then(|f| cost(evidence, &f.level)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let answer = if parts.is_empty() {
            let metric = evidence.plan.primary.first();
            let metric = metric.map_or("anything", String::as_str);
            format!("no complete block measures {metric} yet")
        } else {
            format!(
                "{}{}",
                parts.join("; "),
                phrases::basis(evidence.so_far(), &about)
            )
        };
        let (tables, notes) = Tables {
            evidence,
            victim: victim(evidence.plan),
            cost_on: levels.flood.as_ref().map(|f| &f.level),
        }
        .all();
        Findings {
            answer,
            tables,
            notes,
            data: data::data(evidence, victim(evidence.plan)),
            regression: false,
        }
    }
}

/// Follows the renewals of a trial.
pub(super) fn hook(start: TrialStart<'_>) -> Result<Box<dyn TrialHook>, HookError> {
    let grace = start.plan.cluster.kubernetes_version.node_monitor_grace();
    let hook = RenewalHook::new(victim(start.experiment), grace.as_secs_f64());
    Ok(Box::new(hook))
}

/// The op class that the first primary metric is about.
fn victim(plan: &ExperimentPlan) -> &str {
    let first = plan.primary.first();
    let class = first.and_then(|m| m.split_once(':')).map(|(c, _)| c.trim());
    class.unwrap_or_default()
}

/// What it is called.
fn title(class: &str) -> String {
    OpClass::by_name(class).map_or(class.to_owned(), |c| c.info().title.to_owned())
}

/// Which level shows what.
struct Levels {
    flood: Option<Flood>,
    quota: Option<LevelName>,
}

/// The level with the most Events, among those with room to spare.
struct Flood {
    level: LevelName,
    /// Events per second.
    events: f64,
}

impl Levels {
    fn of(evidence: &Evidence<'_>) -> Self {
        let (mut quiet, mut disturbed, mut full) = (None, None, None);
        for level in &evidence.plan.levels {
            if quota(evidence, level).is_some() {
                full = Some(level.clone());
                continue;
            }
            let trials = Trials::of(evidence, level, &evidence.plan.baseline);
            let Some(events) = trials.median(|t| Some(t.event_rate())) else {
                continue;
            };
            let defragmented = |t: &trials::Trial<'_>| t.run.defragmentations.len() as u64;
            let best: &mut Option<Flood> = if trials.sum(defragmented) > 0 {
                &mut disturbed
            } else {
                &mut quiet
            };
            if best.as_ref().is_none_or(|b| events >= b.events) {
                let level = level.clone();
                *best = Some(Flood { level, events });
            }
        }
        Levels {
            flood: quiet.or(disturbed),
            quota: full,
        }
    }
}

impl Flood {
    /// The first primary metric of every arm against the baseline.
    fn about<'a>(&self, evidence: &Evidence<'a>) -> Vec<&'a Comparison> {
        let first = evidence.plan.primary.first();
        let fits =
            |c: &&Comparison| Some(&c.metric) == first && c.level == self.level && c.blocks > 0;
        evidence.comparisons.iter().filter(fits).collect()
    }

    /// `Lease renewals p99 at 1,000 Events/s, against shared: split ×0.42 (0.38 to 0.46), differs`.
    fn effect(&self, evidence: &Evidence<'_>, about: &[&Comparison]) -> Option<String> {
        let metric = &about.first()?.metric;
        let title = Metric::title_of(metric);
        let beside = if self.events > 0.0 {
            format!(" at {} Events/s", rate(self.events))
        } else {
            String::new()
        };
        Some(format!(
            "{title}{beside}, against {}: {}",
            evidence.plan.baseline,
            phrases::clauses(about)
        ))
    }
}

/// Operations of an arm that failed, in all its trials with a quota.
struct FailedShare {
    arm: String,
    /// 0 to 1.
    share: f64,
    /// An etcd of the arm reached its quota.
    filled: bool,
}

impl FailedShare {
    fn share(&self) -> String {
        match self.share {
            0.0 => "none".to_owned(),
            share => percent(share),
        }
    }

    fn place(&self) -> String {
        match self.filled || self.share > 0.0 {
            true => self.arm.clone(),
            false => format!("{}, which did not reach the quota", self.arm),
        }
    }
}

/// `at a full quota of 64 MiB 31 % of Lease renewals fail in shared, none in split`.
fn isolation(evidence: &Evidence<'_>, level: &LevelName) -> Option<String> {
    let victim = victim(evidence.plan);
    let size = bytes(quota(evidence, level)?);
    let base = Trials::of(evidence, level, &evidence.plan.baseline);
    if base.is_empty() {
        return None;
    }
    if base.0.iter().all(|t| t.no_space().is_none()) {
        return Some(format!(
            "{} did not reach the quota of {size}",
            evidence.plan.baseline
        ));
    }
    let failed = |arm: &str| -> Option<FailedShare> {
        let trials = Trials::of(evidence, level, arm);
        let counts = |f: fn(&crate::report::Counts) -> u64| {
            trials.sum(|t| t.class(victim).map_or(0, |c| f(&c.counts)))
        };
        let unanswered = |c: &crate::report::Counts| c.failed + c.skipped + c.censored;
        let (failed, offered) = (counts(unanswered), counts(|c| c.offered));
        let filled = trials.0.iter().any(|t| t.no_space().is_some());
        (offered > 0).then(|| FailedShare {
            arm: arm.to_owned(),
            share: failed as f64 / offered as f64,
            filled,
        })
    };
    let first = failed(&evidence.plan.baseline)?;
    let others = evidence.plan.others().filter_map(|a| failed(&a.name));
    let others = others.map(|f| format!("{} in {}", f.share(), f.place()));
    Some(format!(
        "at a full quota of {size} {} of {} fail in {}, {}",
        first.share(),
        title(victim),
        first.place(),
        others.collect::<Vec<String>>().join(", ")
    ))
}

/// `split costs +0.1 cores (+0.08 to +0.12) and +40 MiB (+38 MiB to +42 MiB) of memory`: the first arm, for all have as many etcds more.
fn cost(evidence: &Evidence<'_>, level: &LevelName) -> Option<String> {
    let arm = &evidence.plan.others().next()?.name;
    let trials = Trials::of(evidence, level, arm);
    let base = Trials::of(evidence, level, &evidence.plan.baseline);
    let cores = trials.more_than(&base, |t| t.members(None, |m| m.cpu_cores))?;
    let memory = trials.more_than(&base, |t| t.members(None, |m| m.rss_max))?;
    Some(format!(
        "{arm} costs {} and {} of memory",
        phrases::more(cores.0, cores.1, Unit::Cores),
        phrases::more(memory.0, memory.1, Unit::Bytes)
    ))
}

#[cfg(test)]
mod tests;
