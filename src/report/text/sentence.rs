//! The first line: what an operator wants to know, in the order in which it matters.

use crate::exit::Exit;
use crate::human::numbers::{count, ns, percent, rate, seconds, things};
use crate::measure::percentile::Headline;
use crate::measure::validity::Verdict;
use crate::report::downtime::Downtime;
use crate::report::files::{EVENTS, HLOG};
use crate::report::result::{
    ClassResult, Figures, MemberFigures, RunResult, StoreResult, ThresholdVerdict,
};
use crate::report::{LossEvent, LossKind};
use std::collections::BTreeMap;

/// One line. What makes the numbers worthless or the store wrong is said before any number;
/// "saturated" before any percentile.
pub fn sentence(r: &RunResult) -> String {
    let mut parts = ends(r);
    parts.extend(absences(r));
    let invalid = r.validity.verdict == Verdict::Invalid;
    if invalid {
        parts.push(format!("invalid: {}", reason(r)));
    }
    match speaker(r).filter(|_| r.missing.is_empty()) {
        None if !r.missing.is_empty() => {}
        None => parts.push("nothing was measured".to_owned()),
        Some(class) => {
            if r.validity.saturated {
                let (offered, achieved) = (rate(r.total.offered_rate), rate(r.total.achieved_rate));
                parts.push(format!(
                    "saturated: offered {offered}/s, achieved {achieved}/s"
                ));
            } else if !invalid {
                parts.push(load(r));
            }
            parts.push(speak(class));
        }
    }
    parts.extend(r.stores.iter().filter_map(|s| unrest(r, s)));
    let all = r.thresholds.len() as u64;
    for (verdict, word) in [
        (ThresholdVerdict::Missed, "missed"),
        (ThresholdVerdict::Undecided, "undecided"),
    ] {
        let n = r.thresholds_with(verdict).count();
        if n > 0 {
            parts.push(format!("{n} of {} {word}", things(all, "threshold")));
        }
    }
    if r.validity.verdict == Verdict::Doubtful {
        parts.push(format!("doubtful: {}", reason(r)));
    }
    parts.join("; ")
}

/// What stderr gets besides the summary on stdout: why the exit code is not 0 and what to do, in one line.
/// None for a good run, and for one that its user interrupted.
pub fn fault(r: &RunResult) -> Option<String> {
    let ends = ends(r);
    let ends = ends.iter().find(|part| !part.starts_with("interrupted"));
    if let Some(part) = ends {
        let part = part.strip_prefix("failed: ").unwrap_or(part);
        let remedy = match r.guards.last().map(|g| g.guard.as_str()) {
            Some("quota") => "; use fewer --nodes, or raise --quota-backend-bytes",
            Some("alarm") => {
                "; after NOSPACE free space (etcdctl compact, defrag) and clear the alarm (etcdctl alarm disarm); after CORRUPT restore the member"
            }
            Some("leader-change") => "; see etcd's log for the reason; --guards selects the guards",
            Some("quorum") => "; start enough members for a quorum",
            _ => "",
        };
        return Some(format!("{part}{remedy}"));
    }
    if r.measured_nothing() && r.exit() == Exit::Invalid {
        let why = "nothing was measured: no request was due in the measure phase";
        return Some(format!("{why}; use a longer --duration, or more --nodes"));
    }
    if r.exit() == Exit::Invalid {
        let what = r.validity.reasons.first();
        let what = what.map_or("", |reason| reason.what_to_change.as_str());
        return Some(format!("the run is invalid: {}; remedy: {what}", reason(r)));
    }
    let of = |verdict| {
        let all = r.thresholds_with(verdict).map(|t| t.expression.as_str());
        all.collect::<Vec<_>>().join(", ")
    };
    (r.exit() == Exit::Threshold).then(|| {
        let (missed, open) = (
            of(ThresholdVerdict::Missed),
            of(ThresholdVerdict::Undecided),
        );
        match missed.is_empty() {
            false => format!("threshold missed: {missed}"),
            true => format!(
                "threshold undecided: {open}; measure longer (--duration), or leave out --strict"
            ),
        }
    })
}

/// How it ended, unless well.
fn ends(r: &RunResult) -> Vec<String> {
    let mut parts = Vec::from_iter(lost(r));
    parts.extend(incomplete(r));
    let error = r.outcome.error.as_deref().unwrap_or("unknown reason");
    match r.outcome.outcome.as_str() {
        "completed" => {}
        "interrupted" if r.measured_seconds <= 0.0 => {
            parts.push("interrupted before anything was measured".to_owned());
        }
        "interrupted" => parts.push(format!(
            "interrupted after {} of measuring",
            seconds(r.measured_seconds)
        )),
        "killed" => parts.push(format!(
            "killed: the result ends at {}",
            seconds(r.outcome.t)
        )),
        "guard" => match r.guards.last() {
            Some(g) => parts.push(format!("stopped by the {} guard: {}", g.guard, g.cause)),
            None => parts.push(format!("stopped by a guard: {error}")),
        },
        _ => parts.push(format!("failed: {error}")),
    }
    if let Some(why) = r.verify.as_ref().and_then(|v| v.withdrawn.as_ref()) {
        // The guard has told why.
        let told = r.guards.last().is_some_and(|g| g.guard == "lock");
        parts.push(if told {
            "not verified".to_owned()
        } else {
            format!("not verified: {why}")
        });
    }
    if let Some(why) = r.verify.as_ref().and_then(|v| v.incomplete.as_ref()) {
        parts.push(format!("failed: the store could not be verified: {why}"));
    }
    parts
}

/// What the run's files lack.
fn incomplete(r: &RunResult) -> Option<String> {
    let worst = r
        .missing
        .iter()
        .max_by_key(|m| m.counted.abs_diff(m.found))?;
    let others = match r.missing.len() {
        1 => String::new(),
        2 => " and 1 other op class".to_owned(),
        n => format!(" and {} other op classes", count(n as u64 - 1)),
    };
    Some(format!(
        "incomplete: {HLOG} holds {} of the {} {} times of {} that {EVENTS} counts{others}: a file was cut or changed \
         after the run, so percentiles are left out",
        count(worst.found),
        count(worst.counted),
        worst.metric.name(),
        worst.class,
    ))
}

/// Members that were away, and for how long nothing succeeded: what a shortfall comes of.
fn absences(r: &RunResult) -> Vec<String> {
    let several = r.stores.len() > 1;
    let of = |store: &str| match several {
        true => format!("store {store}: "),
        false => String::new(),
    };
    let mut members: Vec<(String, Vec<Downtime>)> = Vec::new();
    for d in r.downtimes() {
        let name = format!("{}{}", of(&d.store), d.member);
        match members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, all)) => all.push(d),
            None => members.push((name, vec![d])),
        }
    }
    let mut parts: Vec<String> = members
        .iter()
        .map(|(name, all)| absence(name, all))
        .collect();
    let mut silent: BTreeMap<&str, f64> = BTreeMap::new();
    for o in r.outages.iter().filter(|o| o.is_a_failure()) {
        *silent.entry(&o.store).or_default() += o.silent_seconds;
    }
    // Counted by intervals of a second, shorter where a phase begins: below one it tells nothing.
    let silent = silent.into_iter().filter(|(_, time)| *time >= 1.0);
    parts.extend(
        silent.map(|(store, time)| format!("{}nothing succeeded for {}", of(store), seconds(time))),
    );
    parts
}

fn absence(name: &str, all: &[Downtime]) -> String {
    let [first, more @ ..] = all else {
        return String::new();
    };
    if let Some(how) = &first.process {
        let was = if how.starts_with("killed") {
            "was "
        } else {
            ""
        };
        return format!("{name} {was}{how} at {}", seconds(first.from));
    }
    let what = if first.reason.contains("hangs") {
        "hung"
    } else {
        "was down"
    };
    match (more, first.until) {
        ([], Some(until)) => format!("{name} {what} for {}", seconds(until - first.from)),
        ([], None) => format!("{name} {what} from {} on", seconds(first.from)),
        _ => format!("{name} {what} {} times", all.len()),
    }
}

/// Members that restarted and leaders that changed while measuring, unless a guard has told: without guards, nothing
/// else in this line would.
fn unrest(r: &RunResult, store: &StoreResult) -> Option<String> {
    if r.outcome.outcome == "guard" {
        return None;
    }
    let restarted = |m: &&MemberFigures| {
        let started = m.series.get("process.start_time");
        started.is_some_and(|s| s.max > s.start + 0.5)
    };
    let restarted: Vec<&str> = store
        .members
        .iter()
        .filter(restarted)
        .map(|m| m.member.as_str())
        .collect();
    let mut parts = Vec::new();
    if !restarted.is_empty() {
        parts.push(format!("{} restarted", restarted.join(" and ")));
    }
    // A single member that restarts elects itself.
    let alone = store.members.len() == 1 && !restarted.is_empty();
    if let Some(changes) = store.leader_changes.filter(|n| *n > 0.0 && !alone) {
        let s = if changes > 1.0 { "s" } else { "" };
        parts.push(format!("{changes:.0} leader change{s}"));
    }
    let several = r.stores.len() > 1;
    let name = if several {
        format!("store {}: ", store.name)
    } else {
        String::new()
    };
    (!parts.is_empty()).then(|| format!("{name}{} while measuring", parts.join(", ")))
}

/// What the store had acknowledged and does not hold, or did not hold when an answer showed it.
fn lost(r: &RunResult) -> Option<String> {
    let writes = r.lost_writes();
    let of_store = |l: &&LossEvent| matches!(l.kind, LossKind::Revision | LossKind::Cluster);
    let mut told = r.lost_by_store().find(of_store);
    if writes == 0 {
        told = told.or(r.lost_by_store().next());
    }
    let told = told.map(|l| format!("{} at {}", l.example, seconds(l.t)));
    if writes == 0 {
        return told.map(|what| format!("failed: the store lost what it had acknowledged: {what}"));
    }
    let plural = if writes == 1 { " is" } else { "s are" };
    let what = told.map_or(String::new(), |what| format!(" ({what})"));
    let n = count(writes);
    Some(format!(
        "failed: {n} acknowledged write{plural} missing from the store{what}"
    ))
}

/// Why it is doubtful or invalid.
fn reason(r: &RunResult) -> String {
    let reason = r
        .validity
        .reasons
        .iter()
        .find(|reason| reason.verdict == r.validity.verdict);
    reason.map_or_else(|| "unknown reason".to_owned(), |reason| reason.text.clone())
}

/// Whose traffic, and whether it was carried.
fn load(r: &RunResult) -> String {
    if r.classes.iter().all(|c| c.class.closed_loop) {
        return format!("closed loop: {}/s", rate(r.total.achieved_rate));
    }
    let missed = |f: &Headline| matches!(f, Headline::Missed { .. });
    let carried = !r
        .classes
        .iter()
        .any(|c| c.figures.headline.is_some_and(|h| missed(&h.p99)));
    let carried = if carried { "carried" } else { "not carried" };
    match nodes(r).filter(|_| follows_nodes(r)) {
        Some(1) => format!("1 node's traffic {carried}"),
        Some(n) => format!("{} nodes' traffic {carried}", count(n)),
        _ => format!(
            "{}: {}/s {carried}",
            r.header.workload,
            rate(r.total.offered_rate)
        ),
    }
}

/// Whether the rate of any actor follows the nodes: else the sentence claims nothing of them.
fn follows_nodes(r: &RunResult) -> bool {
    let plan = &r.header.plan;
    let actors = ["/spec/actors", "/actors"];
    let actors = actors
        .into_iter()
        .find_map(|at| plan.pointer(at)?.as_array());
    actors.is_none_or(|all| {
        all.iter().any(|a| {
            let per_node = ["ratePerNode", "ratePerService"]
                .iter()
                .any(|f| a[*f].is_number());
            per_node || matches!(a["kind"].as_str(), Some("nodeLease" | "nodeStatus"))
        })
    })
}

/// The one number of the workload.
fn nodes(r: &RunResult) -> Option<u64> {
    let plan = &r.header.plan;
    ["/spec/cluster/nodes", "/cluster/nodes"]
        .into_iter()
        .find_map(|at| plan.pointer(at)?.as_u64())
}

/// The op class that speaks for all: the one with most misses, else the primary, else the busiest.
pub(super) fn speaker(r: &RunResult) -> Option<&ClassResult> {
    let worst = r
        .classes
        .iter()
        .filter(|c| c.figures.misses > 0)
        .max_by_key(|c| c.figures.misses);
    let primary = || {
        let names = r.header.primary.iter().filter_map(|p| p.split(':').next());
        names.filter_map(|name| r.class(name.trim())).next()
    };
    // Of several equally busy ones the first: max_by_key would take the last.
    let busiest = || {
        r.classes
            .iter()
            .rev()
            .max_by_key(|c| c.figures.counts.offered.max(c.figures.counts.ok))
    };
    worst.or_else(primary).or_else(busiest)
}

/// `3.05-3.44 ms`: the 95 % interval of the headline p99.
pub(super) fn p99_interval(f: &Figures) -> Option<String> {
    let interval = f.precision?.p99?;
    let low = ns(interval.low.value()?);
    let Some(high) = interval.high.and_then(Headline::value) else {
        return Some(format!("{low} or more"));
    };
    let high = ns(high);
    let (number, unit) = low.split_once(' ')?;
    Some(match high.split_once(' ') {
        Some((_, same)) if same == unit => format!("{number}-{high}"),
        _ => format!("{low}-{high}"),
    })
}

fn speak(c: &ClassResult) -> String {
    let (title, limit) = (&c.class.title, seconds(c.class.limit));
    match (c.figures.headline.map(|h| h.p99), c.figures.service) {
        (Some(Headline::Value(p99)), _) => {
            let interval =
                p99_interval(&c.figures).map_or(String::new(), |i| format!(" (95 %: {i})"));
            format!("{title} p99 {}{interval}, limit {limit}", ns(p99))
        }
        (Some(Headline::Few { .. }), _) => format!(
            "{title}: {} are too few for a p99, the slowest took {}, limit {limit}",
            count(c.figures.counts.offered),
            c.figures.successes.map_or("-".to_owned(), |s| ns(s.max_ns))
        ),
        (Some(Headline::Missed { share }), _) => {
            format!("{title} p99 missed ({}), limit {limit}", percent(share))
        }
        (None, Some(service)) => match service.estimate(0.99) {
            Some(p99) => format!("{title} service p99 {}", ns(p99)),
            None => format!(
                "{title}: {} are too few for a p99, the slowest took {}",
                count(service.count),
                ns(service.max_ns)
            ),
        },
        (None, None) => format!("{title}: no answers"),
    }
}
