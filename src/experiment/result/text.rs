//! The terminal rendering of an experiment: the answer, the comparisons, then what explains them.

use super::arm_text;
use super::document::{Comparison, ExperimentResult, Table, TrialState};
use super::metric::{Metric, Scale};
use super::phrases;
use crate::experiment::level::LevelName;
use crate::human::shell::word;
use crate::measure::validity::Verdict;
use crate::report::text::wrap;
use std::path::Path;

/// The summary, lines ending in newlines, without colour. `dir` is where the files are, if anywhere.
pub fn render(r: &ExperimentResult, dir: Option<&Path>) -> String {
    let mut out = format!("{}\n", r.answer);
    wrap(&format!("question {}", r.plan.question), &mut out);
    wrap(&about(r), &mut out);
    let several = r.plan.arms.len() > 1;
    // What a gate judges stands first, and once.
    let gate = r.plan.gate.is_some();
    if gate {
        extra_tables(r, &mut out);
    }
    for level in r.plan.levels.iter().filter(|_| several) {
        out.push('\n');
        out.push_str(&level.between("level ", "\n"));
        table(&comparisons(r, level), &mut out);
    }
    if !gate {
        extra_tables(r, &mut out);
    }
    out.push('\n');
    for line in remarks(r) {
        wrap(&line, &mut out);
    }
    if let Some(dir) = dir {
        let first = r.trials.first().map_or("trials", |t| t.directory.as_str());
        let dir = dir.display();
        wrap(
            &format!(
                "files   {dir} (to print again: etcdmark report {}; for one trial: etcdmark report {})",
                word(&dir.to_string()),
                word(&format!("{dir}/{first}"))
            ),
            &mut out,
        );
    }
    out
}

fn extra_tables(r: &ExperimentResult, out: &mut String) {
    for extra in &r.tables {
        out.push_str(&format!("\n{}\n", extra.title));
        table(extra, out);
    }
}

pub(super) fn about(r: &ExperimentResult) -> String {
    let p = &r.plan;
    let levels = if p.levels.len() > 1 {
        format!(" × {} levels", p.levels.len())
    } else {
        String::new()
    };
    let blocks = if p.blocks == 1 {
        "1 block".to_owned()
    } else {
        format!("{} blocks", p.blocks)
    };
    format!(
        "experiment {}{}, seed {}; {blocks}{levels} × {}; analysis {}{}",
        p.name,
        if p.smoke {
            " (smoke test: no conclusion)"
        } else {
            ""
        },
        p.seed,
        match p.arms.len() {
            1 => "1 arm".to_owned(),
            n => format!("{n} arms"),
        },
        p.analysis,
        if p.snapshot {
            "; every trial starts from a copy of its arm's data"
        } else {
            ""
        }
    )
}

pub(super) fn comparisons(r: &ExperimentResult, level: &LevelName) -> Table {
    let mut rows = Vec::new();
    let judged = r.plan.primary.iter().filter(|_| r.plan.gate.is_none());
    for name in judged.chain(&r.plan.metrics) {
        let of_metric: Vec<&Comparison> = r
            .comparisons
            .iter()
            .filter(|c| c.metric == *name && c.level == *level)
            .collect();
        let Some(first) = of_metric.first() else {
            continue;
        };
        let star = if first.primary { "" } else { " *" };
        let base = of_metric.iter().find_map(|c| c.baseline_median);
        let missed = of_metric.iter().any(|c| c.baseline_missed > 0);
        let head = [
            format!("{name}{star}"),
            r.plan.baseline.clone(),
            phrases::median(base, missed, first.unit),
        ];
        rows.push(
            [
                head.to_vec(),
                vec![String::new(), String::new(), "baseline".to_owned()],
            ]
            .concat(),
        );
        for c in of_metric {
            rows.push(vec![
                String::new(),
                c.arm.clone(),
                phrases::median(c.arm_median, c.arm_missed > 0, c.unit),
                phrases::size(c),
                phrases::interval(c),
                phrases::reading(c),
            ]);
        }
    }
    let columns = ["", "arm", "median", "effect", "95 % interval", "reading"]
        .map(str::to_owned)
        .to_vec();
    Table {
        title: String::new(),
        columns,
        rows,
    }
}

/// Columns aligned to the left: the readings are words.
fn table(t: &Table, out: &mut String) {
    let width = |column: usize| {
        let cells = std::iter::once(&t.columns)
            .chain(&t.rows)
            .filter_map(|row| row.get(column));
        cells.map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..t.columns.len()).map(width).collect();
    for row in std::iter::once(&t.columns).chain(&t.rows) {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, w)| format!("{cell:w$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

pub(super) fn remarks(r: &ExperimentResult) -> Vec<String> {
    let mut lines = Vec::new();
    let ratio = r
        .comparisons
        .iter()
        .any(|c| c.scale == Scale::Ratio && c.low.is_some());
    if ratio {
        let judged = r.comparisons.iter().filter(|c| c.primary).count();
        lines.push(format!(
            "Effect ×1.2 means 20 % more than {}. It is the mean of the blocks' log-ratios, with a 95 % \
             interval by Student's t. Each interval stands alone: of {judged} primary interval{}, expect 1 in \
             20 to miss the true value.",
            r.plan.baseline,
            if judged == 1 { "" } else { "s" },
        ));
    }
    if !r.plan.metrics.is_empty() {
        lines.push("* exploratory metric: shown for context, not part of the answer".to_owned());
    }
    let meanings: Vec<String> = r
        .plan
        .primary
        .iter()
        .filter_map(|m| Some(format!("{m} = {}", Metric::parse(m).ok()?.title())))
        .collect();
    lines.push(format!("metrics {}", meanings.join("; ")));
    lines.extend(r.plan.arms.iter().map(arm_text::line));
    lines.extend(
        r.plan
            .skipped_arms
            .iter()
            .map(|l| format!("skipped arm {}: {}", l.arm, l.reason)),
    );
    let with = |state: TrialState| r.trials.iter().filter(|t| t.state == state).count();
    let all = r.trials.len();
    let (torn, missing) = (with(TrialState::Torn), with(TrialState::Missing));
    if torn + missing > 0 && !r.complete {
        lines.push(format!(
            "incomplete: {missing} of {all} trials are still to run and {torn} must be repeated; \
                            run the same command with the same --out to continue"
        ));
    }
    for t in r.trials.iter().filter(|t| t.state == TrialState::Invalid) {
        lines.push(format!(
            "INVALID: trial {} (arm {}, block {}) was invalid twice: the generator did not keep \
                            up; its figures are excluded; see {}",
            t.trial, t.arm, t.block, t.directory
        ));
    }
    let count = |f: &dyn Fn(&super::document::TrialResult) -> bool| {
        r.trials.iter().filter(|t| f(t)).count()
    };
    let repeated = count(&|t| t.repeated && t.state == TrialState::Done);
    if repeated > 0 {
        lines.push(format!(
            "repeated: {repeated} of {all} trials were invalid at first (kept as trials/….invalid)"
        ));
    }
    let doubtful = count(&|t| t.state == TrialState::Done && t.validity == Some(Verdict::Doubtful));
    if doubtful > 0 {
        lines.push(format!(
            "doubtful: {doubtful} of {all} trials; each trial's report gives the reason"
        ));
    }
    for t in r
        .trials
        .iter()
        .filter(|t| t.state == TrialState::Done && matches!(t.exit_code, Some(1 | 99)))
    {
        let what = match t.exit_code {
            Some(99) => "threshold missed",
            _ => "FAILED",
        };
        lines.push(format!(
            "{what}: trial {} (arm {}, block {}): see {}",
            t.trial, t.arm, t.block, t.directory
        ));
    }
    lines.extend(r.notes.iter().map(|n| format!("note    {n}")));
    lines
}
