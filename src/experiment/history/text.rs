//! Trends for a terminal: the answer, then a table for each group.

use super::trend::{Change, Group, MetricTrend, Trend};
use crate::experiment::result::metric::{MetricValue, Scale, Unit};
use crate::experiment::result::{metric::Metric, phrases};
use crate::human::numbers::{things, three};
use crate::measure::change::{ALPHA, FEWEST, LATEST};
use crate::report::text::{align, wrap};

/// Lines ending in newlines, without colour.
pub fn render(t: &Trend) -> String {
    let mut out = format!("{}\n", sentence(t));
    for g in &t.groups {
        out.push('\n');
        group(g, &mut out);
    }
    out.push('\n');
    for note in &t.notes {
        wrap(&format!("warning {note}"), &mut out);
    }
    wrap(
        &format!(
            "note    one of {} series without a change seems to have one, and more where runs next to each other are alike; \
             etcdmark compare tells an etcd from a day",
            (1.0 / ALPHA).round(),
        ),
        &mut out,
    );
    out
}

fn sentence(t: &Trend) -> String {
    let changed = |g: &Group| g.metrics.iter().map(|m| m.changes.len()).sum::<usize>();
    let all: usize = t.groups.iter().map(changed).sum();
    let runs: usize = t.groups.iter().map(|g| g.runs).sum();
    let over = things(runs as u64, "run");
    let several = match t.groups.len() {
        0 | 1 => String::new(),
        n => format!(" of {n} combinations of workload and machine, which are not compared"),
    };
    let changes = t.groups.iter().flat_map(|g| &g.metrics).flat_map(|m| {
        let of = m.changes.iter();
        of.map(move |c| (m, c))
    });
    match changes.max_by(|(_, a), (_, b)| a.time.cmp(&b.time)) {
        None if t.groups.iter().all(|g| g.runs < FEWEST) => {
            format!(
                "too few runs for a change to be seen: {over}{several}; it takes at least {FEWEST}"
            )
        }
        None => format!("no change in {over}{several}"),
        Some((m, c)) => format!(
            "{} in {over}{several}; the newest: {} {} since {}",
            things(all as u64, "change"),
            Metric::title_of(&m.metric),
            size(m, c),
            c.name,
        ),
    }
}

fn group(g: &Group, out: &mut String) {
    let mut about = format!(
        "workload {} ({}) on {}: {}",
        g.workload,
        g.plan.get(..8).unwrap_or(&g.plan),
        g.machine,
        things(g.runs as u64, "run")
    );
    if g.left_out > 0 {
        about.push_str(&format!(
            ", and {} left out: not ended, or invalid",
            g.left_out
        ));
    }
    if g.runs > LATEST {
        about.push_str(&format!("; the latest {LATEST} are looked at"));
    }
    wrap(&about, out);
    let mut rows = vec![
        ["", "before", "after", "", "runs since", "p", "since"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for m in &g.metrics {
        for c in &m.changes {
            rows.push(vec![
                m.metric.clone(),
                figure(c.before, m.unit),
                figure(c.after, m.unit),
                size(m, c),
                c.runs_since.to_string(),
                three(c.p * 1000.0) + " ‰",
                format!("{} ({})", c.name, c.time.get(..10).unwrap_or(&c.time)),
            ]);
        }
    }
    if rows.len() > 1 {
        for row in align(&rows) {
            out.push_str(&row);
            out.push('\n');
        }
    }
    let steady = g.metrics.iter().filter(|m| m.changes.is_empty()).count();
    if steady > 0 {
        let what = things(steady as u64, "metric");
        let few = match g.runs < FEWEST {
            true => format!(" (it takes at least {FEWEST} runs)"),
            false => String::new(),
        };
        wrap(&format!("no change in {what}{few}"), out);
    }
}

fn figure(value: MetricValue, unit: Unit) -> String {
    match value {
        MetricValue::Value(v) => phrases::figure(v, unit),
        MetricValue::Missed => "missed".to_owned(),
    }
}

/// `×1.3`, `+0.2 %`, `-`.
fn size(m: &MetricTrend, c: &Change) -> String {
    let (MetricValue::Value(before), MetricValue::Value(after)) = (c.before, c.after) else {
        return "-".to_owned();
    };
    let scale = Metric::parse(&m.metric).map(|metric| metric.scale());
    match scale {
        Ok(Scale::Ratio) if before > 0.0 => format!("×{}", three(after / before)),
        _ => {
            let sign = if after < before { "-" } else { "+" };
            format!("{sign}{}", phrases::figure((after - before).abs(), m.unit))
        }
    }
}
