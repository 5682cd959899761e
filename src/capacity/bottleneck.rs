//! What limited a trial, from what etcd and the host say of themselves.
//!
//! A device that works on one thing at a time is the limit when it is busy nearly all the time: the WAL's fsync, for which etcd's one raft
//! loop waits, and the backend's commit. CPU is the limit when its cores are used up. What none of them explains is said to be
//! unknown, with the figures.

use crate::human::numbers::{count, percent, seconds, three};
use crate::report::result::{MemberFigures, RunResult};
use serde::{Deserialize, Serialize};

/// A part that is busy for this share of the time is the limit.
const BUSY: f64 = 0.8;

/// A part that limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Room: the quota guard, or NOSPACE.
    Quota,
    /// The WAL's fsync.
    Fsync,
    /// The backend's commit.
    Commit,
    /// The CPU of etcd.
    EtcdCpu,
    /// The CPU of the machine, which etcd and the generator share.
    SharedCpu,
    /// Applying what was committed.
    Apply,
    /// The in-flight cap of the generator, with etcd's parts idle: the way between them, or the cap itself.
    Network,
    /// The generator.
    Generator,
    /// Nothing that was measured explains it.
    Unknown,
}

impl Limit {
    /// As in a sentence.
    pub(super) fn name(self) -> &'static str {
        match self {
            Limit::Quota => "the quota",
            Limit::Fsync => "the WAL's fsync",
            Limit::Commit => "the backend's commit",
            Limit::EtcdCpu => "etcd's CPU",
            Limit::SharedCpu => "the machine's CPU, which etcd and the generator share",
            Limit::Apply => "applying committed entries",
            Limit::Network => "the way between generator and etcd, or the in-flight cap",
            Limit::Generator => "the generator, not etcd",
            Limit::Unknown => "not told by etcd's metrics",
        }
    }
}

/// The limit and what that rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bottleneck {
    pub limit: Limit,
    /// In a clause, with figures.
    pub evidence: String,
}

/// Of a trial that was not carried although the generator kept up.
pub(super) fn bottleneck(r: &RunResult) -> Bottleneck {
    let found = |limit, evidence| Bottleneck { limit, evidence };
    if let Some(guard) = r
        .guards
        .iter()
        .find(|g| matches!(g.guard.as_str(), "quota" | "alarm"))
    {
        return found(Limit::Quota, guard.cause.clone());
    }
    if r.total.counts.errors.keys().any(|e| e == "no-space") {
        return found(
            Limit::Quota,
            "etcd refused writes for want of space".to_owned(),
        );
    }
    let members = || r.stores.iter().flat_map(|s| &s.members);
    let busiest = |f: &dyn Fn(&MemberFigures) -> Option<f64>| {
        let all = members().filter_map(|m| Some((f(m)?, m)));
        all.max_by(|a, b| a.0.total_cmp(&b.0))
    };
    let time = r.measured_seconds.max(f64::MIN_POSITIVE);
    let fsync = busiest(&|m| Some(m.fsyncs? * m.fsync_mean? / time));
    let commit = busiest(&|m| Some(m.commits? * m.commit_mean? / time));
    let cpu = busiest(&|m| m.cpu_cores);
    let host = host_busy(r);
    let cores = f64::from(r.header.environment.cpus.max(1));
    let mut told = Vec::new();
    let busy = |share: f64, mean: Option<f64>| {
        let (share, mean) = (percent(share.min(1.0)), seconds(mean.unwrap_or_default()));
        format!("busy {share} of the time, {mean} in the mean")
    };
    if let Some((share, m)) = fsync {
        let line = busy(share, m.fsync_mean);
        if share >= BUSY {
            return found(Limit::Fsync, line);
        }
        told.push(format!("WAL fsync {line}"));
    }
    if let Some((used, _)) = cpu {
        let line = format!("{} cores used", three(used));
        // The cores of another machine are not known.
        let local = r.header.environment.shares_cores_with_etcd;
        if let Some(share) = host.filter(|share| local && *share >= BUSY) {
            let share = percent(share);
            return found(Limit::SharedCpu, format!("{share} busy, etcd with {line}"));
        }
        if local && used >= BUSY * cores {
            return found(Limit::EtcdCpu, format!("{line} of {cores:.0}"));
        }
        told.push(format!("etcd {line}"));
    }
    if let Some((share, m)) = commit {
        let line = busy(share, m.commit_mean);
        if share >= BUSY {
            return found(Limit::Commit, line);
        }
        told.push(format!("commit {line}"));
    }
    let slow = members().filter_map(|m| m.slow_applies).sum::<f64>();
    if slow > 0.0 {
        return found(
            Limit::Apply,
            format!("{} applies that etcd called slow", three(slow)),
        );
    }
    if r.client.queued_end > 0 && told.len() == 3 {
        let queued = count(r.client.queued_end);
        return found(
            Limit::Network,
            format!("{queued} requests waited to be sent; {}", told.join(", ")),
        );
    }
    let evidence = match told.is_empty() {
        true => "etcd's metrics could not be read".to_owned(),
        false => told.join(", "),
    };
    found(Limit::Unknown, evidence)
}

/// Of a trial in which the generator was late: because of itself, or because etcd took the cores that they share.
pub(super) fn generator(r: &RunResult, late: &str) -> Bottleneck {
    let members = r.stores.iter().flat_map(|s| &s.members);
    let etcd: f64 = members.filter_map(|m| m.cpu_cores).sum();
    let client = r.client.cpu_seconds / r.client.wall_seconds.max(f64::MIN_POSITIVE);
    let busy = host_busy(r).filter(|busy| *busy >= BUSY && etcd > client);
    match busy.filter(|_| r.header.environment.shares_cores_with_etcd) {
        Some(busy) => Bottleneck {
            limit: Limit::SharedCpu,
            evidence: format!(
                "{} busy: etcd with {} cores used, etcdmark with {}",
                percent(busy),
                three(etcd),
                three(client)
            ),
        },
        None => Bottleneck {
            limit: Limit::Generator,
            evidence: late.to_owned(),
        },
    }
}

/// Share of the machine's CPU time that was not idle.
fn host_busy(r: &RunResult) -> Option<f64> {
    let spent = |name: &str| r.host.get(name).map(|s| s.increase);
    let idle = spent("cpu.idle_seconds")? + spent("cpu.iowait_seconds").unwrap_or(0.0);
    let busy = spent("cpu.user_seconds")? + spent("cpu.system_seconds")?;
    (idle + busy > 0.0).then(|| busy / (idle + busy))
}
