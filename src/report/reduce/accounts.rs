//! Two independent counts of the same thing: what the run says it sent, and what etcd says it handled.
//! Only for an etcd that etcdmark started itself, which nobody else talks to.

use crate::etcd::wire::Rpc;
use crate::kube::OpClass;
use crate::report::event::{End, Header, Interval, Phase, ServerSample, StoreInfo, VerifyReport};
use crate::report::result::{Accounts, RevisionAccount, RpcAccount};
use crate::server::metrics;
use std::collections::BTreeMap;

/// Revisions that a run makes beside its operations, in each store: the manifest says *settle*, then *warmup*.
const MANIFEST_WRITES: i64 = 2;

type Readings = BTreeMap<(String, String), BTreeMap<String, f64>>;

#[derive(Debug, Default)]
pub(super) struct Books {
    /// (attempts, answered) of the load, by op class.
    load: BTreeMap<OpClass, (u64, u64)>,
    /// Revisions of acknowledged attempts since populate began, by op class.
    revisions: BTreeMap<OpClass, u64>,
    latest: Readings,
    /// The last readings before the load.
    before: Option<Readings>,
    /// The last readings before what follows the drain.
    after: Option<Readings>,
}

impl Books {
    pub(super) fn phase(&mut self, phase: Phase) {
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
            .insert((s.store.clone(), s.member.clone()), s.values.clone());
    }

    pub(super) fn interval(&mut self, i: &Interval) {
        let load = matches!(i.phase, Some(Phase::Warmup | Phase::Measure));
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
        let mine = |class: OpClass| routed(header, class) == Some(store.name.as_str());
        let rpcs = Rpc::ALL.iter().filter_map(|rpc| {
            let of = |(class, _): &(&OpClass, &(u64, u64))| {
                mine(**class) && sent_by(header, **class) == rpc.method()
            };
            let sums = self.load.iter().filter(of).map(|(_, sums)| *sums);
            let (attempts, answered) = sums.reduce(|a, b| (a.0 + b.0, a.1 + b.1))?;
            Some(RpcAccount {
                method: rpc.method().to_owned(),
                attempts,
                answered,
                handled: self.handled(store, rpc.method())?,
            })
        });
        let rpcs: Vec<RpcAccount> = rpcs.collect();
        let revisions = self.revision_account(store, verify, end, mine);
        if rpcs.is_empty() && revisions.is_none() {
            return None;
        }
        // An attempt that was sent and never answered may have been handled or not.
        let agree = rpcs
            .iter()
            .all(|r| (r.answered..=r.attempts.max(r.answered)).contains(&r.handled))
            && revisions
                .as_ref()
                .is_none_or(|r| r.store == r.attempts + r.manifest + r.expired_leases);
        Some(Accounts {
            agree,
            rpcs,
            revisions,
        })
    }

    fn revision_account(
        &self,
        store: &StoreInfo,
        verify: Option<&VerifyReport>,
        end: Option<&End>,
        mine: impl Fn(OpClass) -> bool,
    ) -> Option<RevisionAccount> {
        let (before, _) = *end?.revisions.get(&store.name)?;
        // A write whose outcome was not known may have made a revision.
        let verify = verify.filter(|v| v.incomplete.is_none() && v.indeterminate == 0)?;
        let sweep = verify.sweeps.iter().find(|s| s.store == store.name)?;
        let made = self.revisions.iter().filter(|(c, _)| mine(**c));
        Some(RevisionAccount {
            store: sweep.revision - before,
            attempts: i64::try_from(made.map(|(_, n)| n).sum::<u64>()).ok()?,
            manifest: MANIFEST_WRITES,
            expired_leases: i64::try_from(sweep.expired_leases).ok()?,
        })
    }

    /// RPCs of a method that all members counted between the readings; none when one of them was not read or has
    /// started anew.
    fn handled(&self, store: &StoreInfo, method: &str) -> Option<u64> {
        let (before, after) = (self.before.as_ref()?, self.after.as_ref()?);
        let of_store = |((name, _), _): &(&(String, String), _)| *name == store.name;
        let read = after.iter().filter(of_store).count();
        if read == 0 || read != store.members.len() {
            return None;
        }
        let mut sum = 0.0;
        for (key, now) in after.iter().filter(of_store) {
            let then = before.get(key)?;
            if now.get("process.start_time") != then.get("process.start_time") {
                return None;
            }
            sum += metrics::rpcs(now, method) - metrics::rpcs(then, method);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::event::{Counts, MemberInfo, Sweep};

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
            sweeps: vec![Sweep {
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
            revisions: BTreeMap::from([("main".to_owned(), (100, 0))]),
        };
        let mut books = Books::default();
        books.phase(Phase::Populate);
        books.interval(&interval(Phase::Populate, "node-lease/create", 3));
        books.sample(&sample(7.0, 1.0));
        books.phase(Phase::Measure);
        books.interval(&interval(Phase::Measure, "node-lease/update", 10));
        books.phase(Phase::Drain);
        books.sample(&sample(after, started));
        books.phase(Phase::Verify);
        books.sample(&sample(99.0, started));
        books.of(&header, &store, Some(&verify), Some(&end))
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
        assert_eq!((all.agree, all.rpcs), (true, vec![rpc]));
        assert_eq!(all.revisions.unwrap().store, 17);
        for (after, revision) in [(16.0, 117), (18.0, 117), (17.0, 116), (17.0, 118)] {
            let agree = accounts(after, revision, 1.0, true).unwrap().agree;
            assert!(!agree, "{after} {revision}");
        }
    }

    #[test]
    fn what_cannot_be_known_is_not_claimed() {
        // A member that started anew counts from 0.
        assert!(accounts(17.0, 117, 2.0, true).unwrap().rpcs.is_empty());
        // Others may use an etcd that is not ours.
        assert_eq!(accounts(17.0, 117, 1.0, false), None);
    }
}
