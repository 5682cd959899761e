//! Whose turn it is: several directories are measured in short turns, so that drift hits all alike.

use crate::clock::{Nanos, SECOND};

/// Shortest and longest turn, ns. Short ones share drift better; each begins on a disk that had a pause.
const TURN: (Nanos, Nanos) = (SECOND / 20, 10 * SECOND);
/// Turns that a duration is cut into: enough pairs for an interval, and 1 s each in a minute.
const TURNS: u64 = 60;
/// A turn where only the number of files is given, ns.
const TURN_OF_PASSES: Nanos = SECOND / 10;

/// How much each directory is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// So long, ns; other directories' turns do not count.
    Time(Nanos),
    /// So many whole files.
    Passes(u64),
}

impl Budget {
    /// Length of one turn, ns.
    pub(super) fn turn(self) -> Nanos {
        match self {
            Budget::Time(length) => (length / TURNS).clamp(TURN.0, TURN.1),
            Budget::Passes(_) => TURN_OF_PASSES,
        }
    }

    /// What is left to a directory that was measured for `spent` ns and has done `passes` files: the
    /// length of its next turn in ns, none when it is done.
    pub(super) fn next(self, spent: Nanos, passes: u64) -> Option<Nanos> {
        match self {
            Budget::Time(length) => (spent < length).then(|| self.turn().min(length - spent)),
            Budget::Passes(wanted) => (passes < wanted).then(|| self.turn()),
        }
    }

    /// Done so far, 0–1; passes count only when whole.
    pub(super) fn share(self, spent: Nanos, passes: u64) -> f64 {
        let (done, of) = match self {
            Budget::Time(length) => (spent, length),
            Budget::Passes(wanted) => (passes, wanted),
        };
        if of == 0 {
            1.0
        } else {
            (done as f64 / of as f64).min(1.0)
        }
    }
}

/// The order in which `n` directories take their turn in a round: each begins equally often, and none
/// always follows the same pause.
pub(super) fn order(n: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..n).map(move |i| (i + round) % n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directory_has_its_turn_in_each_round_and_begins_equally_often() {
        let mut first = [0; 3];
        for round in 0..6 {
            let turns: Vec<usize> = order(3, round).collect();
            first[turns[0]] += 1;
            let mut sorted = turns;
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
        }
        assert_eq!(first, [2, 2, 2]);
        assert_eq!(order(0, 5).count(), 0);
    }

    #[test]
    fn a_minute_is_sixty_turns_and_ends_on_time() {
        let minute = Budget::Time(60 * SECOND);
        assert_eq!(minute.turn(), SECOND);
        assert_eq!(minute.next(0, 0), Some(SECOND));
        assert_eq!(minute.next(60 * SECOND - 5, 0), Some(5));
        assert_eq!(minute.next(60 * SECOND, 0), None);
        // A turn that a stall made longer than it should be.
        assert_eq!(minute.next(90 * SECOND, 0), None);
        assert_eq!(Budget::Time(SECOND).turn(), SECOND / 20);
        assert_eq!(Budget::Time(24 * 3600 * SECOND).turn(), 10 * SECOND);
    }

    #[test]
    fn passes_are_whole_files() {
        let two = Budget::Passes(2);
        assert!(two.next(1000 * SECOND, 1).is_some());
        assert_eq!(two.next(0, 2), None);
        assert_eq!(two.share(0, 1), 0.5);
    }
}
