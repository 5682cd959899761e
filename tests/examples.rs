//! Every command that the README, the guides, the reference and the help show runs as it stands, but for what
//! [`play`] says; what cannot run here is listed in [`extract::WHY_NOT`] with the reason.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
#[path = "examples/extract.rs"]
mod extract;
#[path = "examples/play.rs"]
mod play;

use extract::{Page, why_not};
use play::World;

/// Which pages each test plays.
type Takes = fn(&str) -> bool;

const README: Takes = |path| path == "README.md" || path.starts_with("deploy/");
const FIRST_GUIDES: Takes = |path| {
    [
        "getting-started",
        "reading-results",
        "workloads",
        "your-own-etcd",
    ]
    .iter()
    .any(|guide| path == format!("docs/guide/{guide}.md"))
};
const OTHER_GUIDES: Takes = |path| path.starts_with("docs/guide/") && !FIRST_GUIDES(path);
const REFERENCE: Takes = |path| path.starts_with("docs/reference/") && !HELP(path);
const HELP: Takes = |path| path.starts_with("docs/reference/help/");
const ALL: [Takes; 5] = [README, FIRST_GUIDES, OTHER_GUIDES, REFERENCE, HELP];

/// Plays the pages whose path the filter takes; each page is a new user in a new directory.
fn run(takes: Takes) {
    let mut faults = Vec::new();
    let mut played = 0;
    for page in extract::pages().into_iter().filter(|p| takes(&p.path)) {
        let mut world = World::new();
        for line in &page.commands {
            if why_not(line).is_none() {
                played += 1;
                if let Err(fault) = world.play(line) {
                    faults.push(format!("{}: $ {line}\n{fault}", page.path));
                }
            }
        }
        for yaml in &page.files {
            played += 1;
            if let Err(fault) = world.validate(yaml) {
                faults.push(format!("{}: a file\n{yaml}\n{fault}", page.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert!(played > 0, "nothing was played");
}

#[test]
fn the_readmes_examples_run() {
    run(README);
}

#[test]
fn the_first_guides_examples_run() {
    run(FIRST_GUIDES);
}

#[test]
fn the_other_guides_examples_run() {
    run(OTHER_GUIDES);
}

#[test]
fn the_references_examples_run() {
    run(REFERENCE);
}

#[test]
fn the_helps_examples_run() {
    run(HELP);
}

#[test]
fn every_page_is_played_and_every_reason_is_needed() {
    let pages = extract::pages();
    let all: Vec<&String> = pages.iter().flat_map(|p| &p.commands).collect();
    for (start, why) in extract::WHY_NOT {
        assert!(
            all.iter().any(|line| line.starts_with(start)),
            "no page shows `{start}` any more ({why})"
        );
    }
    // Other pages show only what no test runs.
    let known = |p: &Page| {
        ALL.iter().any(|takes| takes(&p.path))
            || p.commands.iter().all(|line| why_not(line).is_some())
    };
    for page in &pages {
        assert!(known(page), "{} is played by no test", page.path);
    }
}
