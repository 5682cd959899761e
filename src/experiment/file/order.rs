//! In which order the trials are played: blocks one after the other, in each block the levels in random order, on each
//! level the arms next to each other, in random order in one block and in the reverse order in the next: each arm is first as
//! often as last. A function of the seed (method: drift of the machine, which would look like an effect in AAAA…BBBB, falls on all
//! arms alike).

use crate::experiment::plan::{ExperimentPlan, TrialPlan};
use crate::rng::mix;

/// A trial's coordinates, all from 0 but the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub block: u32,
    pub level: usize,
    pub arm: usize,
    /// Its place among the arms of its block and level, from 1.
    pub order: u32,
}

/// Every trial, in the order of play.
pub fn order(seed: u64, blocks: u32, levels: usize, arms: usize) -> Vec<Slot> {
    let mut slots = Vec::new();
    for block in 0..blocks {
        for level in shuffled(levels, mix(seed, u64::from(block), 0)) {
            let drawn = mix(seed, u64::from(block / 2), 1 + level as u64);
            let mut arms = shuffled(arms, drawn);
            if block % 2 == 1 {
                arms.reverse();
            }
            for (order, arm) in (1..).zip(arms) {
                slots.push(Slot {
                    block,
                    level,
                    arm,
                    order,
                });
            }
        }
    }
    slots
}

/// Every trial of a plan, in the order of play.
pub(crate) fn trials(plan: &ExperimentPlan) -> Vec<TrialPlan> {
    let slots = order(plan.seed, plan.blocks, plan.levels.len(), plan.arms.len());
    let trial = |(trial, slot): (u32, Slot)| {
        let (level, arm) = (&plan.levels[slot.level], &plan.arms[slot.arm].name);
        // All trials of a snapshot begin with the same bytes, which are one seed's.
        let step = if plan.snapshot {
            0
        } else {
            u64::from(slot.block)
        };
        TrialPlan {
            trial,
            block: slot.block + 1,
            level: level.clone(),
            arm: arm.clone(),
            order: slot.order,
            seed: plan.seed.wrapping_add(step),
            directory: format!("trials/{trial:03}-{}{arm}", level.between("", "-")),
        }
    };
    (1..).zip(slots).map(trial).collect()
}

/// 0 … n−1 by Fisher and Yates.
fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        // The bias of a remainder is below 2^-50 for numbers of arms.
        let j = (mix(seed, i as u64, 0) % (i as u64 + 1)) as usize;
        all.swap(i, j);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_arm_is_once_in_every_block_and_arms_of_a_block_stand_together() {
        let all = order(7, 6, 2, 3);
        assert_eq!(all.len(), 36);
        for group in all.chunks(3) {
            let arms: BTreeSet<usize> = group.iter().map(|s| s.arm).collect();
            assert_eq!(arms.len(), 3);
            assert!(
                group
                    .iter()
                    .all(|s| (s.block, s.level) == (group[0].block, group[0].level))
            );
            assert_eq!(group.iter().map(|s| s.order).collect::<Vec<_>>(), [1, 2, 3]);
        }
        assert_eq!(all, order(7, 6, 2, 3), "a function of the seed");
    }

    #[test]
    fn the_coin_falls_both_ways() {
        let first = |seed| {
            order(seed, 1000, 1, 2)
                .iter()
                .filter(|s| s.order == 1 && s.arm == 0)
                .count()
        };
        for seed in 0..5 {
            assert!((400..600).contains(&first(seed)), "{}", first(seed));
        }
        for pair in order(7, 6, 1, 3).chunks(6) {
            let arms: Vec<usize> = pair.iter().map(|s| s.arm).collect();
            let reversed: Vec<usize> = arms[3..].iter().rev().copied().collect();
            assert_eq!(arms[..3], reversed[..]);
        }
        // More blocks do not change the order of the first ones: an experiment can be made longer.
        assert_eq!(order(3, 6, 2, 2)[..], order(3, 9, 2, 2)[..24]);
    }
}
