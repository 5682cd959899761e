//! The event stream: the only interface between the engine and everything that reports. One JSON
//! object per line of `events.jsonl`, tagged by `type`; histograms go to `latency.hlog` beside it.

use crate::kube::OpClass;
use crate::kube::opclass::Verb;
use crate::kube::resource::Resource;
use crate::measure::{BinaryInfo, Blocks, Cores, MediumInfo};
use crate::rpc::Effect;
use crate::rpc::Rpc;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of `events.jsonl`, in its header.
pub const EVENTS_VERSION: u32 = 2;

/// Where events and histograms go. An error is fatal to the run: what was measured must not be lost
/// silently.
pub trait Sink {
    /// Takes one event.
    fn event(&mut self, event: &Event) -> Result<(), SinkError>;
    /// Takes one interval histogram.
    fn histogram(&mut self, line: &HistogramLine<'_>) -> Result<(), SinkError>;
    /// Called once a second and at the end: make everything so far durable for a reader.
    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// A sink could not take an event.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {what}: {source}")]
pub struct SinkError {
    pub what: String,
    pub source: std::io::Error,
}

/// One line of `latency.hlog`.
#[derive(Debug)]
pub struct HistogramLine<'a> {
    /// Interval start, seconds since the run's t0.
    pub start: f64,
    /// Interval length, seconds.
    pub length: f64,
    /// None = the untagged line: response time of all measured operations.
    pub tag: Option<HistogramTag>,
    /// Nanoseconds.
    pub histogram: &'a Histogram<u64>,
}

/// `phase|store|actor/step|metric`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistogramTag {
    pub phase: Phase,
    /// Store name.
    pub store: String,
    /// Op class (a name that this version does not know is kept as text).
    pub class: String,
    /// Of what.
    pub metric: Metric,
}

impl std::fmt::Display for HistogramTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}|{}|{}|{}",
            self.phase.name(),
            self.store,
            self.class,
            self.metric.name()
        )
    }
}

impl std::str::FromStr for HistogramTag {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let bad = || format!("histogram tag {s:?} is not phase|store|actor/step|metric");
        let mut parts = s.split('|');
        let (p, st, c, m) = (parts.next(), parts.next(), parts.next(), parts.next());
        match (p, st, c, m, parts.next()) {
            (Some(p), Some(st), Some(c), Some(m), None) => Ok(HistogramTag {
                phase: Phase::by_name(p).ok_or_else(bad)?,
                store: st.to_owned(),
                class: c.to_owned(),
                metric: Metric::by_name(m).ok_or_else(bad)?,
            }),
            _ => Err(bad()),
        }
    }
}

macro_rules! named {
    ($(#[$m:meta])* $ty:ident { $($(#[$vm:meta])* $v:ident = $n:literal),* $(,)? }) => {
        $(#[$m])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum $ty { $($(#[$vm])* #[serde(rename = $n)] $v),* }
        impl $ty {
            /// Every one, in order.
            pub const ALL: &'static [$ty] = &[$($ty::$v),*];
            /// As in files.
            pub const fn name(self) -> &'static str { match self { $($ty::$v => $n),* } }
            /// From files.
            pub fn by_name(s: &str) -> Option<$ty> { match s { $($n => Some($ty::$v),)* _ => None } }
        }
    };
}

named! {
    /// The phases of a run, in order.
    Phase {
        /// Fill the store.
        Populate = "populate",
        /// Quiet.
        Settle = "settle",
        /// Load, recorded, not summarised.
        Warmup = "warmup",
        /// Load, measured.
        Measure = "measure",
        /// No new sessions; wait for answers.
        Drain = "drain",
        /// Compare the store with the engine's state.
        Verify = "verify",
        /// Delete the run's keys.
        Cleanup = "cleanup",
    }
}

named! {
    /// What a histogram holds.
    Metric {
        /// done − intended of successful operations.
        Response = "response",
        /// done − sent of successful attempts.
        Service = "service",
        /// sent − ready of attempts that were sent.
        Wait = "wait",
        /// ready − intended: the generator's own fault.
        ScheduleLag = "schedule-lag",
        /// done − intended of failed operations.
        Error = "error",
    }
}

named! {
    /// What shows that a store has lost what it had acknowledged.
    LossKind {
        /// An answer's revision is lower than an earlier one's.
        Revision = "revision",
        /// Another cluster answers.
        Cluster = "cluster",
        /// A key is gone, without an etcd lease that may have ended.
        Vanished = "vanished",
        /// A key is older than its last acknowledged write.
        Older = "older",
        /// An etcd lease is gone before its time.
        Lease = "lease",
    }
}

/// One event. `t` is seconds since the run's t0 (negative never).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// First line: what this run is.
    Header(Box<Header>),
    /// A phase begins.
    Phase(PhaseEvent),
    /// Progress of populate, verify or cleanup.
    Progress(Progress),
    /// One second of load, or the part of one up to a phase's end.
    Interval(Interval),
    /// One intended second, fully answered or censored.
    Intended(IntendedRow),
    /// The generator's own behaviour, once a second.
    Client(ClientSample),
    /// One member's own metrics.
    Server(ServerSample),
    /// The host's counters.
    Host(HostSample),
    /// What an emulated medium did to one member's syncs.
    Medium(MediumSample),
    /// A member became reachable or unreachable.
    Member(MemberEvent),
    /// A store's compactor had its turn.
    Compactor(CompactorEvent),
    /// A member was defragmented.
    Defragmentation(DefragmentationEvent),
    /// The first failure of its class in a phase, to the millisecond; intervals count them all.
    Failure(FailureEvent),
    /// A guard stopped the run.
    Guard(GuardEvent),
    /// A remark for the reader of the result ("multi-op transactions of 128 refused, using 64").
    Note(Note),
    /// A store has lost what it had acknowledged; told when an answer shows it.
    Loss(LossEvent),
    /// What the sweep found.
    Verify(VerifyReport),
    /// What was deleted.
    Cleanup(CleanupReport),
    /// Last line.
    End(End),
}

/// First line of `events.jsonl`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Header {
    /// [`EVENTS_VERSION`].
    pub version: u32,
    /// etcdmark's own version.
    pub etcdmark: String,
    /// Run id.
    pub run_id: String,
    /// Workload name.
    pub workload: String,
    /// Plan hash.
    pub plan_hash: String,
    pub seed: u64,
    /// Wall instant from which names and creation times count, ns.
    pub epoch_unix_ns: u64,
    /// Wall instant of t = 0, ns.
    pub t0_unix_ns: u64,
    /// Which share of the plan, `w/W`.
    pub part: String,
    /// Key prefix.
    pub prefix: String,
    /// The effective workload, as JSON.
    pub plan: serde_json::Value,
    /// Stores and their members.
    pub stores: Vec<StoreInfo>,
    /// Op classes this plan can send, with limit and names.
    pub classes: Vec<ClassInfo>,
    /// Thresholds as written.
    pub thresholds: Vec<String>,
    /// An undecided threshold has failed, too.
    #[serde(default)]
    pub strict: bool,
    /// Primary metrics.
    pub primary: Vec<String>,
    /// The machine.
    pub environment: Environment,
    /// Experiment coordinates, when this run is a trial.
    pub experiment: Option<String>,
    pub arm: Option<String>,
    /// Block, from 1.
    pub block: Option<u32>,
    /// Trial, from 1, in the order of play.
    pub trial: Option<u32>,
    /// Place in its block, from 1.
    pub order: Option<u32>,
}

/// One store in the header.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StoreInfo {
    pub name: String,
    /// Resources routed to it.
    pub resources: Vec<String>,
    /// Cluster id, hex.
    pub cluster_id: String,
    /// Members.
    pub members: Vec<MemberInfo>,
    /// Started by etcdmark itself.
    pub local: bool,
    /// The command that deletes the run's keys; none where the store goes away with the run.
    #[serde(default)]
    pub cleanup: Option<String>,
}

/// One member in the header.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MemberInfo {
    pub name: String,
    /// Id, hex.
    pub id: String,
    /// Endpoint that is used.
    pub endpoint: String,
    /// etcd version.
    pub version: String,
    /// Leader at start.
    pub leader: bool,
    /// db file size at start, bytes.
    pub db_size: i64,
    /// Bytes in use at start.
    pub db_size_in_use: i64,
    /// Quota, bytes, where known.
    pub quota: Option<i64>,
    /// Data directory and file system of a local member.
    pub data_dir: Option<String>,
    /// File system of a local member.
    pub file_system: Option<String>,
    /// The storage medium that etcdmark emulates for a local member.
    #[serde(default)]
    pub medium: Option<MediumInfo>,
    /// The binary of a local member.
    #[serde(default)]
    pub binary: Option<BinaryInfo>,
}

/// An op class in the header.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClassInfo {
    /// `actor/step`.
    pub name: String,
    /// "Lease renewals".
    pub title: String,
    /// Verb.
    pub verb: String,
    /// Resource.
    pub resource: String,
    /// RPC.
    pub rpc: String,
    /// Store, or `*`: several, each with its own.
    pub store: String,
    /// Response-time limit, seconds.
    pub limit: f64,
    /// Closed loop: no response time.
    pub closed_loop: bool,
}

impl ClassInfo {
    /// In place of a store's name: no name may hold it.
    pub const EACH_STORE: &'static str = "*";

    /// The header's row of an op class.
    pub fn of(class: OpClass, store: &str, limit_ns: u64, closed_loop: bool) -> Self {
        let info = class.info();
        let verb: Verb = info.verb;
        let resource: Resource = info.resource;
        let rpc: Rpc = info.rpc;
        ClassInfo {
            name: info.name.to_owned(),
            title: info.title.to_owned(),
            verb: format!("{verb:?}").to_lowercase(),
            resource: resource.plural().to_owned(),
            rpc: rpc.method().to_owned(),
            store: store.to_owned(),
            limit: limit_ns as f64 / 1e9,
            closed_loop,
        }
    }
}

/// The machine that generates the load.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Environment {
    /// Host name.
    pub hostname: String,
    /// Kernel.
    pub kernel: String,
    /// CPU model.
    pub cpu_model: String,
    /// Cores this process may use: those of the client, where local etcds have cores of their own.
    pub cpus: u32,
    /// Which ones: `2-3`. Absent where the kernel does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cores: Option<Cores>,
    /// The cores of the etcds that etcdmark started: the same ones unless they were given their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd_cores: Option<Cores>,
    /// Memory, bytes.
    pub memory: u64,
    /// Kernel clock source; empty if unknown.
    pub clock_source: String,
    /// Engine threads.
    pub workers: u32,
    /// Wire.
    pub wire: String,
    /// Cores' worth of CPU time that its control group allows; none without a quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<f64>,
    /// etcd runs on the same cores.
    pub shares_cores_with_etcd: bool,
    /// Whether it does is not known of some etcd: its name has no address, or the way there is a virtual one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub etcd_place_unknown: bool,
}

/// A phase begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PhaseEvent {
    /// Seconds since t0.
    pub t: f64,
    pub phase: Phase,
}

/// Progress of a long phase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// Seconds since t0.
    pub t: f64,
    pub phase: Phase,
    /// Done so far.
    pub done: u64,
    /// In all.
    pub total: u64,
    /// "keys".
    pub unit: String,
}

/// One second of load, or the part of one up to where a phase ends, all workers together. Operations are counted in
/// the interval in which they happened (offered when the engine took them up, the rest by completion), under the
/// phase for which they were intended; those of the measure phase under `drain` once arrivals have ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Interval {
    /// Start, seconds since t0.
    pub t: f64,
    /// Length, seconds.
    pub length: f64,
    /// Phase.
    pub phase: Option<Phase>,
    /// Per op class (key: name).
    pub classes: BTreeMap<String, Counts>,
    /// Operations of all phases in flight at the end.
    pub in_flight: u64,
    /// Operations of all phases due and not yet sent at the end (cap or busy object).
    pub queued: u64,
}

/// What happened to the operations and attempts of one op class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Counts {
    /// Operations intended in this time.
    pub offered: u64,
    /// Operations that succeeded.
    pub ok: u64,
    /// Of these, past the limit.
    pub late: u64,
    /// Operations that failed for good.
    pub failed: u64,
    /// Operations dropped by an explicit rule (coalesced, skipped at the cap).
    pub skipped: u64,
    /// Operations unanswered at the drain deadline.
    pub censored: u64,
    /// RPCs sent.
    pub attempts: u64,
    /// Of these, answered by etcd (what `grpc_server_handled_total` counts).
    pub answered: u64,
    /// CAS attempts that lost.
    pub conflicts: u64,
    /// Revisions that acknowledged attempts made.
    pub revisions: u64,
    /// Request bytes (gRPC messages).
    pub bytes_sent: u64,
    /// Response bytes (gRPC messages).
    pub bytes_received: u64,
    /// Failed attempts by error class.
    pub errors: BTreeMap<String, ErrorCount>,
}

/// Failed attempts of one error class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ErrorCount {
    pub count: u64,
    /// What they did to the store.
    pub effect: Option<Effect>,
    /// One of the messages.
    pub message: String,
}

impl Counts {
    /// Adds another interval's or worker's counts.
    pub fn add(&mut self, other: &Counts) {
        self.offered += other.offered;
        self.ok += other.ok;
        self.late += other.late;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.censored += other.censored;
        self.attempts += other.attempts;
        self.answered += other.answered;
        self.conflicts += other.conflicts;
        self.revisions += other.revisions;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        for (class, e) in &other.errors {
            let mine = self.errors.entry(class.clone()).or_default();
            mine.count += e.count;
            mine.effect = mine.effect.or(e.effect);
            if mine.message.is_empty() {
                mine.message.clone_from(&e.message);
            }
        }
    }

    /// Operations that missed: late, failed, skipped, censored.
    pub fn misses(&self) -> u64 {
        self.late + self.failed + self.skipped + self.censored
    }
}

/// One intended second of one op class, written when every operation intended in it is answered or
/// censored: what a stall is drawn from. Each worker writes its own, and a further one for operations that it took
/// up late: rows of the same second and class are added.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IntendedRow {
    /// The intended second, seconds since t0.
    pub t: f64,
    /// The phase that it was intended in.
    #[serde(default)]
    pub phase: Option<Phase>,
    /// Op class.
    pub class: String,
    /// Intended in this second.
    pub offered: u64,
    /// Late, failed, skipped, censored.
    pub missed: u64,
    /// Largest response, ns.
    pub max: u64,
    /// Sparse 2-digit histogram of responses: (lower bound ns, count).
    pub histogram: Vec<(u64, u64)>,
}

impl IntendedRow {
    /// Adds its operations to those of its class.
    pub(crate) fn add_to(&self, blocks: &mut Blocks) {
        let second = self.t.max(0.0) as u64;
        blocks.add_row(second, self.offered, self.missed, &self.histogram);
    }
}

/// The generator's own behaviour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClientSample {
    /// Start of what was sampled, seconds since t0.
    pub t: f64,
    /// The phase then.
    pub phase: Option<Phase>,
    /// CPU seconds of this process since the last sample.
    pub cpu_seconds: f64,
    /// Wall seconds since the last sample.
    pub wall_seconds: f64,
    /// Workers' CPU seconds since the last sample, one each.
    pub worker_cpu_seconds: Vec<f64>,
    /// Resident set, bytes; none where it cannot be read.
    pub rss: Option<u64>,
    /// ∫ in-flight dt since the last sample, operation-seconds: attempts between being handed to the wire and
    /// their answer.
    pub in_flight_seconds: f64,
    /// The same from the other side: Σ of these times over the attempts, seconds (open ones pro rata, so that
    /// Little's law can be checked exactly).
    pub service_seconds: f64,
    /// tokio-metrics: time the workers' runtimes were busy since the last sample, seconds, one each.
    pub runtime_busy_seconds: Vec<f64>,
    /// tokio-metrics: times a runtime worker parked since the last sample.
    pub runtime_parks: u64,
    /// How far the wall clock has been stepped since the start, seconds.
    pub wall_jump: f64,
}

/// One member's own metrics at one instant (cumulative counters as etcd gives them; readers difference).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ServerSample {
    /// Seconds since t0.
    pub t: f64,
    pub store: String,
    /// Member (name, or the endpoint).
    pub member: String,
    /// Metric name → value, from a fixed list in the code; absent when the version lacks it.
    pub values: BTreeMap<String, f64>,
}

/// Host and local-process counters at one instant (cumulative).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HostSample {
    /// Seconds since t0.
    pub t: f64,
    /// `cpu.steal_seconds`, `psi.io.some_us`, `disk.vda.writes`, `etcd.m1.cpu_seconds` …
    pub values: BTreeMap<String, f64>,
}

/// What an emulated medium did to one member's syncs of one kind of file since the last sample.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MediumSample {
    /// Seconds since t0.
    pub t: f64,
    pub store: String,
    /// Member.
    pub member: String,
    /// `wal`, `db`; `unknown`: syncs that were not delayed since it could not be told what they were of.
    pub file: String,
    /// Syncs.
    pub syncs: u64,
    /// Σ of the times that the medium asked for, ns.
    pub asked_ns: u64,
    /// Σ of the delays imposed, ns.
    pub delayed_ns: u64,
    /// Syncs that take longer by themselves than the medium asked for.
    pub short: u64,
    /// Longest delay, ns.
    pub max: u64,
    /// Sparse 2-digit histogram of the delays: (lower bound ns, count).
    pub histogram: Vec<(u64, u64)>,
}

fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

/// A member's reachability changed.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MemberEvent {
    /// Seconds since t0.
    pub t: f64,
    pub store: String,
    pub endpoint: String,
    /// Reachable now.
    pub up: bool,
    pub reason: String,
    /// How long nothing had been heard of it by then, where it hangs: it has been down since `t` − `silent`. Seconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub silent: f64,
    /// How its process ended, if etcdmark started it: "killed by signal 9".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
}

/// A step of a store's compactor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompactorEvent {
    /// When it was answered or failed, seconds since t0.
    pub t: f64,
    pub store: String,
    /// `compactor/txn` or `compactor/compact`.
    pub class: String,
    /// Whether it was answered as it should be.
    pub answered: bool,
    /// This apiserver's compactor won the round.
    pub won: bool,
    /// The revision up to which it drops history; 0 = none (the first round, a lost one, an etcd that is not ours).
    pub revision: i64,
}

/// A member was defragmented, or should have been. It answers nothing meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DefragmentationEvent {
    /// When it was over or had failed, seconds since t0.
    pub t: f64,
    pub store: String,
    /// Member.
    pub member: String,
    /// It led its store when its turn came.
    pub leader: bool,
    /// How long it took, seconds.
    pub seconds: f64,
    /// The member's database file before, bytes; null = it did not say.
    pub size_before: Option<u64>,
    /// And after.
    pub size_after: Option<u64>,
    /// Why it failed; null = it did not.
    pub error: Option<String>,
}

/// A failed attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailureEvent {
    /// Seconds since t0.
    pub t: f64,
    /// Op class.
    pub class: String,
    /// Error class.
    pub error: String,
    /// The message.
    pub message: String,
}

/// A guard stopped the run.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GuardEvent {
    /// Seconds since t0.
    pub t: f64,
    /// Which (`quota`, `alarm`, `leader-change`, `quorum`, `threshold`).
    pub guard: String,
    pub store: String,
    /// What it saw, with the numbers.
    pub cause: String,
}

/// A remark.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Note {
    /// Seconds since t0.
    pub t: f64,
    /// `info` or `warning`.
    pub level: String,
    /// Text.
    pub text: String,
}

/// What one worker noticed of one kind of loss in one store within an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LossEvent {
    /// When it was noticed first, seconds since t0.
    pub t: f64,
    /// Store.
    pub store: String,
    /// Kind.
    pub kind: LossKind,
    /// How often it was noticed.
    pub times: u64,
    /// Acknowledged writes that are missing.
    pub writes: u64,
    /// The first: what was acknowledged, and what was found.
    pub example: String,
}

/// What the sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VerifyReport {
    /// Keys compared.
    pub keys: u64,
    /// Acknowledged writes of these keys, and those that were lost.
    pub acknowledged: u64,
    /// Acknowledged writes that are not in the store, or were not when an answer showed it: the run has failed.
    pub lost: u64,
    /// Of these, noticed before the sweep.
    #[serde(default)]
    pub lost_before: u64,
    /// Keys under the prefix that the engine never wrote.
    pub foreign: u64,
    /// Writes whose outcome was unknown.
    pub indeterminate: u64,
    /// Of these, found applied.
    pub indeterminate_applied: u64,
    /// Keys that their etcd lease removed.
    pub expired: u64,
    /// The first few discrepancies.
    pub examples: Vec<String>,
    /// Why the sweep says nothing of etcd: another process has had the run's lock, and may have deleted its keys.
    #[serde(default)]
    pub withdrawn: Option<String>,
    /// Why the sweep could not be done; then the other fields say nothing.
    pub incomplete: Option<String>,
    /// By store.
    #[serde(default)]
    pub sweeps: Vec<StoreSweep>,
}

/// The sweep of one store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StoreSweep {
    /// Store name.
    pub store: String,
    /// The highest revision that the store had answered with.
    #[serde(default)]
    pub acknowledged_revision: i64,
    /// The revision that was read.
    pub revision: i64,
    /// etcd leases that had removed keys by then.
    pub expired_leases: u64,
    /// Revisions that the run's lock made by then: an expiry after a stall, and being taken again.
    #[serde(default)]
    pub lock_revisions: i64,
    /// How often the lock was taken again: a LeaseGrant and a Txn each.
    #[serde(default)]
    pub lock_retaken: u64,
}

/// What was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CleanupReport {
    /// Keys deleted.
    pub keys: u64,
    /// Leases revoked.
    pub leases: u64,
    /// Keys that are left, with the command that removes them.
    pub left: Option<String>,
}

/// How the run ended.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct End {
    /// Seconds since t0.
    pub t: f64,
    /// `completed`, `interrupted`, `guard`, `failed`: what ended it.
    pub outcome: String,
    /// Why it failed.
    pub error: Option<String>,
    /// The user interrupted it as well, whatever else ended it.
    #[serde(default)]
    pub interrupted: bool,
    /// Revision of each store before the first and after the last write, by store name.
    pub revisions: BTreeMap<String, (i64, i64)>,
}
