//! The text of a result: the Go tool's lines in its units, and beside its percentiles the nearest rank.

use super::result::{CompatResult, GroupResult};
use super::settings::{Command, Settings};
use crate::human::numbers::{count, things};
use std::fmt::Write;

/// `precise` is the Go tool's flag: all digits instead of four.
pub fn render(result: &CompatResult, precise: bool) -> String {
    let mut text = head(result);
    for group in &result.groups {
        one(&mut text, group, result, precise);
    }
    if let Some(keys) = &result.keys {
        let _ = write!(
            text,
            "\nKeys: {} in the store after the load",
            count(keys.stored)
        );
        if let Some(deleted) = keys.deleted {
            let _ = write!(text, ", {} deleted since", count(deleted));
        }
        text.push('\n');
    }
    text
}

fn head(result: &CompatResult) -> String {
    let s = &result.settings;
    let mut text = format!(
        "go-benchmark {} on etcd {}: {}, {}, {}{}\n",
        s.command.name(),
        result.etcd,
        things(s.total, "request"),
        things(s.clients as u64, "client"),
        things(s.conns as u64, "connection"),
        match s.rate {
            0 => String::new(),
            rate => format!(", at most {}/s", count(u64::from(rate))),
        }
    );
    let line = shape(s, result.prefix_bytes);
    if !line.is_empty() {
        text += &line;
        text.push('\n');
    }
    text
}

/// What the requests are.
fn shape(s: &Settings, prefix: usize) -> String {
    let prefix = match prefix {
        0 => String::new(),
        n => format!(" behind a prefix of {n} B that the Go tool does not have"),
    };
    let consistency = match s.serializable {
        true => "serializable",
        false => "linearizable",
    };
    let keys = || {
        let order = match (s.command, s.sequential_keys) {
            (Command::Put, false) => "at random",
            _ => "in order",
        };
        format!(
            "keys of {} B from {} {order}, one value of {} B{prefix}",
            s.key_size,
            things(s.key_space_size, "number"),
            s.val_size
        )
    };
    match s.command {
        Command::Put => keys(),
        Command::TxnPut => format!("{} per transaction; {}", things(s.txn_ops, "put"), keys()),
        Command::TxnMixed => format!(
            "{} reads per write, each a transaction; {consistency} reads of up to {} keys; {}",
            s.rw_ratio,
            s.limit,
            keys()
        ),
        Command::Range => {
            let (key, end) = s.range.clone().unwrap_or_default();
            let to = match end.is_empty() {
                true => String::new(),
                false => format!(" to {end:?}"),
            };
            format!("{consistency} range of {key:?}{to}")
        }
        Command::LeaseKeepalive => {
            "one etcd lease of 100 s per client; one stream per renewal".to_owned()
        }
    }
}

fn one(text: &mut String, group: &GroupResult, result: &CompatResult, precise: bool) {
    let number = |v: f64| match precise {
        true => format!("{v}"),
        false => format!("{v:.4}"),
    };
    let title = match group.name {
        "requests" => "Summary".to_owned(),
        name => format!(
            "Summary of {} {name}",
            count(group.succeeded + group.failed)
        ),
    };
    let _ = writeln!(text, "\n{title}:");
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {:<14}{value}", format!("{name}:"));
    };
    line("Total", format!("{} secs.", number(result.total_seconds)));
    if let Some(latency) = &group.latency {
        for (name, value) in [
            ("Slowest", latency.slowest),
            ("Fastest", latency.fastest),
            ("Average", latency.average),
            ("Stddev", latency.stddev),
        ] {
            line(name, format!("{} secs.", number(value)));
        }
    }
    line("Requests/sec", number(group.requests_per_second));
    line("Succeeded", count(group.succeeded));
    line("Failed", count(group.failed));
    if let Some(latency) = &group.latency {
        let cell = |v: Option<f64>| {
            v.map_or_else(|| "none".to_owned(), |v| format!("{} secs.", number(v)))
        };
        let rows: Vec<[String; 2]> = latency
            .percentiles
            .iter()
            .map(|p| [cell(p.go), cell(p.nearest_rank)])
            .collect();
        let width = rows.iter().map(|r| r[0].len()).max().unwrap_or(0).max(14);
        let _ = writeln!(text, "\nLatency distribution:");
        let _ = writeln!(
            text,
            "            {:<width$}  nearest rank",
            "Go tool's rule"
        );
        for (p, [go, nearest]) in latency.percentiles.iter().zip(&rows) {
            let name = format!("{}% in", p.percent);
            let _ = writeln!(text, "  {name:<10}{go:<width$}  {nearest}");
        }
    }
    if !group.errors.is_empty() {
        let _ = writeln!(text, "\nError distribution:");
        for (message, n) in &group.errors {
            let _ = writeln!(text, "  [{n}] {message}");
        }
    }
}
