//! The house's invariants that no lint can hold: what a room may use, and how long a file may get.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and speak"
)]

use std::path::{Path, PathBuf};

/// From here on a file is named, and from there on it fails.
const LONG: usize = 400;
const TOO_LONG: usize = 500;

/// The skeleton of types for the event stream, one table of plain data: (file, its own limit).
const LONG_TABLES: [(&str, usize); 1] = [("src/report/event.rs", 800)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files under `dir` of the repository, with their text.
fn sources(dir: &str) -> Vec<(PathBuf, String)> {
    let mut pending = vec![root().join(dir)];
    let mut found = Vec::new();
    while let Some(dir) = pending.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            continue;
        };
        for path in entries.map(|e| e.unwrap().path()) {
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    found
}

/// `file:line: word` for each banned word in code; comments and the unit tests at a file's end are not looked at.
fn banned(file: &Path, text: &str, words: &[&str]) -> Vec<String> {
    let code = text
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]");
    let code = code
        .enumerate()
        .map(|(i, line)| (i + 1, line.split("//").next().unwrap_or("")));
    code.flat_map(|(n, line)| {
        let hits = words.iter().filter(move |word| line.contains(**word));
        hits.map(move |word| format!("{}:{n}: {word}", file.display()))
    })
    .collect()
}

#[test]
fn kube_schedule_and_measure_are_pure() {
    let words = [
        "tokio",
        "std::fs",
        "std::net",
        "std::process",
        "std::thread",
        "std::env",
        "clock::now",
        "clock::unix_now",
        "Anchor::new",
    ];
    let mut hits = Vec::new();
    for room in ["src/kube", "src/schedule", "src/measure"] {
        let files = sources(room);
        assert!(
            !files.is_empty(),
            "{room} is gone: change this test with the house"
        );
        hits.extend(
            files
                .iter()
                .flat_map(|(file, text)| banned(file, text, &words)),
        );
    }
    assert!(
        hits.is_empty(),
        "no clock, IO or runtime in a pure room:\n{}",
        hits.join("\n")
    );
}

#[test]
fn the_engine_waits_only_in_its_pacer() {
    let files = sources("src/engine");
    assert!(!files.is_empty());
    let others = files
        .iter()
        .filter(|(file, _)| !file.to_string_lossy().starts_with("src/engine/pace"));
    let hits: Vec<_> = others
        .flat_map(|(file, text)| banned(file, text, &["tokio::time", "thread::sleep"]))
        .collect();
    assert!(
        hits.is_empty(),
        "tokio timers are a millisecond late: wait through the pacer\n{}",
        hits.join("\n")
    );
}

#[test]
fn serde_attributes_with_bad_messages_are_not_used() {
    let words = [
        "serde(flatten",
        "serde(untagged",
        ", flatten)",
        ", untagged)",
    ];
    let hits: Vec<_> = sources("src")
        .iter()
        .flat_map(|(file, text)| banned(file, text, &words))
        .collect();
    assert!(
        hits.is_empty(),
        "their errors name no field:\n{}",
        hits.join("\n")
    );
}

#[test]
fn files_stay_short() {
    let mut too_long = Vec::new();
    for (file, text) in sources("src") {
        let lines = text.lines().count();
        let table = LONG_TABLES.iter().find(|(name, _)| Path::new(name) == file);
        if lines > LONG {
            eprintln!("{}: {lines} lines", file.display());
        }
        if lines > table.map_or(TOO_LONG, |(_, limit)| *limit) {
            too_long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(
        too_long.is_empty(),
        "a file does one thing; split:\n{}",
        too_long.join("\n")
    );
}

#[test]
fn the_ban_sees_what_it_must() {
    let text = "use tokio::time; // tokio::time\n// tokio::time\n#[cfg(test)]\nmod tests { use tokio::time; }\n";
    assert_eq!(
        banned(Path::new("a.rs"), text, &["tokio::time"]),
        ["a.rs:1: tokio::time"]
    );
}
