//! How far an experiment is, on stderr.

use super::experiment::OutputFlags;
use super::output::complain;
use super::progress::Progress;
use crate::experiment::{Experiment, Observer, TrialPlan};
use crate::report::Sink;
use std::io::IsTerminal;

/// What all trials take: `about 14 min`; of trials that end by themselves `at most 3 h`.
pub(super) fn length(experiment: &Experiment) -> String {
    let about = match experiment.ends_by_itself() || experiment.may_end_early() {
        true => "at most",
        false => "about",
    };
    format!("{about} {}", time(experiment.planned_seconds()))
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// Tells on stderr how far it is.
pub(super) struct Watching {
    quiet: bool,
    verbose: bool,
    /// Of the trial under way, on a terminal or when asked for: elsewhere a line per trial is enough.
    progress: Option<Progress>,
}

impl Watching {
    pub(super) fn new(args: &OutputFlags) -> Self {
        Watching {
            quiet: args.quiet,
            verbose: args.verbose,
            progress: None,
        }
    }

    pub(super) fn introduce(&mut self, experiment: &Experiment, out: &std::path::Path) {
        let plan = &experiment.plan;
        for left in &plan.skipped_arms {
            self.say(&format!("skipping arm {}: {}", left.arm, left.reason));
        }
        for note in &plan.notes {
            self.say(note);
        }
        let arms: Vec<&str> = plan.arms.iter().map(|a| a.name.as_str()).collect();
        self.say(&format!(
            "{}: {} trials, {}, arms {}; results in {}",
            plan.name,
            plan.trials.len(),
            length(experiment),
            arms.join(", "),
            out.display()
        ));
    }

    pub(super) fn close(&mut self) {
        if let Some(mut open) = self.progress.take() {
            open.close();
        }
    }
}

impl Observer for Watching {
    fn begins(&mut self, trial: &TrialPlan, of: usize, again: bool, left: f64) {
        self.close();
        let level = trial.level.between(", level ", "");
        let again = if again { " (repeated)" } else { "" };
        self.say(&format!(
            "trial {} of {of}: arm {}, block {}{level}{again}; about {} left",
            trial.trial,
            trial.arm,
            trial.block,
            time(left)
        ));
        if !self.quiet && (self.verbose || std::io::stderr().is_terminal()) {
            self.progress = Some(Progress::new(self.verbose, None));
        }
    }

    fn say(&mut self, text: &str) {
        if let Some(open) = &mut self.progress {
            open.close();
        }
        if !self.quiet {
            complain(text);
        }
    }

    fn sink(&mut self) -> Option<&mut dyn Sink> {
        self.progress.as_mut().map(|p| p as &mut dyn Sink)
    }
}
