//! Which quota, and why; the answer in a sentence, which begins with what is known.

use super::{StorePlan, YEAR};
use crate::human::numbers::{bytes, count, percent, seconds, things};

/// Quotas to choose from, bytes: etcd's default up to what etcd warns above (`server/storage/quota.go`).
const CHOICES: [i64; 3] = [2 << 30, 4 << 30, 8 << 30];
/// The file's peak should leave as much again: a rate that doubles, or a round that the compactor misses.
const RESERVE: f64 = 2.0;

/// Whether and by whom history is compacted, as far as can be seen.
enum Compaction {
    /// kube-apiserver's compactor has been here.
    Kubernetes,
    /// It has, and made no round in a window that is longer than its interval.
    Stopped,
    /// Somebody else compacted: an auto-compaction, or by hand.
    Others,
    /// Nobody ever.
    Never,
    Unknown,
}

fn compaction(plan: &StorePlan, stopped: bool) -> Compaction {
    match (plan.compactor_rounds, plan.compacted_revision) {
        (Some(_), _) if stopped => Compaction::Stopped,
        (Some(_), _) => Compaction::Kubernetes,
        (None, Some(0)) => Compaction::Never,
        (None, Some(_)) => Compaction::Others,
        (None, None) => Compaction::Unknown,
    }
}

/// The alarm that stops writes.
pub fn is_full(plan: &StorePlan) -> bool {
    let mut alarms = plan.alarms.iter().flatten();
    alarms.any(|a| a.contains("NOSPACE"))
}

/// Adds the advice and the summary. `stopped`: kube-apiserver's compactor made no round, although one was due.
pub(super) fn advise(plan: &mut StorePlan, stopped: bool) {
    if is_full(plan) {
        plan.summary = "this etcd is full: the alarm NOSPACE is raised and writes fail, so this window says nothing of its \
                        usual traffic; free space (etcdctl compact, defrag, alarm disarm), then plan again"
            .to_owned();
        return;
    }
    let how = compaction(plan, stopped);
    if let Some(why) = without_writes(plan) {
        plan.advice.extend(of_file(plan));
        plan.advice.extend(of_compaction(plan, &how));
        plan.summary = summary(plan, &how, &why);
        return;
    }
    let need = RESERVE * plan.peak_bytes;
    let largest = CHOICES[CHOICES.len() - 1];
    let enough = CHOICES.into_iter().find(|q| *q as f64 >= need);
    let keep = plan
        .quota_bytes
        .filter(|q| *q as f64 >= need && *q <= largest);
    let advised = keep.or(enough).unwrap_or(largest);
    plan.advised_quota_bytes = Some(advised);
    let interval = seconds(plan.compaction_interval_seconds);
    let set = match keep {
        // Nobody knows what is kept.
        Some(q) if plan.quota_assumed => {
            format!(
                "a quota of {} is enough, if that is what etcd has",
                bytes(q as f64)
            )
        }
        Some(q) => format!("keep the quota of {}", bytes(q as f64)),
        None => format!("set the quota to {}", bytes(advised as f64)),
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
    plan.advice.extend(of_file(plan));
    plan.advice.extend(of_compaction(plan, &how));
    plan.summary = summary(plan, &how, &set);
}

/// Why a window in which this user saw no write says nothing of the usual traffic: there is no forecast, and no quota to set.
fn without_writes(plan: &StorePlan) -> Option<String> {
    let window = seconds(plan.window_seconds);
    match plan.unseen_revisions {
        _ if plan.writes > 0 => None,
        0 => Some(format!(
            "nothing was written in {window}: no forecast, use a --window in which the cluster works"
        )),
        n => Some(format!(
            "{} in {window}, none of which this user may see: no forecast, use a user who may read all keys",
            things(n, "revision")
        )),
    }
}

/// What the file alone tells.
fn of_file(plan: &StorePlan) -> Vec<String> {
    let mut advice = Vec::new();
    let free = plan.db_size - plan.db_size_in_use;
    if free > plan.db_size / 2 && free > 100 << 20 {
        advice.push(format!(
            "{} of the file are free: to return them to the disk, defragment one member at a time",
            bytes(free as f64)
        ));
    }
    if plan.quota_assumed {
        advice.push(
            "etcd's quota is not known, and its default is assumed: with a smaller one, all times are too long; \
             --metrics-endpoints names where etcd's metrics are, which tell it"
                .to_owned(),
        );
    }
    advice
}

/// How far back the last compaction lies, at this rate.
fn since(plan: &StorePlan) -> Option<String> {
    let writes = u64::try_from(plan.revisions_since_compaction?).ok()?;
    let rate = plan.writes_per_second;
    let time = match rate > 0.0 {
        true => format!(", {} at this rate", seconds(writes as f64 / rate)),
        false => String::new(),
    };
    Some(format!("{} back{time}", things(writes, "write")))
}

fn of_compaction(plan: &StorePlan, how: &Compaction) -> Option<String> {
    let itself = "etcd's --auto-compaction-retention";
    match how {
        Compaction::Kubernetes => {
            let behind = plan.revisions_since_compaction? as f64;
            let usual = 2.0 * plan.compaction_interval_seconds * plan.writes_per_second;
            // A cluster that was busier a while ago has this, too.
            (usual > 0.0 && behind > 2.0 * usual).then(|| {
                format!(
                    "the last compaction lies {}: unless the cluster was busier before, check that its kube-apiserver \
                     still compacts",
                    since(plan).unwrap_or_default()
                )
            })
        }
        Compaction::Stopped => Some(
            "kube-apiserver's compactor made no round in the window, although one was due: check that a kube-apiserver \
             runs"
                .to_owned(),
        ),
        Compaction::Never => Some(format!(
            "nothing has ever compacted this etcd: kube-apiserver does it, or {itself}, or etcdctl compact"
        )),
        Compaction::Others => Some(format!(
            "{}, but something has: {itself}, or etcdctl; the last compaction lies {}",
            by_kubernetes(plan),
            since(plan).unwrap_or_default()
        )),
        Compaction::Unknown => Some(format!(
            "{}; whether {itself} or anybody else does could not be seen",
            by_kubernetes(plan)
        )),
    }
}

fn by_kubernetes(plan: &StorePlan) -> String {
    match &plan.compactor_unread {
        None => {
            "no kube-apiserver has compacted this etcd (it has no key compact_rev_key)".to_owned()
        }
        Some(why) => format!(
            "whether a kube-apiserver has compacted this etcd is not known (compact_rev_key could not be read: {why})"
        ),
    }
}

/// `set` is the advice, or why there is none.
fn summary(plan: &StorePlan, how: &Compaction, set: &str) -> String {
    let in_use = bytes(plan.db_size_in_use as f64);
    let unknown = match plan.alarms {
        Some(_) => "",
        None => "; whether an alarm is raised is not known",
    };
    let Some(quota) = plan.quota_bytes else {
        return format!(
            "no quota is set, {in_use} in use: nothing stops the file from filling the disk; {set}{unknown}"
        );
    };
    let of = match plan.quota_assumed {
        true => format!("an assumed quota of {}", bytes(quota as f64)),
        false => bytes(quota as f64),
    };
    let used = format!("{in_use} of {of} in use");
    let Some(uncompacted) = plan.time_to_full_seconds.filter(|_| plan.writes > 0) else {
        return format!("{used}; {set}{unknown}");
    };
    let unknown = match plan.unseen_revisions {
        0 => unknown.to_owned(),
        n => format!(
            "{unknown}; {} that this user may not see are not counted, so it fills sooner",
            things(n, "revision")
        ),
    };
    let without = format!("full in {}", seconds(uncompacted));
    let peak = plan.peak_bytes / quota as f64;
    let compacted = plan.time_to_full_compacted_seconds;
    let answer = match (how, compacted.filter(|t| *t <= YEAR)) {
        (_, Some(t)) if peak >= 1.0 => format!(
            "the quota of {} is too small for this traffic: full in {}, before a compactor every {} frees enough; {set}",
            bytes(quota as f64),
            seconds(t),
            seconds(plan.compaction_interval_seconds)
        ),
        (Compaction::Never, _) => format!(
            "{used}, and nothing has ever compacted this etcd: {without} at this rate; let something compact it, then {set}"
        ),
        (Compaction::Stopped, _) => format!(
            "{used}, and kube-apiserver's compactor made no round in {}: {without} if nothing compacts; {set}",
            seconds(plan.window_seconds)
        ),
        (Compaction::Others, _) => format!(
            "{used}; {without} if nothing compacts; something other than kube-apiserver has, and the last compaction lies {}; {set}",
            since(plan).unwrap_or_default()
        ),
        (Compaction::Unknown, _) => format!(
            "{used}; {without} if nothing compacts, and whether anything does is not known; {set}"
        ),
        (Compaction::Kubernetes, Some(t)) => format!(
            "{used}; full in {} if live data keeps growing at this rate, {without} if nothing compacts; {set}",
            seconds(t)
        ),
        (Compaction::Kubernetes, None) => format!(
            "{used}; never full at this rate with kube-apiserver's compactor, which has made {} rounds (peak {}), {without} \
             if nothing compacts; {set}",
            count(plan.compactor_rounds.unwrap_or(0).unsigned_abs()),
            percent(peak)
        ),
    };
    format!("{answer}{unknown}")
}
