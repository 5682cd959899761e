//! Go's benchmark text format (golang.org/x/perf/benchfmt): a line per op class, and one per member of etcd. Results of
//! several runs one after the other are one file; benchstat compares two of these. A percentile that is a miss is `+Inf`: left
//! out, it would leave the better runs. Times are seconds: benchstat scales them, and gives ns another unit where they are +∞.

use super::{operations, response, service};
use crate::report::result::{ClassResult, MemberFigures, RunResult, StoreResult};
use std::fmt::Write;

/// Only what two runs must share to be compared is a key: benchstat shows results whose keys differ in separate tables.
pub fn render(r: &RunResult) -> String {
    let nodes = r.header.plan.pointer("/spec/cluster/nodes");
    let nodes = nodes.and_then(serde_json::Value::as_u64);
    let mut lines: Vec<Line> = r.classes.iter().filter_map(class).collect();
    for store in &r.stores {
        lines.extend(store.members.iter().map(|m| member(store, m)));
    }
    let mut out = keys(&[
        ("workload", r.header.workload.as_str()),
        ("nodes", &nodes.map_or(String::new(), |n| n.to_string())),
        ("cpu", &r.header.environment.cpu_model),
    ]);
    out.push_str(&render_lines(&lines));
    out
}

/// A benchmark's name, its iterations, and its values.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) iterations: u64,
    pub(crate) values: Vec<(f64, String)>,
}

/// `key: value` of those that are known.
pub(crate) fn keys(all: &[(&str, &str)]) -> String {
    let known = all.iter().filter(|(_, value)| !value.is_empty());
    let line = |(key, value): &(&str, &str)| {
        let value: Vec<&str> = value.split_whitespace().collect();
        format!("{key}: {}\n", value.join(" "))
    };
    known.map(line).collect()
}

/// What is better of each unit, then the lines. One without values says nothing.
pub(crate) fn render_lines(lines: &[Line]) -> String {
    let mut units: Vec<&str> = Vec::new();
    for (_, unit) in lines.iter().flat_map(|l| &l.values) {
        if !units.contains(&unit.as_str()) {
            units.push(unit);
        }
    }
    let mut out = String::new();
    for unit in units {
        let better = match unit {
            "achieved-ops/s" | "achieved-share" => "higher",
            _ => "lower",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "Unit {unit} better={better}");
    }
    for line in lines.iter().filter(|l| !l.values.is_empty()) {
        let _ = write!(out, "Benchmark{} {}", line.name, line.iterations);
        for (value, unit) in &line.values {
            let _ = write!(out, " {} {unit}", number(*value));
        }
        out.push('\n');
    }
    out
}

/// As Go reads it.
fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        v => v.to_string(),
    }
}

/// `/actor=node-lease/step=update`: benchstat's projections can name its parts.
pub(crate) fn parts(class: &str) -> String {
    match class.split_once('/') {
        Some((actor, step)) => format!("/actor={actor}/step={step}"),
        None => format!("/class={class}"),
    }
}

fn class(c: &ClassResult) -> Option<Line> {
    let f = &c.figures;
    let iterations = operations(f);
    if iterations == 0 {
        return None;
    }
    let (name, all) = match c.class.closed_loop {
        false => ("Response", response(f)),
        true => ("Service", service(f)),
    };
    let known = all
        .into_iter()
        .filter_map(|(name, _, quantile)| Some((quantile.number()?, format!("{name}-sec"))));
    let mut values: Vec<(f64, String)> = known.collect();
    values.push((f.miss_share, "missed-share".to_owned()));
    values.push((f.achieved_rate, "achieved-ops/s".to_owned()));
    Some(Line {
        name: format!("{name}{}", parts(&c.class.name)),
        iterations,
        values,
    })
}

fn member(store: &StoreResult, m: &MemberFigures) -> Line {
    let all = [
        (m.fsync_mean, "fsync-mean-sec"),
        (m.commit_mean, "commit-mean-sec"),
        (m.cpu_cores, "cpu-cores"),
        (m.rss_max, "rss-B"),
        (m.db_size_max, "db-size-B"),
    ];
    let known = all.into_iter().filter_map(|(v, unit)| Some((v?, unit)));
    Line {
        name: format!("Etcd/store={}/member={}", store.name, m.member),
        iterations: 1,
        values: known.map(|(v, unit)| (v, unit.to_owned())).collect(),
    }
}
