//! Go's benchmark text format: a line per trial and subject, under the key `arm`, so that `benchstat -col arm FILE` compares
//! the arms. A percentile that is a miss is `+Inf`. benchstat knows no blocks: etcdmark's own answer pairs the trials.

use crate::experiment::result::document::{ExperimentResult, TrialResult, TrialState};
use crate::experiment::result::metric::{Metric, MetricValue, Unit};
use crate::report::export::benchstat::{Line, keys, parts, render_lines};
use std::collections::BTreeMap;

/// The trials whose figures the answer is made of.
pub fn render(r: &ExperimentResult) -> String {
    let mut out = keys(&[("experiment", &r.plan.name)]);
    for level in &r.plan.levels {
        let level_name = level.to_string();
        for arm in &r.plan.arms {
            let used = |t: &&TrialResult| {
                t.arm == arm.name
                    && t.level == *level
                    && t.state == TrialState::Done
                    && t.block >= r.plan.first_block()
            };
            let lines: Vec<Line> = r
                .trials
                .iter()
                .filter(used)
                .flat_map(|t| lines(&t.values))
                .collect();
            out.push_str(&keys(&[("level", &level_name), ("arm", &arm.name)]));
            out.push_str(&render_lines(&lines));
        }
    }
    out
}

/// A trial's metrics, by subject.
fn lines(values: &BTreeMap<String, MetricValue>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (name, value) in values {
        let (Some((subject, figure)), Ok(metric)) = (name.split_once(':'), Metric::parse(name))
        else {
            continue;
        };
        let name = match subject {
            "all" => "All".to_owned(),
            "etcd" => "Etcd".to_owned(),
            "client" => "Client".to_owned(),
            class => format!("Class{}", parts(class)),
        };
        let value = (value.number(), unit(figure, metric.unit()));
        match lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.values.push(value),
            None => lines.push(Line {
                name,
                iterations: 1,
                values: vec![value],
            }),
        }
    }
    lines
}

/// benchstat scales `sec` and `B`, which the values of metrics are in.
fn unit(figure: &str, unit: Unit) -> String {
    let per_op = figure.strip_suffix("-per-op");
    let figure = per_op.unwrap_or(figure);
    let suffix = match unit {
        Unit::Seconds => "-sec",
        Unit::Bytes => "-B",
        Unit::Share => "-share",
        Unit::PerSecond if figure == "rate" => return "achieved-ops/s".to_owned(),
        Unit::PerSecond | Unit::Cores | Unit::Count => "",
    };
    let over = if per_op.is_some() { "/op" } else { "" };
    format!("{figure}{suffix}{over}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_as_those_of_a_run() {
        let values = [
            ("etcd:cpu-per-op", 0.0021),
            ("etcd:rss", 1e8),
            ("node-lease/update:p50", 0.0018),
        ];
        let values = values.map(|(name, v)| (name.to_owned(), MetricValue::Value(v)));
        let text = render_lines(&lines(&values.into()));
        assert!(
            text.contains("BenchmarkEtcd 1 0.0021 cpu-sec/op 100000000 rss-B\n"),
            "{text}"
        );
        let class = "BenchmarkClass/actor=node-lease/step=update 1 0.0018 p50-sec\n";
        assert!(text.contains(class), "{text}");
    }
}
