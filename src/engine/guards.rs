//! Guards: conditions seen in the event stream that end a run in good order. Pure: time is the events', and none in
//! which etcdmark itself stood still.
//!
//! | guard | fires when |
//! |---|---|
//! | `quota` | a member's db file is above 80 % of its quota (etcd compares the file, not what is in use) |
//! | `alarm` | a member has an alarm, or etcd refused a write for one |
//! | `leader-change` | a member has seen a leader change since the run's first sample of it |
//! | `threshold` | a threshold with `abortOnFail` has failed, after its grace time |
//! | `quorum` | for 10 s no member had a leader, or most members were unreachable, or none answered |

mod thresholds;

use crate::etcd::control::MemberStatus;
use crate::report::{Event, GuardEvent, Phase, ServerSample};
use crate::workload::plan::{GuardKind, Threshold};
use std::collections::{BTreeMap, BTreeSet};
use thresholds::AbortThresholds;

/// Share of the quota above which the db file is too large.
pub const QUOTA_SHARE: f64 = 0.8;
/// Seconds without quorum after which the run ends.
pub const QUORUM_SECONDS: f64 = 10.0;
/// Seconds after which a store's last sign of life says nothing about now (three scrapes missed).
const STALE_SECONDS: f64 = 3.0;
/// Seconds between two readings of the servers or the host, which come every second, that show that etcdmark stood
/// still: it cannot tell what etcd did meanwhile.
const STALL_SECONDS: f64 = 2.0;

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
            format!("--guards {list}: {word:?} is not a guard; write all, none, or some of {names}")
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
    /// In populate, the quorum guard is on whatever was chosen: nothing is measured that would be worth the wait.
    populating: bool,
    /// The last reading.
    now: Option<f64>,
    thresholds: AbortThresholds,
}

#[derive(Debug, Default)]
struct StoreState {
    /// Endpoints in use, from the header; 0 = not known.
    endpoints: usize,
    down: BTreeSet<String>,
    /// Leader changes each member had seen at its first sample (and its start time, to notice a restart).
    leader_changes: BTreeMap<String, (f64, f64)>,
    /// The first leader that a member named, with its term: (term, member).
    elected: Option<(u64, u64)>,
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

    /// Thresholds that end the load when they have failed.
    #[must_use]
    pub fn with_thresholds(mut self, thresholds: &[Threshold]) -> Self {
        self.thresholds = AbortThresholds::new(thresholds);
        self
    }

    /// Takes one event; gives the guard that it made fire, at most once in a run.
    pub fn observe(&mut self, event: &Event) -> Option<GuardEvent> {
        if self.fired {
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
            Event::Phase(phase) => {
                self.populating = phase.phase == Phase::Populate;
                self.thresholds.phase(phase);
                None
            }
            Event::Intended(row) => {
                self.thresholds.intended(row);
                None
            }
            Event::Server(sample) => {
                self.pass(sample.t);
                self.sample(sample)
            }
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
                None
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
                None
            }
            Event::Host(host) => {
                self.pass(host.t);
                self.quorum(host.t)
                    .or_else(|| self.thresholds.failed(host.t))
            }
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

    /// Takes what a member says of itself through etcd's API: where its metrics cannot be had, this is what the
    /// guards see of the leader and the db file.
    pub fn status(&mut self, t: f64, store: &str, status: &MemberStatus) -> Option<GuardEvent> {
        if self.fired {
            return None;
        }
        let member = format!("{:x}", status.member_id);
        let quota = status.quota.map_or(0.0, |quota| quota as f64);
        let found = self
            .too_large(t, store, &member, status.db_size as f64, quota)
            .or_else(|| self.election(t, store, status));
        self.fired |= found.is_some();
        found
    }

    fn too_large(
        &self,
        t: f64,
        store: &str,
        member: &str,
        size: f64,
        quota: f64,
    ) -> Option<GuardEvent> {
        if quota <= 0.0 || size <= QUOTA_SHARE * quota {
            return None;
        }
        let cause = format!(
            "member {member}: db file {:.1} MiB is {:.0} % of its quota of {:.1} MiB (limit {:.0} %)",
            size / MIB,
            100.0 * size / quota,
            quota / MIB,
            100.0 * QUOTA_SHARE
        );
        self.fire(GuardKind::Quota, t, store, cause)
    }

    /// A leader of a later term than the first one seen has been elected since.
    fn election(&mut self, t: f64, store: &str, status: &MemberStatus) -> Option<GuardEvent> {
        if status.leader == 0 {
            return None;
        }
        let state = self.stores.entry(store.to_owned()).or_default();
        let (term, leader) = *state
            .elected
            .get_or_insert((status.raft_term, status.leader));
        if status.raft_term <= term {
            return None;
        }
        let cause = format!(
            "leader change during the run: member {leader:x} led in term {term}, {:x} leads in term {}",
            status.leader, status.raft_term
        );
        self.fire(GuardKind::LeaderChange, t, store, cause)
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
            && let Some(guard) = self.too_large(t, store, member, size, quota)
        {
            return Some(guard);
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

    /// Time goes on up to `t`. What etcdmark slept through is taken out of all that began before.
    fn pass(&mut self, t: f64) {
        let before = self.now.replace(self.now.map_or(t, |now| now.max(t)));
        let gap = t - before.unwrap_or(t);
        if gap > STALL_SECONDS {
            for state in self.stores.values_mut() {
                state.heard = state.heard.map(|last| (last + gap).min(t));
                if let Some((since, _)) = &mut state.lost {
                    *since = (*since + gap).min(t);
                }
            }
        }
    }

    /// Judges the time without quorum at instant `t`.
    fn quorum(&mut self, t: f64) -> Option<GuardEvent> {
        let mut found = None;
        for (store, state) in &mut self.stores {
            if let Some(last) = state.heard.filter(|last| t - last > STALE_SECONDS) {
                state.lose(last, || "no member answered".to_owned());
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
        let always = self.populating && kind == GuardKind::Quorum;
        (always || self.kinds.contains(&kind)).then(event)
    }
}

const MIB: f64 = (1u64 << 20) as f64;

#[cfg(test)]
mod tests;
