//! Sentences about all kinds of actors, made from their definitions: defaults in the schema, and who does not scale.

use crate::human::units::Span;
use crate::kube::ActorKind;
use crate::kube::actors::DefaultArrivals;
use crate::schedule::Process;
use serde_json::Value;

/// Puts the defaults of all kinds in the place of `{period}`, `{rate}` … in the descriptions of a schema's fields.
pub(super) fn describe(schema: &mut schemars::Schema) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for node in properties.values_mut() {
        let Some(Value::String(text)) = node.get_mut("description") else {
            continue;
        };
        for (mark, words) in texts() {
            if text.contains(mark) {
                *text = text.replace(mark, &words);
            }
        }
    }
}

fn texts() -> [(&'static str, String); 7] {
    use DefaultArrivals as D;
    let list = |of: &dyn Fn(&ActorKind) -> Option<String>| {
        let named = |k: &ActorKind| of(k).map(|text| format!("{} {text}", k.name));
        let all: Vec<String> = ActorKind::all().iter().filter_map(named).collect();
        all.join(", ")
    };
    let arrivals = |of: &dyn Fn(DefaultArrivals) -> Option<String>| list(&|k| of(k.arrivals));
    let required = ActorKind::all()
        .iter()
        .filter(|k| matches!(k.arrivals, D::PeriodRequired { .. }));
    let required: Vec<&str> = required.map(|k| k.name).collect();
    let period = arrivals(&|a| match a {
        D::Period { every, .. } => Some(Span(every).to_string()),
        _ => None,
    });
    let factors = |k: &ActorKind| {
        let own = match k.arrivals {
            D::Period { low, high, .. } => format!("{low} to {high}"),
            D::PeriodRequired { .. } => "1 to 1".to_owned(),
            _ => return None,
        };
        Some(match k.conduct.tail {
            Some(t) => format!("{own} ({} {} to {})", t.about, t.low, t.high),
            None => own,
        })
    };
    let constant =
        |k: &ActorKind| (k.conduct.process == Process::Constant).then(|| "constant".to_owned());
    let number = |of: &dyn Fn(D) -> Option<f64>| arrivals(&|a| of(a).map(|n| n.to_string()));
    let per_second = |a| match a {
        D::Rate(n) => Some(n),
        _ => None,
    };
    let per_node = |a| match a {
        D::PerNode(n) => Some(n),
        _ => None,
    };
    let per_service = |a| match a {
        D::PerService(n) => Some(n),
        _ => None,
    };
    [
        (
            "{period}",
            format!("{period}; required for {}", enumeration(&required, "and")),
        ),
        ("{jitter}", list(&factors)),
        ("{rate}", number(&per_second)),
        ("{ratePerNode}", number(&per_node)),
        ("{ratePerService}", number(&per_service)),
        ("{arrival}", format!("{}, others poisson", list(&constant))),
        ("{unscaled}", enumeration(&unscaled(), "and")),
    ]
}

/// The kinds to which `rateScale` does not apply.
fn unscaled() -> Vec<&'static str> {
    let all = ActorKind::all().iter().filter(|k| !k.conduct.scales);
    all.map(|k| k.name).collect()
}

/// `a probe, a compactor or a defragmenter`.
pub(super) fn one_that_does_not_scale() -> String {
    let each: Vec<String> = unscaled().iter().map(|name| format!("a {name}")).collect();
    let each: Vec<&str> = each.iter().map(String::as_str).collect();
    enumeration(&each, "or")
}

/// `a, b and c`.
fn enumeration(words: &[&str], last: &str) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., one] => format!("{} {last} {one}", all.join(", ")),
    }
}
