//! YAML with errors that say where, what and what would be right.

use super::header::earlier;
use super::locate::locate;
use super::quoted::quoted_number;
use crate::document::DocumentError;
use crate::document::hint;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_saphyr::{Error, options};

/// Reads one document. `file` is what messages call it.
pub(crate) fn parse<T: DeserializeOwned + Serialize>(
    text: &str,
    file: &str,
) -> Result<T, DocumentError> {
    let wrong = |(line, column), message| DocumentError::Syntax {
        file: file.to_owned(),
        line,
        column,
        message,
    };
    let read: T = parse_raw(text).map_err(|e| {
        let place = e.location().map_or((1, 1), |l| (l.line(), l.column()));
        wrong(place, describe(&e, text))
    })?;
    let (written, again) = (parse_raw(text), serde_json::to_value(&read));
    if let (Ok(written), Ok(again)) = (written, again)
        && let Some((path, number)) = quoted_number(&written, &again)
    {
        let path = path.trim_start_matches('.');
        let path = path.strip_prefix("spec.").unwrap_or(path);
        let place = locate(text, path).unwrap_or((1, 1));
        let message = format!("{path}: {number:?} is a text; write the number without quotes");
        return Err(wrong(place, message));
    }
    Ok(read)
}

/// Reads one document.
pub(crate) fn parse_raw<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_saphyr::from_str_with_options(
        text,
        options! { with_snippet: false, strict_booleans: true },
    )
}

/// What is wrong, in the user's words; the place is said elsewhere.
pub(crate) fn describe(error: &Error, text: &str) -> String {
    let (key, value) = error
        .location()
        .map_or((String::new(), String::new()), |l| {
            found(text, l.line(), l.column())
        });
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => {
            format!("unknown key {field:?}{}", hint(field, expected))
        }
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => {
            let other = || {
                format!(
                    "{variant:?} is not known{}{}",
                    hint(variant, expected),
                    command_for(variant)
                )
            };
            format!("{key}{}", earlier(variant).unwrap_or_else(other))
        }
        Error::DuplicateMappingKey { key: Some(k), .. } => {
            format!("key {k:?} is given twice; remove one")
        }
        Error::DuplicateMappingKey { .. } => "a key is given twice; remove one".to_owned(),
        Error::SerdeMissingField { field, .. } => format!("required key {field:?} is missing"),
        Error::InvalidScalar { ty, .. } => format!("{key}{value} is not {}", type_name(ty)),
        Error::InvalidBooleanStrict { .. } => format!("{key}{value} is not true or false"),
        Error::NullIntoString { .. } => format!("{key}a text is missing"),
        Error::SerdeInvalidType { expected, .. } => {
            format!("{key}{value} is not {}", type_name(expected))
        }
        Error::Unexpected { expected, .. } => {
            format!("{key}{value} is not {}", type_name(expected))
        }
        Error::Message { msg, .. } => format!("{key}{msg}"),
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => describe(error, text),
        Error::Eof { .. } => "the file is empty or ends in the middle of a value".to_owned(),
        Error::MultipleDocuments { .. } => {
            "a second document begins here, but a file holds one workload".to_owned()
        }
        other => match first_line(&other.render()) {
            tab if tab.starts_with("tabs disallowed") => {
                "a tab indents this line; YAML wants spaces".to_owned()
            }
            line => line,
        },
    }
}

/// What a document's `kind` is, whatever else is right or wrong with it.
pub(crate) fn kind_of(text: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Kind {
        kind: String,
    }
    let parsed = parse_raw::<Kind>(text).ok().map(|k| k.kind);
    parsed.or_else(|| {
        // Of a file that is no YAML the error is told by the reader of its kind.
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("kind:"));
        let kind = lines.next()?.split('#').next()?.trim();
        Some(kind.trim_matches(['"', '\'']).to_owned())
    })
}

/// Where a file of another kind belongs.
fn command_for(kind: &str) -> &'static str {
    match kind {
        "Workload" => "; a workload's file is for: etcdmark run FILE",
        "Experiment" => "; an experiment's file is for: etcdmark experiment FILE",
        "Medium" => "; a medium's file is for: etcdmark run --medium FILE",
        _ => "",
    }
}

fn type_name(ty: &str) -> String {
    match ty {
        "u64" | "u32" | "usize" => "a whole number, 0 or more, of at most 19 digits".to_owned(),
        "f64" => "a number".to_owned(),
        t if t.contains("float") => "a number".to_owned(),
        "bool" => "true or false".to_owned(),
        t if t.contains("mapping") || t.contains("struct") || t.contains("map") => {
            "a mapping (`key: value` lines)".to_owned()
        }
        t if t.contains("sequence") => "a list (`- item` lines)".to_owned(),
        t if t.contains("string") => "a text".to_owned(),
        t => t.to_owned(),
    }
}

/// The key before and the value at a place in the text: `("nodes: ", "-5")`.
fn found(text: &str, line: u64, column: u64) -> (String, String) {
    let at = |n: u64| usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
    let Some(line) = text.lines().nth(at(line)) else {
        return (String::new(), String::new());
    };
    let split = line
        .char_indices()
        .nth(at(column))
        .map_or(line.len(), |(i, _)| i);
    let (before, rest) = line.split_at(split);
    let key = before
        .trim_end()
        .strip_suffix(':')
        .map_or(String::new(), |b| {
            let key: String = b
                .rsplit([' ', '{', ',', '"'])
                .find(|s| !s.is_empty())
                .unwrap_or("")
                .to_owned();
            if key.is_empty() {
                key
            } else {
                format!("{key}: ")
            }
        });
    let end = if let Some(quoted) = rest.strip_prefix('"') {
        quoted.find('"').map_or(rest.len(), |i| i + 2)
    } else if before.contains(['{', '[']) {
        rest.find([',', '}', ']']).unwrap_or(rest.len())
    } else {
        rest.find(" #").unwrap_or(rest.len())
    };
    let value = rest[..end].trim().to_owned();
    (
        key,
        if value.is_empty() {
            "this".to_owned()
        } else {
            value
        },
    )
}

/// Without the place, which is said elsewhere.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let place = line.rfind(" at line ").unwrap_or(line.len());
    line[..place].trim().to_owned()
}
