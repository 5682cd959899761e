//! `defrag`: for how long a defragmentation stops a member, and what that is for each GB that it copies.

use super::compare;
use crate::experiment::analysis::{Analysis, Evidence, Findings};
use crate::experiment::result::comparison::middle;
use crate::experiment::result::document::{Table, TrialState};
use crate::human::numbers::{bytes, seconds, three};
use serde::Serialize;

/// The analysis.
#[derive(Debug)]
pub(super) struct Defrag;

impl Analysis for Defrag {
    fn name(&self) -> &'static str {
        "defrag"
    }

    fn answer(&self, evidence: &Evidence<'_>) -> Findings {
        let rows = rows(evidence);
        let compared = compare::answer(evidence);
        let largest = rows
            .iter()
            .filter_map(|r| Some((r, r.per_gb?)))
            .max_by(|a, b| a.0.size_after.total_cmp(&b.0.size_after));
        let answer = match largest {
            Some((row, per_gb)) => format!(
                "a defragmentation blocks a member for {} per GB ({} at {}); {compared}",
                seconds(per_gb),
                seconds(row.seconds),
                bytes(row.size_after)
            ),
            None => format!("no member was defragmented yet; {compared}"),
        };
        Findings {
            answer,
            tables: table(&rows).into_iter().collect(),
            data: serde_json::to_value(&rows).unwrap_or_default(),
            ..Findings::default()
        }
    }
}

/// The defragmentations of an arm on a level: medians over them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    level: String,
    arm: String,
    /// How many succeeded, over all members and trials.
    count: usize,
    /// How many failed.
    failed: usize,
    /// How long one took.
    seconds: f64,
    /// The file before and after, bytes.
    size_before: f64,
    size_after: f64,
    /// Seconds for each 10⁹ bytes of the file that came out: what was copied. Null: it is empty.
    per_gb: Option<f64>,
}

fn rows(evidence: &Evidence<'_>) -> Vec<Row> {
    let plan = evidence.plan;
    let mut rows = Vec::new();
    for level in &plan.levels {
        for arm in &plan.arms {
            let all = evidence.trials.iter().zip(evidence.runs);
            let mine = all.filter(|(t, _)| {
                t.level == *level && t.arm == arm.name && t.state == TrialState::Done
            });
            let all: Vec<_> = mine
                .filter_map(|(_, run)| run.as_ref())
                .flat_map(|run| &run.defragmentations)
                .collect();
            // Of each that succeeded: seconds, bytes before, bytes after.
            let done = all.iter().filter(|d| d.error.is_none());
            let done =
                done.filter_map(|d| Some([d.seconds, d.size_before? as f64, d.size_after? as f64]));
            let done: Vec<[f64; 3]> = done.collect();
            let median = |column: usize| middle(done.iter().map(move |d| d[column]));
            let (Some(took), Some(size_before), Some(size_after)) =
                (median(0), median(1), median(2))
            else {
                continue;
            };
            rows.push(Row {
                level: level.clone(),
                arm: arm.name.clone(),
                count: done.len(),
                failed: all.iter().filter(|d| d.error.is_some()).count(),
                seconds: took,
                size_before,
                size_after,
                per_gb: middle(
                    done.iter()
                        .filter(|d| d[2] > 0.0)
                        .map(|d| d[0] / d[2] * 1e9),
                ),
            });
        }
    }
    rows
}

fn table(rows: &[Row]) -> Option<Table> {
    if rows.is_empty() {
        return None;
    }
    let cells = |r: &Row| {
        let failed = match r.failed {
            0 => String::new(),
            n => format!(", {n} failed"),
        };
        vec![
            r.level.clone(),
            r.arm.clone(),
            format!("{}{failed}", r.count),
            seconds(r.seconds),
            bytes(r.size_before),
            bytes(r.size_after),
            r.per_gb
                .map_or("-".to_owned(), |s| format!("{} s", three(s))),
        ]
    };
    let columns = [
        "level",
        "arm",
        "members",
        "took",
        "db before",
        "db after",
        "per GB",
    ];
    Some(Table {
        title: "defragmentations (medians)".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: rows.iter().map(cells).collect(),
    })
}
