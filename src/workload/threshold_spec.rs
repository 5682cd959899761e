//! An item of `thresholds`: a condition, or a condition with what happens when it fails while the load runs.

use crate::human::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// `node-lease/update: p99 < 1s`, or `{threshold: …, abortOnFail: true, graceTime: 10s}`.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdSpec {
    /// The condition.
    pub threshold: String,
    /// End the load when it has failed; none: `false`.
    pub abort_on_fail: Option<bool>,
    /// How long the measure phase lasts before it can end the load; none: 10 s.
    pub grace_time: Option<Span>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    threshold: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    abort_on_fail: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grace_time: Option<Span>,
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = ThresholdSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a condition such as \"all: missed <= 1%\", or {threshold, abortOnFail, graceTime}",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ThresholdSpec, E> {
        Ok(ThresholdSpec {
            threshold: text.to_owned(),
            abort_on_fail: None,
            grace_time: None,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ThresholdSpec, A::Error> {
        let fields = Fields::deserialize(MapAccessDeserializer::new(map))?;
        Ok(ThresholdSpec {
            threshold: fields.threshold,
            abort_on_fail: fields.abort_on_fail,
            grace_time: fields.grace_time,
        })
    }
}

impl<'de> Deserialize<'de> for ThresholdSpec {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Form)
    }
}

impl Serialize for ThresholdSpec {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.abort_on_fail.is_none() && self.grace_time.is_none() {
            return s.serialize_str(&self.threshold);
        }
        let fields = Fields {
            threshold: self.threshold.clone(),
            abort_on_fail: self.abort_on_fail,
            grace_time: self.grace_time,
        };
        fields.serialize(s)
    }
}

impl JsonSchema for ThresholdSpec {
    fn schema_name() -> Cow<'static, str> {
        "Threshold".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let span = generator.subschema_for::<Span>();
        json_schema!({
            "description": "A condition, or one that ends the load when it has failed.",
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["threshold"],
                    "properties": {
                        "threshold": {"type": "string", "description": "The condition. Required."},
                        "abortOnFail": {
                            "type": "boolean",
                            "description": "End the load when the condition has failed. Default: false."
                        },
                        "graceTime": {
                            "allOf": [span],
                            "description": "Time of the measure phase before it can end the load. Default: 10s."
                        }
                    }
                }
            ]
        })
    }
}
