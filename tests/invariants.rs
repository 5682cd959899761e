//! The house's invariants that no lint can hold: what a room may use, and how long a file may get.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and speak"
)]

#[path = "invariants/imports.rs"]
mod imports;
#[path = "invariants/rooms.rs"]
mod rooms;

use imports::{Import, imports, module_of};
use rooms::{ROOMS, code_map};
use std::collections::BTreeSet;
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

fn allowed(import: &Import) -> bool {
    let of =
        |room: &rooms::Room| room.name == import.from && room.uses.contains(&import.to.as_str());
    ROOMS.iter().any(of)
}

/// `file:line: from → to (path)` for each import that the table does not allow.
fn violations(files: &[(PathBuf, String)]) -> Vec<String> {
    let found = imports(files).into_iter().collect::<BTreeSet<_>>();
    let refused = found.iter().filter(|i| !allowed(i));
    let say = |i: &Import| {
        let (file, line) = (i.file.display(), i.line);
        format!(
            "{file}:{line}: {} may not use {} ({})",
            i.from, i.to, i.path
        )
    };
    refused.map(say).collect()
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let found = violations(&sources("src"));
    assert!(
        found.is_empty(),
        "imports flow down (tests/invariants/rooms.rs has the table):\n{}",
        found.join("\n")
    );
}

#[test]
fn permissions_are_used() {
    let found = imports(&sources("src"));
    let used = |from: &str, to: &str| found.iter().any(|i| i.from == from && i.to == to);
    let unused: Vec<String> = ROOMS
        .iter()
        .flat_map(|room| {
            let unused = room.uses.iter().filter(|to| !used(room.name, to));
            unused.map(|to| format!("{} does not use {to}", room.name))
        })
        .collect();
    assert!(
        unused.is_empty(),
        "take out of the table:\n{}",
        unused.join("\n")
    );
}

#[test]
fn every_room_is_in_the_table_and_uses_only_rooms_below_it() {
    let mut names: BTreeSet<String> = sources("src")
        .iter()
        .filter_map(|(file, _)| module_of(file).first().cloned())
        .collect();
    for (at, room) in ROOMS.iter().enumerate() {
        assert!(names.remove(room.name), "{} is no room", room.name);
        for used in room.uses {
            let below = ROOMS[at + 1..].iter().any(|r| r.name == *used);
            assert!(below, "{} uses {used}, which is not below it", room.name);
        }
    }
    assert!(names.is_empty(), "rooms without a row: {names:?}");
}

#[test]
fn the_code_map_is_the_table() {
    let file = root().join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (begin, end) = ("<!-- rooms: begin -->\n", "<!-- rooms: end -->");
    let from = text.find(begin).expect("the code map's first mark") + begin.len();
    let to = text.find(end).expect("the code map's last mark");
    let now = format!("{}{}{}", &text[..from], code_map(), &text[to..]);
    expect_test::expect_file![file].assert_eq(&now);
}

#[test]
fn an_upward_import_is_seen() {
    let file = |name: &str, text: &str| (PathBuf::from(name), text.to_owned());
    let files = [
        file(
            "src/kube/mod.rs",
            "pub use crate::rpc::Put as Write; mod actors;",
        ),
        file("src/rpc/mod.rs", "mod put; pub use put::*;"),
        file("src/rpc/put.rs", "pub struct Put;"),
        file(
            "src/schedule/mod.rs",
            "use crate::kube::{self, Write}; // use crate::engine;",
        ),
        file(
            "src/kube/actors.rs",
            "fn f() { println!(\"{}\", crate::engine::X); } #[cfg(test)] mod tests { use crate::cli::X; }",
        ),
        file(
            "src/engine/mod.rs",
            "pub struct X; mod a { fn f() { super::super::cli::run() } }",
        ),
        file("src/cli/mod.rs", ""),
    ];
    assert_eq!(
        violations(&files),
        [
            "src/engine/mod.rs:1: engine may not use cli (cli::run)",
            "src/kube/actors.rs:1: kube may not use engine (engine::X)",
            "src/schedule/mod.rs:1: schedule may not use kube (kube)",
            "src/schedule/mod.rs:1: schedule may not use rpc (kube::Write)",
        ]
    );
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

/// Fields and variants need a comment only where their name does not say it all.
#[test]
fn public_items_are_documented() {
    let items = [
        "struct ", "enum ", "trait ", "fn ", "type ", "const ", "static ",
    ];
    let mut bare = Vec::new();
    let tested = |file: &Path| file.ends_with("tests.rs");
    for (file, text) in sources("src").iter().filter(|(file, _)| !tested(file)) {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        if !lines.iter().any(|l| l.starts_with("//!")) {
            bare.push(format!("{}: no //! comment", file.display()));
        }
        for (i, line) in lines.iter().enumerate() {
            let item = line.strip_prefix("pub ");
            // A command's Args are documented where it is listed; a macro's items where it is used.
            let item = item.is_some_and(|l| items.iter().any(|i| l.starts_with(i)))
                && !line.contains('$')
                && *line != "pub struct Args {";
            let above = lines[..i].iter().rev();
            let documented = above
                .take_while(|l| !l.is_empty() && !l.ends_with([';', '}', '{']))
                .any(|l| l.starts_with("///"));
            if item && !documented {
                bare.push(format!("{}:{}: {line}", file.display(), i + 1));
            }
        }
    }
    assert!(bare.is_empty(), "say what it is for:\n{}", bare.join("\n"));
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
