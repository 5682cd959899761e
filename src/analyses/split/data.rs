//! What the tables of `split` were computed from, for programs: one entry per trial.

use super::hook::Felt;
use super::trials::{Trial, Trials};
use crate::experiment::analysis::Evidence;
use crate::report::{DefragmentationEvent, ErrorCount};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    victim: &'a str,
    trials: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    level: &'a str,
    arm: &'a str,
    block: u32,
    /// Of the victim.
    offered: u64,
    ok: u64,
    failed: u64,
    skipped: u64,
    censored: u64,
    errors: BTreeMap<&'a str, &'a ErrorCount>,
    later_10s: u64,
    later_grace: u64,
    silent: f64,
    felt: Felt,
    events_offered: u64,
    events_ok: u64,
    /// The store that was full first, and seconds from the load's begin.
    full: Option<(&'a str, f64)>,
    compactions: &'a BTreeMap<String, u64>,
    defragmentations: &'a [DefragmentationEvent],
    stores: Vec<Store<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Store<'a> {
    store: &'a str,
    cores: Option<f64>,
    rss: Option<f64>,
    db_size: Option<f64>,
    log_syncs: Option<f64>,
}

/// All trials, by level and arm.
pub(super) fn data(evidence: &Evidence<'_>, victim: &str) -> serde_json::Value {
    let mut all = Vec::new();
    for level in &evidence.plan.levels {
        for arm in &evidence.plan.arms {
            all.push((level, &arm.name, Trials::of(evidence, level, &arm.name)));
        }
    }
    let rows = all.iter().flat_map(|(level, arm, trials)| {
        let row = move |t| row(level, arm, victim, t);
        trials.0.iter().map(row)
    });
    let data = Data {
        victim,
        trials: rows.collect(),
    };
    serde_json::to_value(data).unwrap_or_default()
}

fn row<'a>(level: &'a str, arm: &'a str, victim: &str, trial: &'a Trial<'_>) -> Row<'a> {
    let counts = trial.class(victim).map(|f| &f.counts);
    let (events_offered, events_ok) = trial.events().fold((0, 0), |(offered, ok), c| {
        let counts = &c.figures.counts;
        (offered + counts.offered, ok + counts.ok)
    });
    let store = |name: &'a str| Store {
        store: name,
        cores: trial.members(Some(name), |m| m.cpu_cores),
        rss: trial.members(Some(name), |m| m.rss_max),
        db_size: trial.members(Some(name), |m| m.db_size_end),
        log_syncs: trial.members(Some(name), |m| m.fsyncs),
    };
    Row {
        level,
        arm,
        block: trial.block,
        offered: counts.map_or(0, |c| c.offered),
        ok: counts.map_or(0, |c| c.ok),
        failed: counts.map_or(0, |c| c.failed),
        skipped: counts.map_or(0, |c| c.skipped),
        censored: counts.map_or(0, |c| c.censored),
        errors: counts
            .iter()
            .flat_map(|c| &c.errors)
            .map(|(name, e)| (name.as_str(), e))
            .collect(),
        later_10s: trial.noted.later_10s,
        later_grace: trial.noted.later_grace,
        silent: trial.noted.silent,
        felt: trial.noted.felt,
        events_offered,
        events_ok,
        full: trial.no_space(),
        compactions: &trial.noted.compactions,
        defragmentations: &trial.run.defragmentations,
        stores: trial.run.stores.iter().map(|s| store(&s.name)).collect(),
    }
}
