//! The fields that kinds of actors have of their own: read, written, completed, checked and described by what their
//! definitions say.

use super::check::{number, span, whole};
use super::file::ActorSpec;
use crate::document::{FieldError, hint};
use crate::human::units::Span;
use crate::kube::actors::{Accepts, Field, Settings, Value};
use crate::kube::{ActorKind, Cluster};
use serde::de::MapAccess;
use serde::ser::SerializeMap;
use serde_json::{Value as Json, json};

/// Every own field of any kind; one that several kinds have comes several times.
pub(super) fn all() -> impl Iterator<Item = &'static Field> {
    ActorKind::all_fields().map(|(_, field)| field)
}

/// The own field of this name: any kind's, since all kinds mean the same type by a name.
pub(super) fn of(name: &str) -> Option<&'static Field> {
    all().find(|f| f.name == name)
}

/// Reads a field's value; null stands for none.
pub(super) fn read<'de, A: MapAccess<'de>>(
    field: &'static Field,
    own: &mut Settings,
    map: &mut A,
) -> Result<(), A::Error> {
    let value = match field.accepts {
        Accepts::Number { .. } => map.next_value::<Option<f64>>()?.map(Value::Number),
        Accepts::Whole { .. } => map.next_value::<Option<u64>>()?.map(Value::Whole),
        Accepts::Duration { .. } => {
            let span = map.next_value::<Option<Span>>()?;
            span.map(|s| Value::Duration(s.0))
        }
        Accepts::Flag => map.next_value::<Option<bool>>()?.map(Value::Flag),
        Accepts::Choice { .. } => map.next_value::<Option<String>>()?.map(Value::Choice),
    };
    if let Some(value) = value {
        own.set(field.name, value);
    }
    Ok(())
}

/// Writes the fields that have a value.
pub(super) fn write<M: SerializeMap>(own: &Settings, map: &mut M) -> Result<(), M::Error> {
    for (name, value) in own.iter() {
        match value {
            Value::Number(n) => map.serialize_entry(name, n)?,
            Value::Whole(n) => map.serialize_entry(name, n)?,
            Value::Duration(d) => map.serialize_entry(name, &Span(*d))?,
            Value::Flag(on) => map.serialize_entry(name, on)?,
            Value::Choice(word) => map.serialize_entry(name, word)?,
        }
    }
    Ok(())
}

/// Completes and checks an actor's own fields; one that belongs to other kinds only is refused.
pub(super) fn complete(
    spec: &mut ActorSpec,
    path: impl Fn(&str) -> String,
    cluster: &Cluster,
) -> Result<(), FieldError> {
    let foreign = |name: &str| spec.kind.fields.iter().all(|f| f.name != name);
    if let Some((name, _)) = spec.own.iter().find(|(name, _)| foreign(name)) {
        let owners: Vec<&str> = ActorKind::all_fields()
            .filter(|(_, f)| f.name == name)
            .map(|(kind, _)| kind.name)
            .collect();
        let only = match owners[..] {
            [one] => format!("only kind {one} supports it"),
            _ => format!("only kinds {} support it", owners.join(", ")),
        };
        let message = format!("{only}; this actor has kind {}", spec.kind.name);
        return Err(FieldError::at(path(name), message));
    }
    let mut complete = Settings::default();
    for field in spec.kind.fields {
        let given = spec.own.get(field.name).cloned();
        let value = given.unwrap_or_else(|| (field.default)(cluster));
        check(&path(field.name), field, &value)?;
        complete.set(field.name, value);
    }
    spec.own = complete;
    Ok(())
}

fn check(path: &str, field: &Field, value: &Value) -> Result<(), FieldError> {
    match (field.accepts, value) {
        (Accepts::Number { holds, range }, Value::Number(n)) => {
            number(path, *n, holds(*n), f64::MIN, f64::MAX, range).map(drop)
        }
        (Accepts::Whole { low, high }, Value::Whole(n)) => whole(path, *n, low, high).map(drop),
        (Accepts::Duration { low }, Value::Duration(d)) => {
            span(path, Span(*d), Span(low)).map(drop)
        }
        (Accepts::Choice { of, refusal }, Value::Choice(word)) => {
            if of.contains(&word.as_str()) {
                return Ok(());
            }
            let message = format!("{word:?} {refusal}{}", hint(word, of));
            Err(FieldError::at(path, message))
        }
        _ => Ok(()),
    }
}

/// Adds the own fields of all kinds to the schema of an actor.
pub(super) fn describe(schema: &mut schemars::Schema) {
    let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) else {
        return;
    };
    for field in all() {
        let owners = ActorKind::all_fields().filter(|(_, f)| f.name == field.name);
        let meanings: Vec<String> = owners
            .map(|(kind, f)| format!("{}: {}. Default: {}.", kind.name, f.about, f.default_text))
            .collect();
        let mut node = match field.accepts {
            Accepts::Number { .. } => json!({ "type": ["number", "null"], "format": "double" }),
            Accepts::Whole { low, high } => {
                json!({ "type": ["integer", "null"], "minimum": low, "maximum": high })
            }
            Accepts::Duration { .. } => {
                json!({ "anyOf": [{ "$ref": "#/$defs/Duration" }, { "type": "null" }] })
            }
            Accepts::Flag => json!({ "type": ["boolean", "null"] }),
            Accepts::Choice { of, .. } => {
                let mut words: Vec<Json> = of.iter().map(|w| json!(w)).collect();
                words.push(Json::Null);
                json!({ "type": ["string", "null"], "enum": words })
            }
        };
        node["description"] = json!(meanings.join(" "));
        properties.insert(field.name.to_owned(), node);
    }
}
