//! Sinks that are not files.

use super::event::{Event, HistogramLine, HistogramTag, Sink, SinkError};
use super::reduce::Reducer;
use hdrhistogram::Histogram;

/// Hands everything to several sinks, in order. All get everything; the first error is returned.
#[derive(Default)]
pub struct Tee<'a> {
    sinks: Vec<&'a mut dyn Sink>,
}

impl<'a> Tee<'a> {
    /// Of these.
    pub fn new(sinks: Vec<&'a mut dyn Sink>) -> Self {
        Tee { sinks }
    }

    fn each(
        &mut self,
        mut f: impl FnMut(&mut dyn Sink) -> Result<(), SinkError>,
    ) -> Result<(), SinkError> {
        let mut first = Ok(());
        for sink in &mut self.sinks {
            first = first.and(f(&mut **sink));
        }
        first
    }
}

impl Sink for Tee<'_> {
    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        self.each(|s| s.event(event))
    }
    fn histogram(&mut self, line: &HistogramLine<'_>) -> Result<(), SinkError> {
        self.each(|s| s.histogram(line))
    }
    fn flush(&mut self) -> Result<(), SinkError> {
        self.each(|s| s.flush())
    }
}

/// Reduces while the run goes on.
impl Sink for Reducer {
    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        Reducer::event(self, event);
        Ok(())
    }
    fn histogram(&mut self, line: &HistogramLine<'_>) -> Result<(), SinkError> {
        Reducer::histogram(self, line);
        Ok(())
    }
}

/// Keeps everything in memory, for users of the library and for tests.
#[derive(Debug, Default)]
pub struct Collector {
    /// Events in order.
    pub events: Vec<Event>,
    /// Histograms in order: start and length (seconds), tag, values (ns).
    pub histograms: Vec<(f64, f64, Option<HistogramTag>, Histogram<u64>)>,
}

impl Sink for Collector {
    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        self.events.push(event.clone());
        Ok(())
    }
    fn histogram(&mut self, line: &HistogramLine<'_>) -> Result<(), SinkError> {
        self.histograms.push((
            line.start,
            line.length,
            line.tag.clone(),
            line.histogram.clone(),
        ));
        Ok(())
    }
}
