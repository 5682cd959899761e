//! An actor as a workload file has it: the fields of every actor, typed, and those of its kind, read by what the kind's
//! definition says. Written by hand, since serde's `flatten` loses places and names of fields.

use super::file::{Jitter, Stage};
use super::own_fields;
use crate::human::units::Span;
use crate::kube::ActorKind;
use crate::kube::actors::Settings;
use crate::schedule::Process;
use schemars::JsonSchema;
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::LazyLock;

/// One source of traffic. Set exactly one kind of arrivals: `period`; or `rate`, `ratePerNode`
/// or `ratePerService`; or `concurrency`. If none is set, the default of the kind applies.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = super::own_fields::describe, transform = super::kind_texts::describe)]
pub struct ActorSpec {
    /// Name in `--set actors.NAME.…`: lowercase letters, digits and dashes. Required.
    pub name: String,
    /// Type of traffic. Required.
    pub kind: ActorKind,
    /// Time between two requests of each member (node, lock, apiserver), multiplied by jitter. The first requests are
    /// spread over one period. Default: {period}.
    pub period: Option<Span>,
    /// Range of the uniformly distributed factor of `period`, for all members. Default: {jitter}.
    pub jitter: Option<Jitter>,
    /// Arrivals per second. Default: {rate}.
    pub rate: Option<f64>,
    /// Arrivals per second and node. Default: {ratePerNode}.
    pub rate_per_node: Option<f64>,
    /// Arrivals per second and service. Default: {ratePerService}.
    pub rate_per_service: Option<f64>,
    /// Intervals between arrivals at a rate: equal (`constant`) or exponential (`poisson`). Default: {arrival}.
    pub arrival: Option<Process>,
    /// Closed loop with this number of clients; each sends its next request after the previous answer. The result
    /// has only service times. Default: open loop.
    pub concurrency: Option<u64>,
    /// Changes of the rate over time, from the start of the load (including warm-up); the last value
    /// stays. Default: none, the rate is constant.
    #[schemars(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// The fields that its kind has of its own.
    #[schemars(skip)]
    pub own: Settings,
}

/// The optional fields of every actor: how each is read, and written where it has a value.
macro_rules! optional {
    ($($name:literal $field:ident,)*) => {
        const OPTIONAL: &[&str] = &[$($name),*];

        impl ActorSpec {
            fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
                match name {
                    $($name => self.$field = map.next_value()?,)*
                    _ => self.stages = map.next_value()?,
                }
                Ok(())
            }

            fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                $(if let Some(value) = &self.$field {
                    map.serialize_entry($name, value)?;
                })*
                Ok(())
            }
        }
    };
}

optional! {
    "period" period,
    "jitter" jitter,
    "rate" rate,
    "ratePerNode" rate_per_node,
    "ratePerService" rate_per_service,
    "arrival" arrival,
    "concurrency" concurrency,
}

/// Every field that any actor may have, for "did you mean".
static FIELDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut all = vec!["name", "kind"];
    all.extend(OPTIONAL);
    all.push("stages");
    all.extend(own_fields::all().map(|f| f.name));
    all
});

impl ActorSpec {
    fn new(name: String, kind: ActorKind) -> Self {
        ActorSpec {
            name,
            kind,
            period: None,
            jitter: None,
            rate: None,
            rate_per_node: None,
            rate_per_service: None,
            arrival: None,
            concurrency: None,
            stages: Vec::new(),
            own: Settings::default(),
        }
    }
}

/// A key that is known; its error stands where the key does.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<&'static str, D::Error> {
        d.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<&'static str, E> {
        let known = FIELDS.iter().copied().find(|f| *f == name);
        known.ok_or_else(|| E::unknown_field(name, &FIELDS))
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = ActorSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("struct ActorSpec")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ActorSpec, A::Error> {
        use serde::de::Error;
        let (mut name, mut kind) = (None, None);
        // Name and kind take their places at the end.
        let placeholder = *ActorKind::all()
            .first()
            .ok_or_else(|| Error::custom("no kinds"))?;
        let mut spec = ActorSpec::new(String::new(), placeholder);
        while let Some(key) = map.next_key_seed(Key)? {
            match (key, own_fields::of(key)) {
                ("name", _) => name = Some(map.next_value()?),
                ("kind", _) => kind = Some(map.next_value()?),
                (_, Some(field)) => own_fields::read(field, &mut spec.own, &mut map)?,
                _ => spec.read(key, &mut map)?,
            }
        }
        spec.name = name.ok_or_else(|| Error::missing_field("name"))?;
        spec.kind = kind.ok_or_else(|| Error::missing_field("kind"))?;
        Ok(spec)
    }
}

impl<'de> Deserialize<'de> for ActorSpec {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_struct("ActorSpec", &FIELDS, Fields)
    }
}

impl Serialize for ActorSpec {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("kind", &self.kind)?;
        self.write(&mut map)?;
        if !self.stages.is_empty() {
            map.serialize_entry("stages", &self.stages)?;
        }
        own_fields::write(&self.own, &mut map)?;
        map.end()
    }
}
