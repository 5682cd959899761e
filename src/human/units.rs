//! Durations as Kubernetes writes them: `10s`, `5m`, `1h30m`, `100ms`; and how long a run lasts.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Units by name, in ns, longest name first so that `ms` is not read as `m`.
const UNITS: [(&str, f64); 7] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

const PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$";

/// A span of time in a workload file, in the syntax of Go's `time.ParseDuration` without a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// Whole seconds.
    pub const fn seconds(s: u64) -> Self {
        Span(Duration::from_secs(s))
    }

    /// Nanoseconds; [`u64::MAX`] beyond 584 years.
    pub fn nanos(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }

    /// `1h30m` → the span. The error says what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hint = "write a number with a unit (ns, us, ms, s, m, h), such as 10s, 5m or 100ms";
        let bad = || format!("{text:?} is not a duration: {hint}");
        let mut rest = text;
        if rest.starts_with('-') {
            return Err(format!("{text:?} is negative: {hint}"));
        }
        if rest.is_empty() {
            return Err(bad());
        }
        let mut total = 0.0;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            // As the schema says: digits on both sides of a point.
            let number = &rest[..digits];
            if number.starts_with('.') || number.ends_with('.') {
                return Err(bad());
            }
            let number: f64 = number.parse().map_err(|_| bad())?;
            rest = &rest[digits..];
            let (unit, ns) = UNITS
                .iter()
                .find(|(u, _)| rest.starts_with(u))
                .ok_or_else(bad)?;
            rest = &rest[unit.len()..];
            total += number * ns;
        }
        if total > u64::MAX as f64 / 2.0 {
            return Err(format!("{text:?} is longer than the longest run: {hint}"));
        }
        Ok(Span(Duration::from_nanos(total.round() as u64)))
    }
}

impl fmt::Display for Span {
    /// The largest unit that divides it: `90s`, `5m`, `1500ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.nanos();
        let (size, unit) = [
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
        ]
        .into_iter()
        .chain([(1_000_000, "ms"), (1_000, "us"), (1, "ns")])
        .find(|(size, _)| ns >= *size && ns.is_multiple_of(*size))
        .unwrap_or((1, "s"));
        write!(f, "{}{unit}", ns / size)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Span::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": PATTERN,
            "description": "A number with a unit: `10s`, `5m`, `100ms`, `1h30m`.",
        })
    }
}

/// How long load is measured: a span, or `forever` (until Ctrl-C).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So long.
    For(Span),
    /// Until stopped.
    Forever,
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Length::For(span) => span.fmt(f),
            Length::Forever => f.write_str("forever"),
        }
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        if text == "forever" {
            return Ok(Length::Forever);
        }
        Span::parse(&text)
            .map(Length::For)
            .map_err(|e| serde::de::Error::custom(format!("{e}, or forever")))
    }
}

impl JsonSchema for Length {
    fn schema_name() -> Cow<'static, str> {
        "Length".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": format!("^forever$|{PATTERN}"),
            "description": "A duration, or `forever`: until Ctrl-C.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_read_and_print() {
        for (text, ns, printed) in [
            ("10s", 10_000_000_000, "10s"),
            ("1h30m", 5_400_000_000_000, "90m"),
            ("100ms", 100_000_000, "100ms"),
            ("1.5s", 1_500_000_000, "1500ms"),
            ("250us", 250_000, "250us"),
            ("7ns", 7, "7ns"),
            ("0s", 0, "0s"),
        ] {
            let span = Span::parse(text).unwrap();
            assert_eq!(span.nanos(), ns, "{text}");
            assert_eq!(span.to_string(), printed);
            assert_eq!(Span::parse(printed).unwrap(), span);
        }
    }

    proptest! {
        /// What an editor marks is what the file's reader refuses.
        #[test]
        fn schema_and_reader_agree(text in "( |forever|[0-9]{1,3}|\\.|-|ns|us|µs|ms|s|m|h|d){1,6}") {
            let valid = |schema: Schema| {
                let schema = schema.to_value();
                jsonschema::is_valid(&schema, &serde_json::Value::from(text.as_str()))
            };
            let read = |known: bool| known == serde_json::from_value::<Span>(text.as_str().into()).is_ok();
            prop_assert!(read(valid(Span::json_schema(&mut SchemaGenerator::default()))));
            let length = serde_json::from_value::<Length>(text.as_str().into()).is_ok();
            prop_assert_eq!(valid(Length::json_schema(&mut SchemaGenerator::default())), length);
        }
    }

    #[test]
    fn bad_spans_say_what_would_be_right() {
        let hint = "write a number with a unit (ns, us, ms, s, m, h), such as 10s, 5m or 100ms";
        for text in [
            "10", "", "s", "10 s", "3d", "1.2.3s", "nan", "5.s", ".5s", " 1s", "1s ", "1s1",
        ] {
            assert_eq!(
                Span::parse(text).unwrap_err(),
                format!("{text:?} is not a duration: {hint}")
            );
        }
        assert_eq!(
            Span::parse("-5s").unwrap_err(),
            format!("\"-5s\" is negative: {hint}")
        );
        assert!(
            Span::parse("9999999999h")
                .unwrap_err()
                .contains("longer than the longest run")
        );
    }
}
