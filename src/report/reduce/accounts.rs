//! Two independent counts of the same thing: what the run says it sent, and what etcd says it handled.
//! Only for an etcd that etcdmark started itself, which nobody else talks to.

use crate::kube::OpClass;
use crate::report::event::{
    CompactorEvent, DefragmentationEvent, End, Header, Interval, Phase, ServerSample, StoreInfo,
    VerifyReport,
};
use crate::report::result::{Accounts, RevisionAccount, RpcAccount};
use crate::rpc::Rpc;
use std::collections::BTreeMap;

/// By store and member: when, and what it said.
type Readings = BTreeMap<(String, String), (f64, BTreeMap<String, f64>)>;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// (attempts, answered) of the load, by op class.
    load: BTreeMap<OpClass, (u64, u64)>,
    /// Revisions of acknowledged attempts since populate began, by op class.
    revisions: BTreeMap<OpClass, u64>,
    /// (attempts, answered, revisions) by store of the op classes that belong to no one store.
    by_store: BTreeMap<(String, OpClass), (u64, u64, u64)>,
    latest: Readings,
    /// The last readings before the load.
    before: Option<Readings>,
    /// The last readings before what follows the drain.
    after: Option<Readings>,
    /// Revisions that the run made beside its operations, in each store: its manifest says *settle*, then *warmup*.
    manifest: i64,
    /// End of the last interval.
    end: f64,
}

impl Ledger {
    pub(super) fn phase(&mut self, phase: Phase) {
        self.manifest = match phase {
            Phase::Settle => 1,
            Phase::Warmup | Phase::Measure => 2,
            _ => self.manifest,
        };
        match phase {
            Phase::Warmup | Phase::Measure if self.before.is_none() => {
                self.before = Some(self.latest.clone());
            }
            Phase::Verify | Phase::Cleanup if self.after.is_none() => {
                self.after = Some(self.latest.clone());
            }
            _ => {}
        }
    }

    pub(super) fn sample(&mut self, s: &ServerSample) {
        self.latest
            .insert((s.store.clone(), s.member.clone()), (s.t, s.values.clone()));
    }

    pub(super) fn interval(&mut self, i: &Interval) {
        self.end = self.end.max(i.t + i.length);
        let load = matches!(i.phase, Some(Phase::Warmup | Phase::Measure | Phase::Drain));
        for (name, counts) in &i.classes {
            let Some(class) = OpClass::by_name(name) else {
                continue;
            };
            *self.revisions.entry(class).or_default() += counts.revisions;
            if load {
                let (attempts, answered) = self.load.entry(class).or_default();
                *attempts += counts.attempts;
                *answered += counts.answered;
            }
        }
    }

    pub(super) fn compactor(&mut self, c: &CompactorEvent) {
        let Some(class) = OpClass::by_name(&c.class) else {
            return;
        };
        let revision = c.won && class.is_write();
        self.count(&c.store, class, c.answered, revision);
    }

    pub(super) fn defragmentation(&mut self, d: &DefragmentationEvent) {
        self.count(&d.store, OpClass::Defragment, d.error.is_none(), false);
    }

    fn count(&mut self, store: &str, class: OpClass, answered: bool, revision: bool) {
        let mine = self.by_store.entry((store.to_owned(), class)).or_default();
        mine.0 += 1;
        mine.1 += u64::from(answered);
        mine.2 += u64::from(revision);
    }

    /// (attempts, answered, revisions) of an op class in a store; None where its steps took more than an attempt
    /// each, so that they cannot be told apart by store.
    fn share(&self, header: &Header, store: &str, class: OpClass) -> Option<(u64, u64, u64)> {
        let (attempts, answered) = self.load.get(&class).copied().unwrap_or_default();
        let revisions = self.revisions.get(&class).copied().unwrap_or_default();
        if !class.of_each_store() || header.stores.len() < 2 {
            let mine = routed(header, class) == Some(store);
            return Some(if mine {
                (attempts, answered, revisions)
            } else {
                (0, 0, 0)
            });
        }
        let of_class = self.by_store.iter().filter(|((_, c), _)| *c == class);
        let (steps, done) = of_class.fold((0, 0), |(n, m), (_, s)| (n + s.0, m + s.1));
        if (steps, done) != (attempts, answered) {
            return None;
        }
        let mine = self.by_store.get(&(store.to_owned(), class));
        Some(mine.copied().unwrap_or_default())
    }

    /// The accounts of one store; none where they cannot be had.
    pub(super) fn of(
        &self,
        header: &Header,
        store: &StoreInfo,
        verify: Option<&VerifyReport>,
        end: Option<&End>,
    ) -> Option<Accounts> {
        if !store.local || end?.error.is_some() {
            return None;
        }
        let share = |class: &OpClass| self.share(header, &store.name, *class);
        let unread = self.unread(store);
        let rpcs = Rpc::ALL.iter().filter_map(|rpc| {
            let classes = self
                .load
                .keys()
                .filter(|c| sent_by(header, **c) == rpc.method());
            let shares: Vec<_> = classes.map(share).collect::<Option<_>>()?;
            let sums = shares.into_iter().filter(|s| s.0 + s.1 > 0);
            let sums = sums.reduce(|a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2));
            let (attempts, answered, _) = sums?;
            Some(RpcAccount {
                method: rpc.method().to_owned(),
                attempts,
                answered,
                handled: self.handled(store, rpc.method())?,
            })
        });
        let rpcs = rpcs.filter(|_| unread.is_none());
        let rpcs: Vec<RpcAccount> = rpcs.collect();
        let revisions = self.revision_account(store, verify, end, share);
        let unknown = verify.map_or(0, |v| v.indeterminate);
        let unknown = (unknown > 0).then(|| format!("{unknown} writes of unknown outcome"));
        let reasons: Vec<String> = unread.into_iter().chain(unknown).collect();
        let not_comparable = (!reasons.is_empty()).then(|| reasons.join("; "));
        if rpcs.is_empty() && revisions.is_none() && not_comparable.is_none() {
            return None;
        }
        // An attempt that was sent and never answered may have been handled or not; so may what took the lock again,
        // which is no attempt and may have been before the load.
        let sweeps = verify.map_or(&[][..], |v| &v.sweeps);
        let sweep = sweeps.iter().find(|s| s.store == store.name);
        let retaken = sweep.map_or(0, |s| s.lock_retaken);
        let of_lock = |r: &RpcAccount| match r.method.as_str() {
            "Txn" | "LeaseGrant" => retaken,
            _ => 0,
        };
        let agree = rpcs
            .iter()
            .all(|r| (r.answered..=r.attempts.max(r.answered) + of_lock(r)).contains(&r.handled))
            && revisions
                .as_ref()
                .is_none_or(|r| r.store == r.attempts + r.manifest + r.expired_leases + r.lock);
        Some(Accounts {
            // What was not compared does not agree either.
            agree: match (agree, &not_comparable) {
                (true, Some(_)) => None,
                (agree, _) => Some(agree),
            },
            not_comparable,
            rpcs,
            revisions,
        })
    }

    fn revision_account(
        &self,
        store: &StoreInfo,
        verify: Option<&VerifyReport>,
        end: Option<&End>,
        share: impl Fn(&OpClass) -> Option<(u64, u64, u64)>,
    ) -> Option<RevisionAccount> {
        let (before, _) = *end?.revisions.get(&store.name)?;
        // A write whose outcome was not known may have made a revision.
        let verify = verify
            .filter(|v| v.incomplete.is_none() && v.withdrawn.is_none() && v.indeterminate == 0)?;
        let sweep = verify.sweeps.iter().find(|s| s.store == store.name)?;
        let made: Vec<_> = self.revisions.keys().map(share).collect::<Option<_>>()?;
        Some(RevisionAccount {
            store: sweep.revision - before,
            attempts: i64::try_from(made.iter().map(|s| s.2).sum::<u64>()).ok()?,
            manifest: self.manifest,
            expired_leases: i64::try_from(sweep.expired_leases).ok()?,
            lock: sweep.lock_revisions,
        })
    }

    /// Which member's counters do not cover the load; None where no member has any.
    fn unread(&self, store: &StoreInfo) -> Option<String> {
        let (before, after) = (self.before.as_ref()?, self.after.as_ref()?);
        let mut members = before.iter().filter(|((name, _), _)| *name == store.name);
        members.find_map(|(key, (_, then))| {
            let member = &key.1;
            let Some((_, now)) = after.get(key).filter(|(t, _)| *t >= self.end) else {
                return Some(format!(
                    "{member}'s counters could not be read after the load"
                ));
            };
            let started =
                |values: &BTreeMap<String, f64>| values.get("process.start_time").copied();
            (started(now) != started(then)).then(|| format!("{member} restarted"))
        })
    }

    /// RPCs of a method that all members counted between the readings; none when one of them was not read.
    fn handled(&self, store: &StoreInfo, method: &str) -> Option<u64> {
        let (before, after) = (self.before.as_ref()?, self.after.as_ref()?);
        let of_store = |((name, _), _): &(&(String, String), _)| *name == store.name;
        let read = after.iter().filter(of_store).count();
        if read == 0 || read != store.members.len() {
            return None;
        }
        let mut sum = 0.0;
        for (key, (_, now)) in after.iter().filter(of_store) {
            let (_, then) = before.get(key)?;
            sum += rpcs(now, method) - rpcs(then, method);
        }
        (sum >= 0.0).then_some(sum as u64)
    }
}

/// The method by which the run sent an op class, as its header says.
fn sent_by(header: &Header, class: OpClass) -> &str {
    let row = header.classes.iter().find(|c| c.name == class.name());
    row.map_or(class.info().rpc.method(), |c| c.rpc.as_str())
}

/// The store that an op class goes to.
fn routed(header: &Header, class: OpClass) -> Option<&str> {
    let plural = class.info().resource.plural();
    let named = header
        .stores
        .iter()
        .find(|s| s.resources.iter().any(|r| r == plural));
    named.or(header.stores.first()).map(|s| s.name.as_str())
}

/// RPCs of one method that this member has answered, by any code (`method` as in
/// [`Rpc::method`]); what attempts are compared with.
pub fn rpcs(values: &BTreeMap<String, f64>, method: &str) -> f64 {
    let prefix = format!("grpc.{method}.");
    values
        .range(prefix.clone()..)
        .take_while(|(k, _)| k.starts_with(&prefix))
        .map(|(_, v)| v)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::event::{Counts, MemberInfo, StoreSweep};

    fn sample(txns: f64, started: f64) -> ServerSample {
        ServerSample {
            t: 0.0,
            store: "main".to_owned(),
            member: "m1".to_owned(),
            values: BTreeMap::from([
                ("grpc.Txn.OK".to_owned(), txns),
                ("process.start_time".to_owned(), started),
            ]),
        }
    }

    fn interval(phase: Phase, class: &str, n: u64) -> Interval {
        let counts = Counts {
            attempts: n,
            answered: n,
            revisions: n,
            ..Counts::default()
        };
        Interval {
            phase: Some(phase),
            classes: BTreeMap::from([(class.to_owned(), counts)]),
            ..Interval::default()
        }
    }

    /// 3 creates while etcd counts up to 7 Txns, then 10 renewals, up to `after`; 2 leases with keys expire.
    fn accounts(after: f64, revision: i64, started: f64, local: bool) -> Option<Accounts> {
        let store = StoreInfo {
            name: "main".to_owned(),
            local,
            members: vec![MemberInfo::default()],
            ..StoreInfo::default()
        };
        let header = Header {
            stores: vec![store.clone()],
            ..Header::default()
        };
        let verify = VerifyReport {
            sweeps: vec![StoreSweep {
                acknowledged_revision: 0,
                lock_revisions: 0,
                lock_retaken: 0,
                store: "main".to_owned(),
                revision,
                expired_leases: 2,
            }],
            ..VerifyReport::default()
        };
        let end = End {
            t: 0.0,
            outcome: "completed".to_owned(),
            error: None,
            interrupted: false,
            revisions: BTreeMap::from([("main".to_owned(), (100, 0))]),
        };
        let mut ledger = Ledger::default();
        ledger.phase(Phase::Populate);
        ledger.interval(&interval(Phase::Populate, "node-lease/create", 3));
        ledger.sample(&sample(7.0, 1.0));
        ledger.phase(Phase::Settle);
        ledger.phase(Phase::Measure);
        ledger.interval(&interval(Phase::Measure, "node-lease/update", 10));
        ledger.phase(Phase::Drain);
        ledger.sample(&sample(after, started));
        ledger.phase(Phase::Verify);
        ledger.sample(&sample(99.0, started));
        ledger.of(&header, &store, Some(&verify), Some(&end))
    }

    #[test]
    fn a_single_rpc_or_revision_too_many_or_too_few_shows() {
        let all = accounts(17.0, 117, 1.0, true).unwrap();
        let rpc = RpcAccount {
            method: "Txn".to_owned(),
            attempts: 10,
            answered: 10,
            handled: 10,
        };
        assert_eq!((all.agree, all.rpcs), (Some(true), vec![rpc]));
        assert_eq!(all.revisions.unwrap().store, 17);
        for (after, revision) in [(16.0, 117), (18.0, 117), (17.0, 116), (17.0, 118)] {
            let agree = accounts(after, revision, 1.0, true).unwrap().agree;
            assert_eq!(agree, Some(false), "{after} {revision}");
        }
    }

    #[test]
    fn what_cannot_be_known_is_not_claimed() {
        // A member that started anew counts from 0.
        let anew = accounts(17.0, 117, 2.0, true).unwrap();
        assert_eq!((anew.agree, anew.rpcs), (None, vec![]));
        assert_eq!(anew.not_comparable.unwrap(), "m1 restarted");
        // Others may use an etcd that is not ours.
        assert_eq!(accounts(17.0, 117, 1.0, false), None);
    }
}
