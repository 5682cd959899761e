//! Flags that change a workload. Each is an edit of one field of `spec`, so that `etcdmark show` prints
//! exactly what will run.

use super::file::WorkloadFile;
use super::split::{self, Split};
use crate::document::DocumentError;
use crate::document::hint;
use crate::document::{describe, parse_raw};
use serde_json::{Map, Value};

/// Stands for the edited value in the document's JSON until its text is put there.
const MARK: &str = "\u{1}etcdmark-edit\u{1}";

/// Fields of an actor of which it takes one.
const FORMS: [&str; 5] = [
    "period",
    "rate",
    "ratePerNode",
    "ratePerService",
    "concurrency",
];

/// Edits of a workload, applied in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    edits: Vec<Edit>,
    splits: Vec<Split>,
}

/// One field is given a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// As the user wrote it: `--nodes 5`, `--set cluster.nodes=5`.
    pub flag: String,
    /// Under `spec`: `cluster.nodes`, `actors.node-leases.period`, `limits.node-lease/update`.
    pub path: String,
    /// YAML.
    pub value: String,
}

impl Overrides {
    /// No edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a field a value; `flag` is what messages call this edit.
    pub fn push(
        &mut self,
        flag: impl Into<String>,
        path: impl Into<String>,
        value: impl Into<String>,
    ) {
        self.edits.push(Edit {
            flag: flag.into(),
            path: path.into(),
            value: value.into(),
        });
    }

    /// Gives a field a value, for callers without flags.
    pub fn set(&mut self, path: &str, value: impl ToString) {
        let value = value.to_string();
        self.push(format!("--set {path}={value}"), path, value);
    }

    /// `PATH=VALUE`, as `--set` takes it.
    pub fn push_set(&mut self, assignment: &str) -> Result<(), DocumentError> {
        let flag = format!("--set {assignment}");
        match assignment.split_once('=') {
            Some((path, value)) if !path.trim().is_empty() => {
                let path = path.trim().strip_prefix("spec.").unwrap_or(path.trim());
                self.push(flag, path, value.trim());
                Ok(())
            }
            _ => Err(DocumentError::Override {
                flag,
                message: "must be PATH=VALUE, for example --set cluster.podsPerNode=50".to_owned(),
            }),
        }
    }

    /// Gives resources a store of their own, after every edit.
    pub fn split(&mut self, splits: impl IntoIterator<Item = Split>) {
        self.splits.extend(splits);
    }

    /// Adds what others change, after these.
    pub fn extend(&mut self, more: &Overrides) {
        self.edits.extend_from_slice(&more.edits);
        self.splits.extend_from_slice(&more.splits);
    }

    /// Adds the splits' stores to a file; one line for each of its own stores that gives way.
    pub(super) fn apply_splits(&self, file: &mut WorkloadFile) -> Vec<String> {
        split::split(&mut file.spec.stores, &self.splits)
    }

    /// The edits, in order.
    pub fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// The flag that last set this field.
    pub(super) fn flag_of(&self, path: &str) -> Option<String> {
        self.edits
            .iter()
            .rev()
            .find(|e| e.path == path)
            .map(|e| e.flag.clone())
    }

    /// The flag that added this item, the last ones of a list of so many.
    pub(super) fn appended(&self, list: &str, path: &str, length: usize) -> Option<String> {
        let item = path.strip_prefix(list)?.strip_prefix('.')?;
        let index: usize = item.split('.').next()?.parse().ok()?;
        let end = format!("{list}.{APPEND}");
        let added: Vec<&Edit> = self.edits.iter().filter(|e| e.path == end).collect();
        let first = length.checked_sub(added.len())?;
        added.get(index.checked_sub(first)?).map(|e| e.flag.clone())
    }

    /// The file with every edit made.
    pub fn apply(&self, file: &WorkloadFile) -> Result<WorkloadFile, DocumentError> {
        let mut file = file.clone();
        for (i, edit) in self.edits.iter().enumerate() {
            file = edit.apply(&file, &self.edits[..i])?;
        }
        Ok(file)
    }
}

/// In a path: a new item at the end of a list.
const APPEND: &str = "+";

impl Edit {
    fn apply(&self, file: &WorkloadFile, earlier: &[Edit]) -> Result<WorkloadFile, DocumentError> {
        let mut document = serde_json::to_value(file).map_err(|e| self.error(e.to_string()))?;
        let value = self.flow()?;
        let spec = document
            .get_mut("spec")
            .ok_or_else(|| self.error("the workload has no spec"))?;
        self.mark(spec)?;
        self.replaces(spec, earlier);
        // JSON is YAML, so the typed reader and its messages serve for edits too.
        let text = document
            .to_string()
            .replace(&Value::from(MARK).to_string(), &value);
        parse_raw(&text).map_err(|e| self.error(self.describe(&e, &text)))
    }

    /// An actor takes one of several forms of arrivals: the one that is given now replaces the file's, with what goes
    /// with that one only. What another flag gave stays, and is then one too many.
    fn replaces(&self, spec: &mut Value, earlier: &[Edit]) {
        let Some((actor, form)) = self.path.rsplit_once('.') else {
            return;
        };
        let goes_with = |field: &str| match field {
            "jitter" => form == "period",
            "arrival" => form.starts_with("rate"),
            other => other == form,
        };
        let name = match actor.split_once('.') {
            Some(("actors", name)) if FORMS.contains(&form) => name,
            _ => return,
        };
        let Some(actors) = spec.get_mut("actors").and_then(Value::as_array_mut) else {
            return;
        };
        let found = item(actors, name).and_then(|i| actors.get_mut(i));
        let Some(fields) = found.and_then(Value::as_object_mut) else {
            return;
        };
        for field in FORMS.into_iter().chain(["jitter", "arrival"]) {
            let given = earlier.iter().any(|e| {
                let rest = e.path.strip_prefix(actor).and_then(|r| r.strip_prefix('.'));
                rest.is_some_and(|r| r.split('.').next() == Some(field))
            });
            if !goes_with(field) && !given {
                fields.remove(field);
            }
        }
    }

    /// Puts the mark where the value belongs.
    fn mark(&self, spec: &mut Value) -> Result<(), DocumentError> {
        let mut at = spec;
        let mut walked = Vec::new();
        for segment in self.path.split('.') {
            if at.is_null() {
                *at = match segment {
                    APPEND => Value::Array(Vec::new()),
                    _ => Value::Object(Map::new()),
                };
            }
            at = match at {
                Value::Object(map) => map.entry(segment).or_insert(Value::Null),
                Value::Array(items) => {
                    let new = items.len();
                    if segment == APPEND {
                        items.push(Value::Null);
                    }
                    let names: Vec<String> = items
                        .iter()
                        .enumerate()
                        .map(|(i, v)| {
                            v.get("name")
                                .and_then(Value::as_str)
                                .map_or(i.to_string(), str::to_owned)
                        })
                        .collect();
                    let found = match segment {
                        APPEND => Some(new),
                        named => item(items, named),
                    };
                    match found.and_then(|i| items.get_mut(i)) {
                        Some(item) => item,
                        None => {
                            let names: Vec<&str> = names.iter().map(String::as_str).collect();
                            let list = walked.join(".");
                            return Err(self.error(format!(
                                "{list} has no {segment:?}{}",
                                hint(segment, &names)
                            )));
                        }
                    }
                }
                _ => {
                    return Err(
                        self.error(format!("{} is a value and has no fields", walked.join(".")))
                    );
                }
            };
            walked.push(segment);
        }
        *at = Value::from(MARK);
        Ok(())
    }

    /// The value as YAML that can stand inside JSON. Numbers keep their spelling (1.30 is not 1.3).
    fn flow(&self) -> Result<String, DocumentError> {
        // To YAML nothing is null, which would quietly mean the default.
        if self.value.trim().is_empty() {
            return Err(self.error("has no value; write null for the default"));
        }
        let value: Value = match parse_raw(&self.value) {
            Ok(value) => value,
            // Such as `.nan`: the field's own check says what would be right.
            Err(serde_saphyr::Error::NonFiniteFloat { .. }) => {
                return Ok(self.value.trim().to_owned());
            }
            Err(e) => return Err(self.error(describe(&e, &self.value))),
        };
        Ok(match value {
            Value::Number(_) | Value::Bool(_) => self.value.trim().to_owned(),
            other => other.to_string(),
        })
    }

    fn describe(&self, error: &serde_saphyr::Error, text: &str) -> String {
        match error {
            serde_saphyr::Error::SerdeUnknownField {
                field, expected, ..
            } => {
                let segments: Vec<&str> = self.path.split('.').collect();
                let depth = segments
                    .iter()
                    .position(|s| s == field)
                    .unwrap_or(segments.len() - 1);
                let parent: String = segments[..depth].iter().map(|s| format!("{s}.")).collect();
                let known: Vec<String> = expected.iter().map(|e| format!("{parent}{e}")).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let unknown = format!("{parent}{field}");
                format!("unknown field {unknown:?}{}", hint(&unknown, &known))
            }
            other => describe(other, text),
        }
    }

    fn error(&self, message: impl Into<String>) -> DocumentError {
        DocumentError::Override {
            flag: self.flag.clone(),
            message: message.into(),
        }
    }
}

/// What both edits set, where they set the same field, or one a part of what the other sets: the longer path below
/// `spec`, with its lists' items by name.
pub fn overlap(one: &Edit, other: &Edit, spec: &Value) -> Option<String> {
    let (one, other) = (by_names(&one.path, spec), by_names(&other.path, spec));
    let (short, long) = match one.len() <= other.len() {
        true => (&one, &other),
        false => (&other, &one),
    };
    long.starts_with(short).then(|| long.join("."))
}

/// A path's segments, with the names of items that it has by number.
fn by_names(path: &str, spec: &Value) -> Vec<String> {
    let mut at = Some(spec);
    let mut named = Vec::new();
    for segment in path.split('.') {
        let (name, below) = match at {
            Some(Value::Object(fields)) => (None, fields.get(segment)),
            Some(Value::Array(items)) => {
                let found = item(items, segment).and_then(|i| items.get(i));
                let name = found.and_then(|v| v.get("name")).and_then(Value::as_str);
                (name, found)
            }
            _ => (None, None),
        };
        named.push(name.unwrap_or(segment).to_owned());
        at = below;
    }
    named
}

/// Where a list has the item of this name, or of this number from 0.
fn item(items: &[Value], segment: &str) -> Option<usize> {
    let named = |v: &Value| v.get("name").and_then(Value::as_str) == Some(segment);
    items
        .iter()
        .position(named)
        .or_else(|| segment.parse().ok())
}
