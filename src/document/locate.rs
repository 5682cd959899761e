//! Where in the text a field stands, for errors that are found after parsing.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{Spanned, options};
use std::fmt;

/// A YAML node with its place.
type Node = Spanned<Content>;

enum Content {
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

/// Line and column (from 1) of the value at a path such as `cluster.nodes` under `spec`, or of the
/// nearest thing around it that the file has. List items are found by their `name` or their number.
pub(crate) fn locate(text: &str, path: &str) -> Option<(u64, u64)> {
    let lenient = options! { with_snippet: false, non_finite_float_policy: NonFiniteFloatPolicy::PassThrough };
    let root: Node = serde_saphyr::from_str_with_options(text, lenient).ok()?;
    let (mut node, mut place) = (&root, None);
    let root_of = if path.starts_with("metadata.") {
        None
    } else {
        Some("spec")
    };
    for segment in root_of.into_iter().chain(path.split('.')) {
        let next = match &node.value {
            Content::Map(entries) => entries
                .iter()
                .find(|(k, _)| k.value == segment)
                .map(|(_, v)| v),
            Content::List(items) => items
                .iter()
                .find(|item| item.name() == Some(segment))
                .or_else(|| segment.parse::<usize>().ok().and_then(|i| items.get(i))),
            Content::Scalar(_) => None,
        };
        let Some(next) = next else { break };
        (node, place) = (
            next,
            Some((next.referenced.line(), next.referenced.column())),
        );
    }
    place
}

trait Spelled {
    fn name(&self) -> Option<&str>;
}

impl Spelled for Node {
    fn name(&self) -> Option<&str> {
        let Content::Map(entries) = &self.value else {
            return None;
        };
        entries
            .iter()
            .find(|(k, _)| k.value == "name")
            .and_then(|(_, v)| match &v.value {
                Content::Scalar(s) => Some(s.as_str()),
                _ => None,
            })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any YAML")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Content::Map(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Content::List(items))
            }

            fn visit_str<E>(self, s: &str) -> Result<Content, E> {
                Ok(Content::Scalar(s.to_owned()))
            }

            fn visit_bool<E>(self, v: bool) -> Result<Content, E> {
                Ok(Content::Scalar(v.to_string()))
            }

            fn visit_i64<E>(self, v: i64) -> Result<Content, E> {
                Ok(Content::Scalar(v.to_string()))
            }

            fn visit_u64<E>(self, v: u64) -> Result<Content, E> {
                Ok(Content::Scalar(v.to_string()))
            }

            fn visit_f64<E>(self, v: f64) -> Result<Content, E> {
                Ok(Content::Scalar(v.to_string()))
            }

            fn visit_unit<E>(self) -> Result<Content, E> {
                Ok(Content::Scalar(String::new()))
            }

            fn visit_none<E>(self) -> Result<Content, E> {
                Ok(Content::Scalar(String::new()))
            }

            fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Content, D::Error> {
                IgnoredAny::deserialize(d).map(|_| Content::Scalar(String::new()))
            }
        }
        d.deserialize_any(V)
    }
}

#[cfg(test)]
mod tests {
    use crate::document::locate;

    const TEXT: &str = "spec:\n  cluster:\n    nodes: 5\n  actors:\n    - name: a\n      rate: 3\n    - name: b\n      stages:\n        - duration: 1s\n";

    #[test]
    fn finds_values_items_and_the_nearest_parent() {
        assert_eq!(locate(TEXT, "cluster.nodes"), Some((3, 12)));
        assert_eq!(locate(TEXT, "actors.a.rate"), Some((6, 13)));
        assert_eq!(locate(TEXT, "actors.b.stages.0.duration"), Some((9, 21)));
        assert_eq!(locate(TEXT, "cluster.services"), Some((3, 5)));
        assert_eq!(locate(TEXT, "load.workers"), Some((2, 3)));
        assert_eq!(locate("[", "x"), None);
    }
}
