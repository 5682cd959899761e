//! Progress on stderr: one line that is rewritten on a terminal, a line now and then elsewhere.

use super::output::complain;
use crate::report::{Event, HistogramLine, Phase, Sink, SinkError};
use std::io::{IsTerminal, Write};

/// Seconds between two lines where stderr is not a terminal.
const EVERY: f64 = 5.0;

/// A sink that only shows.
#[derive(Debug)]
pub struct Progress {
    tty: bool,
    verbose: bool,
    phase: Option<Phase>,
    phase_began: f64,
    told: f64,
    seconds: Option<f64>,
    open_line: bool,
}

impl Progress {
    /// `verbose` also tells later notes, members and failures as they come; `seconds` is the measured time.
    pub fn new(verbose: bool, seconds: Option<f64>) -> Self {
        Progress {
            tty: std::io::stderr().is_terminal(),
            verbose,
            phase: None,
            phase_began: 0.0,
            told: f64::NEG_INFINITY,
            seconds,
            open_line: false,
        }
    }

    fn line(&mut self, t: f64, text: &str) {
        if self.tty {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[2K{text}");
            self.open_line = true;
        } else if t - self.told >= EVERY {
            self.told = t;
            complain(text);
        }
    }

    fn say(&mut self, text: &str) {
        self.close();
        complain(text);
    }

    /// Ends an open line.
    pub fn close(&mut self) {
        if std::mem::take(&mut self.open_line) {
            complain("");
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Phase(e) => {
                self.phase = Some(e.phase);
                self.phase_began = e.t;
                self.told = f64::NEG_INFINITY;
            }
            Event::Progress(p) => {
                let text = format!("{}: {} of {} {}", p.phase.name(), p.done, p.total, p.unit);
                self.line(p.t, &text);
            }
            Event::Interval(i) if matches!(self.phase, Some(Phase::Warmup | Phase::Measure)) => {
                let sum =
                    |f: fn(&crate::report::Counts) -> u64| i.classes.values().map(f).sum::<u64>();
                let (offered, ok, missed) =
                    (sum(|c| c.offered), sum(|c| c.ok), sum(|c| c.misses()));
                let phase = self.phase.map_or("", Phase::name);
                let into = (i.t + i.length - self.phase_began).max(0.0);
                let of = match (self.phase, self.seconds) {
                    (Some(Phase::Measure), Some(s)) => format!(" of {s:.0}"),
                    _ => String::new(),
                };
                let text = format!(
                    "{phase}: {into:.0}{of} s  offered {offered}/s  answered {ok}/s  missed {missed}  in flight {}",
                    i.in_flight
                );
                self.line(i.t, &text);
            }
            // What preflight found is said before anything is written.
            Event::Note(n) if self.verbose || n.level == "warning" || self.phase.is_none() => {
                self.say(&format!("{}: {}", n.level, n.text));
            }
            Event::Member(m) => {
                let state = if m.up { "up" } else { "down" };
                let reason = if m.reason.is_empty() {
                    String::new()
                } else {
                    format!(": {}", m.reason)
                };
                if !m.up || self.verbose {
                    self.say(&format!("member {} is {state}{reason}", m.endpoint));
                }
            }
            Event::Failure(f) if self.verbose => {
                self.say(&format!("{} failed: {} ({})", f.class, f.message, f.error));
            }
            Event::Guard(g) => self.say(&format!("guard {} stops the run: {}", g.guard, g.cause)),
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
