//! The event stream of a trial with what its hook remarks.

use super::hook::TrialHook;
use super::testbed::Testbed;
use crate::report::{Event, HistogramLine, Note, Sink, SinkError, Tee};

/// Writes the hook's notes into the stream: those from before right after its header, before anything is loaded;
/// the others after the event that they are about.
pub(crate) struct HookedSink<'a> {
    pub(crate) inner: Tee<'a>,
    pub(crate) testbed: &'a Testbed,
    pub(crate) hook: Option<&'a mut dyn TrialHook>,
    /// How far the stream has come, seconds.
    pub(crate) t: f64,
}

impl Sink for HookedSink<'_> {
    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        self.inner.event(event)?;
        let mut notes = Vec::new();
        match event {
            Event::Header(_) => notes.extend(self.hook.iter_mut().flat_map(|a| a.before())),
            Event::Phase(phase) => self.t = phase.t,
            Event::Interval(interval) => self.t = interval.t + interval.length,
            _ => {}
        }
        if let Some(hook) = &mut self.hook {
            notes.extend(hook.event(self.testbed, event));
        }
        for text in notes {
            let (t, level) = (self.t, "info".to_owned());
            self.inner.event(&Event::Note(Note { t, level, text }))?;
        }
        Ok(())
    }

    fn histogram(&mut self, line: &HistogramLine<'_>) -> Result<(), SinkError> {
        self.inner.histogram(line)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Collector, Phase, PhaseEvent};

    #[derive(Debug)]
    struct AtMeasure;

    impl TrialHook for AtMeasure {
        fn before(&mut self) -> Vec<String> {
            vec!["a prediction".to_owned()]
        }

        fn event(&mut self, _: &Testbed, event: &Event) -> Vec<String> {
            match event {
                Event::Phase(p) if p.phase == Phase::Measure => vec!["measuring".to_owned()],
                _ => Vec::new(),
            }
        }
    }

    #[test]
    fn notes_stand_where_they_belong() {
        let mut collector = Collector::default();
        let mut sink = HookedSink {
            inner: Tee::new(vec![&mut collector]),
            testbed: &Testbed::empty(),
            hook: Some(&mut AtMeasure),
            t: 0.0,
        };
        let phase = |t, phase| Event::Phase(PhaseEvent { t, phase });
        let events = [
            Event::Header(Box::default()),
            phase(1.0, Phase::Populate),
            phase(2.5, Phase::Measure),
        ];
        for event in &events {
            sink.event(event).unwrap();
        }
        let said: Vec<(usize, f64, &str)> = collector
            .events
            .iter()
            .enumerate()
            .filter_map(|(i, e)| match e {
                Event::Note(n) => Some((i, n.t, n.text.as_str())),
                _ => None,
            })
            .collect();
        assert_eq!(said, [(1, 0.0, "a prediction"), (4, 2.5, "measuring")]);
    }
}
