//! Consecutive sync times as a medium's file has them: `412us 380us 12ms`.

use crate::human::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt::Write;

/// The most times that a medium may have: result and plan of an experiment hold them.
pub const LONGEST_SEQUENCE: usize = 200_000;

/// Times of consecutive syncs.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceSpec(pub Vec<Span>);

impl Serialize for SequenceSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(self.0.len() * 6);
        for (i, time) in self.0.iter().enumerate() {
            let before = if i == 0 { "" } else { " " };
            write!(text, "{before}{time}").map_err(serde::ser::Error::custom)?;
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for SequenceSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let times = text.split_ascii_whitespace().map(Span::parse);
        let times = times.collect::<Result<Vec<Span>, _>>();
        times.map(SequenceSpec).map_err(de::Error::custom)
    }
}

impl JsonSchema for SequenceSpec {
    fn schema_name() -> Cow<'static, str> {
        "Sequence".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Durations with spaces or line breaks in between: `412us 380us 12ms`.",
        })
    }
}
