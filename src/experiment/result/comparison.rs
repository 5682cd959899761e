//! Every arm against the baseline, over blocks of trials.

use super::document::{Comparison, TrialResult, TrialState};
use super::metric::{Metric, MetricValue};
use crate::experiment::level::LevelName;
use crate::experiment::plan::ExperimentPlan;
use crate::measure::paired::{
    CONFIDENCE, MIN_BLOCKS, Reading, holm, mean_interval, more_blocks, read, sign_flip,
};

/// All comparisons: primary metrics first, then by level and arm.
pub fn comparisons(plan: &ExperimentPlan, trials: &[TrialResult]) -> Vec<Comparison> {
    let mut all = Vec::new();
    let primary = plan.primary.iter().map(|m| (m, true));
    for (name, primary) in primary.chain(plan.metrics.iter().map(|m| (m, false))) {
        let Ok(metric) = Metric::parse(name) else {
            continue;
        };
        for level in &plan.levels {
            for arm in plan.others() {
                let mut one = compare(
                    &metric,
                    &values(plan, trials, name, level, &plan.baseline),
                    &values(plan, trials, name, level, &arm.name),
                );
                (one.primary, one.level, one.arm) = (primary, level.clone(), arm.name.clone());
                all.push(one);
            }
        }
    }
    let judged: Vec<usize> = (0..all.len())
        .filter(|i| all[*i].primary && all[*i].p.is_some())
        .collect();
    let p: Vec<f64> = judged.iter().filter_map(|i| all[*i].p).collect();
    for (i, adjusted) in judged.into_iter().zip(holm(&p)) {
        all[i].p_holm = Some(adjusted);
    }
    all
}

/// An arm's figures, by block.
pub(crate) fn values(
    plan: &ExperimentPlan,
    trials: &[TrialResult],
    metric: &str,
    level: &LevelName,
    arm: &str,
) -> Vec<Option<MetricValue>> {
    let of_block = |block: u32| {
        let trial = trials
            .iter()
            .find(|t| t.block == block && t.level == *level && t.arm == arm)?;
        if trial.state == TrialState::Done {
            trial.values.get(metric).copied()
        } else {
            None
        }
    };
    (plan.first_block()..=plan.blocks).map(of_block).collect()
}

fn compare(
    metric: &Metric,
    base: &[Option<MetricValue>],
    arm: &[Option<MetricValue>],
) -> Comparison {
    let scale = metric.scale();
    let (mut differences, mut arm_missed, mut baseline_missed, mut blocks) = (Vec::new(), 0, 0, 0);
    for (a, b) in base.iter().zip(arm) {
        let (Some(a), Some(b)) = (a, b) else { continue };
        blocks += 1;
        match (a.number().is_finite(), b.number().is_finite()) {
            // Both beyond measure: nobody knows which is the larger.
            (false, false) => {
                arm_missed += 1;
                baseline_missed += 1;
                continue;
            }
            (true, false) => arm_missed += 1,
            (false, true) => baseline_missed += 1,
            (true, true) => {}
        }
        let d = scale.difference(a.number(), b.number());
        if !d.is_nan() {
            differences.push(d);
        }
    }
    let delta = scale.bound(metric.delta());
    // A block that says nothing must not be dropped from beneath an interval.
    let all_tell = differences.len() as u64 == blocks;
    let interval = mean_interval(&differences, CONFIDENCE).filter(|_| all_tell);
    let k = differences.len();
    let one_side =
        all_tell && k >= MIN_BLOCKS && (arm_missed == blocks) != (baseline_missed == blocks);
    let (reading, more) = match interval {
        Some(i) => {
            let reading = read(i.low, i.high, delta);
            let more = (reading == Reading::Inconclusive).then(|| more_blocks(k, &i, delta));
            (reading, more.flatten())
        }
        // Missed in every block and never in the other arm: no size, but no doubt either.
        None if one_side => (Reading::Differs, None),
        None => (
            Reading::Inconclusive,
            (k < MIN_BLOCKS && all_tell).then(|| (MIN_BLOCKS - k) as u64),
        ),
    };
    let finite = !differences.is_empty() && differences.iter().all(|d| d.is_finite());
    Comparison {
        metric: metric.name.clone(),
        unit: metric.unit(),
        primary: false,
        level: LevelName::default(),
        arm: String::new(),
        // Of the same blocks as the estimate: it would contradict medians with trials that have no partner.
        baseline_median: median(base, arm),
        arm_median: median(arm, base),
        scale,
        blocks,
        arm_missed,
        baseline_missed,
        estimate: finite.then(|| scale.shown(differences.iter().sum::<f64>() / k as f64)),
        low: interval.map(|i| scale.shown(i.low)),
        high: interval.map(|i| scale.shown(i.high)),
        delta: metric.delta(),
        reading,
        more_blocks: more,
        p: if k >= MIN_BLOCKS && all_tell {
            sign_flip(&differences)
        } else {
            None
        },
        p_holm: None,
    }
}

/// The median of what was measured in blocks with a figure of the other arm, too; a miss is the largest; none if it is one.
fn median(values: &[Option<MetricValue>], others: &[Option<MetricValue>]) -> Option<f64> {
    let both = values
        .iter()
        .zip(others)
        .filter_map(|(v, other)| v.filter(|_| other.is_some()));
    middle(both.map(MetricValue::number)).filter(|m| m.is_finite())
}

/// The median; none of nothing.
pub(crate) fn middle(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    let (low, high) = (
        all.get(all.len().checked_sub(1)? / 2)?,
        all.get(all.len() / 2)?,
    );
    Some((low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::super::metric::Scale;
    use super::*;
    use crate::experiment::result::phrases;

    fn values(of: &[f64]) -> Vec<Option<MetricValue>> {
        of.iter()
            .map(|v| {
                Some(if v.is_finite() {
                    MetricValue::Value(*v)
                } else {
                    MetricValue::Missed
                })
            })
            .collect()
    }

    const MISS: f64 = f64::INFINITY;

    fn p99(a: &[f64], b: &[f64]) -> Comparison {
        compare(
            &Metric::parse("node-lease/update:p99").unwrap(),
            &values(a),
            &values(b),
        )
    }

    #[test]
    fn a_ratio_is_the_geometric_mean_of_the_blocks() {
        // exp of the t interval of ln 2 ± a little, by hand: d̄ = ln 2, s = 0.1·√(6/5), t(5) = 2.5706.
        let (up, down) = (2.0 * 0.1_f64.exp(), 2.0 * (-0.1_f64).exp());
        let c = p99(&[1.0; 6], &[up, down, up, down, up, down]);
        assert!((c.estimate.unwrap() - 2.0).abs() < 1e-12);
        let half = 2.570_581_8 * 0.1 * (6.0_f64 / 5.0).sqrt() / 6.0_f64.sqrt();
        assert!((c.low.unwrap() - 2.0 * (-half).exp()).abs() < 1e-6, "{c:?}");
        assert!((c.high.unwrap() - 2.0 * half.exp()).abs() < 1e-6, "{c:?}");
        assert_eq!((c.reading, c.p), (Reading::Differs, Some(0.03125)));
        assert_eq!(c.baseline_median, Some(1.0));
        // The median is the middle of the values themselves.
        assert!((c.arm_median.unwrap() - 2.0 * 0.1_f64.cosh()).abs() < 1e-12);
    }

    #[test]
    fn a_shared_drift_cancels_and_equal_arms_are_equivalent() {
        let drift = [1.0, 3.0, 2.0, 5.0, 4.0, 8.0];
        let c = p99(&drift, &drift.map(|x| x * 1.01));
        assert_eq!(c.reading, Reading::Equivalent);
        assert!(c.high.unwrap() < 1.02, "{c:?}");
    }

    #[test]
    fn few_blocks_have_no_interval_and_say_how_many_are_missing() {
        let c = p99(&[1.0, 1.0], &[9.0, 9.0]);
        assert_eq!((c.low, c.high, c.p), (None, None, None));
        assert_eq!((c.reading, c.more_blocks), (Reading::Inconclusive, Some(4)));
        assert!((c.estimate.unwrap() - 9.0).abs() < 1e-9);
    }

    #[test]
    fn medians_are_of_the_blocks_of_the_estimate() {
        // The third trial of the arm has no partner yet.
        let metric = Metric::parse("etcd:cpu").unwrap();
        let c = compare(
            &metric,
            &values(&[2.0, 2.0]),
            &values(&[1.0, 1.0, 9.0])[..2],
        );
        let alone = compare(
            &metric,
            &[values(&[2.0, 2.0]), vec![None]].concat(),
            &values(&[1.0, 1.0, 9.0]),
        );
        assert_eq!((alone.estimate, alone.arm_median), (c.estimate, Some(1.0)));
        assert_eq!(alone.baseline_median, Some(2.0));
    }

    #[test]
    fn misses_have_no_size() {
        let c = p99(&[1.0; 6], &[MISS; 6]);
        assert_eq!(
            (c.reading, c.estimate, c.low),
            (Reading::Differs, None, None)
        );
        assert_eq!((c.arm_missed, c.arm_median), (6, None));
        // In some blocks only: no interval, and no verdict.
        let c = p99(&[1.0; 6], &[MISS, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(
            (c.reading, c.estimate, c.low, c.arm_missed),
            (Reading::Inconclusive, None, None, 1)
        );
        // In both arms of every block: nobody knows, and no number of blocks would tell.
        let c = p99(&[MISS; 6], &[MISS; 6]);
        assert_eq!(
            (c.arm_missed, c.baseline_missed, c.more_blocks),
            (6, 6, None)
        );
        assert_eq!(phrases::reading(&c), "both missed in every block");
        assert_eq!(
            phrases::effect(&c),
            "missed after missed, both missed in every block"
        );
        // In both arms of one block: that block says nothing, and the others do not speak for it.
        let c = p99(
            &[MISS, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            &[MISS, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0],
        );
        assert_eq!(
            (c.reading, c.low, c.blocks),
            (Reading::Inconclusive, None, 7)
        );
    }

    #[test]
    fn shares_are_compared_by_difference() {
        let missed = Metric::parse("all:missed").unwrap();
        let c = compare(
            &missed,
            &values(&[0.0; 6]),
            &values(&[0.2, 0.21, 0.19, 0.2, 0.2, 0.2]),
        );
        assert_eq!((c.scale, c.reading), (Scale::Difference, Reading::Differs));
        assert!((c.estimate.unwrap() - 0.2).abs() < 1e-12);
        let c = compare(&missed, &values(&[0.0; 6]), &values(&[0.0; 6]));
        assert_eq!(c.reading, Reading::Equivalent);
    }

    #[test]
    fn equivalent_arms_share_a_clause_and_a_sentence_says_what_it_rests_on() {
        let named = |c: Comparison, arm: &str| Comparison {
            arm: arm.to_owned(),
            ..c
        };
        let same = [1.0, 3.0, 2.0, 5.0, 4.0, 8.0];
        let slow = named(p99(&[1.0; 6], &[2.0; 6]), "slow");
        let alike = named(p99(&same, &same), "alike");
        let too = named(p99(&same, &same), "too");
        let missed = named(p99(&[1.0; 6], &[MISS; 6]), "dead");
        let few = named(p99(&[1.0; 2], &[2.0; 2]), "few");
        let told = phrases::clauses(&[&alike, &slow, &too]);
        let slower = "slow ×2 (2 to 2), differs";
        assert_eq!(
            told,
            format!("equivalent within 10 %: alike, too; {slower}")
        );
        assert!(phrases::clauses(&[&alike, &slow]).starts_with("alike ×1 (1 to 1), equivalent"));
        for (so_far, about, basis) in [
            (
                false,
                vec![&slow, &alike],
                " (95 % intervals over 6 blocks)",
            ),
            (
                false,
                vec![&slow, &missed],
                " (6 blocks; 95 % intervals where given)",
            ),
            (
                false,
                vec![&slow, &few],
                " (2 to 6 blocks; 95 % intervals where given)",
            ),
            (
                true,
                vec![&few],
                " (so far, 2 blocks: an interval needs at least 6)",
            ),
            (
                false,
                vec![&few],
                " (2 blocks: an interval needs at least 6)",
            ),
            (false, vec![], ""),
        ] {
            assert_eq!(phrases::basis(so_far, &about), basis);
        }
    }
}
