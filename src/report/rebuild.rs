//! From a run's directory back to its result, whatever became of the run.

use super::event::{EVENTS_VERSION, Event, HistogramLine, Note};
use super::files::{EVENTS, HLOG};
use super::reduce::Reducer;
use super::result::RunResult;
use crate::exit::Exit;
use crate::measure::hlog::{HlogError, HlogReader};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Why a directory gives no result.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It is not there, or is a file.
    #[error("{0}: {what}; name the directory that `etcdmark run --out` wrote", what = if .0.exists() { "not a \
             directory" } else { "no such directory" })]
    NoDirectory(PathBuf),
    /// It is not a run's.
    #[error("{dir}: {missing} is missing; a run's directory holds events.jsonl and latency.hlog")]
    Missing {
        /// The directory.
        dir: PathBuf,
        missing: &'static str,
    },
    /// A file cannot be read.
    #[error("{path}: cannot read: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    /// A line other than the last makes no sense.
    #[error("{path}:{line}: {cause}; the file has been changed since the run")]
    Malformed {
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        cause: String,
    },
    /// The run never began.
    #[error("{0}: no header: the run ended before it started the load")]
    NoHeader(PathBuf),
    /// Written by another version of etcdmark.
    #[error(
        "{path}: event format version {found}, but this etcdmark reads version {EVENTS_VERSION}: use the etcdmark that wrote it{}",
        if *found > EVENTS_VERSION { ", or a newer one" } else { "" }
    )]
    Version { path: PathBuf, found: u32 },
}

impl ReportError {
    /// Usage where the user named something else than a run's directory, failure where its files are damaged.
    pub fn exit(&self) -> Exit {
        match self {
            ReportError::NoDirectory(_)
            | ReportError::Missing { .. }
            | ReportError::Version { .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }
}

/// The result of the run in `dir`, from `events.jsonl` and `latency.hlog` alone. A torn last line (the
/// run was killed while writing) is left out, which a note says; without an end event the outcome is
/// `killed`.
pub fn rebuild(dir: &Path) -> Result<RunResult, ReportError> {
    Ok(replay(dir)?.result())
}

/// As [`rebuild`], with the merged histograms still at hand.
pub fn replay(dir: &Path) -> Result<Reducer, ReportError> {
    if !dir.is_dir() {
        return Err(ReportError::NoDirectory(dir.to_owned()));
    }
    let mut reducer = Reducer::new();
    let events = dir.join(EVENTS);
    let mut header = false;
    let mut last = 0.0;
    readable(dir)?;
    let torn_events = lines(dir, EVENTS, |line| {
        let event: Event = serde_json::from_str(line)?;
        match &event {
            Event::Header(_) => header = true,
            Event::Interval(i) => last = i.t + i.length,
            _ => {}
        }
        reducer.event(&event);
        Ok(())
    })?;
    if !header {
        return Err(ReportError::NoHeader(events));
    }
    let torn_hlog = histograms(dir, &mut reducer)?;
    for (torn, file) in [(torn_events, EVENTS), (torn_hlog, HLOG)] {
        if torn {
            let text = format!(
                "the last line of {file} is incomplete and ignored: the run was killed while writing it"
            );
            reducer.event(&Event::Note(Note {
                t: last,
                level: "warning".to_owned(),
                text,
            }));
        }
    }
    Ok(reducer)
}

/// Refuses a file of another version by its first line, before anything else is read of it: a header of another version
/// has other fields.
fn readable(dir: &Path) -> Result<(), ReportError> {
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
    }
    let (path, mut reader) = open(dir, EVENTS)?;
    let mut first = Vec::new();
    if let Err(source) = reader.read_until(b'\n', &mut first) {
        return Err(ReportError::Unreadable { path, source });
    }
    match serde_json::from_slice(&first) {
        Ok(Version { version }) if version != EVENTS_VERSION => Err(ReportError::Version {
            path,
            found: version,
        }),
        // What is no header at all has its own message.
        _ => Ok(()),
    }
}

/// Calls `take` for each line. Returns whether the last line was torn (no newline, or senseless).
fn lines(
    dir: &Path,
    name: &'static str,
    mut take: impl FnMut(&str) -> Result<(), serde_json::Error>,
) -> Result<bool, ReportError> {
    let (path, mut reader) = open(dir, name)?;
    let unreadable = |source| ReportError::Unreadable {
        path: path.clone(),
        source,
    };
    let (mut buffer, mut number) = (Vec::new(), 0);
    loop {
        buffer.clear();
        if reader.read_until(b'\n', &mut buffer).map_err(unreadable)? == 0 {
            return Ok(false);
        }
        number += 1;
        if buffer.last() != Some(&b'\n') {
            // Whole or not, its writer did not get to end it.
            return Ok(true);
        }
        let text = String::from_utf8_lossy(&buffer);
        if let Err(cause) = take(text.trim_end()) {
            let at_end = reader.fill_buf().map_err(unreadable)?.is_empty();
            if at_end {
                return Ok(true);
            }
            return Err(ReportError::Malformed {
                path: path.clone(),
                line: number,
                cause: cause.to_string(),
            });
        }
    }
}

fn open(dir: &Path, name: &'static str) -> Result<(PathBuf, BufReader<File>), ReportError> {
    let path = dir.join(name);
    match File::open(&path) {
        Ok(file) => Ok((path, BufReader::new(file))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(ReportError::Missing {
            dir: dir.to_owned(),
            missing: name,
        }),
        Err(source) => Err(ReportError::Unreadable { path, source }),
    }
}

/// Adds up `latency.hlog`. Returns whether its last line was torn.
fn histograms(dir: &Path, reducer: &mut Reducer) -> Result<bool, ReportError> {
    let (path, reader) = open(dir, HLOG)?;
    let refused = |e: HlogError| match e {
        HlogError::Io(source) => ReportError::Unreadable {
            path: path.clone(),
            source,
        },
        HlogError::Line { line, problem } => ReportError::Malformed {
            path: path.clone(),
            line: usize::try_from(line).unwrap_or(usize::MAX),
            cause: problem,
        },
        e => ReportError::Malformed {
            path: path.clone(),
            line: 0,
            cause: e.to_string(),
        },
    };
    let mut log = HlogReader::new(reader);
    for entry in &mut log {
        let entry = entry.map_err(refused)?;
        let tag = entry.tag.as_deref().map(str::parse).transpose();
        let tag = tag.map_err(|problem| {
            let line = entry.line;
            refused(HlogError::Line { line, problem })
        })?;
        let (start, length, histogram) = (entry.start, entry.length, &entry.histogram);
        reducer.histogram(&HistogramLine {
            start,
            length,
            tag,
            histogram,
        });
    }
    Ok(log.torn().is_some())
}
