//! The event stream of a trial with what its attendant remarks.

use super::analysis::Attendant;
use super::bed::Bed;
use crate::report::{Event, HistogramLine, Note, Sink, SinkError, Tee};

/// Writes the attendant's notes into the stream: those from before right after its header, before anything is loaded;
/// the others after the event that they are about.
pub(super) struct Remarked<'a> {
    pub(super) inner: Tee<'a>,
    pub(super) bed: &'a Bed,
    pub(super) attendant: Option<&'a mut dyn Attendant>,
    /// How far the stream has come, seconds.
    pub(super) t: f64,
}

impl Sink for Remarked<'_> {
    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        self.inner.event(event)?;
        let mut notes = Vec::new();
        match event {
            Event::Header(_) => notes.extend(self.attendant.iter_mut().flat_map(|a| a.before())),
            Event::Phase(phase) => self.t = phase.t,
            Event::Interval(interval) => self.t = interval.t + interval.length,
            _ => {}
        }
        if let Some(attendant) = &mut self.attendant {
            notes.extend(attendant.event(self.bed, event));
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

    impl Attendant for AtMeasure {
        fn before(&mut self) -> Vec<String> {
            vec!["a prediction".to_owned()]
        }

        fn event(&mut self, _: &Bed, event: &Event) -> Vec<String> {
            match event {
                Event::Phase(p) if p.phase == Phase::Measure => vec!["measuring".to_owned()],
                _ => Vec::new(),
            }
        }
    }

    #[test]
    fn notes_stand_where_they_belong() {
        let mut collector = Collector::default();
        let mut sink = Remarked {
            inner: Tee::new(vec![&mut collector]),
            bed: &Bed::empty(),
            attendant: Some(&mut AtMeasure),
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
