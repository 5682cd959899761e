use super::*;
use crate::report::{
    ClassInfo, Counts, FailureEvent, Header, HostSample, Interval, MemberEvent, MemberInfo, Phase,
    PhaseEvent, StoreInfo,
};

fn server(t: f64, member: &str, values: &[(&str, f64)]) -> Event {
    let values = values.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
    Event::Server(ServerSample {
        t,
        store: "main".into(),
        member: member.into(),
        values,
    })
}

fn leader(t: f64, member: &str, has: f64) -> Event {
    server(t, member, &[("raft.has_leader", has)])
}

fn down(t: f64, endpoint: &str, up: bool) -> Event {
    let (store, reason) = ("main".into(), "refused".into());
    Event::Member(MemberEvent {
        t,
        store,
        endpoint: endpoint.into(),
        up,
        reason,
        silent: 0.0,
        process: None,
    })
}

fn tick(t: f64) -> Event {
    Event::Host(HostSample {
        t,
        values: BTreeMap::new(),
    })
}

fn interval(t: f64, ok: u64) -> Event {
    let counts = Counts {
        ok,
        ..Counts::default()
    };
    let classes = [("node-lease/update".to_owned(), counts)].into();
    Event::Interval(Interval {
        t,
        length: 1.0,
        classes,
        ..Interval::default()
    })
}

fn header(members: usize) -> Event {
    let store = StoreInfo {
        name: "main".into(),
        members: vec![MemberInfo::default(); members],
        ..StoreInfo::default()
    };
    let class = ClassInfo::of(crate::kube::OpClass::NodeLeaseUpdate, "main", 1, false);
    Event::Header(Box::new(Header {
        stores: vec![store],
        classes: vec![class],
        ..Header::default()
    }))
}

/// Feeds events; the first guard that fires.
fn first(kinds: &[GuardKind], events: impl IntoIterator<Item = Event>) -> Option<GuardEvent> {
    let mut guards = Guards::new(kinds);
    events.into_iter().find_map(|e| guards.observe(&e))
}

#[test]
fn quota() {
    let at = |size: f64, quota: f64| {
        server(
            1.0,
            "m1",
            &[
                ("db.size", size),
                ("db.quota", quota),
                ("raft.has_leader", 1.0),
            ],
        )
    };
    assert!(first(&ALL, [at(80.0 * MIB, 100.0 * MIB), at(5.0, 0.0)]).is_none());
    let fired = first(&ALL, [at(81.0 * MIB, 100.0 * MIB)]).expect("fires");
    assert_eq!(
        (fired.guard.as_str(), fired.store.as_str()),
        ("quota", "main")
    );
    assert_eq!(
        fired.cause,
        "member m1: db file 81.0 MiB is 81 % of its quota of 100.0 MiB (limit 80 %)"
    );
    assert!(
        first(&[GuardKind::Alarm], [at(81.0, 100.0)]).is_none(),
        "not chosen"
    );
}

#[test]
fn alarms_from_health_failures_and_polls() {
    let sample = server(
        2.0,
        "m1",
        &[("alarm.nospace", 1.0), ("raft.has_leader", 1.0)],
    );
    assert_eq!(
        first(&ALL, [sample]).expect("fires").cause,
        "member m1 has alarm NOSPACE"
    );
    let failure = |error: &str| {
        let (class, message) = (
            "node-lease/update".into(),
            "etcdserver: mvcc: database space exceeded".into(),
        );
        Event::Failure(FailureEvent {
            t: 3.0,
            class,
            error: error.into(),
            message,
        })
    };
    let fired = first(&ALL, [header(1), failure("conflict"), failure("no-space")]).expect("fires");
    assert_eq!(
        (fired.guard.as_str(), fired.store.as_str(), fired.t),
        ("alarm", "main", 3.0)
    );
    let mut guards = Guards::new(&ALL);
    assert_eq!(
        guards
            .alarm(4.0, "main", "m2", "CORRUPT")
            .expect("fires")
            .cause,
        "member m2 has alarm CORRUPT"
    );
    assert!(guards.alarm(5.0, "main", "m2", "CORRUPT").is_none(), "once");
}

#[test]
fn a_leader_change_but_not_a_members_own_restart() {
    let at = |t, changes, started, led| {
        server(
            t,
            "m1",
            &[
                ("raft.leader_changes", changes),
                ("process.start_time", started),
                ("raft.has_leader", led),
            ],
        )
    };
    assert!(first(&ALL, [at(1.0, 3.0, 9.0, 1.0), at(2.0, 3.0, 9.0, 1.0)]).is_none());
    let fired = first(&ALL, [at(1.0, 3.0, 9.0, 1.0), at(2.0, 4.0, 9.0, 1.0)]).expect("fires");
    assert_eq!(
        fired.cause,
        "member m1 has seen 1 leader change(s) during the run"
    );
    // Restarted: counts from 0, and its first leader is 1.
    let restart = [
        at(1.0, 3.0, 9.0, 1.0),
        at(2.0, 0.0, 20.0, 0.0),
        at(3.0, 1.0, 20.0, 1.0),
        at(4.0, 1.0, 20.0, 1.0),
    ];
    assert!(first(&ALL, restart).is_none());
}

#[test]
fn no_leader_for_ten_seconds() {
    let lost = (0..=12).map(|t| leader(f64::from(t), "m1", if t == 0 { 1.0 } else { 0.0 }));
    let fired = first(&ALL, lost).expect("fires");
    assert_eq!(
        (fired.t, fired.cause.as_str()),
        (11.0, "no quorum for 10.0 s: member m1 has no leader")
    );
    // A leader in between, another member's leader, or answered operations: not lost.
    let blink = (0..30).map(|t| leader(f64::from(t), "m1", if t % 9 == 0 { 1.0 } else { 0.0 }));
    assert!(first(&ALL, blink).is_none());
    let other = (0..30).flat_map(|t| {
        [
            leader(f64::from(t), "m1", 0.0),
            leader(f64::from(t), "m2", 1.0),
        ]
    });
    assert!(first(&ALL, other).is_none());
    let served = (0..30).flat_map(|t| [leader(f64::from(t), "m1", 0.0), interval(f64::from(t), 5)]);
    assert!(first(&ALL, std::iter::once(header(1)).chain(served)).is_none());
}

#[test]
fn unreachable_members() {
    let ticks = |from: i32, to: i32| (from..to).map(|t| tick(f64::from(t)));
    // One of three: quorum is there.
    assert!(
        first(
            &ALL,
            [header(3), down(1.0, "a", false)]
                .into_iter()
                .chain(ticks(2, 40))
        )
        .is_none()
    );
    // Two of three, for good; and one that comes back in time.
    let two = [header(3), down(1.0, "a", false), down(2.0, "b", false)];
    let fired = first(&ALL, two.clone().into_iter().chain(ticks(3, 40))).expect("fires");
    assert_eq!(
        (fired.t, fired.cause.as_str()),
        (12.0, "no quorum for 10.0 s: 2 of 3 endpoints unreachable")
    );
    let back = two
        .into_iter()
        .chain(ticks(3, 9))
        .chain([down(9.0, "b", true)])
        .chain(ticks(10, 40));
    assert!(first(&ALL, back).is_none());
    // Silence after samples: nobody answers, and operations do not either.
    let silent = [header(1), leader(1.0, "m1", 1.0)]
        .into_iter()
        .chain((2..40).flat_map(|t| [interval(f64::from(t), 0), tick(f64::from(t) + 1.0)]));
    assert_eq!(
        first(&ALL, silent).expect("fires").cause,
        "no quorum for 10.0 s: no member answered"
    );
    // A metrics page that is lost while operations are answered is no lost quorum.
    let served = [header(1), leader(1.0, "m1", 1.0)]
        .into_iter()
        .chain((2..40).flat_map(|t| [interval(f64::from(t), 1), tick(f64::from(t) + 1.0)]));
    assert!(first(&ALL, served).is_none());
}

#[test]
fn what_etcdmark_slept_through_is_not_held_against_etcd() {
    // 30 s of standing still: the worker hands over empty seconds, then all goes on.
    let before = [header(1), leader(1.0, "m1", 1.0), tick(1.5)];
    let asleep = (1..32).map(|t| interval(f64::from(t), 0));
    let awake = (32..60).flat_map(|t| [tick(f64::from(t)), leader(f64::from(t), "m1", 1.0)]);
    let all = before
        .clone()
        .into_iter()
        .chain(asleep.clone())
        .chain(awake);
    assert!(first(&ALL, all).is_none());
    // An etcd that went away meanwhile has its 10 s from then on.
    let gone = (32..60).map(|t| tick(f64::from(t)));
    let all = before.into_iter().chain(asleep).chain(gone);
    let fired = first(&ALL, all).expect("fires");
    assert!(fired.t >= 42.0, "{fired:?}");
}

#[test]
fn populate_ends_without_a_quorum_whatever_was_chosen() {
    let phase = |phase| Event::Phase(PhaseEvent { t: 0.0, phase });
    let lost = || {
        let ticks = (2..20).map(|t| tick(f64::from(t)));
        std::iter::once(down(1.0, "a", false)).chain(ticks)
    };
    let begin = |p| [header(1), phase(p)].into_iter().chain(lost());
    let fired = first(&[], begin(Phase::Populate)).expect("fires");
    assert_eq!(fired.guard, "quorum");
    assert!(first(&[], begin(Phase::Measure)).is_none());
}

#[test]
fn lists() {
    assert_eq!(parse_list("all").expect("all"), ALL);
    assert_eq!(parse_list("none").expect("none"), []);
    assert_eq!(
        parse_list("quorum, quota,quorum").expect("list"),
        [GuardKind::Quorum, GuardKind::Quota]
    );
    let e = parse_list("quota,leader").expect_err("unknown");
    assert_eq!(
        e,
        "--guards quota,leader: \"leader\" is not a guard; write all, none, or some of quota, alarm, \
         leader-change, quorum"
    );
}

fn status(
    member: u64,
    (term, leader): (u64, u64),
    db_size: i64,
    quota: Option<i64>,
) -> MemberStatus {
    MemberStatus {
        member_id: member,
        raft_term: term,
        leader,
        db_size,
        quota,
        ..MemberStatus::default()
    }
}

#[test]
fn without_metrics_the_members_own_status_is_enough() {
    let mut guards = Guards::new(&ALL);
    let mut see = |s: MemberStatus| guards.status(1.0, "main", &s);
    assert!(see(status(1, (2, 1), 70, Some(100))).is_none());
    // No leader for a moment, and a member that lags behind: no change yet.
    assert!(see(status(2, (3, 0), 70, Some(100))).is_none());
    assert!(see(status(3, (1, 3), 70, None)).is_none());
    let fired = see(status(2, (4, 2), 70, Some(100))).unwrap();
    assert_eq!(fired.guard, "leader-change");
    let cause = "member 1 led in term 2, 2 leads in term 4";
    assert!(fired.cause.contains(cause), "{fired:?}");
    let again = see(status(2, (5, 1), 99, Some(100)));
    assert!(again.is_none(), "fires once");

    let mut guards = Guards::new(&[GuardKind::Quota]);
    let mut see = |s: MemberStatus| guards.status(1.0, "main", &s);
    assert!(see(status(1, (2, 1), 80, Some(100))).is_none());
    assert!(see(status(1, (9, 2), 81, None)).is_none());
    let fired = see(status(1, (2, 1), 81, Some(100))).unwrap();
    assert_eq!(fired.guard, "quota");
}
