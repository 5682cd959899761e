//! Markdown (GitHub's): a job summary or a comment. The answer first, then what it is made of.

use crate::experiment::result::arm_text;
use crate::experiment::result::document::{ExperimentResult, Table};
use crate::experiment::result::text::{about, comparisons, remarks};
use crate::report::export::markdown::{escape, escaped, folded, list, table};

/// Headings begin at the third level.
pub fn render(r: &ExperimentResult) -> String {
    let mut out = format!(
        "### etcdmark: {}\n\n**{}**\n\n{}\n",
        escape(&r.plan.question),
        escape(&r.answer),
        escape(&about(r)),
    );
    let arms: Vec<String> = r.plan.arms.iter().map(arm_text::line).collect();
    let arms = arms.iter().map(|arm| {
        let told = arm.split_once(' ').map_or("", |(_, told)| told.trim());
        escape(told)
    });
    out.push_str(&list(&arms.collect::<Vec<_>>()));
    let gate = r.plan.gate.is_some();
    for extra in &r.tables {
        out.push_str(&titled(extra, if gate { mark } else { escape }));
    }
    let mut compared = String::new();
    for level in r.plan.levels.iter().filter(|_| r.plan.arms.len() > 1) {
        let shown = Table {
            title: level.between("level ", ""),
            ..comparisons(r, level)
        };
        compared.push_str(&titled(&shown, escape));
    }
    // A gate's answer is about its own table; the rest is advice.
    out.push_str(&match gate {
        true => folded("Other metrics (advice, no gate)", &compared),
        false => compared,
    });
    let arm_or_metric = |line: &String| line.starts_with("arm ") || line.starts_with("metrics ");
    let lines = remarks(r);
    let told: Vec<String> = lines
        .iter()
        .filter(|line| !arm_or_metric(line))
        .map(|line| escape(line.strip_prefix("note    ").unwrap_or(line)))
        .collect();
    out.push_str(&list(&told));
    out
}

fn titled(t: &Table, last: fn(&str) -> String) -> String {
    let rows: Vec<Vec<String>> = t
        .rows
        .iter()
        .map(|row| {
            let mut cells = escaped(row);
            if let (Some(cell), Some(text)) = (cells.last_mut(), row.last()) {
                *cell = last(text);
            }
            cells
        })
        .collect();
    let title = match t.title.is_empty() {
        true => String::new(),
        false => format!("\n**{}**\n", escape(&t.title)),
    };
    // Every column to the left: figures with words.
    let head = escaped(&t.columns);
    format!("{title}\n{}", table(&head, &rows, head.len()))
}

/// A gate's verdict, to be seen at a glance.
fn mark(verdict: &str) -> String {
    match verdict {
        "WORSE" => "❌ **worse**".to_owned(),
        "better" | "equivalent" => format!("✅ {verdict}"),
        other => format!("❔ {}", escape(other)),
    }
}
