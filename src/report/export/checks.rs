//! A result as a list of checks that passed or did not: what JUnit and GitHub's annotations are made of.

use super::versions;
use crate::exit::Exit;
use crate::human::numbers::{seconds, things};
use crate::measure::validity::Verdict;
use crate::report::result::{RunResult, ThresholdResult, ThresholdVerdict};
use crate::report::text::{found, sentence};

/// A result, as a test suite.
#[derive(Clone, Debug)]
pub struct Suite {
    pub(crate) name: String,
    /// The first line of its text.
    pub(crate) sentence: String,
    /// When it began, Unix ns, and where; none if the files do not tell.
    pub(crate) began: Option<(u64, String)>,
    /// How long it took, likewise.
    pub(crate) seconds: Option<f64>,
    pub(crate) properties: Vec<(&'static str, String)>,
    pub(crate) checks: Vec<Check>,
    /// The whole text.
    pub(crate) text: String,
}

/// One question with an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Check {
    /// `run`, `threshold`, `gate`, `comparison`, `trial`.
    pub(crate) group: &'static str,
    pub(crate) name: String,
    pub(crate) state: State,
    /// What it rests on.
    pub(crate) basis: String,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Passed,
    /// It passed, with a doubt.
    Doubtful,
    Failed,
    /// What it would say cannot be known: the run failed, or is invalid.
    Broken,
    /// Nothing says whether it holds.
    Undecided,
}

impl Check {
    pub(crate) fn new(
        group: &'static str,
        name: impl Into<String>,
        state: State,
        basis: impl Into<String>,
    ) -> Self {
        Check {
            group,
            name: name.into(),
            state,
            basis: basis.into(),
        }
    }
}

/// The run itself, then its thresholds.
pub fn of_run(r: &RunResult, text: &str) -> Suite {
    let h = &r.header;
    let mut checks = vec![ended(r), valid(r), writes(r)];
    checks.extend(r.thresholds.iter().map(|t| threshold(t, h.strict)));
    let host = h.environment.hostname.clone();
    Suite {
        name: format!("etcdmark run {}", h.workload),
        sentence: sentence(r),
        began: Some((h.t0_unix_ns, host)),
        seconds: Some(r.outcome.t),
        properties: vec![
            ("etcdmark", h.etcdmark.clone()),
            ("run", h.run_id.clone()),
            ("workload", h.workload.clone()),
            ("plan", h.plan_hash.clone()),
            ("seed", h.seed.to_string()),
            ("etcd", versions(r)),
            ("exit code", r.exit().code().to_string()),
        ],
        checks,
        text: text.to_owned(),
    }
}

fn ended(r: &RunResult) -> Check {
    let is = |state, basis: String| Check::new("run", "completed", state, basis);
    let told = || sentence(r);
    match () {
        () if !r.missing.is_empty() => is(State::Broken, told()),
        () if r.measured_nothing() => is(State::Broken, told()),
        () if r.outcome.outcome == "completed" && !r.outcome.interrupted => is(
            State::Passed,
            format!("{} measured", seconds(r.measured_seconds)),
        ),
        // A threshold ended it: that threshold says the rest.
        () if r.outcome.outcome == "guard" && r.exit() == Exit::Threshold => {
            is(State::Failed, told())
        }
        () => is(State::Broken, told()),
    }
}

fn valid(r: &RunResult) -> Check {
    let reasons = r.validity.reasons.iter();
    let told: Vec<String> = reasons
        .map(|reason| format!("{}; remedy: {}", reason.text, reason.what_to_change))
        .collect();
    let state = match r.validity.verdict {
        Verdict::Valid => State::Passed,
        Verdict::Doubtful => State::Doubtful,
        Verdict::Invalid => State::Broken,
    };
    let told = match told.is_empty() {
        true => "the generator kept up".to_owned(),
        false => told.join("; "),
    };
    Check::new("run", "valid", state, told)
}

fn writes(r: &RunResult) -> Check {
    let is = |state, basis: String| Check::new("run", "acknowledged writes", state, basis);
    if let Some(loss) = r.lost_by_store().next() {
        return is(State::Failed, format!("lost: {}", loss.example));
    }
    let Some(v) = &r.verify else {
        return is(State::Undecided, "not verified".to_owned());
    };
    match (&v.withdrawn, &v.incomplete) {
        (Some(why), _) => is(State::Broken, format!("not verified: {why}")),
        (_, Some(why)) => is(State::Broken, format!("could not be verified: {why}")),
        _ if r.lost_writes() > 0 => {
            let lost = things(r.lost_writes(), "acknowledged write");
            is(State::Failed, format!("{lost} lost"))
        }
        _ => is(State::Passed, "none lost".to_owned()),
    }
}

fn threshold(t: &ThresholdResult, strict: bool) -> Check {
    let state = match t.verdict {
        ThresholdVerdict::Passed => State::Passed,
        ThresholdVerdict::Missed => State::Failed,
        ThresholdVerdict::Undecided if strict => State::Failed,
        ThresholdVerdict::Undecided => State::Undecided,
    };
    let word = match t.verdict {
        ThresholdVerdict::Undecided => "undecided; ",
        _ => "",
    };
    let basis = format!("{word}found {}; {}", found(t), t.basis);
    Check::new("threshold", t.expression.clone(), state, basis)
}
