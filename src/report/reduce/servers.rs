//! Members' own metrics over the measure phase. Means are differences of sum / differences of count:
//! etcd's buckets are too coarse to give percentiles of.

use super::series::SeriesSet;
use crate::report::event::{MemberInfo, ServerSample, StoreInfo};
use crate::report::result::{MemberFigures, Series, StoreResult};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Servers {
    begun: bool,
    /// (store, member) → its series and how often it was sampled in the phase.
    members: BTreeMap<(String, String), (SeriesSet, u64)>,
}

impl Servers {
    pub(super) fn begin(&mut self) {
        self.begun = true;
        for (series, _) in self.members.values_mut() {
            series.begin();
        }
    }

    pub(super) fn sample(&mut self, s: &ServerSample) {
        let begun = self.begun;
        let key = (s.store.clone(), s.member.clone());
        let (series, samples) = self.members.entry(key).or_insert_with(|| {
            let mut series = SeriesSet::default();
            if begun {
                series.begin();
            }
            (series, 0)
        });
        *samples += u64::from(begun);
        series.sample(s.t, &s.values);
    }

    /// In the header's order; members that only the samples know come last.
    pub(super) fn results(&self, stores: &[StoreInfo]) -> Vec<StoreResult> {
        let mut results: Vec<StoreResult> = stores.iter().map(|store| self.store(store)).collect();
        for ((store, member), (series, samples)) in &self.members {
            let known = stores.iter().find(|s| s.name == *store);
            if known.is_some_and(|s| s.members.iter().any(|m| same(s, m, member))) {
                continue;
            }
            let figures = figures(
                &MemberInfo {
                    name: member.clone(),
                    ..MemberInfo::default()
                },
                series,
                *samples,
            );
            match results.iter_mut().find(|r| r.name == *store) {
                Some(result) => result.members.push(figures),
                None => results.push(StoreResult {
                    name: store.clone(),
                    leader_changes: None,
                    members: vec![figures],
                    accounts: None,
                }),
            }
        }
        for result in &mut results {
            let changes = result
                .members
                .iter()
                .filter_map(|m| m.series.get("raft.leader_changes"))
                .map(|s| s.increase);
            result.leader_changes = changes.reduce(f64::max);
        }
        results
    }

    fn store(&self, store: &StoreInfo) -> StoreResult {
        let nothing = (SeriesSet::default(), 0);
        let members = store.members.iter().map(|info| {
            let (series, samples) = self
                .members
                .iter()
                .find(|((s, m), _)| *s == store.name && same(store, info, m))
                .map_or(&nothing, |(_, sampled)| sampled);
            figures(info, series, *samples)
        });
        StoreResult {
            name: store.name.clone(),
            leader_changes: None,
            members: members.collect(),
            accounts: None,
        }
    }
}

/// Whether a sample's `member` (a name, an endpoint, or the `host:port` where its metrics are) is this one.
/// Metrics on a port of their own are told by the host, where no other member has it.
fn same(store: &StoreInfo, info: &MemberInfo, member: &str) -> bool {
    if [
        info.name.as_str(),
        &info.endpoint,
        authority(&info.endpoint),
    ]
    .contains(&member)
    {
        return true;
    }
    let known = |m: &MemberInfo| m.name == member || authority(&m.endpoint) == member;
    let on_host = |m: &&MemberInfo| host(authority(&m.endpoint)) == host(member);
    on_host(&info)
        && !store.members.iter().any(known)
        && store.members.iter().filter(on_host).count() == 1
}

fn authority(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

fn host(authority: &str) -> &str {
    authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host)
}

fn figures(info: &MemberInfo, set: &SeriesSet, samples: u64) -> MemberFigures {
    let series = set.all();
    let get = |name: &str| series.get(name);
    let grown = |name: &str| get(name).map(|s| s.increase);
    let most = |name: &str| get(name).map(|s| s.max);
    let mean = |name: &str| {
        let (seconds, count) = (
            grown(&format!("{name}.seconds"))?,
            grown(&format!("{name}.count"))?,
        );
        (count > 0.0).then(|| seconds / count)
    };
    let per_second = |s: &Series| (s.seconds > 0.0).then(|| s.increase / s.seconds);
    MemberFigures {
        member: if info.name.is_empty() {
            info.endpoint.clone()
        } else {
            info.name.clone()
        },
        version: info.version.clone(),
        leader: get("raft.is_leader").map_or(info.leader, |s| s.end > 0.5),
        samples,
        fsyncs: grown("wal_fsync.count"),
        fsync_mean: mean("wal_fsync"),
        commits: grown("commit.count"),
        commit_mean: mean("commit"),
        slow_applies: grown("raft.slow_applies"),
        slow_reads: grown("raft.slow_read_indexes"),
        proposals_committed: grown("proposals.committed"),
        proposals_failed: grown("proposals.failed"),
        proposals_pending_max: most("proposals.pending"),
        db_size_start: get("db.size").map(|s| s.start),
        db_size_end: get("db.size").map(|s| s.end),
        db_size_max: most("db.size"),
        db_in_use_end: get("db.in_use").map(|s| s.end),
        quota: get("db.quota")
            .map(|s| s.end)
            .or(info.quota.map(|q| q as f64)),
        watchers_max: most("watch.watchers"),
        rss_max: most("process.rss"),
        cpu_cores: get("process.cpu_seconds").and_then(per_second),
        gc_pause_seconds: grown("go.gc.seconds"),
        gc_count: grown("go.gc.count"),
        // From samples of their own.
        medium: Vec::new(),
        series,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_known_by_name_endpoint_or_a_host_of_its_own() {
        let member = |name: &str, endpoint: &str| MemberInfo {
            name: name.into(),
            endpoint: endpoint.into(),
            ..MemberInfo::default()
        };
        let found = |members: Vec<MemberInfo>, sample: &str| {
            let store = StoreInfo {
                members,
                ..StoreInfo::default()
            };
            let same = |m: &&MemberInfo| same(&store, m, sample);
            let found: Vec<String> = store
                .members
                .iter()
                .filter(same)
                .map(|m| m.name.clone())
                .collect();
            found
        };
        let apart = || {
            vec![
                member("a", "https://10.0.0.1:2379"),
                member("b", "https://10.0.0.2:2379"),
            ]
        };
        for sample in [
            "b",
            "https://10.0.0.2:2379",
            "10.0.0.2:2379",
            "10.0.0.2:2381",
        ] {
            assert_eq!(found(apart(), sample), ["b"], "{sample}");
        }
        assert!(found(apart(), "10.0.0.3:2379").is_empty());
        let beside = || {
            vec![
                member("a", "http://127.0.0.1:1"),
                member("b", "http://127.0.0.1:2"),
            ]
        };
        assert_eq!(found(beside(), "127.0.0.1:2"), ["b"]);
        assert!(found(beside(), "127.0.0.1:3").is_empty());
    }
}
