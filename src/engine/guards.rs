//! Guards: conditions seen in the event stream that end a run in good order. Pure: time is the events'.
//!
//! | guard | fires when |
//! |---|---|
//! | `quota` | a member's db file is above 80 % of its quota (etcd compares the file, not what is in use) |
//! | `alarm` | a member has an alarm, or etcd refused a write for one |
//! | `leader-change` | a member has seen a leader change since the run's first sample of it |
//! | `quorum` | for 10 s no member had a leader, or most members were unreachable, or none answered |

use crate::report::{Event, GuardEvent, ServerSample};
use crate::workload::plan::GuardKind;
use std::collections::{BTreeMap, BTreeSet};

/// Share of the quota above which the db file is too large.
pub const QUOTA_SHARE: f64 = 0.8;
/// Seconds without quorum after which the run ends.
pub const QUORUM_SECONDS: f64 = 10.0;
/// Seconds after which a store's last sign of life says nothing about now (three scrapes missed).
const STALE_SECONDS: f64 = 3.0;

/// Every guard, in the order in which they are listed to the user.
pub const ALL: [GuardKind; 4] = [
    GuardKind::Quota,
    GuardKind::Alarm,
    GuardKind::LeaderChange,
    GuardKind::Quorum,
];

/// Its name in `--guards` and in results.
pub const fn name(kind: GuardKind) -> &'static str {
    match kind {
        GuardKind::Quota => "quota",
        GuardKind::Alarm => "alarm",
        GuardKind::LeaderChange => "leader-change",
        GuardKind::Quorum => "quorum",
    }
}

/// `--guards all|none|LIST` (names with commas between).
pub fn parse_list(list: &str) -> Result<Vec<GuardKind>, String> {
    match list.trim() {
        "all" => return Ok(ALL.to_vec()),
        "none" => return Ok(Vec::new()),
        _ => {}
    }
    let mut kinds = Vec::new();
    for word in list.split(',').map(str::trim) {
        let found = ALL.into_iter().find(|kind| name(*kind) == word);
        let kind = found.ok_or_else(|| {
            let names = ALL.map(name).join(", ");
            format!("--guards {list}: {word:?} is no guard; known are {names}, all and none")
        })?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

/// Watches the event stream. Fires once: the first cause is the run's.
#[derive(Debug, Default)]
pub struct Guards {
    kinds: Vec<GuardKind>,
    stores: BTreeMap<String, StoreState>,
    /// Op class → store, from the header.
    classes: BTreeMap<String, String>,
    fired: bool,
}

#[derive(Debug, Default)]
struct StoreState {
    /// Endpoints in use, from the header; 0 = not known.
    endpoints: usize,
    down: BTreeSet<String>,
    /// Leader changes each member had seen at its first sample (and its start time, to notice a restart).
    leader_changes: BTreeMap<String, (f64, f64)>,
    /// When it last gave a sample or acknowledged an operation; None until the first sample, since a
    /// store whose metrics cannot be had is judged by its endpoints alone.
    heard: Option<f64>,
    /// Since when there has been no sign of a quorum, and what says so.
    lost: Option<(f64, String)>,
}

impl StoreState {
    fn lose(&mut self, t: f64, why: impl FnOnce() -> String) {
        if self.lost.is_none() {
            self.lost = Some((t, why()));
        }
    }
}

impl Guards {
    /// Guards of these kinds.
    pub fn new(kinds: &[GuardKind]) -> Self {
        Guards {
            kinds: kinds.to_vec(),
            ..Guards::default()
        }
    }

    /// Takes one event; gives the guard that it made fire, at most once in a run.
    pub fn observe(&mut self, event: &Event) -> Option<GuardEvent> {
        if self.fired || self.kinds.is_empty() {
            return None;
        }
        let found = match event {
            Event::Header(header) => {
                for store in &header.stores {
                    self.stores.entry(store.name.clone()).or_default().endpoints =
                        store.members.len();
                }
                self.classes = header
                    .classes
                    .iter()
                    .map(|c| (c.name.clone(), c.store.clone()))
                    .collect();
                None
            }
            Event::Server(sample) => self.sample(sample),
            Event::Member(member) => {
                let state = self.stores.entry(member.store.clone()).or_default();
                if member.up {
                    state.down.remove(&member.endpoint);
                    if state.endpoints > 0 && state.down.len() * 2 <= state.endpoints {
                        state.lost = None;
                    }
                } else {
                    state.down.insert(member.endpoint.clone());
                    let (down, all) = (state.down.len(), state.endpoints.max(1));
                    if down * 2 > all {
                        state.lose(member.t, || {
                            format!("{down} of {all} endpoints unreachable")
                        });
                    }
                }
                self.quorum(member.t)
            }
            Event::Failure(failure)
                if failure.error == "no-space" || failure.error == "corrupt" =>
            {
                let store = self
                    .classes
                    .get(&failure.class)
                    .cloned()
                    .unwrap_or_default();
                let cause = format!("{} answered: {}", failure.class, failure.message);
                self.fire(GuardKind::Alarm, failure.t, &store, cause)
            }
            Event::Interval(interval) => {
                let end = interval.t + interval.length;
                for (class, counts) in &interval.classes {
                    if counts.ok > 0
                        && let Some(state) = self
                            .classes
                            .get(class)
                            .and_then(|store| self.stores.get_mut(store))
                    {
                        state.lost = None;
                        state.heard = state.heard.map(|_| end);
                    }
                }
                self.quorum(end)
            }
            Event::Host(host) => self.quorum(host.t),
            Event::Client(client) => self.quorum(client.t),
            _ => None,
        };
        self.fired |= found.is_some();
        found
    }

    /// Takes an alarm from the alarm list (`NOSPACE`, `CORRUPT`), as polled through etcd's API.
    pub fn alarm(&mut self, t: f64, store: &str, member: &str, alarm: &str) -> Option<GuardEvent> {
        if self.fired {
            return None;
        }
        let found = self.fire(
            GuardKind::Alarm,
            t,
            store,
            format!("member {member} has alarm {alarm}"),
        );
        self.fired |= found.is_some();
        found
    }

    fn sample(&mut self, sample: &ServerSample) -> Option<GuardEvent> {
        let ServerSample {
            t,
            store,
            member,
            values,
        } = sample;
        let t = *t;
        let value = |name: &str| values.get(name).copied();
        if let (Some(size), Some(quota)) = (value("db.size"), value("db.quota"))
            && quota > 0.0
            && size > QUOTA_SHARE * quota
        {
            let cause = format!(
                "member {member}: db file {:.1} MiB is {:.0} % of its quota of {:.1} MiB (limit {:.0} %)",
                size / MIB,
                100.0 * size / quota,
                quota / MIB,
                100.0 * QUOTA_SHARE
            );
            if let Some(guard) = self.fire(GuardKind::Quota, t, store, cause) {
                return Some(guard);
            }
        }
        for (name, alarm) in [("alarm.nospace", "NOSPACE"), ("alarm.corrupt", "CORRUPT")] {
            if value(name) == Some(1.0) {
                let cause = format!("member {member} has alarm {alarm}");
                if let Some(guard) = self.fire(GuardKind::Alarm, t, store, cause) {
                    return Some(guard);
                }
            }
        }
        let led = value("raft.has_leader") == Some(1.0);
        let state = self.stores.entry(store.clone()).or_default();
        state.heard = Some(t);
        if led {
            state.lost = None;
        } else {
            state.lose(t, || format!("member {member} has no leader"));
        }
        if let Some(changes) = value("raft.leader_changes") {
            let started = value("process.start_time").unwrap_or(0.0);
            let known = state
                .leader_changes
                .get(member)
                .filter(|(_, start)| *start == started);
            match known.copied() {
                Some((before, _)) if changes > before => {
                    let cause = format!(
                        "member {member} has seen {} leader change(s) during the run",
                        changes - before
                    );
                    return self.fire(GuardKind::LeaderChange, t, store, cause);
                }
                Some(_) => {}
                // The first leader after a member's own start is no change: wait until it has one.
                None if led => {
                    state
                        .leader_changes
                        .insert(member.clone(), (changes, started));
                }
                None => {}
            }
        }
        self.quorum(t)
    }

    /// Judges the time without quorum at instant `t`.
    fn quorum(&mut self, t: f64) -> Option<GuardEvent> {
        let mut found = None;
        for (store, state) in &mut self.stores {
            if let Some(last) = state.heard.filter(|last| t - last > STALE_SECONDS) {
                state.lose(last, || "no member has answered".to_owned());
            }
            if let Some((since, why)) = &state.lost
                && t - since >= QUORUM_SECONDS
            {
                found = Some((
                    store.clone(),
                    format!("no quorum for {:.1} s: {why}", t - since),
                ));
            }
        }
        let (store, cause) = found?;
        self.fire(GuardKind::Quorum, t, &store, cause)
    }

    fn fire(&self, kind: GuardKind, t: f64, store: &str, cause: String) -> Option<GuardEvent> {
        let event = || GuardEvent {
            t,
            guard: name(kind).to_owned(),
            store: store.to_owned(),
            cause,
        };
        self.kinds.contains(&kind).then(event)
    }
}

const MIB: f64 = (1u64 << 20) as f64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{
        ClassInfo, Counts, FailureEvent, Header, HostSample, Interval, MemberEvent, MemberInfo,
        StoreInfo,
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
        Event::Header(Header {
            stores: vec![store],
            classes: vec![class],
            ..Header::default()
        })
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
        let fired =
            first(&ALL, [header(1), failure("conflict"), failure("no-space")]).expect("fires");
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
        let served =
            (0..30).flat_map(|t| [leader(f64::from(t), "m1", 0.0), interval(f64::from(t), 5)]);
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
            .chain((2..40).map(|t| interval(f64::from(t), 0)));
        assert_eq!(
            first(&ALL, silent).expect("fires").cause,
            "no quorum for 10.0 s: no member has answered"
        );
        // A metrics page that is lost while operations are answered is no lost quorum.
        let served = [header(1), leader(1.0, "m1", 1.0)]
            .into_iter()
            .chain((2..40).map(|t| interval(f64::from(t), 1)));
        assert!(first(&ALL, served).is_none());
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
            "--guards quota,leader: \"leader\" is no guard; known are quota, alarm, leader-change, quorum, all and none"
        );
    }
}
