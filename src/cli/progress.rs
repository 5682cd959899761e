//! Progress on stderr: one line that is rewritten on a terminal, a line now and then elsewhere.

use super::output::complain;
use crate::report::{Event, HistogramLine, Phase, Sink, SinkError};
use std::io::{IsTerminal, Write};

/// Seconds between two lines where stderr is not a terminal.
const EVERY: f64 = 5.0;

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
            let _ = write!(std::io::stderr().lock(), "\r\x1b[2K{text}");
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
    phase: Option<Phase>,
    phase_began: f64,
    seconds: Option<f64>,
}

impl Progress {
    /// `verbose` also tells later notes, members and failures as they come; `seconds` is the measured time.
    pub fn new(verbose: bool, seconds: Option<f64>) -> Self {
        Progress {
            line: Line::new(),
            verbose,
            phase: None,
            phase_began: 0.0,
            seconds,
        }
    }

    /// Ends an open line.
    pub fn close(&mut self) {
        self.line.close();
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Phase(e) => {
                self.phase = Some(e.phase);
                self.phase_began = e.t;
                self.line.afresh();
            }
            Event::Progress(p) => {
                let text = format!("{}: {} of {} {}", p.phase.name(), p.done, p.total, p.unit);
                self.line.show(p.t, &text);
            }
            Event::Interval(i)
                if matches!(i.phase, Some(Phase::Warmup | Phase::Measure))
                    && i.phase == self.phase
                    && i.length > 0.0 =>
            {
                let sum =
                    |f: fn(&crate::report::Counts) -> u64| i.classes.values().map(f).sum::<u64>();
                // An interval may be a part of a second.
                let rate = |n: u64| (n as f64 / i.length).round();
                let (offered, ok) = (rate(sum(|c| c.offered)), rate(sum(|c| c.ok)));
                let missed = sum(|c| c.misses());
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
                self.line.show(i.t, &text);
            }
            // What preflight found is said before anything is written.
            Event::Note(n) if self.verbose || n.level == "warning" || self.phase.is_none() => {
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
