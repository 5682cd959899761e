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
            let of =
                |(class, _): &(&OpClass, &(u64, u64))| mine(**class) && class.info().rpc == *rpc;
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

/// The store that an op class goes to.
fn routed(header: &Header, class: OpClass) -> Option<&str> {
    let plural = class.info().resource.plural();
    let named = header
        .stores
        .iter()
        .find(|s| s.resources.iter().any(|r| r == plural));
    named.or(header.stores.first()).map(|s| s.name.as_str())
}
