//! Progress on stderr: one line that is rewritten on a terminal, a line now and then elsewhere.

use super::output::complain;
use crate::human::numbers::{count, rate};
use crate::report::{Counts, Event, HistogramLine, Interval, Phase, Sink, SinkError};
use std::io::{IsTerminal, Write};

/// Seconds between two lines where stderr is not a terminal.
const EVERY: f64 = 5.0;
/// Seconds of load below which a rate would say nothing.
const SCRAP: f64 = 0.2;

/// The line on stderr.
#[derive(Debug)]
pub struct Line {
    tty: bool,
    told: f64,
    open: bool,
}

impl Line {
    /// Nothing shown yet.
    pub fn new() -> Self {
        Line {
            tty: std::io::stderr().is_terminal(),
            told: f64::NEG_INFINITY,
            open: false,
        }
    }

    /// Shows a state at `t` seconds: always on a terminal, a few times a minute elsewhere.
    pub fn show(&mut self, t: f64, text: &str) {
        if self.tty {
            // Without wrapping: what does not fit a narrow terminal is cut off, as a second line could not be rewritten.
            let _ = write!(std::io::stderr().lock(), "\r\x1b[2K\x1b[?7l{text}\x1b[?7h");
            self.open = true;
        } else if t - self.told >= EVERY {
            self.told = t;
            complain(text);
        }
    }

    /// Says something that stays.
    pub fn say(&mut self, text: &str) {
        self.close();
        complain(text);
    }

    /// Ends an open line.
    pub fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            complain("");
        }
    }

    /// The next state is shown wherever stderr goes.
    fn afresh(&mut self) {
        self.told = f64::NEG_INFINITY;
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

/// A sink that only shows.
#[derive(Debug)]
pub struct Progress {
    line: Line,
    verbose: bool,
    /// Each phase until now and when it began.
    phases: Vec<(Phase, f64)>,
    /// Misses of the phase that was told of last.
    missed: (Option<Phase>, u64),
    seconds: Option<f64>,
}

impl Progress {
    /// `verbose` also tells later notes, members and failures as they come; `seconds` is the measured time.
    pub fn new(verbose: bool, seconds: Option<f64>) -> Self {
        Progress {
            line: Line::new(),
            verbose,
            phases: Vec::new(),
            missed: (None, 0),
            seconds,
        }
    }

    /// Ends an open line.
    pub fn close(&mut self) {
        self.line.close();
    }

    /// What one second of warm-up or measuring was like; None for a scrap of a second at a phase's end.
    fn load(&mut self, i: &Interval) -> Option<String> {
        let phase = i
            .phase
            .filter(|p| matches!(p, Phase::Warmup | Phase::Measure))?;
        // Intervals come late: the next phase may have begun by now.
        let began = self.phases.iter().find(|(p, _)| *p == phase)?.1;
        let sum = |f: fn(&Counts) -> u64| i.classes.values().map(f).sum::<u64>();
        if self.missed.0 != Some(phase) {
            self.missed = (Some(phase), 0);
        }
        self.missed.1 += sum(Counts::misses);
        // A part of a second at a phase's end.
        if i.length < SCRAP {
            return None;
        }
        let per_second = |n: u64| rate(n as f64 / i.length);
        let of = match self.seconds {
            Some(s) if phase == Phase::Measure => format!(" of {s:.0}"),
            _ => String::new(),
        };
        Some(format!(
            "{}: {:.0}{of} s  offered {}/s  answered {}/s  missed {}  in flight {}",
            phase.name(),
            i.t + i.length - began,
            per_second(sum(|c| c.offered)),
            per_second(sum(|c| c.ok)),
            count(self.missed.1),
            count(i.in_flight)
        ))
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Phase(e) => {
                self.phases.push((e.phase, e.t));
                self.line.afresh();
            }
            Event::Progress(p) => {
                let (done, total) = (count(p.done), count(p.total));
                let text = format!("{}: {done} of {total} {}", p.phase.name(), p.unit);
                self.line.show(p.t, &text);
            }
            Event::Interval(i) => {
                if let Some(text) = self.load(i) {
                    self.line.show(i.t, &text);
                }
            }
            // What preflight found is said before anything is written.
            Event::Note(n) if self.verbose || n.level == "warning" || self.phases.is_empty() => {
                self.line.say(&format!("{}: {}", n.level, n.text));
            }
            Event::Member(m) => {
                let state = if m.up { "up" } else { "down" };
                let reason = if m.reason.is_empty() {
                    String::new()
                } else {
                    format!(": {}", m.reason)
                };
                if !m.up || self.verbose {
                    self.line
                        .say(&format!("member {} is {state}{reason}", m.endpoint));
                }
            }
            Event::Failure(f) if self.verbose => {
                self.line
                    .say(&format!("{} failed: {} ({})", f.class, f.message, f.error));
            }
            Event::Guard(g) => self
                .line
                .say(&format!("guard {} stops the run: {}", g.guard, g.cause)),
            _ => {}
        }
    }
}

impl Sink for Progress {
    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        self.show(event);
        Ok(())
    }

    fn histogram(&mut self, _: &HistogramLine<'_>) -> Result<(), SinkError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stretch of load, from and to.
    fn stretch((t, end): (f64, f64), phase: Phase, offered: u64, ok: u64, late: u64) -> Interval {
        let counts = Counts {
            offered,
            ok,
            late,
            ..Counts::default()
        };
        Interval {
            t,
            length: end - t,
            phase: Some(phase),
            classes: [("node-lease/update".to_owned(), counts)].into(),
            in_flight: 3,
            ..Interval::default()
        }
    }

    #[test]
    fn a_second_is_told_of_the_phase_it_was_in() {
        let mut p = Progress::new(false, Some(3.0));
        for (phase, t) in [(Phase::Warmup, 1.5), (Phase::Measure, 3.1)] {
            p.phases.push((phase, t));
        }
        // Half a second of warm-up at twice the count, told when measuring has begun.
        assert_eq!(
            p.load(&stretch((1.5, 2.0), Phase::Warmup, 50, 40, 0))
                .unwrap(),
            "warmup: 0 s  offered 100/s  answered 80/s  missed 0  in flight 3"
        );
        assert_eq!(
            p.load(&stretch((2.0, 3.0), Phase::Warmup, 1000, 1000, 2))
                .unwrap(),
            "warmup: 2 s  offered 1,000/s  answered 1,000/s  missed 2  in flight 3"
        );
        assert_eq!(p.load(&stretch((3.0, 3.1), Phase::Warmup, 10, 10, 0)), None);
        for (missed, t) in [(7, 4.0), (14, 5.0)] {
            let told = p
                .load(&stretch((t, t + 1.0), Phase::Measure, 100, 93, 7))
                .unwrap();
            let words = format!("missed {missed}  in flight 3");
            assert!(told.ends_with(&words), "{told}");
        }
        assert_eq!(p.load(&stretch((0.0, 1.0), Phase::Populate, 9, 9, 0)), None);
    }
}
