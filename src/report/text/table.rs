//! One aligned line per op class.

use super::sentence::p99_interval;
use crate::human::numbers::{count, ns, percent, rate, seconds};
use crate::measure::percentile::Headline;
use crate::report::result::{ClassResult, Figures, RunResult};

/// Heading, a line per op class, a line for all if there are several. Response times of an open loop and service
/// times of a closed one do not add up.
pub(super) fn table(r: &RunResult) -> Vec<String> {
    align(&rows(r))
}

/// The same in cells.
pub(crate) fn rows(r: &RunResult) -> Vec<Vec<String>> {
    let limits: Vec<String> = r.classes.iter().map(|c| seconds(c.class.limit)).collect();
    let own_limits = limits.windows(2).any(|w| w[0] != w[1]);
    let mut rows = vec![heading(own_limits)];
    for (class, limit) in r.classes.iter().zip(&limits) {
        let limit = own_limits.then_some(limit.as_str());
        rows.push(row(&name(class), &class.figures, limit));
    }
    let mixed = r
        .classes
        .windows(2)
        .any(|w| w[0].class.closed_loop != w[1].class.closed_loop);
    if r.classes.len() > 1 && !mixed {
        rows.push(row("all", &r.total, own_limits.then_some("")));
    }
    rows
}

fn name(class: &ClassResult) -> String {
    if class.class.closed_loop {
        format!("{} *", class.class.name)
    } else {
        class.class.name.clone()
    }
}

fn heading(own_limits: bool) -> Vec<String> {
    let mut cells = vec![""];
    cells.extend([
        "offered/s",
        "done/s",
        "p50",
        "p99",
        "p99.9",
        "max",
        "missed",
    ]);
    cells.extend(own_limits.then_some("limit"));
    cells.push("svc p99");
    cells.into_iter().map(str::to_owned).collect()
}

fn row(name: &str, f: &Figures, limit: Option<&str>) -> Vec<String> {
    let dash = || "-".to_owned();
    let mut cells = vec![name.to_owned()];
    cells.push(if f.headline.is_some() {
        rate(f.offered_rate)
    } else {
        dash()
    });
    cells.push(rate(f.achieved_rate));
    // A closed loop has no response time: its service time stands there, and a footnote says so.
    let service = |q| f.service.and_then(|s| s.estimate(q)).map_or_else(dash, ns);
    cells.extend(match f.headline {
        Some(h) => [h.p50, h.p99, h.p999].map(figure),
        None => [0.5, 0.99, 0.999].map(service),
    });
    let slowest = f.headline.map_or(f.service, |_| f.successes);
    cells.push(slowest.map_or_else(dash, |s| ns(s.max_ns)));
    cells.push(match f.misses {
        // Of no operation, none missed, and none did not.
        0 if f.counts.offered + f.counts.ok == 0 => dash(),
        0 => "0".to_owned(),
        _ => percent(f.miss_share),
    });
    cells.extend(limit.map(str::to_owned));
    cells.push(service(0.99));
    cells
}

/// A headline percentile as tables have it.
pub(crate) fn figure(f: Headline) -> String {
    match f {
        Headline::Value(v) => ns(v),
        Headline::Missed { .. } => "missed".to_owned(),
        Headline::Few { .. } => "-".to_owned(),
    }
}

/// The intervals of p99 with what they speak of, and after which time op classes without one would have it.
fn precision(r: &RunResult) -> Vec<String> {
    let mut lines = Vec::new();
    let classes = r
        .classes
        .iter()
        .map(|c| (c.class.name.as_str(), &c.figures));
    let total = (r.classes.len() > 1).then_some(("all", &r.total));
    let with = classes.chain(total).filter_map(|(name, f)| {
        let length = f.precision?.p99?.block_seconds;
        Some((length, format!("{name} {}", p99_interval(f)?)))
    });
    let (lengths, intervals): (Vec<f64>, Vec<String>) = with.unzip();
    if let Some(shortest) = lengths.iter().copied().reduce(f64::min) {
        let longest = lengths.iter().copied().fold(shortest, f64::max);
        let blocks = match longest > shortest {
            true => format!("{} to {}", seconds(shortest), seconds(longest)),
            false => seconds(shortest),
        };
        lines.push(format!(
            "p99     95 % intervals of these {}, from the differences between blocks of {blocks}: {}",
            seconds(r.measured_seconds),
            intervals.join(", ")
        ));
    }
    let needed = r.classes.iter().filter_map(|c| {
        let needed = c.figures.precision?.seconds_needed?;
        Some((needed, c.class.name.as_str()))
    });
    let mut without: Vec<(f64, &str)> = needed.collect();
    without.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all: Vec<String> = without
        .iter()
        .map(|(needed, class)| format!("{class} {}", seconds((needed * 1.1).ceil())))
        .collect();
    if !all.is_empty() {
        lines.push(format!(
            "-       fewer than 10 operations are slower, or the blocks differ too much for an interval; p99 would need \
             about: {} (--duration)",
            all.join(", ")
        ));
    }
    lines
}

/// First column to the left, the others to the right.
pub(crate) fn align(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| {
        rows.iter()
            .filter_map(|r| r.get(c))
            .map(|s| s.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(c, (text, &width))| {
                    if c == 0 {
                        format!("{text:<width$}")
                    } else {
                        format!("{text:>width$}")
                    }
                });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

/// What the table leaves open: what the misses were, what failed and with which message.
pub(super) fn remarks(r: &RunResult) -> Vec<String> {
    let mut lines = Vec::new();
    for c in &r.classes {
        let (f, k) = (&c.figures, &c.figures.counts);
        if f.misses > 0 {
            let kinds = [
                (k.late, "late"),
                (k.failed, "failed"),
                (k.skipped, "skipped"),
                (k.censored, "unanswered at the end"),
                (f.unanswered, "unanswered at the end of the files"),
            ];
            let kinds: Vec<String> = kinds
                .iter()
                .filter(|(n, _)| *n > 0)
                .map(|(n, what)| format!("{} {what}", count(*n)))
                .collect();
            let mut line = format!(
                "missed  {}: {} of {}: {}",
                c.class.name,
                count(f.misses),
                count(k.offered),
                kinds.join(", ")
            );
            if let (Some(s), true) = (
                f.successes,
                f.headline
                    .is_some_and(|h| matches!(h.p99, Headline::Missed { .. })),
            ) {
                line.push_str(&format!(
                    "; successes: p50 {}, p99 {}, max {}",
                    ns(s.p50_ns),
                    ns(s.p99_ns),
                    ns(s.max_ns)
                ));
            }
            lines.push(line);
        }
        for (error, e) in &k.errors {
            let effect = e.effect.map_or("effect unknown", crate::rpc::Effect::name);
            let attempts = if e.count == 1 { "attempt" } else { "attempts" };
            lines.push(format!(
                "error   {}: {error}: {} {attempts}, {effect}: {:?}",
                c.class.name,
                count(e.count),
                e.message
            ));
        }
    }
    if r.classes.iter().any(|c| c.class.closed_loop) {
        lines.push("* closed loop: no intended instants, so only service times".to_owned());
    }
    lines.extend(precision(r));
    if r.total.misses > 0 {
        lines
            .push("percentiles cover all offered operations; a miss counts as infinite".to_owned());
    }
    lines
}
