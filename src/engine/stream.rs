//! The run's one event stream: to the caller's sink, to the guards, and to the reducer that makes the result of the
//! same events.

use super::guards::Guards;
use crate::clock::{self, Nanos, SECOND};
use crate::report::{Event, GuardEvent, HistogramLine, Note, Reducer, RunResult, Sink};

/// Sends everything to all; remembers the first failure of the sink and spares it from then on.
pub(crate) struct Stream<'a> {
    sink: &'a mut dyn Sink,
    reducer: Reducer,
    pub(crate) guards: Guards,
    fired: Option<GuardEvent>,
    t0: Nanos,
    failure: Option<String>,
}

impl std::fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl<'a> Stream<'a> {
    pub(crate) fn new(sink: &'a mut dyn Sink, t0: Nanos) -> Self {
        Stream {
            sink,
            reducer: Reducer::new(),
            guards: Guards::default(),
            fired: None,
            t0,
            failure: None,
        }
    }

    /// Seconds since t0.
    pub(crate) fn t(&self) -> f64 {
        clock::now().saturating_sub(self.t0) as f64 / SECOND as f64
    }

    pub(crate) fn event(&mut self, event: &Event) {
        self.reducer.event(event);
        if let Some(guard) = self.guards.observe(event) {
            self.fired.get_or_insert(guard);
        }
        if self.failure.is_none() {
            self.failure = self.sink.event(event).err().map(|e| e.to_string());
        }
    }

    pub(crate) fn histogram(&mut self, line: &HistogramLine<'_>) {
        self.reducer.histogram(line);
        if self.failure.is_none() {
            self.failure = self.sink.histogram(line).err().map(|e| e.to_string());
        }
    }

    pub(crate) fn note(&mut self, level: &str, text: impl Into<String>) {
        let note = Note {
            t: self.t(),
            level: level.to_owned(),
            text: text.into(),
        };
        self.event(&Event::Note(note));
    }

    pub(crate) fn flush(&mut self) {
        if self.failure.is_none() {
            self.failure = self.sink.flush().err().map(|e| e.to_string());
        }
    }

    /// The guard that an event made fire since the last call.
    pub(crate) fn take_fired(&mut self) -> Option<GuardEvent> {
        self.fired.take()
    }

    /// Why the sink takes nothing any more.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    pub(crate) fn result(&self) -> RunResult {
        self.reducer.result()
    }
}
