//! Comma-separated values (RFC 4180): a row per op class; units in the head. A miss is `inf`, as pandas and R read it; what
//! was not measured is empty.

use super::{ExportError, Named, response, service};
use crate::report::result::{ClassResult, RunResult};
use ::csv::{Terminator, Writer, WriterBuilder};

const HEAD: [&str; 30] = [
    "class",
    "verb",
    "resource",
    "rpc",
    "store",
    "loop",
    "limit_seconds",
    "offered",
    "ok",
    "late",
    "failed",
    "skipped",
    "censored",
    "unanswered",
    "missed_share",
    "offered_per_second",
    "achieved_per_second",
    "response_p50_seconds",
    "response_p90_seconds",
    "response_p99_seconds",
    "response_p99.9_seconds",
    "response_p99_low_seconds",
    "response_p99_high_seconds",
    "success_mean_seconds",
    "success_max_seconds",
    "service_mean_seconds",
    "service_p50_seconds",
    "service_p90_seconds",
    "service_p99_seconds",
    "service_p99.9_seconds",
];

/// Every op class that was offered or sent.
///
/// # Errors
/// None in practice: it is written to memory.
pub fn render(r: &RunResult) -> Result<String, ExportError> {
    table(&HEAD, r.classes.iter().map(row))
}

/// A table of these columns.
pub(crate) fn table(
    head: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<String, ExportError> {
    let failed = ExportError::of("CSV");
    let mut csv: Writer<Vec<u8>> = WriterBuilder::new()
        .terminator(Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    csv.write_record(head).map_err(|e| failed(&e))?;
    for row in rows {
        csv.write_record(&row).map_err(|e| failed(&e))?;
    }
    let bytes = csv.into_inner().map_err(|e| failed(&e))?;
    String::from_utf8(bytes).map_err(|e| failed(&e))
}

/// A number, or nothing.
pub(crate) fn cell(value: Option<f64>) -> String {
    value.map_or(String::new(), |v| v.to_string())
}

fn row(class: &ClassResult) -> Vec<String> {
    let (info, f) = (&class.class, &class.figures);
    let k = &f.counts;
    let mut row: Vec<String> = [
        &info.name,
        &info.verb,
        &info.resource,
        &info.rpc,
        &info.store,
    ]
    .map(Clone::clone)
    .to_vec();
    row.push(if info.closed_loop { "closed" } else { "open" }.to_owned());
    row.push(info.limit.to_string());
    let counts = [k.offered, k.ok, k.late, k.failed, k.skipped, k.censored];
    row.extend(counts.map(|n| n.to_string()));
    row.push(f.unanswered.to_string());
    // A share of nothing is no 0.
    let any = k.offered > 0 || f.misses > 0 || k.ok > 0;
    row.push(cell(any.then_some(f.miss_share)));
    // Nothing is offered in a closed loop: its clients send as fast as they are answered.
    row.push(cell((!info.closed_loop).then_some(f.offered_rate)));
    row.push(cell(Some(f.achieved_rate)));
    row.extend(four(&response(f)));
    let interval = f.precision.and_then(|p| p.p99);
    let end = |ns: Option<super::Headline>| {
        cell(
            ns.map_or(super::Quantile::Unknown, super::Quantile::of)
                .number(),
        )
    };
    row.push(end(interval.map(|i| i.low)));
    row.push(end(interval.and_then(|i| i.high)));
    row.push(cell(f.successes.map(|s| s.mean_ns / 1e9)));
    row.push(cell(f.successes.map(|s| s.max_ns as f64 / 1e9)));
    row.push(cell(f.service.map(|s| s.mean_ns / 1e9)));
    row.extend(four(&service(f)));
    row
}

fn four(all: &[Named]) -> [String; 4] {
    std::array::from_fn(|i| cell(all.get(i).and_then(|(_, _, q)| q.number())))
}
