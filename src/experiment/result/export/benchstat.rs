//! Go's benchmark text format: a line per trial and subject, under the key `arm`, so that `benchstat -col arm FILE` compares
//! the arms. A percentile that is a miss is `+Inf`. benchstat knows no blocks: etcdmark's own answer pairs the trials.

use crate::experiment::result::document::{ExperimentResult, TrialResult, TrialState};
use crate::experiment::result::metric::{Metric, Unit};
use crate::report::export::benchstat::{Line, keys, parts, render_lines};

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
            let lines: Vec<Line> = r.trials.iter().filter(used).flat_map(lines).collect();
            out.push_str(&keys(&[("level", &level_name), ("arm", &arm.name)]));
            out.push_str(&render_lines(&lines));
        }
    }
    out
}

/// A trial's metrics, by subject.
fn lines(t: &TrialResult) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (name, value) in &t.values {
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
        let (value, unit) = unit(figure, metric.unit(), value.number());
        let of = lines.iter_mut().find(|line| line.name == name);
        match of {
            Some(line) => line.values.push((value, unit)),
            None => lines.push(Line {
                name,
                iterations: 1,
                values: vec![(value, unit)],
            }),
        }
    }
    lines
}

/// benchstat scales `sec` and `B`.
fn unit(figure: &str, unit: Unit, value: f64) -> (f64, String) {
    let per_op = figure.strip_suffix("-per-op");
    let figure = per_op.unwrap_or(figure);
    let suffix = match unit {
        Unit::Seconds => "-sec",
        Unit::Bytes => "-B",
        Unit::Share => "-share",
        Unit::PerSecond if figure == "rate" => return (value, "achieved-ops/s".to_owned()),
        Unit::PerSecond | Unit::Cores | Unit::Count => "",
    };
    let value = if unit == Unit::Seconds {
        value * 1e9
    } else {
        value
    };
    let over = if per_op.is_some() { "/op" } else { "" };
    (value, format!("{figure}{suffix}{over}"))
}
