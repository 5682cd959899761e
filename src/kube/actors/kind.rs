//! A kind of actor, by its definition.

use super::{Definition, Field, LIST};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeSeed, EnumAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::LazyLock;

/// A kind of actor: what its [`Definition`] says.
#[derive(Clone, Copy)]
pub struct ActorKind(&'static Definition);

static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| LIST.iter().map(|k| k.name).collect());

impl ActorKind {
    /// The kind that is defined so.
    pub const fn new(definition: &'static Definition) -> Self {
        ActorKind(definition)
    }

    /// Every kind that a workload file can name, in the order of the reference page.
    pub fn all() -> &'static [ActorKind] {
        LIST
    }

    /// The kind of this name.
    pub fn by_name(name: &str) -> Option<ActorKind> {
        LIST.iter().copied().find(|k| k.name == name)
    }

    /// Every kind's own fields, with the kind.
    pub fn all_fields() -> impl Iterator<Item = (ActorKind, &'static Field)> {
        LIST.iter()
            .flat_map(|kind| kind.0.fields.iter().map(|f| (*kind, f)))
    }
}

impl Deref for ActorKind {
    type Target = Definition;

    fn deref(&self) -> &Definition {
        self.0
    }
}

impl PartialEq for ActorKind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for ActorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Serialize for ActorKind {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name)
    }
}

/// Reads as a derived enum does, so that a wrong word's error stands where the word does.
struct Name;

impl<'de> Visitor<'de> for Name {
    type Value = ActorKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a kind of actor")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ActorKind, E> {
        ActorKind::by_name(name).ok_or_else(|| E::unknown_variant(name, &NAMES))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<ActorKind, A::Error> {
        let (kind, variant) = data.variant_seed(Name)?;
        variant.unit_variant()?;
        Ok(kind)
    }
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = ActorKind;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<ActorKind, D::Error> {
        d.deserialize_identifier(self)
    }
}

impl<'de> Deserialize<'de> for ActorKind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_enum("ActorKind", &NAMES, Name)
    }
}

impl JsonSchema for ActorKind {
    fn schema_name() -> Cow<'static, str> {
        "ActorKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = |k: &ActorKind| json_schema!({ "type": "string", "const": k.name, "description": k.about });
        let all: Vec<Schema> = LIST.iter().map(one).collect();
        json_schema!({ "description": "Type of traffic of an actor.", "oneOf": all })
    }
}
