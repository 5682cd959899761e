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

/// Plays the pages whose path the filter takes; each page is a new user in a new directory.
fn run(takes: fn(&str) -> bool) {
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
    run(|path| path == "README.md" || path.starts_with("deploy/"));
}

#[test]
fn the_first_guides_examples_run() {
    run(|path| {
        [
            "getting-started",
            "reading-results",
            "workloads",
            "your-own-etcd",
        ]
        .iter()
        .any(|guide| path == format!("docs/guide/{guide}.md"))
    });
}

#[test]
fn the_other_guides_examples_run() {
    run(|path| {
        ["experiments", "quota", "split-events", "storage", "kind"]
            .iter()
            .any(|guide| path == format!("docs/guide/{guide}.md"))
    });
}

#[test]
fn the_references_examples_run() {
    run(|path| path.starts_with("docs/reference/") && path.ends_with(".md"));
}

#[test]
fn the_helps_examples_run() {
    run(|path| path.starts_with("docs/reference/help/"));
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
    let known = |p: &Page| {
        p.path == "README.md"
            || ["deploy/", "docs/guide/", "docs/reference/"]
                .iter()
                .any(|dir| p.path.starts_with(dir))
            || p.commands.iter().all(|line| why_not(line).is_some())
    };
    for page in &pages {
        assert!(known(page), "{} is played by no test", page.path);
    }
}
