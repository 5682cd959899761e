//! The order in which sizes are tried: doubling, bisection, confirmation. A pure function of what came of the trials so far.
//!
//! A size is doubled until it fails, then ln(size) is bisected until the failed and the passed size are within the resolution of
//! each other. A failure of this part is tried once more: one bad moment shall not end it. The passed size is then confirmed on fresh seeds: when all
//! of n trials pass, one trial passes with a probability of at least 0.05^(1/n), with 95 % confidence (n = 14: 81 %). After a
//! failure the next size down is confirmed, so noise makes the answer smaller and never larger. Sources: Nighthawk's adaptive load controller
//! (doubling, bisection, a testing stage); Clopper and Pearson 1934 for the bound.

use serde::{Deserialize, Serialize};

/// A passed and a failed size closer than this ratio are not parted further.
pub const RESOLUTION: f64 = 1.15;
/// After a failed confirmation the size is divided by this.
const STEP_DOWN: f64 = 1.1;
/// So often.
const STEPS_DOWN: u32 = 12;
/// How much longer a trial that decides nothing is played again, and once more.
pub const STRETCHES: [u32; 3] = [1, 2, 4];

/// What is searched, and how far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// The first size that is tried.
    pub from: f64,
    /// No larger one is.
    pub max: f64,
    /// Sizes are whole numbers, and 1 or more.
    pub whole: bool,
    /// Trials that have to pass at the end.
    pub confirmations: u32,
    /// Of the first trial; every further one has the next.
    pub seed: u64,
}

/// What a trial is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// To find how far it goes.
    Search,
    /// To hold what was found to it, on a fresh seed.
    Confirmation,
}

/// What came of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Carried.
    Passed,
    /// Not carried.
    Failed,
    /// The bound is within what the trial can tell.
    Undecided,
    /// Too few operations for any trial of this length to pass; nothing speaks against it.
    TooFew,
    /// The generator did not keep up: this size cannot be asked of this machine.
    GeneratorBound,
}

/// A trial to play.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    pub size: f64,
    pub seed: u64,
    /// How many times as long as the first trials its measure phase is.
    pub stretch: u32,
    pub stage: Stage,
}

/// What the search has come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// This trial is needed.
    Play(Attempt),
    /// Nothing is.
    Done(End),
}

/// How the search ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct End {
    /// The largest size that was carried; none when not even the smallest was.
    pub carried: Option<f64>,
    /// The smallest above it that was not; none when the largest that may be tried was carried.
    pub failed: Option<f64>,
    /// Every confirmation passed.
    pub confirmed: bool,
    /// Trials of `carried` have too few operations to confirm it.
    pub too_few: bool,
}

/// What is needed after these trials, which are in the order in which they were asked for.
pub fn next(range: &Range, played: &[Outcome]) -> Next {
    let mut replay = Replay {
        range,
        played: played.iter(),
        asked: 0,
    };
    match replay.search() {
        Ok(end) => Next::Done(end),
        Err(attempt) => Next::Play(attempt),
    }
}

/// The search as if all answers were there; the first one that is not ends it.
struct Replay<'a> {
    range: &'a Range,
    played: std::slice::Iter<'a, Outcome>,
    asked: u64,
}

impl Replay<'_> {
    fn search(&mut self) -> Result<End, Attempt> {
        let (least, max) = (self.range.least(), self.range.max);
        let (mut carried, mut failed) = (None, None);
        let mut size = self.range.from.clamp(least, max);
        loop {
            if self.carries(size)? {
                carried = Some(size);
                if failed.is_some() || size >= max {
                    break;
                }
                size = (size * 2.0).min(max);
            } else {
                failed = Some(size);
                if carried.is_some() || size <= least {
                    break;
                }
                size = self.range.round(size / 4.0).max(least);
            }
        }
        while let (Some(low), Some(high)) = (carried, failed)
            && high / low > RESOLUTION
        {
            let middle = self.range.round((low * high).sqrt());
            if middle <= low || middle >= high {
                break;
            }
            match self.carries(middle)? {
                true => carried = Some(middle),
                false => failed = Some(middle),
            }
        }
        for _ in 0..STEPS_DOWN {
            let Some(size) = carried else { break };
            let outcome = self.confirms(size)?;
            if outcome != Outcome::Failed {
                return Ok(End {
                    carried,
                    failed,
                    confirmed: outcome == Outcome::Passed,
                    too_few: outcome == Outcome::TooFew,
                });
            }
            failed = Some(size);
            let below = self.range.round(size / STEP_DOWN).min(size - least / 2.0);
            carried = Some(self.range.round(below)).filter(|s| *s >= least && *s < size);
        }
        Ok(End {
            carried,
            failed,
            confirmed: false,
            too_few: false,
        })
    }

    /// Once more after a failure, on another seed. Few operations are no reason to look at smaller sizes, which have fewer.
    fn carries(&mut self, size: f64) -> Result<bool, Attempt> {
        let carried = |outcome| outcome != Outcome::Failed;
        Ok(carried(self.trial(size, Stage::Search)?) || carried(self.trial(size, Stage::Search)?))
    }

    fn confirms(&mut self, size: f64) -> Result<Outcome, Attempt> {
        for _ in 0..self.range.confirmations {
            let outcome = self.trial(size, Stage::Confirmation)?;
            if outcome != Outcome::Passed {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Passed)
    }

    /// Passed, failed or too few. What decides nothing at its longest was not shown to pass.
    fn trial(&mut self, size: f64, stage: Stage) -> Result<Outcome, Attempt> {
        let seed = self.range.seed + self.asked;
        self.asked += 1;
        let mut last = Outcome::Failed;
        for stretch in STRETCHES {
            let attempt = Attempt {
                size,
                seed,
                stretch,
                stage,
            };
            last = match (self.played.next().ok_or(attempt)?, stage) {
                (Outcome::Passed, _) => return Ok(Outcome::Passed),
                (Outcome::Failed | Outcome::GeneratorBound, _) => return Ok(Outcome::Failed),
                (Outcome::TooFew, Stage::Search) => return Ok(Outcome::TooFew),
                (Outcome::TooFew, Stage::Confirmation) => Outcome::TooFew,
                (Outcome::Undecided, _) => Outcome::Failed,
            };
        }
        Ok(last)
    }
}

impl Range {
    fn least(&self) -> f64 {
        if self.whole { 1.0 } else { 0.001 }
    }

    /// To two digits, as people say it; whole where sizes are.
    fn round(&self, size: f64) -> f64 {
        let digit = 10_f64.powf(size.log10().floor() - 1.0);
        let rounded = (size / digit).round() * digit;
        match self.whole {
            true => rounded.round(),
            // Without what dividing by a power of ten left.
            false => format!("{rounded:.9}").parse().unwrap_or(rounded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{mix, unit};

    fn range() -> Range {
        Range {
            from: 250.0,
            max: 1e6,
            whole: true,
            confirmations: 14,
            seed: 1,
        }
    }

    /// Plays against `passes(size, k)`, k being the trial's number.
    fn play(range: &Range, passes: impl Fn(f64, u64) -> Outcome) -> (End, Vec<Attempt>) {
        let (mut played, mut attempts) = (Vec::new(), Vec::new());
        loop {
            match next(range, &played) {
                Next::Done(end) => return (end, attempts),
                Next::Play(attempt) => {
                    assert!(attempts.len() < 500, "{attempts:?}");
                    played.push(passes(attempt.size, attempts.len() as u64));
                    attempts.push(attempt);
                }
            }
        }
    }

    fn sharp(at: f64) -> impl Fn(f64, u64) -> Outcome {
        move |size, _| match size <= at {
            true => Outcome::Passed,
            false => Outcome::Failed,
        }
    }

    #[test]
    fn a_sharp_limit_is_found_within_the_resolution() {
        for limit in [1.0, 3.0, 250.0, 700.0, 4100.0, 77_777.0] {
            let (end, attempts) = play(&range(), sharp(limit));
            let (low, high) = (end.carried.unwrap(), end.failed.unwrap());
            assert!(low <= limit && limit < high && end.confirmed, "{end:?}");
            assert!(high / low <= RESOLUTION || high - low <= 1.0, "{end:?}");
            assert!(attempts.len() < 45, "{}", attempts.len());
            let seeds: std::collections::BTreeSet<u64> = attempts.iter().map(|a| a.seed).collect();
            assert_eq!(
                seeds.len(),
                attempts.len(),
                "every trial has a seed of its own"
            );
        }
    }

    #[test]
    fn nothing_and_everything_are_answers() {
        let (end, attempts) = play(&range(), |_, _| Outcome::Failed);
        assert_eq!((end.carried, end.confirmed), (None, false));
        assert_eq!(end.failed, Some(1.0));
        assert!(attempts.len() <= 12, "{attempts:?}");
        let (end, _) = play(&range(), |_, _| Outcome::Passed);
        assert_eq!(
            (end.carried, end.failed, end.confirmed),
            (Some(1e6), None, true)
        );
    }

    #[test]
    fn what_decides_nothing_is_played_longer_and_then_not_carried() {
        let (_, attempts) = play(&range(), |size, _| match size {
            s if s <= 250.0 => Outcome::Passed,
            _ => Outcome::Undecided,
        });
        let stretches: Vec<u32> = attempts[1..4].iter().map(|a| a.stretch).collect();
        assert_eq!(stretches, [1, 2, 4]);
        assert_eq!(attempts[1].seed, attempts[3].seed);
    }

    #[test]
    fn few_operations_lead_up_and_are_no_confirmation() {
        let (end, attempts) = play(&range(), |size, _| match size {
            s if s < 2000.0 => Outcome::TooFew,
            s if s <= 4100.0 => Outcome::Passed,
            _ => Outcome::Failed,
        });
        assert!(end.confirmed && end.carried.unwrap() > 3500.0, "{end:?}");
        assert_eq!((attempts[0].size, attempts[1].size), (250.0, 500.0));
        let (end, _) = play(&range(), |size, _| match size {
            s if s <= 4100.0 => Outcome::TooFew,
            _ => Outcome::Failed,
        });
        assert!(end.too_few && !end.confirmed, "{end:?}");
    }

    #[test]
    fn one_bad_moment_does_not_end_the_search() {
        let bad = |size: f64, k: u64| match k == 2 || size > 4100.0 {
            true => Outcome::Failed,
            false => Outcome::Passed,
        };
        let (end, _) = play(&range(), bad);
        assert!(end.carried.unwrap() > 3500.0, "{end:?}");
    }

    /// The capacity C is the size at which four of five trials pass. By simulation the answer is at most C in 95 % of
    /// searches, and at least 0.8 C in 80 % unless the limit is very blurred: at a spread of 0.1, of trials of 0.8 C one
    /// in forty fails, and 14 of 14 is much to ask.
    #[test]
    fn the_answer_is_seldom_too_large_and_seldom_far_too_small() {
        let capacity: f64 = 4321.0;
        for (spread, power) in [(0.01, 0.99), (0.03, 0.95), (0.06, 0.8), (0.1, 0.7)] {
            let searches = 2000;
            let (mut at_most, mut near) = (0, 0);
            for search in 0..searches {
                // P(pass) = 1 / (1 + exp((ln size − ln C) / spread − ln 4)): 0.8 at C.
                let passes = |size: f64, k: u64| {
                    let x = (size / capacity).ln() / spread - 4_f64.ln();
                    let p = 1.0 / (1.0 + x.exp());
                    match unit(mix(search, k, 77)) < p {
                        true => Outcome::Passed,
                        false => Outcome::Failed,
                    }
                };
                let (end, _) = play(&range(), passes);
                let carried = end.carried.unwrap_or(0.0);
                at_most += usize::from(carried <= capacity);
                near += usize::from(carried >= 0.8 * capacity);
            }
            let (at_most, near) = (at_most as f64 / 2000.0, near as f64 / 2000.0);
            println!("spread {spread}: at most C {at_most}, at least 0.8 C {near}");
            assert!(at_most >= 0.95, "spread {spread}: {at_most}");
            assert!(near >= power, "spread {spread}: {near}");
        }
    }
}
