//! `etcdmark quota-plan`'s answer: from what was seen of a store to when it is full and which quota it needs. Pure.

mod text;

pub use text::render;

use crate::etcd::quota::{DEFAULT, Quota};
use crate::measure::quota_model::{Growth, Share, bytes_per_revision};
use crate::store::segments::is_events;
use crate::store::survey::{ResourceKeys, Survey};
use std::collections::BTreeMap;

/// Version of the JSON.
pub const QUOTA_PLAN_VERSION: u32 = 1;
/// Quotas to choose from, bytes: etcd's default up to what etcd warns above (`server/storage/quota.go`).
const CHOICES: [i64; 3] = [2 << 30, 4 << 30, 8 << 30];
/// How long an Event lives, seconds: kube-apiserver's `--event-ttl` of 1 h, and up to 60 s of its lease's reuse.
const EVENT_LIFE: f64 = 3660.0;
/// What takes longer by the growth of a minute is noise, seconds.
pub const YEAR: f64 = 365.0 * 86_400.0;
/// The file's peak should leave as much again: a rate that doubles, or a round that the compactor misses.
const RESERVE: f64 = 2.0;

/// The answer for each etcd.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaPlan {
    /// [`QUOTA_PLAN_VERSION`].
    pub version: u32,
    /// The main etcd, then those of `--overrides`.
    pub stores: Vec<StorePlan>,
}

/// One etcd: what it holds, what is written to it, and what follows.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorePlan {
    /// `main`, or the resources that --overrides routes there.
    pub store: String,
    /// The answer in a sentence.
    pub summary: String,
    /// Cluster id, hex.
    pub cluster_id: String,
    /// etcd version of the first member that answered.
    pub etcd: String,
    /// Alarms that are raised.
    pub alarms: Vec<String>,
    /// The quota, bytes; null = switched off.
    pub quota_bytes: Option<i64>,
    /// Whether the quota is etcd's default, assumed since this etcd does not say it.
    pub quota_assumed: bool,
    /// The file, bytes: what etcd compares with the quota. The largest of the members.
    pub db_size: i64,
    /// Of it in use, bytes; the rest is used again before the file grows.
    pub db_size_in_use: i64,
    /// How long writes were watched, seconds.
    pub window_seconds: f64,
    /// Puts and deletes in that time.
    pub writes: u64,
    /// The same per second: r.
    pub writes_per_second: f64,
    /// Bytes of the file that one of them takes, by the model: b.
    pub bytes_per_write: f64,
    /// r × b × 3,600 s: bytes by which the store grows in an hour when nothing is compacted.
    pub growth_per_hour: f64,
    /// The same by resource, the fastest first.
    pub resources: Vec<ResourceGrowth>,
    /// By how much what is in use grew in the window, bytes, as etcd says; null when compaction or a restart hides it.
    pub measured_growth: Option<i64>,
    /// The same by the model, bytes.
    pub modelled_growth: f64,
    /// Estimate of what compaction cannot free, bytes: keys × bytes of a sample, at most what is in use.
    pub live_bytes: f64,
    /// By how much more will be alive once Events have been created at this rate for as long as they live, bytes.
    pub events_to_come_bytes: f64,
    /// By how much what is alive grows in an hour at this rate of creates and deletes, Events left out, bytes.
    pub live_growth_per_hour: f64,
    /// Rounds that kube-apiserver's compactor has made here; null = it has never been here.
    pub compactor_rounds: Option<i64>,
    /// Its interval, seconds, as assumed or given: I.
    pub compaction_interval_seconds: f64,
    /// Seconds until the quota is reached when nothing is compacted: (Q − in use) / (r × b). Null = never.
    pub time_to_full_seconds: Option<f64>,
    /// The same with kube-apiserver's compactor at work. Null = never, at this rate.
    pub time_to_full_compacted_seconds: Option<f64>,
    /// What is in use at the most with the compactor at work, bytes: live + Events to come + 2 × I × r × b.
    pub peak_bytes: f64,
    /// The rate at which that peak reaches the quota, writes per second: (Q − live − Events to come) / (2 × I × b), b
    /// being that of this rate: the more writes, the fuller the pages.
    pub critical_writes_per_second: Option<f64>,
    /// The quota to set, bytes (`--quota-backend-bytes`).
    pub advised_quota_bytes: i64,
    /// Why, and what else to do.
    pub advice: Vec<String>,
    /// What could not be seen, and why.
    pub notes: Vec<String>,
}

/// What is written of one resource.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceGrowth {
    /// As it is after `/registry/`.
    pub resource: String,
    /// Keys that are there; null when they could not be counted.
    pub keys: Option<i64>,
    /// Keys that came into being, per second.
    pub creates_per_second: f64,
    /// Keys that were written again, per second.
    pub updates_per_second: f64,
    /// Keys that were deleted or expired, per second.
    pub deletes_per_second: f64,
    /// Its part of the growth per hour, bytes: by the bytes of its elements.
    pub growth_per_hour: f64,
    /// The same as a share of all, 0–1.
    pub share: f64,
}

/// What is known of an etcd besides its survey.
#[derive(Clone, Debug)]
pub struct EtcdFacts {
    /// The store's name.
    pub store: String,
    /// Cluster id, hex.
    pub cluster_id: String,
    pub etcd: String,
    /// The quota.
    pub quota: Quota,
    /// Alarms that are raised.
    pub alarms: Vec<String>,
    /// What could not be seen so far.
    pub notes: Vec<String>,
}

/// The plan of one etcd; `interval` is the compactor's, seconds.
pub fn plan(known: EtcdFacts, survey: &Survey, interval: f64) -> StorePlan {
    let seconds = survey.seconds.max(1e-9);
    let mut all: BTreeMap<u64, u64> = BTreeMap::new();
    for resource in survey.resources.values() {
        add(&mut all, &resource.elements);
    }
    let writes: u64 = all.values().sum();
    let rate = writes as f64 / seconds;
    let bytes = bytes_per_revision(&shares(&all), rate);
    let (_, db_size, in_use) = survey.sizes.last().copied().unwrap_or_default();
    let (mut live, mut live_rate, mut to_come) = (0.0, 0.0, 0.0);
    for (name, resource) in &survey.resources {
        let each = bytes_per_revision(&shares(stored(resource)), rate);
        let alive = resource.keys.unwrap_or(0) as f64 * each;
        live += alive;
        let creates = resource.creates as f64 / seconds;
        if is_events(name) {
            to_come += (creates * EVENT_LIFE * each - alive).max(0.0);
        } else {
            live_rate += (creates - resource.deletes as f64 / seconds) * each;
        }
    }
    let live = live.min(in_use as f64);
    let growth = Growth {
        quota: known.quota.limit().map_or(f64::INFINITY, |q| q as f64),
        used: in_use as f64,
        live: live + to_come,
        rate,
        bytes,
        live_rate,
    };
    let finite = |t: Option<f64>| t.filter(|t| t.is_finite());
    let mut plan = StorePlan {
        store: known.store,
        cluster_id: known.cluster_id,
        etcd: known.etcd,
        alarms: known.alarms,
        quota_bytes: match known.quota {
            Quota::Known(b) => Some(b),
            Quota::Assumed => Some(DEFAULT),
            Quota::Off => None,
        },
        quota_assumed: known.quota == Quota::Assumed,
        db_size,
        db_size_in_use: in_use,
        window_seconds: survey.seconds,
        writes,
        writes_per_second: growth.rate,
        bytes_per_write: bytes,
        growth_per_hour: growth.rate * bytes * 3600.0,
        measured_growth: measured(survey),
        modelled_growth: writes as f64 * bytes,
        live_bytes: live,
        events_to_come_bytes: to_come,
        live_growth_per_hour: live_rate * 3600.0,
        compactor_rounds: survey.compactor.map(|(rounds, _)| rounds),
        compaction_interval_seconds: interval,
        time_to_full_seconds: finite(growth.time_to_full()),
        time_to_full_compacted_seconds: finite(growth.time_to_full_compacted(interval)),
        peak_bytes: growth.peak(interval),
        critical_writes_per_second: finite(critical_rate(&growth, &shares(&all), interval)),
        notes: known.notes,
        ..StorePlan::default()
    };
    plan.resources = by_resource(survey, plan.growth_per_hour);
    plan.notes.extend(survey.notes.iter().cloned());
    let made = u64::try_from(survey.revisions.1 - survey.revisions.0).unwrap_or(0);
    if survey.seen < made {
        plan.notes.push(format!(
            "{} of {made} revisions in the window were not visible to this user and are not counted",
            made - survey.seen
        ));
    }
    advise(&mut plan);
    plan
}

/// At another rate a write takes other bytes: each round comes nearer.
fn critical_rate(growth: &Growth, mix: &[Share], interval: f64) -> Option<f64> {
    let mut growth = *growth;
    for _ in 0..4 {
        let rate = growth.critical_rate(interval)?;
        growth.bytes = bytes_per_revision(mix, rate);
    }
    growth.critical_rate(interval)
}

fn add(all: &mut BTreeMap<u64, u64>, more: &BTreeMap<u64, u64>) {
    for (size, n) in more {
        *all.entry(*size).or_default() += n;
    }
}

fn shares(sizes: &BTreeMap<u64, u64>) -> Vec<Share> {
    let share = |(size, n): (&u64, &u64)| Share {
        weight: *n as f64,
        size: *size,
    };
    sizes.iter().map(share).collect()
}

/// Sizes of a resource's stored keys: the sample's, else those of its writes.
fn stored(resource: &ResourceKeys) -> &BTreeMap<u64, u64> {
    if resource.sample.is_empty() {
        &resource.elements
    } else {
        &resource.sample
    }
}

/// By how much what is in use grew. Compaction frees pages in the background, so a fall or a round of the compactor
/// leaves nothing to compare.
fn measured(survey: &Survey) -> Option<i64> {
    let (first, last) = (survey.sizes.first()?, survey.sizes.last()?);
    let fell = survey.sizes.windows(2).any(|w| w[1].2 < w[0].2 - (1 << 20));
    (!fell && survey.compactor_rounds == 0).then_some(last.2 - first.2)
}

fn by_resource(survey: &Survey, growth: f64) -> Vec<ResourceGrowth> {
    let seconds = survey.seconds.max(1e-9);
    let bytes = |r: &ResourceKeys| r.elements.iter().map(|(size, n)| size * n).sum::<u64>() as f64;
    let all: f64 = survey.resources.values().map(bytes).sum();
    let rate = |n: u64| n as f64 / seconds;
    let mut rows: Vec<ResourceGrowth> = survey
        .resources
        .iter()
        .map(|(name, r)| {
            let share = if all > 0.0 { bytes(r) / all } else { 0.0 };
            ResourceGrowth {
                resource: name.clone(),
                keys: r.keys,
                creates_per_second: rate(r.creates),
                updates_per_second: rate(r.updates),
                deletes_per_second: rate(r.deletes),
                growth_per_hour: growth * share,
                share,
            }
        })
        .collect();
    rows.sort_by(|a, b| {
        b.share
            .total_cmp(&a.share)
            .then_with(|| b.keys.cmp(&a.keys))
    });
    rows
}

/// Which quota, and why.
fn advise(plan: &mut StorePlan) {
    use crate::human::numbers::{bytes, percent, seconds};
    let need = RESERVE * plan.peak_bytes;
    let largest = CHOICES[CHOICES.len() - 1];
    let enough = CHOICES.into_iter().find(|q| *q as f64 >= need);
    let keep = plan
        .quota_bytes
        .filter(|q| *q as f64 >= need && *q <= largest);
    plan.advised_quota_bytes = keep.or(enough).unwrap_or(largest);
    let interval = seconds(plan.compaction_interval_seconds);
    let set = match keep {
        Some(q) => format!("keep the quota of {}", bytes(q as f64)),
        None => format!(
            "set the quota to {}",
            bytes(plan.advised_quota_bytes as f64)
        ),
    };
    let peak = bytes(plan.peak_bytes);
    plan.advice.push(match keep.or(enough) {
        Some(q) => format!(
            "{set} (--quota-backend-bytes={q} on every member): with kube-apiserver's compactor every \
             {interval}, up to {peak} are in use; the same again is reserve for a doubled rate or a missed compaction"
        ),
        None => format!(
            "twice the peak of {peak} exceeds {}, etcd's suggested maximum: compact more often (kube-apiserver \
             --etcd-compaction-interval) or move resources to a separate etcd",
            bytes(largest as f64)
        ),
    });
    if let Some(top) = plan
        .resources
        .first()
        .filter(|r| r.share >= 0.3 && enough.is_none_or(|q| q > CHOICES[0]))
    {
        plan.advice.push(format!(
            "{} cause {} of the growth: kube-apiserver --etcd-servers-overrides moves them to a separate etcd",
            top.resource,
            percent(top.share)
        ));
    }
    let free = plan.db_size - plan.db_size_in_use;
    if free > plan.db_size / 2 && free > 100 << 20 {
        plan.advice.push(format!(
            "{} of the file are free: to return them to the disk, defragment one member at a time",
            bytes(free as f64)
        ));
    }
    if plan.compactor_rounds.is_none() && plan.writes > 0 {
        plan.advice.push(
            "no kube-apiserver has compacted this etcd (it has no key compact_rev_key): unless etcd compacts \
             itself (--auto-compaction-retention), use the time without compaction"
                .to_owned(),
        );
    }
    plan.summary = summary(plan, &set);
}

fn summary(plan: &StorePlan, set: &str) -> String {
    use crate::human::numbers::{bytes, percent, seconds};
    let in_use = bytes(plan.db_size_in_use as f64);
    if plan.alarms.iter().any(|a| a.contains("NOSPACE")) {
        return format!(
            "this etcd is full: the alarm NOSPACE is raised and writes fail; free space (etcdctl compact, \
             defrag, alarm disarm), then {set}"
        );
    }
    let Some(quota) = plan.quota_bytes else {
        return format!(
            "no quota is set, {in_use} in use: nothing stops the file from filling the disk; {set}"
        );
    };
    let of = bytes(quota as f64);
    let uncompacted = plan.time_to_full_seconds.map(seconds);
    let without = uncompacted
        .as_ref()
        .map_or("never full at this rate".to_owned(), |t| {
            format!("full in {t} if nothing compacts")
        });
    if plan.writes == 0 {
        return format!("{in_use} of {of} in use, and nothing was written in the window; {set}");
    }
    let peak = plan.peak_bytes / quota as f64;
    let compacted = plan.time_to_full_compacted_seconds;
    match compacted.filter(|t| *t <= YEAR) {
        Some(t) if peak >= 1.0 => format!(
            "the quota of {of} is too small for this traffic: full in {}, before kube-apiserver's compactor frees \
             enough; {set}",
            seconds(t)
        ),
        Some(t) => format!(
            "{in_use} of {of} in use; full in {} if live data keeps growing at this rate, {without}; {set}",
            seconds(t)
        ),
        None => format!(
            "{in_use} of {of} in use; never full with kube-apiserver's compactor (peak {}), {without}; {set}",
            percent(peak)
        ),
    }
}

/// The answer as JSON.
///
/// # Errors
/// Never in practice: the types are plain.
pub fn json(plan: &QuotaPlan) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(plan).map(|t| t + "\n")
}

/// JSON Schema of [`json`].
///
/// # Errors
/// As [`json`].
pub fn schema() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&schemars::schema_for!(QuotaPlan)).map(|t| t + "\n")
}

#[cfg(test)]
mod tests;
