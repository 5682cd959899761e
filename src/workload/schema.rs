//! The workload file's JSON Schema and its reference page, both generated from the types in
//! [`super::file`] and the definitions of the actors, so that neither can fall behind.

use super::file::WorkloadFile;
use serde_json::{Map, Value};
use std::fmt::Write as _;

const INTRO: &str = "# The workload file

<!-- Generated from src/workload and src/kube/actors; `UPDATE_EXPECT=1 cargo test --test docs` rewrites it. -->

A workload is a YAML file that describes a hollow Kubernetes cluster and the traffic that it sends to etcd.
`etcdmark list` lists the built-in workloads. `etcdmark show NAME --source` prints one as a starting point.
`etcdmark show FILE` prints a workload with all defaults. `etcdmark validate FILE` checks it.

Durations are numbers with a unit (`10s`, `5m`, `100ms`, `1h30m`). Rates are per second. Sizes are in bytes.
`--set PATH=VALUE` changes any field under `spec`: `--set cluster.podsPerNode=50`,
`--set actors.node-leases.period=5s`, `--set limits.node-lease/update=500ms`.
Unknown and repeated keys are errors. `etcdmark show --schema` prints the JSON Schema
[`workloads/workload.schema.json`](../../workloads/workload.schema.json). Editors use it if the file's first line is
`# yaml-language-server: $schema=PATH/workload.schema.json`.
";

/// The JSON Schema (draft 2020-12) of a workload file.
pub fn json_schema() -> Value {
    schemars::schema_for!(WorkloadFile).to_value()
}

/// The schema as it is committed: two spaces, a final newline.
pub fn json_schema_text() -> String {
    format!("{:#}\n", json_schema())
}

/// `docs/reference/workload.md`: every field with its type, default and meaning.
pub fn reference() -> String {
    let schema = json_schema();
    let mut out = INTRO.to_owned();
    let mut queue = vec![("The file".to_owned(), String::new(), &schema)];
    while !queue.is_empty() {
        let (title, path, node) = queue.remove(0);
        section(&mut out, &title, node);
        let properties = node
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        for (name, property) in ordered(properties) {
            let (target, suffix) = nested(property);
            if let Some(target) = target.and_then(|r| resolve(&schema, r)) {
                let path = if path.is_empty() {
                    format!("{name}{suffix}")
                } else {
                    format!("{path}.{name}{suffix}")
                };
                let choices = target
                    .get("oneOf")
                    .and_then(Value::as_array)
                    .map_or(0, Vec::len);
                if target.get("properties").is_some() || choices > 1 {
                    queue.push((format!("`{path}`"), path, target));
                }
            }
        }
    }
    classes(&mut out);
    out
}

fn section(out: &mut String, title: &str, node: &Value) {
    let _ = writeln!(out, "\n## {title}\n\n{}\n", text(node));
    if let Some(properties) = node.get("properties").and_then(Value::as_object) {
        let _ = writeln!(
            out,
            "| field | type | default | meaning |\n|---|---|---|---|"
        );
        for (name, property) in ordered(properties) {
            let (meaning, default) = split(&text(property));
            let _ = writeln!(
                out,
                "| `{name}` | {} | {default} | {meaning} |",
                type_of(property)
            );
        }
    } else if let Some(choices) = node.get("oneOf").and_then(Value::as_array) {
        let _ = writeln!(out, "| value | meaning |\n|---|---|");
        for choice in choices {
            let _ = writeln!(
                out,
                "| `{}` | {} |",
                plain(choice.get("const")),
                text(choice)
            );
        }
    }
}

fn classes(out: &mut String) {
    out.push_str("\n## Op classes\n\nUse these names in `limits`, `thresholds` and `primary`.\n\n");
    out.push_str("| op class | what | resource | RPC |\n|---|---|---|---|\n");
    for class in crate::kube::OpClass::ALL {
        let info = class.info();
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            info.name,
            info.title,
            info.resource.plural(),
            info.rpc.method()
        );
    }
}

/// A field's meaning and its default (or "required"), from "Meaning. Default: x." in its comment.
fn split(text: &str) -> (String, String) {
    if let Some((meaning, default)) = text.rsplit_once(" Default: ") {
        return (
            meaning.to_owned(),
            default.strip_suffix('.').unwrap_or(default).to_owned(),
        );
    }
    match text.strip_suffix(" Required.") {
        Some(meaning) => (meaning.to_owned(), "required".to_owned()),
        None => (text.to_owned(), String::new()),
    }
}

/// Name, kind and metadata first, as one writes them; the rest by name.
fn ordered<'a>(
    properties: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    const FIRST: [&str; 8] = [
        "apiVersion",
        "name",
        "kind",
        "metadata",
        "spec",
        "nodes",
        "duration",
        "kubernetesVersion",
    ];
    let mut all: Vec<_> = properties.into_iter().collect();
    all.sort_by_key(|(name, _)| {
        (
            FIRST.iter().position(|f| f == name).unwrap_or(FIRST.len()),
            *name,
        )
    });
    all.into_iter()
}

fn type_of(node: &Value) -> String {
    if let (Some(name), suffix) = nested(node) {
        let of = if suffix.is_empty() { "" } else { "list of " };
        return format!("{of}{}", words(name.rsplit('/').next().unwrap_or(name)));
    }
    if let Some(values) = node.get("enum").and_then(Value::as_array) {
        return values
            .iter()
            .filter(|v| !v.is_null())
            .map(|v| format!("`{}`", plain(Some(v))))
            .collect::<Vec<_>>()
            .join(", ");
    }
    match plain_type(node) {
        "array" => format!(
            "list of {}",
            node.get("items").map_or("values".to_owned(), type_of)
        ),
        "integer" => "whole number".to_owned(),
        "object" => "op class to duration".to_owned(),
        "string" => "text".to_owned(),
        other => other.to_owned(),
    }
}

fn words(name: &str) -> &str {
    match name {
        "Duration" => "duration",
        "Length" => "duration or `forever`",
        "ApiVersion" => "`etcdmark/v1alpha2`",
        "DocumentKind" => "`Workload`",
        "Process" => "`constant`, `poisson`",
        "AtCap" => "`queue`, `skip`",
        "WireKind" => "`h2`, `tonic`",
        "ActorKind" => "see below",
        _ => "object",
    }
}

fn plain_type(node: &Value) -> &str {
    match node.get("type") {
        Some(Value::String(t)) => t,
        Some(Value::Array(types)) => types
            .iter()
            .filter_map(Value::as_str)
            .find(|t| *t != "null")
            .unwrap_or("value"),
        _ => "value",
    }
}

/// The definition that a property is, or is a list of, and `[]` in the latter case.
fn nested(node: &Value) -> (Option<&str>, &'static str) {
    let direct = |n: &Value| n.get("$ref").is_some();
    if direct(node) {
        return (node.get("$ref").and_then(Value::as_str), "");
    }
    if let Some(choice) = node
        .get("anyOf")
        .and_then(Value::as_array)
        .and_then(|a| a.iter().find(|n| direct(n)))
    {
        return (choice.get("$ref").and_then(Value::as_str), "");
    }
    (
        node.get("items")
            .and_then(|i| i.get("$ref"))
            .and_then(Value::as_str),
        "[]",
    )
}

fn resolve<'a>(schema: &'a Value, reference: &str) -> Option<&'a Value> {
    schema.pointer(reference.strip_prefix('#')?)
}

fn text(node: &Value) -> String {
    let text = node
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

fn plain(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Every `PATH` of the schema's fields that lacks a default and is not required; none, if the comments
/// are complete.
pub fn fields_without_default() -> Vec<String> {
    let schema = json_schema();
    let empty = Map::new();
    let defs = schema
        .get("$defs")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let objects = defs
        .iter()
        .map(|(n, v)| (n.as_str(), v))
        .chain([("WorkloadFile", &schema)]);
    let mut missing = Vec::new();
    for (object, node) in objects {
        for (name, property) in node
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if split(&text(property)).1.is_empty() {
                missing.push(format!("{object}.{name}"));
            }
        }
    }
    missing
}
