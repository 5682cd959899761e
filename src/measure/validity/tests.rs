use super::*;

const MS: u64 = 1_000_000;

fn quiet() -> ValidityInputs {
    ValidityInputs {
        schedule_lag_p99: Some(MS / 2),
        response_p99: Some(8 * MS),
        offered: Some(10_000),
        achieved: 10_000,
        refused: 0,
        outage: false,
        interrupted: false,
        backlog_end: Some(5),
        backlog_mean: Some(4.0),
        in_flight_seconds: Some(40.0),
        service_seconds: Some(40.2),
        client_cpu_share: Some(0.3),
        runtime_busy_share: Some(0.4),
        steal_share: Some(0.001),
        shares_cores_with_etcd: false,
        cpus: 4,
        cpu_quota: None,
        clock_source: "tsc".into(),
        saturated_records: 0,
        wall_jump: Some(0.001),
    }
}

fn checks(v: &Validity) -> Vec<(Check, Verdict)> {
    v.reasons.iter().map(|r| (r.check, r.verdict)).collect()
}

#[test]
fn one_late_wake_up_of_a_few_is_doubtful_at_most() {
    for (offered, verdict) in [(99, Verdict::Doubtful), (100, Verdict::Invalid)] {
        let i = ValidityInputs {
            schedule_lag_p99: Some(6 * MS),
            offered: Some(offered),
            achieved: offered,
            ..quiet()
        };
        assert_eq!(checks(&judge(&i)), [(Check::ScheduleLag, verdict)]);
    }
}

#[test]
fn a_quiet_generator_is_valid_and_an_unknown_one_is_not_judged() {
    for i in [quiet(), ValidityInputs::default()] {
        let v = judge(&i);
        assert_eq!(
            (v.verdict, v.saturated, v.reasons),
            (Verdict::Valid, false, vec![])
        );
    }
}

#[test]
fn schedule_lag_is_judged_by_its_share_of_the_response() {
    let at = |lag: u64, response: u64| {
        judge(&ValidityInputs {
            schedule_lag_p99: Some(lag),
            response_p99: Some(response),
            ..quiet()
        })
        .verdict
    };
    assert_eq!(at(4 * MS, 8 * MS), Verdict::Doubtful);
    assert_eq!(at(4 * MS + 1, 8 * MS), Verdict::Invalid);
    // 20 %, but no more than 2 ms.
    assert_eq!(at(2 * MS, 10 * MS), Verdict::Valid);
    assert_eq!(at(2 * MS + 1, 10 * MS), Verdict::Doubtful);
    // More than 2 ms, but no more than 10 %.
    assert_eq!(at(5 * MS, 50 * MS), Verdict::Valid);
    assert_eq!(at(1, 0), Verdict::Invalid);
}

#[test]
fn a_generator_that_is_late_by_itself_is_invalid_beside_misses_too() {
    let at = |lag| {
        judge(&ValidityInputs {
            schedule_lag_p99: Some(lag),
            response_p99: None,
            ..quiet()
        })
        .verdict
    };
    assert_eq!(at(LAG_MISSED_NS), Verdict::Valid);
    assert_eq!(at(LAG_MISSED_NS + 1), Verdict::Invalid);
}

#[test]
fn what_an_outage_or_its_user_cost_a_run_is_no_saturation() {
    let half = ValidityInputs {
        achieved: 5_000,
        backlog_end: Some(5_000),
        ..quiet()
    };
    assert!(judge(&half).saturated);
    let judged = |i: ValidityInputs| {
        let v = judge(&i);
        (v.saturated, checks(&v))
    };
    let (outage, interrupted) = (half.clone(), half.clone());
    let outage = ValidityInputs {
        outage: true,
        ..outage
    };
    let interrupted = ValidityInputs {
        interrupted: true,
        ..interrupted
    };
    let refused = ValidityInputs {
        achieved: 5_000,
        refused: 5_000,
        ..quiet()
    };
    for explained in [outage, interrupted, refused] {
        assert_eq!(judged(explained), (false, vec![]));
    }
}

#[test]
fn a_stalled_etcd_saturates_and_never_invalidates() {
    // Everything due in the last half is unanswered: a p99 of +∞, half achieved, a backlog; the
    // generator fired on time and its integrals agree.
    let v = judge(&ValidityInputs {
        schedule_lag_p99: Some(MS),
        response_p99: None,
        achieved: 5_000,
        backlog_end: Some(5_000),
        backlog_mean: Some(1_200.0),
        in_flight_seconds: Some(3_000.0),
        service_seconds: Some(3_000.0),
        ..quiet()
    });
    assert_eq!(v.verdict, Verdict::Valid);
    assert!(v.saturated);
    assert_eq!(
        checks(&v),
        [
            (Check::AchievedRate, Verdict::Valid),
            (Check::Backlog, Verdict::Valid)
        ]
    );
}

#[test]
fn a_handful_in_flight_is_no_backlog() {
    let at = |end, mean| {
        judge(&ValidityInputs {
            backlog_end: Some(end),
            backlog_mean: Some(mean),
            ..quiet()
        })
        .saturated
    };
    assert!(!at(3, 0.2));
    assert!(!at(110, 50.0));
    assert!(at(111, 50.0));
}

#[test]
fn an_instrument_that_miscounts_is_invalid() {
    let at = |held, served| {
        judge(&ValidityInputs {
            in_flight_seconds: Some(held),
            service_seconds: Some(served),
            ..quiet()
        })
        .verdict
    };
    assert_eq!(at(100.0, 95.0), Verdict::Valid);
    assert_eq!(at(100.0, 94.9), Verdict::Invalid);
    assert_eq!(at(0.0, 10.0), Verdict::Invalid);
    assert_eq!(at(0.01, 0.04), Verdict::Valid);
    assert_eq!(at(f64::NAN, 10.0), Verdict::Invalid);
}

#[test]
fn doubts_about_the_machine_are_collected_worst_first() {
    let v = judge(&ValidityInputs {
        schedule_lag_p99: Some(7 * MS),
        client_cpu_share: Some(0.71),
        runtime_busy_share: Some(0.95),
        steal_share: Some(0.03),
        shares_cores_with_etcd: true,
        cpus: 2,
        cpu_quota: None,
        clock_source: "hpet".into(),
        saturated_records: 1,
        wall_jump: Some(-3.0),
        achieved: 9_000,
        ..quiet()
    });
    assert_eq!(v.verdict, Verdict::Invalid);
    assert!(v.saturated);
    let checks = checks(&v);
    assert_eq!(checks.len(), 9);
    assert_eq!(
        checks.first(),
        Some(&(Check::ScheduleLag, Verdict::Invalid))
    );
    assert_eq!(checks.last(), Some(&(Check::AchievedRate, Verdict::Valid)));
    assert!(
        v.reasons
            .iter()
            .any(|r| r.text == "shares 2 cores with etcd")
    );
    assert!(v.reasons.iter().all(|r| !r.what_to_change.is_empty()));
}

#[test]
fn it_survives_a_file() {
    let v = judge(&ValidityInputs {
        cpus: 2,
        shares_cores_with_etcd: true,
        ..quiet()
    });
    let text = serde_json::to_string(&v).unwrap();
    assert!(
        text.contains("\"verdict\":\"doubtful\"") && text.contains("shared-cores"),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<Validity>(&text).unwrap(), v);
}
