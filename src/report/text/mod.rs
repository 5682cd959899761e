//! The terminal summary: the operator's sentence, a line per op class, then what explains it.

mod sentence;
mod server;
mod table;

use super::downtime::Downtime;
use super::result::{Outage, RunResult, ThresholdResult, ThresholdVerdict};
use super::{DefragmentationEvent, LossEvent};
use crate::human::numbers::{bytes, count, percent, rate, seconds, things, three};
use crate::human::shell::word;
use crate::human::threshold::{Threshold, Unit};
use crate::measure::validity::{Check, Verdict};
use std::path::Path;

pub use sentence::{fault, sentence};
pub(crate) use table::{align, figure, rows};

/// Columns that every line but the first and the table's keeps to.
pub const WIDTH: usize = 100;
/// Notes shown; the rest is in the result.
const NOTES: usize = 8;

/// The summary, lines ending in newlines, without colour. `dir` is where the files are, if anywhere.
pub fn render(r: &RunResult, dir: Option<&Path>) -> String {
    let mut lines = Vec::new();
    if !r.classes.is_empty() {
        lines.extend(table::remarks(r));
        lines.push(String::new());
    }
    lines.extend(server::servers(r));
    lines.extend(server::client(r));
    lines.extend(server::store_work(r));
    lines.extend(r.defragmentations.iter().take(NOTES).map(defragmentation));
    lines.extend(r.downtimes().iter().take(NOTES).map(downtime));
    lines.extend(r.outages.iter().map(outage));
    lines.extend(r.lost_by_store().take(NOTES).map(loss));
    lines.extend(r.guards.iter().map(|g| {
        format!(
            "guard   {} on {} at {}: {}",
            g.guard,
            g.store,
            seconds(g.t),
            g.cause
        )
    }));
    lines.extend(r.thresholds.iter().map(threshold));
    lines.extend(validity(r));
    for note in r.notes.iter().take(NOTES) {
        lines.push(format!(
            "{:<7} {}",
            if note.level == "warning" {
                "warning"
            } else {
                "note"
            },
            note.text
        ));
    }
    if r.notes.len() > NOTES {
        lines.push(format!(
            "note    {} more notes in the result",
            count((r.notes.len() - NOTES) as u64)
        ));
    }
    if let Some(dir) = dir {
        lines.push(format!(
            "files   {} (to print again: etcdmark report {})",
            dir.display(),
            word(&dir.display().to_string())
        ));
    }
    let mut out = sentence(r);
    out.push('\n');
    wrap(&about(r), &mut out);
    out.push('\n');
    if !r.classes.is_empty() {
        // A broken row would be no row.
        for row in table::table(r) {
            out.push_str(&row);
            out.push('\n');
        }
    }
    for line in &lines {
        wrap(line, &mut out);
    }
    out
}

/// Which run it is, in a line.
pub(crate) fn about(r: &RunResult) -> String {
    let h = &r.header;
    let times: Vec<String> = r
        .phases
        .iter()
        .filter(|p| matches!(p.phase, super::Phase::Warmup | super::Phase::Measure))
        .map(|p| format!("{} {}", p.phase.name(), seconds(p.end - p.start)))
        .collect();
    let times = if times.is_empty() {
        "no load".to_owned()
    } else {
        times.join(", ")
    };
    let mut limits: Vec<f64> = r.classes.iter().map(|c| c.class.limit).collect();
    limits.dedup();
    // With several, each has its place in the table.
    let limit = match limits.as_slice() {
        [limit] => format!("; limit {}", seconds(*limit)),
        _ => String::new(),
    };
    format!(
        "workload {}, run {}, seed {}; {times}{limit}",
        h.workload, h.run_id, h.seed
    )
}

fn defragmentation(d: &DefragmentationEvent) -> String {
    let size = |s: Option<u64>| s.map_or("unknown".to_owned(), |b| bytes(b as f64));
    let what = match &d.error {
        None => format!(
            "took {}, db {} before, {} after",
            seconds(d.seconds),
            size(d.size_before),
            size(d.size_after)
        ),
        Some(error) => format!("FAILED after {}: {error}", seconds(d.seconds)),
    };
    format!(
        "defrag  {}/{}{} at {} {what}",
        d.store,
        d.member,
        if d.leader { " (leader)" } else { "" },
        seconds((d.t - d.seconds).max(0.0))
    )
}

fn loss(l: &LossEvent) -> String {
    let times = match (l.times, l.writes) {
        (1, 0) => String::new(),
        (n, 0) => format!(" ({}×)", count(n)),
        (_, n) => format!(" ({} in all)", things(n, "acknowledged write")),
    };
    format!(
        "LOST    {} at {}: {}{times}",
        l.store,
        seconds(l.t),
        l.example
    )
}

fn downtime(d: &Downtime) -> String {
    let end = match d.until {
        Some(t) => format!("until {}", seconds(t)),
        None => "and not again reached".to_owned(),
    };
    let why = d.process.as_ref().unwrap_or(&d.reason);
    let (store, member, endpoint) = (&d.store, &d.member, &d.endpoint);
    let at = if member == endpoint {
        String::new()
    } else {
        format!(" ({endpoint})")
    };
    format!(
        "down    {store}/{member}{at} from {} {end}: {why}",
        seconds(d.from)
    )
}

fn outage(o: &Outage) -> String {
    let end = match o.first_success {
        Some(t) => format!("recovered at {}", seconds(t)),
        None => "not recovered".to_owned(),
    };
    let begin = match &o.unreachable {
        Some(why) => format!(
            "no member reachable ({why}); from {}",
            seconds(o.first_error)
        ),
        None => format!("first error at {}", seconds(o.first_error)),
    };
    let mut errors: Vec<String> = o
        .errors
        .iter()
        .map(|(class, n)| format!("{} {class}", count(*n)))
        .collect();
    if errors.is_empty() {
        errors.push("no attempt failed".to_owned());
    }
    format!(
        "{} {}: {}; {begin}, last at {}, {end}; {} without any success; {}",
        if o.silent_seconds > 0.0 {
            "outage "
        } else {
            "errors "
        },
        o.store,
        seconds(o.length),
        seconds(o.last_error),
        seconds(o.silent_seconds),
        errors.join(", ")
    )
}

fn threshold(t: &ThresholdResult) -> String {
    let verdict = match t.verdict {
        ThresholdVerdict::Passed => "passed",
        ThresholdVerdict::Missed => "MISSED",
        ThresholdVerdict::Undecided => "undecided",
    };
    format!(
        "{verdict}  {} (found {}; {})",
        t.expression,
        found(t),
        t.basis
    )
}

/// What a threshold was held to, in its unit.
pub(crate) fn found(t: &ThresholdResult) -> String {
    let unit = Threshold::parse(&t.expression).map(|rule| rule.figure.unit());
    match (t.value, unit) {
        (Some(v), Ok(unit)) => match unit {
            Unit::Seconds => seconds(v),
            Unit::Share => percent(v),
            Unit::PerSecond => format!("{}/s", rate(v)),
            Unit::Bytes => bytes(v),
            Unit::Cores => format!("{} cores", three(v)),
            Unit::Count => three(v),
        },
        (None, Ok(Unit::Seconds)) => "missed".to_owned(),
        _ => "no value".to_owned(),
    }
}

/// A line per reason, with what to change.
fn validity(r: &RunResult) -> Vec<String> {
    let mut lines = Vec::new();
    if r.validity.verdict == Verdict::Valid {
        lines.push("valid   the generator kept up".to_owned());
    }
    let unchecked = r.validity.unchecked.iter().map(|check| match check {
        Check::ClientCpu => "etcdmark's CPU",
        Check::Steal => "CPU time stolen by a hypervisor",
        _ => "the clock source",
    });
    let unchecked: Vec<&str> = unchecked.collect();
    if !unchecked.is_empty() {
        lines.push(format!(
            "unknown {} could not be read here, and was not judged",
            unchecked.join(", ")
        ));
    }
    for reason in &r.validity.reasons {
        let word = match reason.verdict {
            Verdict::Valid => "saturated:",
            Verdict::Doubtful => "doubtful:",
            Verdict::Invalid => "INVALID:",
        };
        lines.push(format!(
            "{word} {}; remedy: {}",
            reason.text, reason.what_to_change
        ));
    }
    lines
}

/// Breaks at spaces; continuation lines are indented by 8.
pub(crate) fn wrap(line: &str, out: &mut String) {
    let mut column = 0;
    if line.chars().count() <= WIDTH {
        out.push_str(line);
        out.push('\n');
        return;
    }
    for word in line.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if column > 8 && column + length > WIDTH {
            out.truncate(out.trim_end_matches(' ').len());
            out.push_str("\n        ");
            column = 8;
        }
        out.push_str(word);
        column += word.chars().count();
    }
    out.push('\n');
}
