//! Trials in which another member led than the arm wants.

use super::reduce::StoredTrial;
use crate::experiment::plan::{ArmPlan, ExperimentPlan};
use crate::report::StoreResult;

/// What is to be said of a trial in which another member led at the end, or one in between.
pub(crate) fn moved(arm: &ArmPlan, stores: &[StoreResult]) -> Option<String> {
    arm.stores.iter().find_map(|store| {
        let wanted = format!("etcd-{}", store.leader?);
        let found = stores.iter().find(|s| s.name == store.store)?;
        let now = found.members.iter().find(|m| m.leader);
        let changed = found.leader_changes.is_some_and(|n| n > 0.0);
        let how = match now {
            Some(now) if now.member != wanted => {
                format!("{} was the leader at the end", now.member)
            }
            _ if changed => "another member was the leader for a while".to_owned(),
            _ => return None,
        };
        Some(format!("{wanted} should lead {}, but {how}", store.store))
    })
}

/// The same of all trials, a remark for each arm.
pub(crate) fn all_moved(plan: &ExperimentPlan, found: &[StoredTrial]) -> Vec<String> {
    let of_arm = |arm: &ArmPlan| {
        let trials = plan.trials.iter().zip(found);
        let trials = trials.filter(|(t, _)| t.arm == arm.name);
        let moved = trials.filter_map(|(t, f)| Some((t, moved(arm, &f.result.as_ref()?.stores)?)));
        let (trials, mut how): (Vec<String>, Vec<String>) =
            moved.map(|(t, how)| (t.trial.to_string(), how)).unzip();
        how.sort();
        how.dedup();
        (!how.is_empty()).then(|| {
            format!(
                "arm {}, trials {}: {}",
                arm.name,
                trials.join(", "),
                how.join("; or ")
            )
        })
    };
    plan.arms.iter().filter_map(of_arm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::plan::StorePlan;
    use crate::report::MemberFigures;

    #[test]
    fn a_leader_that_moved_is_told_of_and_one_that_stayed_is_not() {
        let store = |leader| StorePlan {
            store: "main".to_owned(),
            members: 3,
            leader,
            ..StorePlan::default()
        };
        let arm = |leader| ArmPlan {
            name: "x".to_owned(),
            description: String::new(),
            stores: vec![store(leader)],
        };
        let run = |leads: usize, changes: f64| {
            let member = |i| MemberFigures {
                member: format!("etcd-{i}"),
                leader: i == leads,
                ..MemberFigures::default()
            };
            [StoreResult {
                name: "main".to_owned(),
                leader_changes: Some(changes),
                members: (0..3).map(member).collect(),
                accounts: None,
            }]
        };
        assert_eq!(moved(&arm(Some(1)), &run(1, 0.0)), None);
        assert_eq!(moved(&arm(None), &run(1, 1.0)), None);
        for (run, said) in [
            (
                run(2, 1.0),
                "etcd-1 should lead main, but etcd-2 was the leader at the end",
            ),
            (
                run(1, 2.0),
                "etcd-1 should lead main, but another member was the leader for a while",
            ),
        ] {
            assert_eq!(moved(&arm(Some(1)), &run).as_deref(), Some(said));
        }
    }
}
