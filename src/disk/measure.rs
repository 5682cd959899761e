//! The measurement: all directories in turns.

use super::appender::Appender;
use super::busy::busy_before;
use super::directory::Directory;
use super::error::DiskError;
use super::pattern::Pattern;
use super::place;
use super::recorder::Recorder;
use super::result::DiskResult;
use super::scratch::Scratch;
use super::summary::{Ended, summarize};
use super::turns::{Budget, order};
use crate::clock::{self, Nanos};
use std::path::PathBuf;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Request {
    /// The directories; at least one.
    pub dirs: Vec<PathBuf>,
    /// What to write.
    pub pattern: Pattern,
    /// How much of it, in each directory.
    pub budget: Budget,
    /// Files with names even where none are needed.
    pub named: bool,
    /// The p99 of fdatasync over time that every directory must stay at or below, ns.
    pub max_p99: Option<Nanos>,
    /// A p99 whose interval holds that bound has missed it, too.
    pub strict: bool,
}

/// How far a measurement is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Done, 0–1.
    pub share: f64,
    /// Length so far, ns.
    pub elapsed: Nanos,
    /// Each directory, as given, its p99 in ns and its syncs per second so far.
    pub directories: Vec<(String, Option<Nanos>, f64)>,
}

/// What a measurement found, and what ended it early.
#[derive(Clone, Debug)]
pub struct Measured {
    pub result: DiskResult,
    /// In one line; none where it was completed or stopped.
    pub failure: Option<String>,
}

/// Measures. `stop` is asked before every append: true ends the measurement with what there is. `tell` is called
/// after every turn.
///
/// # Errors
/// What is wrong with a directory, before anything is measured; nothing is left there. What fails later ends the
/// measurement with what there is.
pub fn measure(
    request: &Request,
    stop: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(&Progress),
) -> Result<Measured, DiskError> {
    let hint = match request.pattern {
        Pattern::Wal | Pattern::Etcd => "; free some space, or use --pattern fio, which needs less",
        Pattern::Fio => "; free some space",
    };
    let places = place::look(&request.dirs, request.pattern.footprint(), hint)?;
    let mut scratches = Vec::new();
    for place in &places {
        let named = request.named || Scratch::needs_names(&place.file_system.kind);
        scratches.push(Scratch::open(&place.given, &place.path, named)?);
    }
    let busy = busy_before(places.iter().map(|p| p.device.as_ref()).collect());
    let started = clock::unix_now();
    let mut directories = Vec::new();
    for ((place, scratch), busy_before) in places.into_iter().zip(scratches).zip(busy) {
        directories.push(Directory {
            appender: Appender::new(place, scratch, request.pattern)?,
            recorder: Recorder::new(),
            spent: 0,
            busy_before,
        });
    }
    let mut turns = take_turns(&mut directories, request.budget, stop, tell);
    for directory in &mut directories {
        let finished = directory.appender.finish();
        turns = turns.and_then(|completed| finished.map(|()| completed));
    }
    let measured = directories.iter().any(|d| !d.recorder.sync.is_empty());
    let ended = match &turns {
        Ok(true) => Ended::Completed,
        Ok(false) => Ended::Interrupted,
        Err(e) => Ended::Failed(e),
    };
    let result = summarize(request, started, &directories, ended);
    match turns {
        Err(e) if !measured => Err(e),
        turns => Ok(Measured {
            result,
            failure: turns.err().map(|e| e.to_string()),
        }),
    }
}

/// Round after round, until nothing is left to do (true) or `stop` (false).
fn take_turns(
    directories: &mut [Directory],
    budget: Budget,
    stop: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(&Progress),
) -> Result<bool, DiskError> {
    let begun = clock::now();
    for round in 0.. {
        let mut worked = false;
        for i in order(directories.len(), round) {
            worked |= directories[i].turn(budget, begun, stop)?;
            if stop() {
                return Ok(false);
            }
            tell(&progress(directories, budget, clock::now() - begun));
        }
        if !worked {
            break;
        }
    }
    Ok(true)
}

fn progress(directories: &[Directory], budget: Budget, elapsed: Nanos) -> Progress {
    let shares = directories.iter().map(|d| d.share(budget));
    Progress {
        share: shares.sum::<f64>() / directories.len().max(1) as f64,
        elapsed,
        directories: directories
            .iter()
            .map(|d| {
                let name = d.appender.place().given.display().to_string();
                let p99 = d
                    .recorder
                    .sync
                    .histogram()
                    .map(|h| h.value_at_quantile(0.99));
                (name, p99, d.recorder.per_second())
            })
            .collect(),
    }
}
