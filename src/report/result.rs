//! `result.json`: what a run found. A pure function of `events.jsonl` and `latency.hlog`
//! ([`crate::report::Reducer`]); never the other way round.
//!
//! Times inside figures are integer nanoseconds and say so in their name (`_ns`); instants and
//! lengths of the run are seconds since its t0.

use super::downtime::{Downtime, downtimes};
pub use super::ended::{MissingData, Outcome};
use super::event::{
    ClassInfo, CleanupReport, Counts, DefragmentationEvent, GuardEvent, Header, LossEvent,
    LossKind, MemberEvent, Note, Phase, VerifyReport,
};
pub use super::percentiles::{Percentiles, Precision};
use crate::exit::Exit;
use crate::measure::percentile::Headline;
use crate::measure::validity::{Validity, Verdict};
use crate::rpc::errors::is_of_load;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `apiVersion` of [`RunResult`].
pub const API_VERSION: &str = "etcdmark/v1alpha2";
/// `kind` of [`RunResult`].
pub const KIND: &str = "RunResult";

/// The result of one run.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunResult {
    /// `etcdmark/v1alpha2`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `RunResult`.
    pub kind: String,
    /// What this run is: plan, stores, op classes, machine.
    pub header: Header,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the results reflect etcd's performance.
    pub validity: Validity,
    /// When each phase was.
    pub phases: Vec<PhaseTime>,
    /// Length of the measure phase as far as it is counted, seconds: what rates are divided by.
    pub measured_seconds: f64,
    /// All op classes together; histograms are added, percentiles never averaged.
    pub total: Figures,
    /// Per op class that was offered or sent in the measure phase, in the header's order.
    pub classes: Vec<ClassResult>,
    /// What the workload demanded.
    pub thresholds: Vec<ThresholdResult>,
    /// etcd's own figures over the measure phase.
    pub stores: Vec<StoreResult>,
    /// The generator's own figures over the measure phase.
    pub client: ClientFigures,
    /// The host's counters over the measure phase, by name.
    pub host: BTreeMap<String, Series>,
    /// Times in which attempts failed.
    pub outages: Vec<Outage>,
    /// Members that became unreachable or reachable.
    pub members: Vec<MemberEvent>,
    /// Members that were defragmented during the load.
    #[serde(default)]
    pub defragmentations: Vec<DefragmentationEvent>,
    /// Guards that stopped the run.
    pub guards: Vec<GuardEvent>,
    /// Remarks.
    pub notes: Vec<Note>,
    /// How the store was filled.
    pub populate: Option<PopulateResult>,
    /// What the run's files lack, by op class; their percentiles are left out.
    #[serde(default)]
    pub missing: Vec<MissingData>,
    /// Acknowledged writes that answers showed to be lost, as they were noticed.
    #[serde(default)]
    pub losses: Vec<LossEvent>,
    /// What the sweep found.
    pub verify: Option<VerifyReport>,
    /// What was deleted.
    pub cleanup: Option<CleanupReport>,
}

/// When a phase was, seconds since t0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PhaseTime {
    pub phase: Phase,
    /// Its start.
    pub start: f64,
    /// Its end (the next one's start, or the last known instant).
    pub end: f64,
}

/// One op class.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClassResult {
    /// Its row of the table.
    pub class: ClassInfo,
    /// What was measured.
    pub figures: Figures,
}

/// What was measured of one op class, or of all.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Figures {
    /// What happened to its operations and attempts (intended in the measure phase).
    pub counts: Counts,
    /// Offered and neither answered nor skipped nor censored: the files end before they do.
    pub unanswered: u64,
    /// Late, failed, skipped, censored, unanswered.
    pub misses: u64,
    /// Misses / offered.
    pub miss_share: f64,
    /// Operations per second that the schedule asked for.
    pub offered_rate: f64,
    /// Operations per second that succeeded within the measure phase, those still due from the warm-up included.
    pub achieved_rate: f64,
    /// Response time over all *offered* operations, a miss counting as +∞. None in a closed loop,
    /// which has no intended instants.
    pub headline: Option<Headlines>,
    /// Response time (done − intended) of the operations that succeeded, late ones included.
    pub successes: Option<Percentiles>,
    /// Service time (done − sent) of successful attempts.
    pub service: Option<Percentiles>,
    /// Wait (sent − ready): the target's fault.
    pub wait: Option<Percentiles>,
    /// Schedule lag (ready − intended): the generator's fault.
    pub schedule_lag: Option<Percentiles>,
    /// Response time of the operations that failed for good.
    pub errors: Option<Percentiles>,
    /// What these percentiles are known to.
    pub precision: Option<Precision>,
}

/// Headline percentiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Headlines {
    /// Median.
    pub p50: Headline,
    /// 90 %.
    pub p90: Headline,
    /// 99 %.
    pub p99: Headline,
    /// 99.9 %.
    #[serde(rename = "p99.9")]
    pub p999: Headline,
    /// The slowest.
    pub max: Headline,
}

/// A threshold, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ThresholdResult {
    /// As written.
    pub expression: String,
    pub verdict: ThresholdVerdict,
    /// What was found, in the figure's unit (seconds, per second, 0–1, bytes, cores); none when it is a miss (+∞) or does not
    /// exist.
    pub value: Option<f64>,
    /// What the verdict rests on, or why there is no value.
    pub basis: String,
}

/// Whether a threshold holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdVerdict {
    Passed,
    Missed,
    /// The run is too short to tell.
    Undecided,
}

/// One store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StoreResult {
    pub name: String,
    /// Leader changes that any member saw in the measure phase.
    pub leader_changes: Option<f64>,
    /// Its members.
    pub members: Vec<MemberFigures>,
    /// What the run counted against what etcd counted, for an etcd that etcdmark started itself.
    #[serde(default)]
    pub accounts: Option<Accounts>,
}

/// What the run counted against what etcd counted. Exact: a difference means that one of them miscounted, or
/// that somebody else used the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Accounts {
    /// Every count agrees; null = not all could be compared, and no other disagrees.
    pub agree: Option<bool>,
    /// Why some could not be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_comparable: Option<String>,
    /// By RPC, over the load (warm-up, measure and drain).
    pub rpcs: Vec<RpcAccount>,
    /// Of the store; none without a sweep, or with writes of unknown outcome.
    pub revisions: Option<RevisionAccount>,
}

/// RPCs of one method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RpcAccount {
    /// `Txn`, `Range` …
    pub method: String,
    /// Attempts that the run sent.
    pub attempts: u64,
    /// Of these, answered: agrees with `handled` unless attempts were never answered.
    pub answered: u64,
    /// What `grpc_server_handled_total` of all members together grew by.
    pub handled: u64,
}

/// Revisions from before populate until the sweep: `store` = `attempts` + `manifest` + `expired_leases`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RevisionAccount {
    /// By which the store's revision grew.
    pub store: i64,
    /// Made by acknowledged attempts.
    pub attempts: i64,
    /// Made by the run's own manifest.
    pub manifest: i64,
    /// Made by etcd: leases that expired with keys attached, one each.
    pub expired_leases: i64,
    /// Made by the run's lock, which expired in a stall and was taken again.
    #[serde(default)]
    pub lock: i64,
}

/// One member over the measure phase. None = the member's version does not tell, or it was not
/// reachable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MemberFigures {
    pub member: String,
    /// Version at start.
    pub version: String,
    /// Leader at the last sample (at start, when there is none).
    pub leader: bool,
    /// Samples taken.
    pub samples: u64,
    /// WAL syncs.
    pub fsyncs: Option<f64>,
    /// Mean length of a WAL sync, seconds (difference of sum / difference of count).
    pub fsync_mean: Option<f64>,
    /// Backend commits.
    pub commits: Option<f64>,
    /// Mean length of a backend commit, seconds.
    pub commit_mean: Option<f64>,
    /// Applies that etcd called slow.
    pub slow_applies: Option<f64>,
    /// Read indexes that etcd called slow.
    pub slow_reads: Option<f64>,
    /// Proposals committed.
    pub proposals_committed: Option<f64>,
    /// Proposals that failed.
    pub proposals_failed: Option<f64>,
    /// Most proposals waiting at one instant.
    pub proposals_pending_max: Option<f64>,
    /// db file, bytes, at the start.
    pub db_size_start: Option<f64>,
    /// At the end.
    pub db_size_end: Option<f64>,
    /// At most.
    pub db_size_max: Option<f64>,
    /// Bytes in use at the end.
    pub db_in_use_end: Option<f64>,
    /// Quota, bytes.
    pub quota: Option<f64>,
    /// Most watchers.
    pub watchers_max: Option<f64>,
    /// Largest resident set, bytes.
    pub rss_max: Option<f64>,
    /// Cores used on average.
    pub cpu_cores: Option<f64>,
    /// Garbage collector's pauses, seconds.
    pub gc_pause_seconds: Option<f64>,
    /// Garbage collections.
    pub gc_count: Option<f64>,
    /// What its emulated medium did, by kind of file.
    #[serde(default)]
    pub medium: Vec<MediumFigures>,
    /// Every metric that was read, by its short name.
    pub series: BTreeMap<String, Series>,
}

/// What an emulated medium did to a member's syncs of one kind of file over the measure phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MediumFigures {
    /// `wal`, `db`; `unknown`: of these it could not be told what they were, and they were not delayed.
    pub file: String,
    /// Syncs.
    pub syncs: u64,
    /// Mean of the times that the medium asked for, ns: what etcd should find.
    pub asked_mean_ns: f64,
    /// Mean of the delays imposed, ns. The rest of a sync is what the directory and the holding take.
    pub delay_mean_ns: f64,
    /// Their median.
    pub delay_p50_ns: u64,
    /// 99 %.
    pub delay_p99_ns: u64,
    /// The longest.
    pub delay_max_ns: u64,
    /// Syncs for which the medium asked for less than they take anyway: not delayed.
    pub short: u64,
}

/// A counter or gauge over the measure phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Series {
    /// At the last sample before the phase, else the first in it.
    pub start: f64,
    /// At its last sample.
    pub end: f64,
    /// Largest.
    pub max: f64,
    /// Sum of the increases: what a counter counted, restarts of the process included.
    pub increase: f64,
    /// Seconds between the first and the last sample.
    pub seconds: f64,
}

/// The generator's own figures over the measure phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClientFigures {
    /// Samples.
    pub samples: u64,
    /// CPU seconds.
    pub cpu_seconds: f64,
    /// Wall seconds.
    pub wall_seconds: f64,
    /// CPU seconds per attempt.
    pub cpu_per_attempt: Option<f64>,
    /// Largest resident set, bytes; none where it could not be read.
    pub rss_max: Option<u64>,
    /// Share of the time that the busiest worker's runtime was busy.
    pub busiest_worker: f64,
    /// ∫ in-flight dt, operation-seconds.
    pub in_flight_seconds: f64,
    /// Σ time in flight of the attempts, seconds: must be the same.
    pub service_seconds: f64,
    /// In flight or due and not yet sent when the measure phase began.
    #[serde(default)]
    pub backlog_start: u64,
    /// In flight or due and not yet sent, on average over the seconds' ends, by their length.
    pub backlog_mean: f64,
    /// In flight when the measure phase ended.
    pub in_flight_end: u64,
    /// Due and not yet sent when the measure phase ended.
    pub queued_end: u64,
    /// Furthest that the wall clock was stepped, seconds.
    pub wall_jump: f64,
}

/// A time in which one store failed attempts, or none of its members could be reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Outage {
    pub store: String,
    /// First error, or when the last member went down, or since when requests waited until one; seconds since t0.
    pub first_error: f64,
    /// End of the last second with an error, or without a member.
    pub last_error: f64,
    /// Start of the first second without an error in which an operation succeeded.
    pub first_success: Option<f64>,
    /// `first_success` (else the last known instant) − `first_error`, seconds, ± 1 s.
    pub length: f64,
    /// Seconds of it in which nothing succeeded.
    pub silent_seconds: f64,
    /// Failed attempts by error class.
    pub errors: BTreeMap<String, u64>,
    /// Why no member could be reached; null = one could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<String>,
}

impl Outage {
    /// Whether more than too high a rate is behind it: nothing succeeded, and not only for want of time.
    pub(crate) fn is_a_failure(&self) -> bool {
        let of_load = self.errors.keys().all(|error| is_of_load(error));
        self.silent_seconds > 0.0 && (self.unreachable.is_some() || !of_load)
    }
}

/// How the store was filled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PopulateResult {
    /// Done.
    pub done: u64,
    /// To do.
    pub total: u64,
    /// "keys".
    pub unit: String,
    /// Seconds.
    pub seconds: f64,
    /// Done per second.
    pub rate: f64,
}

impl RunResult {
    /// The exit code that this result calls for.
    pub fn exit(&self) -> Exit {
        let mut exit = match self.outcome.outcome.as_str() {
            "completed" => Exit::Ok,
            "interrupted" => Exit::Interrupted,
            "guard" if self.guards.last().is_some_and(|g| g.guard == "threshold") => {
                Exit::Threshold
            }
            _ => Exit::Failure,
        };
        if self.outcome.interrupted {
            exit = exit.and(Exit::Interrupted);
        }
        if !self.missing.is_empty() {
            exit = exit.and(Exit::Failure);
        }
        let verify = self.verify.as_ref();
        let unknown = |v: &VerifyReport| v.incomplete.is_some() || v.withdrawn.is_some();
        if self.lost_by_store().next().is_some() || verify.is_some_and(|v| v.lost > 0 || unknown(v))
        {
            exit = exit.and(Exit::Failure);
        }
        if self.validity.verdict == Verdict::Invalid || self.measured_nothing() {
            exit = exit.and(Exit::Invalid);
        }
        if self
            .thresholds_with(ThresholdVerdict::Missed)
            .next()
            .is_some()
            || self.header.strict
                && self
                    .thresholds_with(ThresholdVerdict::Undecided)
                    .next()
                    .is_some()
        {
            exit = exit.and(Exit::Threshold);
        }
        exit
    }

    /// A load that ended as planned, in whose measure phase no operation was due: it says nothing of etcd.
    pub fn measured_nothing(&self) -> bool {
        let counts = |c: &ClassResult| c.figures.counts.offered + c.figures.counts.ok;
        self.outcome.outcome == "completed"
            && self.missing.is_empty()
            && self.classes.iter().map(counts).sum::<u64>() == 0
    }

    /// Thresholds that were judged so.
    pub fn thresholds_with(
        &self,
        verdict: ThresholdVerdict,
    ) -> impl Iterator<Item = &ThresholdResult> {
        self.thresholds.iter().filter(move |t| t.verdict == verdict)
    }

    /// What etcd lost: not what is missing from a store that did not go back while another process had the run's
    /// lock there, and may have deleted the keys.
    pub fn lost_by_store(&self) -> impl Iterator<Item = &LossEvent> {
        let withdrawn = self.verify.as_ref().is_some_and(|v| v.withdrawn.is_some());
        self.losses.iter().filter(move |loss| {
            let here = |store: &str| store == loss.store;
            let locked = |g: &GuardEvent| g.guard == "lock" && here(&g.store);
            let disturbed = withdrawn || self.guards.iter().any(locked);
            let mut of_store = self.losses.iter().filter(|l| here(&l.store));
            !disturbed || of_store.any(|l| matches!(l.kind, LossKind::Revision | LossKind::Cluster))
        })
    }

    /// Acknowledged writes that are missing, as far as is known.
    pub fn lost_writes(&self) -> u64 {
        let noticed = self.lost_by_store().map(|l| l.writes).sum();
        self.verify
            .as_ref()
            .map_or(noticed, |v| v.lost.max(noticed))
    }

    /// Times in which members could not be reached.
    pub(crate) fn downtimes(&self) -> Vec<Downtime> {
        downtimes(&self.header, &self.members)
    }

    /// The op class of that name, if it was measured.
    pub fn class(&self, name: &str) -> Option<&ClassResult> {
        self.classes.iter().find(|c| c.class.name == name)
    }
}
