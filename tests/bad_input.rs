//! Bad input, as the real binary gets it: one clear message on stderr with the remedy, the right exit code, nothing
//! left in the store or on disk, no panic. Everything that etcd can be made to do is done by a real etcd.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

#[path = "bad_input/certificates.rs"]
mod certificates;
#[path = "bad_input/environment.rs"]
mod environment;
#[path = "bad_input/faults.rs"]
mod faults;
#[path = "bad_input/input.rs"]
mod input;
#[path = "bad_input/kinds.rs"]
mod kinds;
#[path = "bad_input/machine.rs"]
mod machine;
#[path = "bad_input/running.rs"]
mod running;

use common::results::{events, json, reached};
use common::{Output, Running, Testbed, command, names, output, until};
use std::path::Path;
use std::process::Command;

/// What a bad input gets.
struct Case<'a> {
    /// The command line, words split at blanks.
    line: &'a str,
    /// Exit code.
    code: i32,
    /// What the one message must name: flag or field, value, remedy.
    says: &'a [&'a str],
}

const fn case<'a>(line: &'a str, code: i32, says: &'a [&'a str]) -> Case<'a> {
    Case { line, code, says }
}

/// A refused command: no result on stdout, one line on stderr, nothing in the working directory.
fn refused(cases: &[Case<'_>]) {
    let here = tempfile::tempdir().unwrap();
    for case in cases {
        refused_in(here.path(), case);
        let left = names(here.path());
        assert!(left.is_empty(), "{}: left on disk: {left:?}", case.line);
    }
}

/// As [`refused`], in a directory that may hold something.
fn refused_in(here: &Path, case: &Case<'_>) {
    let out = run_in(here, case.line);
    let line = case.line;
    assert_eq!(out.code, case.code, "{line}: {out:?}");
    assert_eq!(out.stdout, "", "{line}");
    let message = one_message(line, &out.stderr);
    for part in case.says {
        assert!(message.contains(part), "{line}: no {part:?} in: {message}");
    }
}

/// The only line of stderr, `error: …`, as a person should meet it.
fn one_message<'a>(line: &str, stderr: &'a str) -> &'a str {
    no_panic(line, stderr);
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{line}: not one line: {stderr}");
    let message = lines[0].strip_prefix("error: ").unwrap_or("");
    assert!(!message.is_empty(), "{line}: {stderr}");
    assert!(
        !message.contains("error: "),
        "{line}: prefixed twice: {stderr}"
    );
    assert!(
        message.len() < 600,
        "{line}: too long to read at 3 a.m.: {stderr}"
    );
    message
}

fn no_panic(line: &str, stderr: &str) {
    assert!(!stderr.contains("panicked"), "{line}: {stderr}");
}

fn run_in(here: &Path, line: &str) -> Output {
    begun_in(here, line).output()
}

/// The command, under way.
fn begun_in(here: &Path, line: &str) -> Running {
    Running::spawn(command_of(line).current_dir(here))
}

fn command_of(line: &str) -> Command {
    command(&line.split_whitespace().collect::<Vec<_>>())
}

/// What `attempt` (its number is handed in) came to on a machine that let the generator keep up: an invalid run (98)
/// says nothing of what is weaker, and is tried again.
fn undisturbed(attempt: impl Fn(u32) -> Output) -> Output {
    let mut out = attempt(0);
    for n in 1..5 {
        if out.code != 98 {
            break;
        }
        out = attempt(n);
    }
    out
}
