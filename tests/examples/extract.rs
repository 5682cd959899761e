//! The commands and files that the documents show.

use std::fs;
use std::path::{Path, PathBuf};

/// Commands that no test runs: how they start, and why.
pub(crate) const WHY_NOT: &[(&str, &str)] = &[
    (
        "fio ",
        "is not installed with the tests; scripts/bench-disk.sh runs it",
    ),
    (
        "etcdmark disk --fio",
        "needs the file that fio makes; tests/disk.rs has one",
    ),
    (
        "etcdmark compare ./etcd-main",
        "needs two builds of etcd; tests/experiment plays two versions",
    ),
    (
        "scripts/quickstart.sh",
        "builds etcdmark and runs `etcdmark run`",
    ),
    (
        "scripts/ci-gate.sh",
        "builds a release; scripts/full/ci-gate.sh plays it",
    ),
    ("scripts/test.sh", "this test is a part of it"),
    ("scripts/install-etcd.sh", "scripts/test.sh calls it first"),
    ("cargo install", "builds what cargo test builds"),
    ("cargo test", "other tests, and a release build"),
    ("docker ", "needs Docker"),
    (
        "for run in results/",
        "needs twelve runs; scripts/full/exporters.sh gives benchstat two",
    ),
    ("benchstat ", "is run by scripts/full/exporters.sh"),
    ("taskset -c 0 etcd …", "stands for your own etcd"),
    (
        "etcdctl ",
        "is not installed with the tests; tests/control.rs grants the same permissions",
    ),
    (
        "java ",
        "needs Java and a jar; scripts/test-full.sh reads the file with it",
    ),
    ("BUILDS=", "a bench of minutes"),
    (
        "etcdmark run --kind",
        "needs a kind cluster: scripts/full/kind.sh",
    ),
    (
        "etcdmark inspect --kind",
        "needs a kind cluster: scripts/full/kind.sh",
    ),
    (
        "etcdmark cleanup --kind",
        "needs a kind cluster: scripts/full/kind.sh",
    ),
    (
        "etcdmark quota-plan --kind",
        "needs a kind cluster: scripts/full/kind.sh",
    ),
];

/// Why no test runs this command.
pub(crate) fn why_not(line: &str) -> Option<&'static str> {
    let of = |(start, why): &(&str, &'static str)| line.starts_with(start).then_some(*why);
    WHY_NOT.iter().find_map(of)
}

/// What one document shows.
pub(crate) struct Page {
    /// From the repository's root.
    pub(crate) path: String,
    /// Without `$ `, comments and what is explained beside them; continued lines joined.
    pub(crate) commands: Vec<String>,
    /// Whole workloads, experiments and media.
    pub(crate) files: Vec<String>,
}

/// Every document that shows something.
pub(crate) fn pages() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md"), root.join("deploy/README.md")];
    walk(&root.join("docs"), &mut paths);
    paths.sort();
    let page = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let (commands, files) = if path.extension().is_some_and(|e| e == "md") {
            let mut commands = console(&text);
            commands.extend(inline(&text));
            (commands, yaml(&text))
        } else {
            (help(&text), Vec::new())
        };
        let path = path.strip_prefix(root).unwrap().display().to_string();
        Page {
            path,
            commands,
            files,
        }
    };
    let shows = |p: &Page| !p.commands.is_empty() || !p.files.is_empty();
    paths.iter().map(page).filter(shows).collect()
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|e| e == "md" || e == "txt") {
            found.push(path);
        }
    }
}

fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let block = |after: &'a str| after.split("```").next();
    text.split(&fence).skip(1).filter_map(block).collect()
}

fn yaml(text: &str) -> Vec<String> {
    let whole = |b: &&str| b.contains("apiVersion: etcdmark/");
    blocks(text, "yaml")
        .into_iter()
        .filter(whole)
        .map(str::to_owned)
        .collect()
}

/// The lines behind a prompt.
fn console(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    for block in blocks(text, "console") {
        let mut lines = block.lines();
        while let Some(line) = lines.next() {
            if let Some(command) = line.strip_prefix("$ ") {
                let mut command = before_remark(command);
                while let Some(begun) = command.strip_suffix('\\') {
                    let more = lines.next().expect("a continued line goes on").trim();
                    command = format!("{begun}{}", before_remark(more));
                }
                commands.push(command);
            }
        }
    }
    commands
}

/// Commands in a sentence that are whole: more than a command's name and a flag, without a placeholder.
fn inline(text: &str) -> Vec<String> {
    let placeholder = |word: &str| {
        let letters = word.chars().filter(|c| c.is_alphabetic());
        word.contains(['…', '['])
            || (word.len() > 1
                && letters.clone().count() > 1
                && letters.clone().all(char::is_uppercase))
    };
    let whole = |command: &&str| {
        let words: Vec<&str> = command.split(' ').collect();
        let said = words.len() > 3 || words.iter().any(|w| w.contains('='));
        command.starts_with("etcdmark ") && said && !words.iter().any(|w| placeholder(w))
    };
    // Fenced blocks are left out: their backticks come in threes.
    let prose = text.split("```").step_by(2);
    let spans = prose.flat_map(|prose| prose.split('`').skip(1).step_by(2));
    spans.filter(whole).map(str::to_owned).collect()
}

/// The lines below `Example:` or `Examples:` in a help text. What stands two spaces to the right of a command explains it.
fn help(text: &str) -> Vec<String> {
    let Some((_, examples)) = text.split_once("\nExample") else {
        return Vec::new();
    };
    let mut commands: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in examples.lines().skip(1) {
        let line = line.trim();
        let line = line.split("  ").next().unwrap_or(line);
        if goes_on {
            let last = commands.last_mut().expect("it has begun");
            last.push_str(line);
        } else if line.starts_with("etcdmark ") {
            commands.push(line.to_owned());
        } else {
            continue;
        }
        let last = commands.last_mut().expect("one was pushed");
        goes_on = last.ends_with('\\');
        if goes_on {
            last.pop();
        }
    }
    commands
}

fn before_remark(command: &str) -> String {
    let end = command.find(" # ").unwrap_or(command.len());
    command[..end].trim_end().to_owned()
}
