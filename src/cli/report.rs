//! `etcdmark report DIR`: the result of a run, rebuilt from its files and rendered.

use super::CliError;
use super::output::{self, print};
use crate::capacity;
use crate::exit::Exit;
use crate::experiment::history::{Entry, History};
use crate::experiment::{TrialResult, export, is_experiment};
use crate::measure::validity::Verdict;
use crate::report::export::{
    benchstat, bmf, checks, csv, github, junit, markdown, openmetrics, perfdash,
};
use crate::report::{self, Metric, RunResult, hgrm, json, text};
use std::path::{Path, PathBuf};

/// Flags of `etcdmark report`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  etcdmark report etcdmark-results/20261122-101500-4711
  etcdmark report results/a -o json | jq .total
  etcdmark report results/a -o junit > etcdmark.xml
  etcdmark report results/a -o markdown > summary.md
  etcdmark report results/a -o hgrm --class node-lease/update > lease.hgrm")]
pub struct Args {
    /// Result directory of a run, an experiment or a capacity search
    pub dir: PathBuf,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub output: Format,
    /// Op class for -o hgrm, such as node-lease/update [default: all together]
    #[arg(long, value_name = "ACTOR/STEP")]
    pub class: Option<String>,
    /// Append the run to this file as well, for `etcdmark trend`
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// What the history calls the run, such as a commit
    #[arg(long, value_name = "TEXT", requires = "history")]
    pub label: Option<String>,
}

/// How a result is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Summary for a terminal
    Text,
    /// The whole result
    Json,
    /// Job summary or comment, GitHub's Markdown
    Markdown,
    /// Annotations of GitHub Actions, as workflow commands
    Github,
    /// JUnit XML: a test case per threshold or gating metric
    Junit,
    /// Comma-separated values: a row per op class, or per trial and metric
    Csv,
    /// Go's benchmark format, for benchstat
    Benchstat,
    /// Bencher Metric Format (a run)
    Bmf,
    /// PerfData of SIG Scalability's perfdash (a run)
    Perfdash,
    /// OpenMetrics text, also for Prometheus (a run)
    Openmetrics,
    /// Percentile spectrum for HdrHistogram's plotters (a run)
    Hgrm,
}

impl Format {
    fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.map_or(String::new(), |v| v.get_name().to_owned())
    }

    /// It has no place for words: what a reader must know goes to standard error.
    fn figures_only(self) -> bool {
        use Format::{Benchstat, Bmf, Csv, Openmetrics, Perfdash};
        matches!(self, Csv | Benchstat | Bmf | Perfdash | Openmetrics)
    }
}

/// Rebuilds and prints. Exit 0 when it could, whatever became of the run; 1 when its files lack data.
pub fn run(args: &Args) -> Result<Exit, CliError> {
    if args.class.is_some() && args.output != Format::Hgrm {
        return Err(CliError::usage(format!(
            "--class works only with -o hgrm; {} shows every op class",
            args.output.name()
        )));
    }
    if is_experiment(&args.dir) {
        return experiment(args);
    }
    if capacity::is_capacity(&args.dir) {
        return search(args);
    }
    let (rendered, result) = render(args)?;
    print(&rendered)?;
    if let Some(file) = &args.history {
        remember(file, &Entry::of(&result, args.label.clone()))?;
    }
    if args.output.figures_only() {
        if result.exit() != Exit::Ok || result.validity.verdict != Verdict::Valid {
            output::complain(&format!("note: {}", text::sentence(&result)));
        }
        let warnings = result.notes.iter().filter(|n| n.level == "warning");
        warnings.for_each(|n| output::complain(&format!("warning: {}", n.text)));
    }
    let whole = result.missing.is_empty();
    Ok(if whole { Exit::Ok } else { Exit::Failure })
}

/// Appends a run to a history.
fn remember(file: &Path, entry: &Entry) -> Result<(), CliError> {
    let (appended, notes) = History::append(file, entry).map_err(super::trend::error)?;
    let shown = file.display();
    for note in notes {
        output::complain(&format!("warning: {shown}: {note}"));
    }
    if !appended {
        output::complain(&format!("note: {shown} has run {} already", entry.run));
    }
    if !entry.usable() {
        output::complain(&format!(
            "note: run {} did not end, or is invalid: trends leave it out",
            entry.run
        ));
    }
    Ok(())
}

/// An experiment's directory, likewise.
fn experiment(args: &Args) -> Result<Exit, CliError> {
    let dir = &args.dir;
    if args.history.is_some() {
        return Err(CliError::usage(format!(
            "--history takes single runs, but {} holds an experiment, which has its own comparison; leave --history out",
            dir.display()
        )));
    }
    let one_run = matches!(
        args.output,
        Format::Hgrm | Format::Bmf | Format::Perfdash | Format::Openmetrics
    );
    if one_run {
        return Err(of_one_run(args.output, "an experiment", dir));
    }
    let result = crate::experiment::rebuild(dir, &crate::analyses::ALL)?;
    let suite = || {
        let played = |t: &&TrialResult| t.outcome.is_some();
        let of = |t: Option<&TrialResult>| report::rebuild(&dir.join(&t?.directory)).ok();
        let mut trials = result.trials.iter().filter(played);
        let (first, last) = (of(trials.next()), of(trials.next_back()));
        let ends = first
            .as_ref()
            .map(|first| (first, last.as_ref().unwrap_or(first)));
        let told = crate::experiment::text::render(&result, None);
        export::suite(&result, ends, &told)
    };
    print(&match args.output {
        Format::Json => result.json().map_err(unwritten)?,
        Format::Markdown => export::markdown(&result),
        Format::Github => github::render(&suite()),
        Format::Junit => junit::render(&suite()).map_err(unwritten)?,
        Format::Csv => export::csv(&result).map_err(unwritten)?,
        Format::Benchstat => export::benchstat(&result),
        _ => crate::experiment::text::render(&result, Some(dir)),
    })?;
    if args.output.figures_only() && result.exit() != Exit::Ok {
        output::complain(&format!("note: {}", result.answer));
    }
    Ok(Exit::Ok)
}

/// A search's directory, likewise.
fn search(args: &Args) -> Result<Exit, CliError> {
    if args.history.is_some() {
        return Err(CliError::usage(format!(
            "--history takes single runs, but {} holds a search; leave --history out",
            args.dir.display()
        )));
    }
    let result = capacity::rebuild(&args.dir)?;
    match args.output {
        Format::Text => print(&capacity::render(&result, Some(&args.dir)))?,
        Format::Json => output::print_json(&result)?,
        other => return Err(of_one_run(other, "a search", &args.dir)),
    }
    Ok(Exit::Ok)
}

fn of_one_run(format: Format, what: &str, dir: &Path) -> CliError {
    let (format, dir) = (format.name(), dir.display());
    CliError::usage(format!(
        "-o {format} needs a single run, but {dir} holds {what}: name the directory of a trial, {dir}/trials/…"
    ))
}

fn unwritten(cause: impl std::fmt::Display) -> CliError {
    CliError::failure(format!("cannot render the result: {cause}"))
}

/// What [`run`] prints of a run, and the result that it is made of.
///
/// # Errors
/// The directory gives no result, or none in this format.
pub fn render(args: &Args) -> Result<(String, RunResult), CliError> {
    let reducer = report::replay(&args.dir).map_err(|e| CliError {
        exit: e.exit(),
        message: e.to_string(),
    })?;
    let result = reducer.result();
    let suite = || checks::of_run(&result, &text::render(&result, None));
    let rendered = match args.output {
        Format::Text => text::render(&result, Some(&args.dir)),
        Format::Json => json::render(&result).map_err(unwritten)?,
        Format::Markdown => markdown::render(&result),
        Format::Github => github::render(&suite()),
        Format::Junit => junit::render(&suite()).map_err(unwritten)?,
        Format::Csv => csv::render(&result).map_err(unwritten)?,
        Format::Benchstat => benchstat::render(&result),
        Format::Bmf => bmf::render(&result).map_err(unwritten)?,
        Format::Perfdash => perfdash::render(&result).map_err(unwritten)?,
        Format::Openmetrics => openmetrics::render(&result),
        Format::Hgrm => spectrum(&reducer, &result, args.class.as_deref())?,
    };
    Ok((rendered, result))
}

fn spectrum(
    reducer: &report::Reducer,
    result: &RunResult,
    class: Option<&str>,
) -> Result<String, CliError> {
    if let Some(m) = result
        .missing
        .iter()
        .find(|m| class.is_none_or(|c| c == m.class))
    {
        return Err(CliError::failure(format!(
            "no spectrum: latency.hlog holds {} of the {} {} times of {} that events.jsonl counts; a file was cut or \
             changed after the run",
            m.found,
            m.counted,
            m.metric.name(),
            m.class
        )));
    }
    let closed = match class {
        None => result.total.headline.is_none(),
        Some(name) => match result.class(name) {
            Some(class) => class.class.closed_loop,
            None => {
                let known: Vec<&str> = result
                    .classes
                    .iter()
                    .map(|c| c.class.name.as_str())
                    .collect();
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                return Err(CliError::usage(format!(
                    "--class {name}: not measured in this run (measured: {known})"
                )));
            }
        },
    };
    let metric = if closed {
        Metric::Service
    } else {
        Metric::Response
    };
    match reducer.merged(class, metric).histogram() {
        Some(histogram) => Ok(hgrm::render(histogram)),
        None => Err(CliError::failure(format!(
            "the run measured no {} time",
            metric.name()
        ))),
    }
}
