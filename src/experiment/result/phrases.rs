//! Comparisons in words.

use super::document::Comparison;
use super::metric::{Scale, Unit};
use crate::human::numbers::{bytes, rate, seconds, things, three};
use crate::measure::paired::{MIN_BLOCKS, MeanInterval, Reading};

/// A figure in its unit.
pub fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => seconds(value),
        Unit::Share => format!("{} %", three(value * 100.0)),
        Unit::PerSecond => format!("{}/s", rate(value)),
        Unit::Bytes => bytes(value),
        Unit::Cores => format!("{} cores", three(value)),
        Unit::Count => three(value),
    }
}

/// A median, or that it is a miss, or nothing.
pub fn median(value: Option<f64>, missed: bool, unit: Unit) -> String {
    match value {
        Some(v) => figure(v, unit),
        None if missed => "missed".to_owned(),
        None => "-".to_owned(),
    }
}

/// `×1.42`, `+0.3 %`, `-`.
pub fn size(c: &Comparison) -> String {
    match (c.estimate, c.scale) {
        (Some(e), Scale::Ratio) => format!("×{}", three(e)),
        (Some(e), Scale::Difference) => signed(e, c.unit),
        (None, _) => "-".to_owned(),
    }
}

/// `1.31 to 1.54`, `-`.
pub fn interval(c: &Comparison) -> String {
    match (c.low, c.high, c.scale) {
        (Some(low), Some(high), Scale::Ratio) => format!("{} to {}", three(low), three(high)),
        (Some(low), Some(high), Scale::Difference) => {
            format!("{} to {}", signed(low, c.unit), signed(high, c.unit))
        }
        _ => "-".to_owned(),
    }
}

/// A mean difference with its interval: `+0.1 cores (+0.08 to +0.12)`.
pub fn more(mean: f64, interval: Option<MeanInterval>, unit: Unit) -> String {
    // Bytes may be of two units.
    let bare = |x: f64| signed(x, unit).trim_end_matches(" cores").to_owned();
    let interval = interval.map_or(String::new(), |i| {
        format!(" ({} to {})", bare(i.low), bare(i.high))
    });
    format!("{}{interval}", signed(mean, unit))
}

/// `differs`, `equivalent within 10 %`, `inconclusive, about 12 blocks more`.
pub fn reading(c: &Comparison) -> String {
    let delta = match c.scale {
        Scale::Ratio => format!("{} %", three(c.delta * 100.0)),
        Scale::Difference => figure(c.delta, c.unit),
    };
    match c.reading {
        Reading::Differs if c.estimate.is_none() && c.arm_missed > 0 => {
            "differs: missed in every block".to_owned()
        }
        Reading::Differs if c.estimate.is_none() => {
            "differs: the baseline missed in every block".to_owned()
        }
        Reading::Differs => "differs".to_owned(),
        Reading::Equivalent => format!("equivalent within {delta}"),
        Reading::Inconclusive if c.blocks == 0 => "not measured".to_owned(),
        Reading::Inconclusive if c.arm_missed + c.baseline_missed > 0 => {
            let blocks = things(c.blocks, "block");
            match (c.arm_missed, c.baseline_missed) {
                (arm, base) if arm == c.blocks && base == c.blocks => {
                    "both missed in every block".to_owned()
                }
                (arm, 0) => format!("inconclusive: missed in {arm} of {blocks}"),
                (0, base) => format!("inconclusive: the baseline missed in {base} of {blocks}"),
                (arm, base) => {
                    format!("inconclusive: missed in {arm} of {blocks}, the baseline in {base}")
                }
            }
        }
        Reading::Inconclusive if c.blocks < MIN_BLOCKS as u64 => "no interval".to_owned(),
        Reading::Inconclusive => match c.more_blocks {
            Some(1) => "inconclusive, needs about 1 more block".to_owned(),
            Some(n) => format!("inconclusive, needs about {n} more blocks"),
            None if c.low.is_some() && wide(c) => {
                "inconclusive, the blocks differ too much from each other".to_owned()
            }
            None if c.low.is_some() => {
                format!("inconclusive, too close to {delta} to be settled")
            }
            None => "inconclusive".to_owned(),
        },
    }
}

/// The interval is more than 4 δ wide: what it lacks is precision.
fn wide(c: &Comparison) -> bool {
    let (Some(low), Some(high)) = (c.low, c.high) else {
        return false;
    };
    c.scale.difference(low, high) > 4.0 * c.scale.bound(c.delta)
}

/// `×1.42 (1.31 to 1.54), differs`.
pub fn effect(c: &Comparison) -> String {
    let medians = || {
        let (a, b) = (
            median(c.baseline_median, c.baseline_missed > 0, c.unit),
            median(c.arm_median, c.arm_missed > 0, c.unit),
        );
        format!("{b} after {a}")
    };
    match (c.estimate, c.low) {
        (Some(_), Some(_)) => format!("{} ({}), {}", size(c), interval(c), reading(c)),
        (Some(_), None) => format!("{} ({})", size(c), medians()),
        (None, _) => format!("{}, {}", medians(), reading(c)),
    }
}

/// An arm and its effect.
pub fn clause(c: &Comparison) -> String {
    format!("{} {}", c.arm, effect(c))
}

/// The arms of one metric and level, those alike in one clause: `x ×2.1 (2 to 2.2), differs; equivalent within 10 %: y, z`.
pub fn clauses(about: &[&Comparison]) -> String {
    let same = |c: &Comparison| {
        let alike = c.reading == Reading::Equivalent;
        let of = |o: &&&Comparison| o.reading == Reading::Equivalent && o.delta == c.delta;
        let all: Vec<_> = about.iter().filter(of).collect();
        (alike && all.len() > 1).then_some(all)
    };
    let mut told: Vec<String> = Vec::new();
    for c in about {
        let clause = match same(c) {
            None => clause(c),
            Some(all) => {
                let arms: Vec<&str> = all.iter().map(|o| o.arm.as_str()).collect();
                format!("{}: {}", reading(c), arms.join(", "))
            }
        };
        if !told.contains(&clause) {
            told.push(clause);
        }
    }
    told.join("; ")
}

/// What the comparisons of a sentence rest on; nothing where it has none. `so_far`: trials are still to be played.
pub fn basis(so_far: bool, about: &[&Comparison]) -> String {
    if about.is_empty() {
        return String::new();
    }
    let all = about.iter().map(|c| c.blocks);
    let least = all.clone().min().unwrap_or(0);
    let blocks = match all.max() {
        Some(most) if most > least => format!("{least} to {}", things(most, "block")),
        _ => things(least, "block"),
    };
    let with = about.iter().filter(|c| c.low.is_some()).count();
    if with == about.len() {
        return format!(" (95 % intervals over {blocks})");
    }
    if with > 0 {
        return format!(" ({blocks}; 95 % intervals where given)");
    }
    let why = if so_far { "so far, " } else { "" };
    if least < MIN_BLOCKS as u64 {
        format!(" ({why}{blocks}: an interval needs at least {MIN_BLOCKS})")
    } else {
        format!(" ({blocks})")
    }
}

fn signed(value: f64, unit: Unit) -> String {
    let text = figure(value.abs(), unit);
    // What rounds to nothing is not less than nothing.
    let nothing = !text.contains(|c: char| ('1'..='9').contains(&c));
    let sign = if value < 0.0 && !nothing { "-" } else { "+" };
    format!("{sign}{text}")
}
