//! Markdown (GitHub's): a job summary or a comment. The answer first, then thresholds, op classes and where it was measured.

use super::versions;
use crate::human::numbers::bytes;
use crate::measure::validity::Verdict;
use crate::report::result::{RunResult, ThresholdVerdict};
use crate::report::text::{about, found, rows, sentence};

/// Headings begin at the third level.
pub fn render(r: &RunResult) -> String {
    let mut out = format!(
        "### etcdmark run: {}\n\n**{}**\n\n{}\n",
        escape(&r.header.workload),
        escape(&sentence(r)),
        escape(&about(r))
    );
    let thresholds = r.thresholds.iter().map(|t| {
        let verdict = match t.verdict {
            ThresholdVerdict::Passed => "✅ passed",
            ThresholdVerdict::Missed => "❌ **missed**",
            ThresholdVerdict::Undecided => "❔ undecided",
        };
        let cells = [&t.expression, &found(t), &t.basis].map(|cell| escape(cell));
        let [expression, found, basis] = cells;
        vec![verdict.to_owned(), expression, found, basis]
    });
    let thresholds: Vec<Vec<String>> = thresholds.collect();
    if !thresholds.is_empty() {
        out.push('\n');
        let head = ["", "threshold", "found", "rests on"].map(str::to_owned);
        out.push_str(&table(&head, &thresholds, 4));
    }
    if !r.classes.is_empty() {
        let mut rows = rows(r);
        let mut head = rows.remove(0);
        "op class".clone_into(&mut head[0]);
        let rows: Vec<Vec<String>> = rows.iter().map(|row| escaped(row)).collect();
        out.push('\n');
        out.push_str(&table(&head, &rows, 1));
        out.push_str(
            "\nPercentiles cover all offered operations; a miss counts as infinite. `-`: too few for an estimate.\n",
        );
        if r.classes.iter().any(|c| c.class.closed_loop) {
            out.push_str("\\* closed loop: service times.\n");
        }
    }
    let mut remarks: Vec<String> = Vec::new();
    for reason in &r.validity.reasons {
        let word = match reason.verdict {
            Verdict::Valid => "saturated",
            Verdict::Doubtful => "doubtful",
            Verdict::Invalid => "**invalid**",
        };
        let (text, remedy) = (escape(&reason.text), escape(&reason.what_to_change));
        remarks.push(format!("{word}: {text}; remedy: {remedy}"));
    }
    for g in &r.guards {
        remarks.push(format!("guard {}: {}", g.guard, escape(&g.cause)));
    }
    let warnings = r.notes.iter().filter(|n| n.level == "warning");
    remarks.extend(warnings.map(|n| escape(&n.text)));
    out.push_str(&list(&remarks));
    out.push_str(&folded(
        "Environment",
        &table(&environment_head(), &environment(r), 2),
    ));
    out
}

fn environment_head() -> [String; 2] {
    ["", ""].map(str::to_owned)
}

fn environment(r: &RunResult) -> Vec<Vec<String>> {
    let (h, e) = (&r.header, &r.header.environment);
    let memory = (e.memory > 0).then(|| bytes(e.memory as f64));
    let all = [
        ("etcd", versions(r)),
        ("etcdmark", h.etcdmark.clone()),
        ("run", h.run_id.clone()),
        ("plan", h.plan_hash.clone()),
        ("host", e.hostname.clone()),
        ("kernel", e.kernel.clone()),
        ("CPU", e.cpu_model.clone()),
        ("cores", e.cpus.to_string()),
        ("memory", memory.unwrap_or_default()),
    ];
    let known = all.into_iter().filter(|(_, value)| !value.is_empty());
    known
        .map(|(what, value)| vec![what.to_owned(), escape(&value)])
        .collect()
}

/// Columns from `left` on are aligned to the right: numbers.
pub(crate) fn table(head: &[String], rows: &[Vec<String>], left: usize) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule: Vec<String> = (0..head.len())
        .map(|i| if i < left { "---" } else { "--:" }.to_owned())
        .collect();
    let rows = rows.iter().map(|row| {
        let mut row = row.clone();
        row.resize(head.len(), String::new());
        line(&row)
    });
    [line(head), line(&rule)].into_iter().chain(rows).collect()
}

/// `- …` a line, with an empty line before; nothing of nothing.
pub(crate) fn list(items: &[String]) -> String {
    match items.is_empty() {
        true => String::new(),
        false => format!("\n- {}\n", items.join("\n- ")),
    }
}

/// A part that is shown on demand.
pub(crate) fn folded(summary: &str, body: &str) -> String {
    format!("\n<details><summary>{summary}</summary>\n\n{body}\n</details>\n")
}

/// Cells of plain text.
pub(crate) fn escaped(cells: &[String]) -> Vec<String> {
    cells.iter().map(|cell| escape(cell)).collect()
}

/// Plain text, in one line, that Markdown does not read as anything else.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '@' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}
