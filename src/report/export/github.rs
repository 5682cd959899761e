//! Workflow commands of GitHub Actions: annotations of what failed, then of what is undecided or doubtful, and a notice with
//! the answer. GitHub shows ten of each kind per step, so what matters most comes first.

use super::checks::{Check, State, Suite};

/// One command a line.
pub fn render(suite: &Suite) -> String {
    let of = |states: &'static [State]| {
        let checks = suite.checks.iter();
        checks.filter(move |c| states.contains(&c.state))
    };
    let mut out = String::new();
    for check in of(&[State::Failed, State::Broken]) {
        out.push_str(&annotation("error", check));
    }
    for check in of(&[State::Undecided, State::Doubtful]) {
        out.push_str(&annotation("warning", check));
    }
    out.push_str(&command("notice", &suite.name, &suite.sentence));
    out
}

fn annotation(kind: &str, check: &Check) -> String {
    let state = match (check.state, check.group) {
        (State::Undecided, "threshold") => "undecided",
        (State::Undecided, _) => "unknown",
        (State::Doubtful, _) => "doubtful",
        (_, "threshold") => "missed",
        (_, "gate") => "worse",
        _ => "failed",
    };
    let title = format!("etcdmark: {} {} {state}", check.group, check.name);
    command(kind, &title, &check.basis)
}

/// `::error title=…::…`.
fn command(kind: &str, title: &str, message: &str) -> String {
    let title = data(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{kind} title={title}::{}\n", data(message))
}

/// As @actions/core escapes: a message may not begin a new command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
