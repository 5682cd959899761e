//! `etcdmark report DIR`: the result of a run, rebuilt from its files and rendered.

use super::CliError;
use super::output::{self, print};
use crate::capacity;
use crate::exit::Exit;
use crate::experiment::is_experiment;
use crate::report::{self, Metric, RunResult, hgrm, json, text};
use std::path::{Path, PathBuf};

/// Flags of `etcdmark report`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  etcdmark report etcdmark-results/20261122-101500-4711
  etcdmark report results/a -o json | jq .total
  etcdmark report results/a -o hgrm --class node-lease/update > lease.hgrm")]
pub struct Args {
    /// Result directory of a run, an experiment or a capacity search
    pub dir: PathBuf,
    /// text: the summary; json: the whole result; hgrm: a percentile spectrum for HdrHistogram's plotters
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub output: Format,
    /// Op class for -o hgrm, such as node-lease/update [default: all together]
    #[arg(long, value_name = "ACTOR/STEP")]
    pub class: Option<String>,
}

/// How a result is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The terminal summary.
    Text,
    /// `result.json`.
    Json,
    /// Percentile spectrum of response times (of service times in a closed loop), ms.
    Hgrm,
}

/// Rebuilds and prints. Exit 0 when it could, whatever became of the run; 1 when its files lack data.
pub fn run(args: &Args) -> Result<Exit, CliError> {
    if args.class.is_some() && args.output != Format::Hgrm {
        return Err(CliError::usage(
            "--class works only with -o hgrm; text and json show every op class".to_owned(),
        ));
    }
    if is_experiment(&args.dir) {
        return experiment(args);
    }
    if capacity::is_capacity(&args.dir) {
        return search(args);
    }
    let (rendered, whole) = render(args)?;
    print(&rendered)?;
    Ok(if whole { Exit::Ok } else { Exit::Failure })
}

/// An experiment's directory, likewise.
fn experiment(args: &Args) -> Result<Exit, CliError> {
    let format = match args.output {
        Format::Text => output::Format::Text,
        Format::Json => output::Format::Json,
        Format::Hgrm => return Err(of_one_run("an experiment", &args.dir)),
    };
    super::experiment::report(
        &crate::experiment::rebuild(&args.dir, &crate::analyses::ALL)?,
        format,
        &args.dir,
    )?;
    Ok(Exit::Ok)
}

/// A search's directory, likewise.
fn search(args: &Args) -> Result<Exit, CliError> {
    let result = capacity::rebuild(&args.dir)?;
    match args.output {
        Format::Text => print(&capacity::render(&result, Some(&args.dir)))?,
        Format::Json => output::print_json(&result)?,
        Format::Hgrm => return Err(of_one_run("a search", &args.dir)),
    }
    Ok(Exit::Ok)
}

fn of_one_run(what: &str, dir: &Path) -> CliError {
    let dir = dir.display();
    CliError::usage(format!(
        "-o hgrm needs a single run, but {dir} holds {what}: name the directory of a trial, {dir}/trials/…"
    ))
}

/// What [`run`] prints, and whether the run's files are whole.
pub fn render(args: &Args) -> Result<(String, bool), CliError> {
    let dir: &Path = &args.dir;
    let reducer = report::replay(dir).map_err(|e| CliError {
        exit: e.exit(),
        message: e.to_string(),
    })?;
    let result = reducer.result();
    let rendered = match args.output {
        Format::Text => text::render(&result, Some(dir)),
        Format::Json => json::render(&result)
            .map_err(|e| CliError::failure(format!("cannot render JSON: {e}")))?,
        Format::Hgrm => spectrum(&reducer, &result, args.class.as_deref())?,
    };
    Ok((rendered, result.missing.is_empty()))
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
