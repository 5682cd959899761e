//! `etcdmark quota-plan`'s answer: from what was seen of a store to when it is full and which quota it needs. Pure.

mod advice;
mod text;

pub use advice::is_full;
pub use text::render;

use crate::etcd::quota::{DEFAULT, Quota};
use crate::measure::quota_model::{Growth, Share, bytes_per_revision};
use crate::store::segments::is_events;
use crate::store::survey::{EndedEarly, ResourceKeys, Survey};
use std::collections::BTreeMap;

/// Version of the JSON.
pub const QUOTA_PLAN_VERSION: u32 = 2;
/// How long an Event lives, seconds: kube-apiserver's `--event-ttl` of 1 h, and up to 60 s of its lease's reuse.
const EVENT_LIFE: f64 = 3660.0;
/// What takes longer by the growth of a minute is noise, seconds.
pub const YEAR: f64 = 365.0 * 86_400.0;
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
    /// Why there is no whole window, and so no forecast or one of less; null = all was seen.
    pub incomplete: Option<String>,
    /// Alarms that are raised; null = they could not be read.
    pub alarms: Option<Vec<String>>,
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
    /// Revisions of that time that this user may not see: they are in none of these figures.
    pub unseen_revisions: u64,
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
    /// Rounds that kube-apiserver's compactor has made here; null = it has never been here, or its key could not be read.
    pub compactor_rounds: Option<i64>,
    /// Why the key of kube-apiserver's compactor could not be read; null = it could.
    pub compactor_unread: Option<String>,
    /// Up to which revision the history is compacted, by whomever; 0 = never, null = not known.
    pub compacted_revision: Option<i64>,
    /// Revisions since then.
    pub revisions_since_compaction: Option<i64>,
    /// Its interval, seconds, as assumed or given: I.
    pub compaction_interval_seconds: f64,
    /// Seconds until the quota is reached when nothing is compacted: (Q − in use) / (r × b). Null = never, or
    /// no forecast (`advisedQuotaBytes` is null).
    pub time_to_full_seconds: Option<f64>,
    /// The same with kube-apiserver's compactor at work. Null = never, at this rate, or no forecast.
    pub time_to_full_compacted_seconds: Option<f64>,
    /// What is in use at the most with the compactor at work, bytes: live + Events to come + 2 × I × r × b.
    pub peak_bytes: f64,
    /// The rate at which that peak reaches the quota, writes per second: (Q − live − Events to come) / (2 × I × b), b
    /// being that of this rate: the more writes, the fuller the pages.
    pub critical_writes_per_second: Option<f64>,
    /// The quota to set, bytes (`--quota-backend-bytes`); null where the window says nothing of the usual traffic: nothing
    /// was written, etcd was lost, or the store is full.
    pub advised_quota_bytes: Option<i64>,
    /// Why, and what else to do.
    pub advice: Vec<String>,
    /// What could not be seen, and why.
    pub notes: Vec<String>,
    /// Not all keys were counted.
    #[serde(skip)]
    pub uncounted: bool,
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
    /// Alarms that are raised; None: not known.
    pub alarms: Option<Vec<String>>,
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
    let live = match survey.uncounted {
        // All of it may be alive.
        Some(_) => in_use as f64,
        None => live.min(in_use as f64),
    };
    let growth = Growth {
        quota: known.quota.limit().map_or(f64::INFINITY, |q| q as f64),
        used: in_use as f64,
        live: live + to_come,
        rate,
        bytes,
        live_rate,
    };
    let finite = |t: Option<f64>| t.filter(|t| t.is_finite());
    let incomplete = match &survey.ended_early {
        None | Some(EndedEarly::Enough) => None,
        Some(EndedEarly::Interrupted) => Some("interrupted".to_owned()),
        Some(EndedEarly::Lost(why)) => Some(why.clone()),
    };
    let compacted = survey.compacted.map(|(_, last)| last);
    let mut plan = StorePlan {
        incomplete,
        compacted_revision: compacted,
        revisions_since_compaction: compacted.map(|last| survey.revisions.1 - last),
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
        compactor_unread: survey.compactor_unread.clone(),
        unseen_revisions: u64::try_from(survey.revisions.1 - survey.revisions.0)
            .unwrap_or(0)
            .saturating_sub(survey.seen),
        compaction_interval_seconds: interval,
        time_to_full_seconds: finite(growth.time_to_full()),
        time_to_full_compacted_seconds: finite(growth.time_to_full_compacted(interval)),
        peak_bytes: growth.peak(interval),
        critical_writes_per_second: finite(critical_rate(&growth, &shares(&all), interval)),
        notes: known.notes,
        uncounted: survey.uncounted.is_some(),
        ..StorePlan::default()
    };
    plan.resources = by_resource(survey, plan.growth_per_hour);
    plan.notes.extend(survey.notes.iter().cloned());
    let unseen = plan.unseen_revisions;
    if unseen > 0 {
        plan.notes.push(format!(
            "{unseen} of {} revisions in the window were not visible to this user and are not counted",
            unseen + survey.seen
        ));
    }
    if let Some(why) = &survey.uncounted {
        let grant = match why.contains("permission denied") {
            true => "; to grant this: etcdctl role grant-permission ROLE --prefix=true read ''",
            false => "",
        };
        plan.notes.push(format!(
            "not all keys could be counted ({why}): all that is in use counts as live{grant}"
        ));
    }
    if survey.ended_early == Some(EndedEarly::Enough) {
        let seconds = crate::human::numbers::seconds(survey.seconds);
        plan.notes.push(format!(
            "the window ended after {seconds}: enough writes were seen"
        ));
    }
    if let Some(EndedEarly::Lost(why)) = &survey.ended_early {
        no_forecast(&mut plan, why, survey.window);
        return plan;
    }
    let stopped = survey.compactor.is_some()
        && survey.compactor_rounds == 0
        && survey.seconds > 1.2 * interval;
    advice::advise(&mut plan, stopped);
    if survey.ended_early == Some(EndedEarly::Interrupted) {
        use crate::human::numbers::seconds;
        let (seen, window) = (seconds(survey.seconds), seconds(survey.window));
        plan.summary = format!("interrupted after {seen} of {window}: {}", plan.summary);
    }
    plan
}

/// Of an etcd that was lost in the window nothing is known that a forecast could be made of.
fn no_forecast(plan: &mut StorePlan, why: &str, window: f64) {
    use crate::human::numbers::{bytes, seconds};
    plan.time_to_full_seconds = None;
    plan.time_to_full_compacted_seconds = None;
    plan.critical_writes_per_second = None;
    plan.summary = format!(
        "incomplete: etcd was lost after {} of {} ({why}): no forecast, because it is not known what was written then; when \
         it last answered, the file had {}, {} in use",
        seconds(plan.window_seconds),
        seconds(window),
        bytes(plan.db_size as f64),
        bytes(plan.db_size_in_use as f64)
    );
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
