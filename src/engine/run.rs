//! The run, phase by phase: what a caller of the library calls.

use super::active::ActiveRun;
use super::context::RunContext;
use super::guards::Guards;
use super::header;
use super::prepare::{self, prepare};
use super::stream::Stream;
use crate::clock::{Anchor, SECOND};
use crate::control::Control;
use crate::exit::Exit;
use crate::report::{Event, RunResult, Sink};
use crate::workload::Plan;
use std::sync::Arc;

/// A run that could not begin. Nothing was loaded; nothing stays behind in the store.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct RunError {
    /// What is wrong and what to do.
    pub message: String,
    /// The exit code that fits.
    pub exit: Exit,
}

impl RunError {
    fn failure(message: impl std::fmt::Display) -> Self {
        RunError {
            message: message.to_string(),
            exit: Exit::Failure,
        }
    }
}

/// Plays a plan against its stores and returns what came of it; `sink` gets every event and histogram
/// on the way, and `control` drains or stops it. Blocks. May be called many times and concurrently in one process: it
/// owns its threads and runtimes, and touches no global state.
///
/// # Errors
/// When the run cannot begin (unreachable, not allowed, locked …). Whatever goes wrong later is part of
/// the result.
pub fn run(plan: Plan, control: &Control, sink: &mut dyn Sink) -> Result<RunResult, RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("etcdmark-control")
        .enable_all()
        .build()
        .map_err(|e| RunError::failure(format!("cannot start a runtime: {e}")))?;
    let prepared = prepare(plan, &runtime)?;
    let anchor = Anchor::new();
    let t0 = anchor.mono - anchor.unix % SECOND;
    let (run, mut stores) = RunContext::new(prepared, control, anchor, t0);
    let mut stream = Stream::new(sink, t0);
    stream.guards = Guards::new(&run.plan.guards).with_thresholds(&run.plan.thresholds);
    let mut active = ActiveRun::new(Arc::new(run), &runtime, &stores);
    let header = header::header(&active.run, &stores);
    stream.event(&Event::Header(Box::new(header)));
    for (index, store) in stores.iter().enumerate() {
        for (level, note) in prepare::notes(&active.run.plan, index, store) {
            stream.note(level, note);
        }
    }
    let failure = active.play(&runtime, &mut stream, &mut stores).err();
    let failure = failure.map(|e| e.to_string());
    let result = active.finish(&runtime, &mut stream, stores, failure);
    Ok(result)
}
