//! An experiment as a list of checks: each gating metric, or else each primary comparison, and the trials.

use crate::experiment::result::document::{Comparison, ExperimentResult, TrialState};
use crate::experiment::result::phrases;
use crate::measure::paired::Reading;
use crate::report::RunResult;
use crate::report::export::checks::{Check, State, Suite};

/// `ends`: the results of the first and the last trial that was played: when and where it was, and how long it took.
pub fn suite(r: &ExperimentResult, ends: Option<(&RunResult, &RunResult)>, text: &str) -> Suite {
    let p = &r.plan;
    let mut checks = vec![complete(r)];
    checks.extend(trials(r));
    match &p.gate {
        Some(_) => checks.extend(gate(r)),
        None => checks.extend(r.comparisons.iter().filter(|c| c.primary).map(comparison)),
    }
    let arms: Vec<&str> = p.arms.iter().map(|arm| arm.name.as_str()).collect();
    Suite {
        name: format!("etcdmark experiment {}", p.name),
        sentence: r.answer.clone(),
        began: ends.map(|(first, _)| {
            let header = &first.header;
            (header.t0_unix_ns, header.environment.hostname.clone())
        }),
        seconds: ends.map(|(first, last)| {
            let began = first.header.t0_unix_ns;
            last.header.t0_unix_ns.saturating_sub(began) as f64 / 1e9 + last.outcome.t
        }),
        properties: vec![
            ("experiment", p.name.clone()),
            ("arms", arms.join(", ")),
            ("plan", p.hash.clone()),
            ("seed", p.seed.to_string()),
            ("exit code", r.exit().code().to_string()),
        ],
        checks,
        text: text.to_owned(),
    }
}

fn complete(r: &ExperimentResult) -> Check {
    let with = |state| r.trials.iter().filter(|t| t.state == state).count();
    let (all, done) = (r.trials.len(), with(TrialState::Done));
    let basis = format!("{done} of {all} trials done");
    match r.complete {
        true => Check::new("trial", "complete", State::Passed, basis),
        false => {
            let again = "the same command with the same --out continues";
            Check::new(
                "trial",
                "complete",
                State::Broken,
                format!("{basis}; {again}"),
            )
        }
    }
}

/// Those that say something else than how fast they were.
fn trials(r: &ExperimentResult) -> Vec<Check> {
    let check = |t: &crate::experiment::result::document::TrialResult| {
        let (state, what) = match (t.state, t.exit_code) {
            (TrialState::Invalid, _) => (
                State::Broken,
                "invalid twice: the generator did not keep up; its figures are excluded",
            ),
            (TrialState::Done, Some(1)) => (State::Failed, "failed"),
            (TrialState::Done, Some(99)) => (State::Failed, "threshold missed"),
            _ => return None,
        };
        let basis = format!("{what}; see {}", t.directory);
        let name = format!("trial {}, arm {}, block {}", t.trial, t.arm, t.block);
        Some(Check::new("trial", name, state, basis))
    };
    r.trials.iter().filter_map(check).collect()
}

/// What the analysis says of each gating metric: its verdict in the data, its figures in the table.
fn gate(r: &ExperimentResult) -> Vec<Check> {
    let Some(table) = r.tables.first() else {
        return Vec::new();
    };
    let null = r.plan.gate.as_ref().is_some_and(|gate| gate.null);
    let check = |(i, row): (usize, &Vec<String>)| {
        let verdict = r.data.get(i).and_then(|m| m.get("verdict"));
        let state = match verdict.and_then(serde_json::Value::as_str) {
            _ if null => State::Passed,
            Some("worse") => State::Failed,
            Some("better" | "equivalent") => State::Passed,
            _ => State::Undecided,
        };
        let named = table.columns.iter().zip(row).skip(1);
        let figures: Vec<String> = named
            .filter(|(_, cell)| *cell != "-")
            .map(|(column, cell)| format!("{column} {cell}"))
            .collect();
        let metric = row.first().cloned().unwrap_or_default();
        Check::new("gate", metric, state, figures.join(", "))
    };
    table.rows.iter().enumerate().map(check).collect()
}

/// A difference is an answer, not a failure: only a gate knows which direction is the worse.
fn comparison(c: &Comparison) -> Check {
    let state = match c.reading {
        Reading::Differs | Reading::Equivalent => State::Passed,
        Reading::Inconclusive => State::Undecided,
    };
    let name = format!("{} {}{}", c.metric, c.level.between("level ", ", "), c.arm);
    Check::new("comparison", name, state, phrases::effect(c))
}
