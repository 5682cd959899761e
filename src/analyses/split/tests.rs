//! Six blocks of two arms on two levels, made up: the words are a function of the numbers.

use super::Split;
use crate::experiment::result::text::render;
use crate::experiment::{ExperimentPlan, StoredTrial, reduce};
use crate::kube::OpClass;
use crate::measure::percentile::Headline;
use crate::measure::validity::Verdict;
use crate::report::VerifyReport;
use crate::report::{
    ClassInfo, ClassResult, ErrorCount, Figures, Headlines, MemberFigures, Outage, Phase,
    PhaseTime, Reducer, RunResult, StoreResult,
};
use expect_test::expect;
use serde_json::json;
use std::collections::BTreeMap;

fn plan() -> ExperimentPlan {
    let store = |name: &str| {
        json!({"store": name, "version": "3.7.3", "members": 1, "flags": [], "dataDir": null,
               "fileSystem": "ext4", "walDir": null})
    };
    let mut trials = Vec::new();
    for block in 1..=6 {
        for level in ["flood", "quota"] {
            for arm in ["shared", "split"] {
                let n = trials.len() + 1;
                trials.push(
                    json!({"trial": n, "block": block, "level": level, "arm": arm, "order": 1,
                                   "seed": block, "directory": format!("trials/{n}")}),
                );
            }
        }
    }
    serde_json::from_value(json!({
        "version": 2, "hash": "", "name": "split-events", "question": "?", "analysis": "split",
        "smoke": false, "seed": 1, "blocks": 6, "snapshot": false, "baseline": "shared",
        "arms": [
            {"name": "shared", "description": "", "stores": [store("main")]},
            {"name": "split", "description": "", "stores": [store("main"), store("events")]},
        ],
        "skippedArms": [], "levels": ["flood", "quota"],
        "levelFlags": {"quota": ["--quota-backend-bytes=67108864"]},
        "primary": ["node-lease/update:p99"], "metrics": [], "trials": trials,
    }))
    .unwrap()
}

fn class(class: OpClass, store: &str, offered: u64, failed: u64, p99_ms: u64) -> ClassResult {
    let mut figures = Figures {
        offered_rate: offered as f64 / 10.0,
        misses: failed,
        miss_share: failed as f64 / offered as f64,
        ..Figures::default()
    };
    figures.counts.offered = offered;
    figures.counts.failed = failed;
    figures.counts.ok = offered - failed;
    if failed > 0 {
        let errors = ErrorCount {
            count: failed,
            ..ErrorCount::default()
        };
        figures.counts.errors = BTreeMap::from([("no-space".to_owned(), errors)]);
    }
    let p99 = match failed {
        0 => Headline::Value(p99_ms * 1_000_000),
        n => Headline::Missed {
            share: n as f64 / offered as f64,
        },
    };
    figures.headline = Some(Headlines {
        p50: p99,
        p90: p99,
        p99,
        p999: p99,
        max: p99,
    });
    ClassResult {
        class: ClassInfo::of(class, store, 1_000_000_000, false),
        figures,
    }
}

fn store(name: &str, cores: f64, mib: f64) -> StoreResult {
    StoreResult {
        name: name.to_owned(),
        members: vec![MemberFigures {
            cpu_cores: Some(cores),
            rss_max: Some(mib * 1048576.0),
            ..MemberFigures::default()
        }],
        ..StoreResult::default()
    }
}

/// A trial: which etcd was full, and what failed there.
fn run(split: bool, full: bool, block: u32) -> RunResult {
    let mut run = Reducer::new().result();
    run.outcome.outcome = "completed".to_owned();
    run.validity.verdict = Verdict::Valid;
    run.phases = vec![PhaseTime {
        phase: Phase::Warmup,
        start: 2.0,
        end: 4.0,
    }];
    let events = if split { "events" } else { "main" };
    let failed = |n: u64| if full { n } else { 0 };
    run.classes = vec![
        class(
            OpClass::NodeLeaseUpdate,
            "main",
            1000,
            if split { 0 } else { failed(310) },
            if split { 5 } else { 10 },
        ),
        class(OpClass::EventCreate, events, 9000, failed(3000), 9),
        class(OpClass::EventPatch, events, 1000, 0, 9),
    ];
    run.stores = vec![store("main", 0.2 + f64::from(block) / 100.0, 50.0)];
    if split {
        run.stores[0].members[0].cpu_cores = Some(0.1 + f64::from(block) / 100.0);
        run.stores.push(store("events", 0.2, 40.0));
    }
    if full {
        run.outages.push(Outage {
            store: events.to_owned(),
            first_error: 12.5,
            last_error: 20.0,
            first_success: None,
            length: 7.5,
            silent_seconds: 0.0,
            errors: BTreeMap::from([("no-space".to_owned(), 3000)]),
            unreachable: None,
        });
    }
    run
}

fn found(plan: &ExperimentPlan, filled: impl Fn(&str) -> bool) -> Vec<StoredTrial> {
    let one = |t: &crate::experiment::TrialPlan| StoredTrial {
        result: Some(run(
            t.arm == "split",
            t.level == *"quota" && filled(&t.arm),
            t.block,
        )),
        ended: true,
        unreadable: None,
        after: Some(
            json!({"later10s": 1, "laterGrace": 0, "grace": 50.0, "silent": 7.5,
                           "slowest": {"defragmentation": null, "compaction": null, "quiet": 0.01},
                           "compactions": {}}),
        ),
        repeated: false,
    };
    plan.trials.iter().map(one).collect()
}

#[test]
fn the_answer_is_effect_isolation_and_cost_with_intervals() {
    let plan = plan();
    let result = reduce(&plan, &found(&plan, |_| true), &Split);
    expect![[r#"
        Lease renewals p99 at 1,000 Events/s, against shared: split ×0.5 (0.5 to 0.5), differs; at a full quota of 64 MiB 31 % of Lease renewals fail in shared, none in split; split costs +0.1 cores (+0.1 to +0.1) and +40 MiB (+40 MiB to +40 MiB) of memory (95 % intervals over 6 blocks)
        question ?
        experiment split-events, seed 1; 6 blocks × 2 levels × 2 arms; analysis split

        level flood
                               arm     median  effect  95 % interval  reading
        node-lease/update:p99  shared  10 ms                          baseline
                               split   5 ms    ×0.5    0.5 to 0.5     differs

        level quota
                               arm     median  effect  95 % interval  reading
        node-lease/update:p99  shared  missed                         baseline
                               split   5 ms    -       -              differs: the baseline missed in every block

        Lease renewals, all trials of an arm
        level  arm     offered  failed  dropped  > 10 s  > 50 s  slowest  errors
        flood  shared  6,000    0       0        6       0       -        -
        flood  split   6,000    0       0        6       0       -        -
        quota  shared  6,000    1,860   0        6       0       -        1,860 no-space
        quota  split   6,000    0       0        6       0       -        -

        a full quota
        level  arm     quota   full               after   Lease renewals failed  Events lost  no renewal for
        quota  shared  64 MiB  main, in 6 of 6    10.5 s  31 %                   30 %         7.5 s
        quota  split   64 MiB  events, in 6 of 6  10.5 s  none                   30 %         7.5 s

        resource use of the etcds on level flood (median of the trials; peak memory)
        arm     store   CPU         memory  database  log syncs  CPU more                   memory more
        shared  all     0.24 cores  50 MiB  -         -          baseline                   baseline
        split   all     0.34 cores  90 MiB  -         -          +0.1 cores (+0.1 to +0.1)  +40 MiB (+40 MiB to +40 MiB)
        split   main    0.14 cores  50 MiB  -         -
        split   events  0.2 cores   40 MiB  -         -

        Effect ×1.2 means 20 % more than shared. It is the mean of the blocks' log-ratios, with a 95 %
                interval by Student's t. Each interval stands alone: of 2 primary intervals, expect 1 in 20
                to miss the true value.
        metrics node-lease/update:p99 = Lease renewals p99
        arm     shared: etcd 3.7.3, data on ext4
        arm     split: main on etcd 3.7.3, data on ext4; events on etcd 3.7.3, data on ext4
        note    a node whose Lease is not renewed for 50 s becomes NotReady (node-monitor grace period); the
                late renewals do not include failed or dropped ones
        note    the etcds of an arm and etcdmark share this machine (0 cores) and its disk: a split helps
                more when each etcd has its own machine
    "#]].assert_eq(&render(&result, None));
    // And what it was computed from.
    let trials = result.data["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 24);
    let full = trials
        .iter()
        .find(|t| t["level"] == "quota" && t["block"] == 3);
    let full = full.unwrap();
    assert_eq!(
        (&full["arm"], &full["failed"]),
        (&json!("shared"), &json!(310))
    );
    assert_eq!(full["full"], json!(["main", 10.5]));
    assert_eq!(
        (&full["eventsOffered"], &full["eventsOk"]),
        (&json!(10_000), &json!(7000))
    );
}

#[test]
fn a_quota_that_was_not_reached_isolates_nothing() {
    let plan = plan();
    let answer =
        |filled: &dyn Fn(&str) -> bool| reduce(&plan, &found(&plan, filled), &Split).answer;
    expect!["Lease renewals p99 at 1,000 Events/s, against shared: split ×0.5 (0.5 to 0.5), differs; shared did not reach the quota of 64 MiB; split costs +0.1 cores (+0.1 to +0.1) and +40 MiB (+40 MiB to +40 MiB) of memory (95 % intervals over 6 blocks)"].assert_eq(&answer(&|_| false));
    expect!["Lease renewals p99 at 1,000 Events/s, against shared: split ×0.5 (0.5 to 0.5), differs; at a full quota of 64 MiB 31 % of Lease renewals fail in shared, none in split, which did not reach the quota; split costs +0.1 cores (+0.1 to +0.1) and +40 MiB (+40 MiB to +40 MiB) of memory (95 % intervals over 6 blocks)"].assert_eq(&answer(&|arm| arm == "shared"));
}

#[test]
fn lost_writes_come_before_every_effect_and_a_level_alone_rests_on_no_comparison() {
    let plan = plan();
    let mut stored = found(&plan, |_| true);
    let run = stored[3].result.as_mut().unwrap();
    run.verify = Some(VerifyReport {
        lost: 7,
        ..VerifyReport::default()
    });
    let answer = reduce(&plan, &stored, &Split).answer;
    let arm = &plan.trials[3].arm;
    let first = format!(
        "acknowledged writes were lost in 1 of 24 trials (the first one: trial 4, arm {arm}, level quota); Lease renewals"
    );
    assert!(answer.starts_with(&first), "{answer}");
    let mut quota = plan.clone();
    quota.trials.retain(|t| t.level == *"quota");
    quota.levels.retain(|l| *l == *"quota");
    let answer = reduce(&quota, &found(&quota, |_| true), &Split).answer;
    assert!(answer.starts_with("at a full quota"), "{answer}");
    assert!(!answer.contains("so far"), "{answer}");
}

#[test]
fn a_guard_and_saturation_are_told_in_the_answer_with_the_reason() {
    let plan = plan();
    let mut stored = found(&plan, |_| true);
    let plain = reduce(&plan, &stored, &Split).answer;
    let run = stored[1].result.as_mut().unwrap();
    run.guards.push(crate::report::GuardEvent {
        t: 3.0,
        guard: "leader-change".to_owned(),
        store: "main".to_owned(),
        cause: "etcd-0 lost the leadership".to_owned(),
    });
    let run = stored[2].result.as_mut().unwrap();
    (run.total.offered_rate, run.total.achieved_rate) = (900.0, 420.0);
    run.validity.saturated = true;
    let (first, second) = (&plan.trials[1], &plan.trials[2]);
    let answer = reduce(&plan, &stored, &Split).answer;
    assert_eq!(
        answer,
        format!(
            "a guard ended the load in 1 of 24 trials (the first one: trial 2, arm {}, level {}: leader-change: etcd-0 \
             lost the leadership); {plain}; etcd was saturated in 1 of 24 trials (the first one: trial 3, arm {}, level \
             {}: offered 900/s, achieved 420/s)",
            first.arm,
            first.level.as_str(),
            second.arm,
            second.level.as_str()
        )
    );
}

#[test]
fn without_trials_there_is_no_answer() {
    let plan = plan();
    let none = vec![StoredTrial::default(); plan.trials.len()];
    let result = reduce(&plan, &none, &Split);
    expect![[r#"
        incomplete, 0 of 24 trials done: no complete block measures node-lease/update:p99 yet
        question ?
        experiment split-events, seed 1; 6 blocks × 2 levels × 2 arms; analysis split

        level flood
                               arm     median  effect  95 % interval  reading
        node-lease/update:p99  shared  -                              baseline
                               split   -       -       -              not measured

        level quota
                               arm     median  effect  95 % interval  reading
        node-lease/update:p99  shared  -                              baseline
                               split   -       -       -              not measured

        metrics node-lease/update:p99 = Lease renewals p99
        arm     shared: etcd 3.7.3, data on ext4
        arm     split: main on etcd 3.7.3, data on ext4; events on etcd 3.7.3, data on ext4
        incomplete: 24 of 24 trials are still to run and 0 must be repeated; run the same command with the
                same --out to continue
    "#]].assert_eq(&render(&result, None));
}
