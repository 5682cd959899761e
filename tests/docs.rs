//! Documents that the code decides: help texts, JSON Schemas, reference pages, the table of exit codes; and links.
//!
//! `UPDATE_EXPECT=1 cargo test --test docs` rewrites every one that is generated; look at the difference. The same
//! variable rewrites each snapshot of other tests, which are `expect!` in the source: `UPDATE_EXPECT=1 cargo test`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::schema::assert_fits;
use etcdmark::exit::Exit;
use etcdmark::kube::OpClass;
use std::path::{Path, PathBuf};
use std::process::Command;

const COMMANDS: [&str; 15] = [
    "",
    "run",
    "experiment",
    "compare",
    "capacity",
    "list",
    "validate",
    "show",
    "report",
    "trend",
    "inspect",
    "quota-plan",
    "cleanup",
    "disk",
    "compat",
];

const SUBCOMMANDS: &[&str] = &[
    "experiment list",
    "experiment show",
    "compat go-benchmark",
    "compat check-perf",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Holds a committed file to what the code says.
fn expect(file: &str, text: &str) {
    expect_test::expect_file![root().join(file)].assert_eq(text);
}

/// What a command prints for `--help` on a terminal of 100 columns.
fn help(command: &str) -> String {
    let mut etcdmark = Command::new(common::command::BINARY);
    etcdmark.args(command.split_whitespace());
    etcdmark.arg("--help").env_clear().env("COLUMNS", "100");
    let out = common::output(&mut etcdmark);
    assert_eq!(out.code, 0, "etcdmark {command} --help: {out:?}");
    out.stdout
}

#[test]
fn help_texts_are_as_committed() {
    for command in COMMANDS.iter().chain(SUBCOMMANDS) {
        let name = match *command {
            "" => "etcdmark".to_owned(),
            command => command.replace(' ', "-"),
        };
        let text = help(command);
        let long = text.lines().find(|l| l.chars().count() > 100);
        assert_eq!(long, None, "a line of {name} --help is too long");
        expect(&format!("docs/reference/help/{name}.txt"), &text);
    }
}

#[test]
fn every_command_has_a_help_file() {
    let listed = help("");
    let commands: Vec<&str> = listed
        .lines()
        .skip_while(|l| *l != "Commands:")
        .skip(1)
        .take_while(|l| !l.is_empty())
        .filter_map(|l| l.split_whitespace().next())
        .filter(|c| *c != "help")
        .collect();
    assert_eq!(commands, COMMANDS[1..], "COMMANDS of this test");
    let page = std::fs::read_to_string(root().join("docs/reference/cli.md")).unwrap();
    let subcommands = SUBCOMMANDS.iter().map(|c| c.replace(' ', "-"));
    for command in commands.into_iter().map(str::to_owned).chain(subcommands) {
        assert!(
            page.contains(&format!("(help/{command}.txt)")),
            "docs/reference/cli.md does not link help/{command}.txt"
        );
    }
}

#[test]
fn schemas_are_as_committed() {
    use etcdmark::{capacity, disk, experiment, local, report, workload};
    let reference = |name: &str| format!("docs/reference/{name}.schema.json");
    for (file, text) in [
        (
            "workloads/workload.schema.json".to_owned(),
            workload::schema::json_schema_text(),
        ),
        (
            "workloads/experiments/experiment.schema.json".to_owned(),
            experiment::schema::file_schema(),
        ),
        (
            "workloads/media/medium.schema.json".to_owned(),
            local::medium::medium_schema_text(),
        ),
        (reference("result"), report::json::schema().unwrap()),
        (
            reference("experiment-result"),
            experiment::schema::result_schema(),
        ),
        (reference("capacity"), capacity::schema()),
        (reference("history"), experiment::schema::history_schema()),
        (reference("trend"), experiment::schema::trend_schema()),
        (reference("disk"), disk::result::schema()),
        (
            reference("quota-plan"),
            etcdmark::quota_plan::schema().unwrap(),
        ),
    ] {
        expect(&file, &text);
    }
}

#[test]
fn the_reference_of_workloads_is_current() {
    use etcdmark::workload::schema::{fields_without_default, reference};
    assert_eq!(fields_without_default(), Vec::<String>::new());
    expect("docs/reference/workload.md", &reference());
}

#[test]
fn the_presets_of_media_fit_their_schema() {
    let schema = etcdmark::local::medium::medium_schema_text();
    for preset in etcdmark::local::medium::PRESETS {
        let file: serde_json::Value = serde_saphyr::from_str(preset.text).unwrap();
        assert_fits(&schema, &file, preset.name);
    }
}

#[test]
fn the_table_of_op_classes_is_current() {
    let mut text = String::from(
        "# Op classes\n\n\
         <!-- Generated from src/kube/opclass.rs; `UPDATE_EXPECT=1 cargo test --test docs` rewrites it. -->\n\n\
         etcdmark keeps one histogram per op class, named `actor/step`. A result contains no other classes. Use these names in\n\
         `limits`, `thresholds` and `primary` of a [workload](workload.md).\n\n\
         *RPC* is the name under which etcd's `grpc_server_handled_total` counts the requests. *Resource* decides the store:\n\
         `spec.stores` routes resources to etcd clusters, as kube-apiserver's `--etcd-servers-overrides` does. Resources that\n\
         no store names, and `internal` (etcdmark's own keys), go to the first store.\n\n\
         As in kube-apiserver, a *list* is a Range up to Kubernetes 1.36. From 1.37 on it is a RangeStream if all members run etcd\n\
         3.7 or newer. The result's header shows which one was used.\n\n\
         | op class | name for people | verb | resource | RPC |\n\
         |---|---|---|---|---|\n",
    );
    for class in OpClass::ALL {
        let row = class.info();
        text += &format!(
            "| `{}` | {} | {} | {} | {:?} |\n",
            row.name,
            row.title,
            format!("{:?}", row.verb).to_lowercase(),
            row.resource.plural(),
            row.rpc
        );
    }
    text += "\nVerbs, as kube-apiserver sends them (apiserver `pkg/storage/etcd3/store.go`):\n\n\
         | verb | request |\n|---|---|\n\
         | create | Txn: if the key does not exist, put |\n\
         | update | Txn: if the key's mod revision is as expected, put, else range |\n\
         | delete | Txn: if the key's mod revision is as expected, delete, else range |\n\
         | get | Range of one key |\n\
         | list | Range over a prefix, in pages at a pinned revision |\n\
         | grant | LeaseGrant |\n\
         | compact | Compact |\n\
         | defragment | Defragment of each member, one at a time, the leader last (as with etcdctl; kube-apiserver does not do this) |\n";
    expect("docs/reference/op-classes.md", &text);
}

#[test]
fn exit_codes_are_documented() {
    let page = std::fs::read_to_string(root().join("docs/reference/exit-codes.md")).unwrap();
    let help = help("");
    for exit in [
        Exit::Ok,
        Exit::Failure,
        Exit::Usage,
        Exit::Regression,
        Exit::Invalid,
        Exit::Threshold,
        Exit::Interrupted,
    ] {
        let code = exit.code();
        assert!(page.contains(&format!("| {code} |")), "{code} in the page");
        assert!(
            help.split([' ', '\n']).any(|w| w == code.to_string()),
            "{code} in --help"
        );
    }
}

fn pages(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut found: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"]
        .map(|f| root().join(f))
        .into();
    for dir in ["docs", "deploy"] {
        pages(&root().join(dir), &mut found);
    }
    let mut dead = Vec::new();
    for page in &found {
        let text = std::fs::read_to_string(page).unwrap();
        for link in text.split("](").skip(1).filter_map(|l| l.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let outside = link.contains("://") || file.is_empty();
            if !outside && !page.parent().unwrap().join(file).exists() {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert_eq!(dead, Vec::<String>::new());
}
