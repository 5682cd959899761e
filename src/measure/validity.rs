//! Whether the generator itself kept up, so that the numbers speak of etcd. A pure judgement.
//!
//! What etcd causes is never held against the run: waits for the in-flight cap, busy objects or flow
//! control are not looked at, and a backlog or a shortfall means *saturated*, not *invalid*.

use serde::{Deserialize, Serialize};

/// Schedule lag p99 above this share of the response p99 (and [`LAG_FLOOR_NS`]) is doubtful.
pub const LAG_DOUBTFUL: f64 = 0.1;
/// Schedule lag p99 up to this is never doubtful, ns.
pub const LAG_FLOOR_NS: u64 = 2_000_000;
/// Schedule lag p99 above this share of the response p99 is invalid.
pub const LAG_INVALID: f64 = 0.5;
/// Below so many operations the p99 is their worst one, and one late wake-up makes a run doubtful at most.
pub const LAG_SAMPLES: u64 = 100;
/// Schedule lag p99 above this, ns, is invalid beside a response p99 of +∞: a generator that is late by half
/// the usual limit of 1 s had a share in the misses, whatever etcd did.
pub const LAG_MISSED_NS: u64 = 500_000_000;
/// Little's law may be off by this share.
pub const LITTLE_TOLERANCE: f64 = 0.05;
/// Below so many operation-seconds in flight, Little's law is not checked: rounding would decide.
pub const LITTLE_FLOOR_SECONDS: f64 = 0.05;
/// Share of its cores that the client may use.
pub const CLIENT_CPU: f64 = 0.7;
/// Share of the CPU time that the hypervisor may steal.
pub const STEAL: f64 = 0.02;
/// Share of the time a worker's runtime may be busy.
pub const RUNTIME_BUSY: f64 = 0.9;
/// How far the wall clock may be stepped during the run, seconds.
pub const WALL_JUMP_SECONDS: f64 = 0.5;
/// Achieved / offered below this is saturated.
pub const ACHIEVED: f64 = 0.99;
/// A backlog at the end above this many times its mean (and [`BACKLOG_FLOOR`] more) is saturated.
pub const BACKLOG: f64 = 2.0;
/// Operations by which a backlog may exceed its bound, and by which fewer than were offered may be answered within the phase: a
/// handful is chance, such as those in flight at its end.
pub const BACKLOG_FLOOR: f64 = 10.0;
/// Clock sources that are read without a system call.
pub const FAST_CLOCKS: [&str; 6] = [
    "tsc",
    "kvm-clock",
    "hyperv_clocksource_tsc_page",
    "arch_sys_counter",
    "riscv_clocksource",
    "timebase",
];

/// What is judged, all of the measure phase. What is not known is none, and not judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", default)]
pub struct ValidityInputs {
    /// 99th percentile of ready − intended over all sessions, ns. None for a closed loop.
    pub schedule_lag_p99: Option<u64>,
    /// Headline 99th percentile of done − intended over all operations, ns. None when more than 1 %
    /// missed, which makes it +∞.
    pub response_p99: Option<u64>,
    /// Operations offered. None for a closed loop.
    pub offered: Option<u64>,
    /// Of these, answered successfully within the phase, with what a steady load has in flight at its end.
    pub achieved: u64,
    /// And those that etcd answered with an error: too high a rate is not the reason.
    pub refused: u64,
    /// Members could not be reached, or a store failed: what is missing then says nothing of the rate.
    pub outage: bool,
    /// The user ended the run early.
    pub interrupted: bool,
    /// Operations due and not done at the end of the phase (in flight or queued).
    pub backlog_end: Option<u64>,
    /// Their time average over the phase.
    pub backlog_mean: Option<f64>,
    /// ∫ in-flight dt: operation-seconds between sent and done.
    pub in_flight_seconds: Option<f64>,
    /// Σ service time within the phase, seconds, open attempts pro rata: must be the same number.
    pub service_seconds: Option<f64>,
    /// Share of the cores that it may use that the client used, 0–1.
    pub client_cpu_share: Option<f64>,
    /// Busiest worker: share of the time that its runtime was busy, 0–1.
    pub runtime_busy_share: Option<f64>,
    /// Share of the host's CPU time that the hypervisor stole, 0–1.
    pub steal_share: Option<f64>,
    /// etcd runs on the client's cores.
    pub shares_cores_with_etcd: bool,
    /// Cores that the client may use.
    pub cpus: u32,
    /// Cores' worth of CPU time that it may use, if its control group has a quota.
    pub cpu_quota: Option<f64>,
    /// The kernel's clock source; empty if unknown.
    pub clock_source: String,
    /// Values above an hour, recorded as an hour.
    pub saturated_records: u64,
    /// Steps of the wall clock since the start, seconds (signed).
    pub wall_jump: Option<f64>,
}

/// The verdict over a run, in order of severity.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The numbers speak of etcd.
    #[default]
    Valid,
    /// They may speak of the generator or its machine as well.
    Doubtful,
    /// They speak of the generator: exit code 98.
    Invalid,
}

impl Verdict {
    /// As in files.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Doubtful => "doubtful",
            Verdict::Invalid => "invalid",
        }
    }
}

/// What was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Schedule lag p99 against response p99.
    ScheduleLag,
    /// Time-average in flight against rate × service time.
    LittlesLaw,
    /// CPU of the client against its cores.
    ClientCpu,
    /// How busy the busiest worker's runtime was.
    RuntimeBusy,
    /// CPU time stolen by the hypervisor.
    Steal,
    /// etcd on the same cores.
    SharedCores,
    /// The kernel's clock source.
    ClockSource,
    /// Values beyond the histograms' range.
    HistogramRange,
    /// Steps of the wall clock.
    WallClock,
    /// Achieved against offered.
    AchievedRate,
    /// Backlog at the end against its mean.
    Backlog,
}

/// A check that did not pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Reason {
    pub check: Check,
    /// What it makes of the run; `valid` for those that only say *saturated*.
    pub verdict: Verdict,
    /// What was measured.
    pub measured: f64,
    /// What it is held against.
    pub bound: f64,
    /// Unit of both: `share`, `ns`, `operations`, `seconds`, `count`.
    pub unit: String,
    /// One clause for people: "shares 2 cores with etcd".
    pub text: String,
    /// What to change.
    pub what_to_change: String,
}

/// Whether the results reflect etcd's performance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Validity {
    /// The worst of the reasons' verdicts.
    pub verdict: Verdict,
    /// etcd did not carry what was offered: say so before any percentile.
    pub saturated: bool,
    /// Worst first.
    pub reasons: Vec<Reason>,
    /// What could not be checked, because it could not be read.
    #[serde(default)]
    pub unchecked: Vec<Check>,
    /// What was judged.
    pub inputs: ValidityInputs,
}

/// Judges.
pub fn judge(inputs: &ValidityInputs) -> Validity {
    let i = inputs;
    let explained = i.outage || i.interrupted;
    let saturation = [achieved(i), backlog(i)].map(|r| r.filter(|_| !explained));
    let saturated = saturation.iter().any(Option::is_some);
    let checks = [
        schedule_lag(i),
        littles_law(i),
        client_cpu(i),
        runtime_busy(i),
        steal(i),
        shared_cores(i),
        clock_source(i),
        histogram_range(i),
        wall_clock(i),
    ];
    let mut reasons: Vec<Reason> = checks.into_iter().chain(saturation).flatten().collect();
    // Stable: the order of the checks stays among equals.
    reasons.sort_by_key(|r| std::cmp::Reverse(r.verdict));
    let verdict = reasons.iter().map(|r| r.verdict).max().unwrap_or_default();
    Validity {
        verdict,
        saturated,
        reasons,
        unchecked: unchecked(i),
        inputs: inputs.clone(),
    }
}

/// Checks for which this machine did not tell enough. What a load may lack, such as response times, is no check of it.
fn unchecked(i: &ValidityInputs) -> Vec<Check> {
    [
        (Check::ClientCpu, i.client_cpu_share.is_none()),
        (Check::Steal, i.steal_share.is_none()),
        (Check::ClockSource, i.clock_source.is_empty()),
    ]
    .into_iter()
    .filter_map(|(check, unknown)| unknown.then_some(check))
    .collect()
}

fn schedule_lag(i: &ValidityInputs) -> Option<Reason> {
    let lag = i.schedule_lag_p99?;
    let Some(response) = i.response_p99 else {
        return lag_beside_misses(lag);
    };
    let share = lag as f64 / (response as f64).max(1.0);
    let enough = i.offered.is_none_or(|n| n >= LAG_SAMPLES);
    let (verdict, bound) = if share > LAG_INVALID && enough {
        (Verdict::Invalid, LAG_INVALID * response as f64)
    } else if share > LAG_DOUBTFUL && lag > LAG_FLOOR_NS {
        (
            Verdict::Doubtful,
            (LAG_DOUBTFUL * response as f64).max(LAG_FLOOR_NS as f64),
        )
    } else {
        return None;
    };
    Some(Reason {
        check: Check::ScheduleLag,
        verdict,
        measured: lag as f64,
        bound,
        unit: "ns".into(),
        text: format!(
            "the generator was late: schedule lag p99 {:.1} ms is {} of the response p99 {:.1} ms",
            lag as f64 / 1e6,
            percent(share),
            response as f64 / 1e6
        ),
        what_to_change:
            "give etcdmark its own cores, lower the rate, or raise --workers if cores are idle"
                .into(),
    })
}

/// A p99 of +∞ is etcd's doing, and no usual lag counts beside it; one that alone makes an operation late does.
fn lag_beside_misses(lag: u64) -> Option<Reason> {
    (lag > LAG_MISSED_NS).then(|| Reason {
        check: Check::ScheduleLag,
        verdict: Verdict::Invalid,
        measured: lag as f64,
        bound: LAG_MISSED_NS as f64,
        unit: "ns".into(),
        text: format!(
            "the generator was late: schedule lag p99 {:.1} ms, so etcd did not cause all misses",
            lag as f64 / 1e6
        ),
        what_to_change:
            "lower the rate, give etcdmark its own cores, or raise --workers if cores are idle"
                .into(),
    })
}

fn littles_law(i: &ValidityInputs) -> Option<Reason> {
    let (held, served) = (i.in_flight_seconds?, i.service_seconds?);
    if held.max(served) < LITTLE_FLOOR_SECONDS {
        return None;
    }
    // Bounded, and a NaN made a number: JSON has neither NaN nor infinity.
    let off = ((held - served).abs() / held).min(1e6);
    if off <= LITTLE_TOLERANCE {
        return None;
    }
    Some(Reason {
        check: Check::LittlesLaw,
        verdict: Verdict::Invalid,
        measured: off,
        bound: LITTLE_TOLERANCE,
        unit: "share".into(),
        text: format!(
            "Little's law is off by {}: {held:.3} operation-seconds in flight, {served:.3} s of service time",
            percent(off)
        ),
        what_to_change: "report this bug with events.jsonl: etcdmark miscounted".into(),
    })
}

fn client_cpu(i: &ValidityInputs) -> Option<Reason> {
    share_above(
        Check::ClientCpu,
        i.client_cpu_share?,
        CLIENT_CPU,
        |s| format!("etcdmark used {s} of its {}", cores(i.cpus, i.cpu_quota)),
        "give etcdmark more cores or lower the rate",
    )
}

fn runtime_busy(i: &ValidityInputs) -> Option<Reason> {
    share_above(
        Check::RuntimeBusy,
        i.runtime_busy_share?,
        RUNTIME_BUSY,
        |s| format!("a worker was busy {s} of the time"),
        "raise --workers if cores are idle, or lower the rate",
    )
}

fn steal(i: &ValidityInputs) -> Option<Reason> {
    share_above(
        Check::Steal,
        i.steal_share?,
        STEAL,
        |s| format!("the hypervisor took {s} of the CPU time"),
        "use a machine with dedicated cores",
    )
}

/// `2 cores`, or what a quota leaves of them: `1.5 of 4 cores (CPU quota)`.
pub fn cores(cpus: u32, quota: Option<f64>) -> String {
    let all = match cpus {
        0 => "cores".to_owned(),
        1 => "1 core".to_owned(),
        n => format!("{n} cores"),
    };
    match quota {
        Some(q) if cpus == 0 || q < f64::from(cpus) => {
            let q = (q * 100.0).round() / 100.0;
            format!("{q} of {all} (CPU quota)")
        }
        _ => all,
    }
}

fn shared_cores(i: &ValidityInputs) -> Option<Reason> {
    let cores = cores(i.cpus, i.cpu_quota);
    i.shares_cores_with_etcd.then(|| Reason {
        check: Check::SharedCores,
        verdict: Verdict::Doubtful,
        measured: i
            .cpu_quota
            .map_or(f64::from(i.cpus), |q| q.min(f64::from(i.cpus))),
        bound: 0.0,
        unit: "count".into(),
        text: format!("shares {cores} with etcd"),
        what_to_change:
            "run etcd on another machine (--endpoints), or give both different cores (taskset; for containers docker update --cpuset-cpus)"
                .into(),
    })
}

fn clock_source(i: &ValidityInputs) -> Option<Reason> {
    let slow = !i.clock_source.is_empty() && !FAST_CLOCKS.contains(&i.clock_source.as_str());
    slow.then(|| Reason {
        check: Check::ClockSource,
        verdict: Verdict::Doubtful,
        measured: 1.0,
        bound: 0.0,
        unit: "count".into(),
        text: format!(
            "the clock source is {}, which is slow or coarse",
            i.clock_source
        ),
        what_to_change:
            "select tsc in /sys/devices/system/clocksource/clocksource0/current_clocksource".into(),
    })
}

fn histogram_range(i: &ValidityInputs) -> Option<Reason> {
    (i.saturated_records > 0).then(|| Reason {
        check: Check::HistogramRange,
        verdict: Verdict::Doubtful,
        measured: i.saturated_records as f64,
        bound: 0.0,
        unit: "count".into(),
        text: format!(
            "{} values above one hour were recorded as one hour",
            i.saturated_records
        ),
        what_to_change: "lower the rate or shorten the run".into(),
    })
}

fn wall_clock(i: &ValidityInputs) -> Option<Reason> {
    let jump = i.wall_jump?;
    (jump.abs() > WALL_JUMP_SECONDS).then(|| Reason {
        check: Check::WallClock,
        verdict: Verdict::Doubtful,
        measured: jump,
        bound: WALL_JUMP_SECONDS,
        unit: "seconds".into(),
        text: format!(
            "the wall clock jumped by {jump:.3} s: latencies are correct, times of day are not"
        ),
        what_to_change: "wait until time synchronization has settled".into(),
    })
}

fn achieved(i: &ValidityInputs) -> Option<Reason> {
    let offered = i.offered.filter(|&n| n > 0)?;
    let share = i.achieved as f64 / offered as f64;
    let answered = i.achieved + i.refused;
    let short = offered.saturating_sub(answered) as f64;
    let chance = i
        .backlog_end
        .map_or(0.0, |end| (end as f64).min(BACKLOG_FLOOR));
    (short - chance > (1.0 - ACHIEVED) * offered as f64).then(|| Reason {
        check: Check::AchievedRate,
        verdict: Verdict::Valid,
        measured: share,
        bound: ACHIEVED,
        unit: "share".into(),
        text: format!(
            "{} of the {offered} offered operations were completed in time",
            percent(share)
        ),
        what_to_change: "lower the rate to find the rate that this etcd sustains".into(),
    })
}

fn backlog(i: &ValidityInputs) -> Option<Reason> {
    let (end, mean) = (i.backlog_end? as f64, i.backlog_mean?);
    let bound = BACKLOG * mean + BACKLOG_FLOOR;
    (end > bound).then(|| Reason {
        check: Check::Backlog,
        verdict: Verdict::Valid,
        measured: end,
        bound,
        unit: "operations".into(),
        text: format!("the backlog grew: {end:.0} operations at the end, {mean:.1} on average"),
        what_to_change: "lower the rate, or run longer to see whether it drains".into(),
    })
}

fn share_above(
    check: Check,
    measured: f64,
    bound: f64,
    text: impl Fn(&str) -> String,
    what_to_change: &str,
) -> Option<Reason> {
    (measured > bound).then(|| Reason {
        check,
        verdict: Verdict::Doubtful,
        measured,
        bound,
        unit: "share".into(),
        text: text(&percent(measured)),
        what_to_change: what_to_change.into(),
    })
}

fn percent(share: f64) -> String {
    let p = share * 100.0;
    if p.abs() < 10.0 {
        format!("{p:.1} %")
    } else {
        format!("{p:.0} %")
    }
}

#[cfg(test)]
mod tests;
