//! The files of a result directory.

use std::path::Path;

use serde_json::Value;

/// A JSON file.
#[track_caller]
pub fn json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The events that are written completely; none where there is no such directory.
pub fn events(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("events.jsonl")).unwrap_or_default();
    text.lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .collect()
}

/// Whether a phase has begun.
pub fn reached(out: &Path, phase: &str) -> bool {
    let begins = |e: &Value| e["type"] == "phase" && e["phase"] == phase;
    events(out).iter().any(begins)
}

/// How many seconds of the measure phase are written.
pub fn measured_seconds(events: &[Value]) -> usize {
    let begins = |e: &Value| e["type"] == "phase" && e["phase"] == "measure";
    let Some(at) = events.iter().position(begins) else {
        return 0;
    };
    let interval = |e: &&Value| e["type"] == "interval";
    events[at..].iter().filter(interval).count()
}
