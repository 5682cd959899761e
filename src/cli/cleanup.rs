//! `etcdmark cleanup`: deletes what runs left, by their manifests.

use super::CliError;
use super::cluster_flags::{Access, ClusterFlags};
use super::inspect::{block_on, refuse};
use super::output::{self, Format};
use crate::etcd::control::ControlClient;
use crate::exit::Exit;
use crate::human::numbers::{bytes, things};
use crate::report::CleanupReport;
use crate::store::cleanup::{CleanupError, RunData, cleanup_run};
use crate::store::manifest::{HOME, Lock, ManifestError};
use crate::store::others::others;
use crate::store::preflight::{self, PreflightError};
use crate::store::remove::remove;
use crate::store::runs::{self, KnownRun, KnownRuns, OrphanRange};
use crate::target::Target;
use serde::Serialize;
use std::collections::BTreeSet;

/// Delete the keys and etcd leases that runs left in a store. Deletes only what a manifest under
/// /registry-etcdmark/ lists as written by etcdmark (and with --orphans what has no manifest there), and refuses
/// active runs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  etcdmark cleanup --endpoints http://10.0.0.1:2379 --run-id 20261122-101500-4711\n  \
                  etcdmark cleanup --endpoints http://10.0.0.1:2379 --all"
)]
pub struct Args {
    /// The etcd.
    #[command(flatten)]
    pub cluster: ClusterFlags,
    /// Delete only this run; can be repeated.
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    pub run_id: Vec<String>,
    /// Delete every run in the store.
    #[arg(long)]
    pub all: bool,
    /// Delete the keys under /registry-etcdmark/ that have no manifest; runs only if --run-id or --all names them.
    #[arg(long)]
    pub orphans: bool,
    /// Also delete an active run, which then fails.
    #[arg(long)]
    pub force: bool,
    /// Output format.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// What was deleted, as the command's JSON.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// `main`, or the resources that --overrides routes there.
    pub store: String,
    /// One per run.
    pub runs: Vec<CleanupResult>,
    /// One per range under /registry-etcdmark/ without a manifest.
    pub orphans: Vec<OrphanResult>,
    /// Largest db file after it, bytes: no smaller than before.
    pub db_size: i64,
    /// Of these in use.
    pub db_size_in_use: i64,
    /// Command lines that shrink the file, in this order.
    pub shrink_with: Vec<String>,
    /// The store holds others' keys, or may: who uses it compacts it (kube-apiserver every 5 minutes).
    pub live_cluster: bool,
    /// The same of each etcd of --overrides.
    pub overrides: Vec<Summary>,
}

/// What was deleted of one run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CleanupResult {
    /// Run id.
    pub run_id: String,
    /// Keys deleted, the manifest not counted.
    pub keys: u64,
    /// Leases revoked.
    pub leases: u64,
}

/// A range without a manifest.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrphanResult {
    /// `/registry-etcdmark/NAME`.
    pub prefix: String,
    /// Keys that were there.
    pub found: u64,
    /// Of these deleted.
    pub keys: u64,
    /// Leases revoked.
    pub leases: u64,
    /// What deletes them, if they were left.
    pub delete_with: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the etcd cannot be asked, a run is not known or locked, or a delete fails.
pub fn run(args: Args) -> Result<Exit, CliError> {
    let summary = clean(&args)?;
    match args.output {
        Format::Text => output::print(&summary.to_string())?,
        Format::Json => output::print_json(&summary)?,
    }
    Ok(Exit::Ok)
}

/// Does what the command does, and prints nothing.
///
/// # Errors
/// As [`run`].
pub fn clean(args: &Args) -> Result<Summary, CliError> {
    let found = args.cluster.targets(Access::Write)?;
    let Some(target) = found.target else {
        let ignored: String = found.ignored.iter().map(|i| format!(" ({i})")).collect();
        return Err(CliError::usage(format!(
            "cleanup needs an etcd: pass --endpoints http://HOST:2379 or --kind NAME{ignored}"
        )));
    };
    for line in &found.notes {
        output::complain(line);
    }
    let mut stores = vec![("main".to_owned(), target)];
    stores.extend(found.overrides.into_iter().map(|o| (o.name(), o.target)));
    block_on(clean_stores(args, stores))?
}

async fn clean_stores(args: &Args, stores: Vec<(String, Target)>) -> Result<Summary, CliError> {
    let mut reached = Vec::new();
    for (store, target) in stores {
        // Deletes work on an etcd that is full or has lost a member: its health is not asked for.
        let cluster = preflight::reach(&target).await.map_err(refuse)?.cluster;
        let control = |e| refuse(PreflightError::from_control(e, &target));
        let known = runs::list(&cluster).await.map_err(control)?;
        reached.push((store, target, cluster, known));
    }
    let known: BTreeSet<String> = reached
        .iter()
        .flat_map(|(.., known)| known.runs.iter().map(|r| r.run_id.clone()))
        .collect();
    let orphans: BTreeSet<&str> = reached
        .iter()
        .flat_map(|(.., known)| known.orphans.iter().map(|o| o.run_id.as_str()))
        .collect();
    let chosen = choose(args, known, &orphans)?;
    let mut summaries = Vec::new();
    for (store, target, cluster, mut known) in reached {
        known.runs.retain(|r| chosen.contains(&r.run_id));
        let summary = clean_store(args, &target, &cluster, known).await?;
        summaries.push(Summary { store, ..summary });
    }
    let mut summaries = summaries.into_iter();
    let main = summaries.next().unwrap_or_default();
    Ok(Summary {
        overrides: summaries.collect(),
        ..main
    })
}

async fn clean_store(
    args: &Args,
    target: &Target,
    cluster: &ControlClient,
    known: KnownRuns,
) -> Result<Summary, CliError> {
    let mut summary = Summary::default();
    for run in known.runs {
        let report = clean_run(args, target, cluster, &run).await?;
        summary.runs.push(CleanupResult {
            run_id: run.run_id,
            keys: report.keys,
            leases: report.leases,
        });
    }
    for orphan in known.orphans {
        summary
            .orphans
            .push(clean_orphan(args, target, cluster, orphan).await?);
    }
    sizes(&mut summary, target, cluster).await;
    Ok(summary)
}

async fn clean_run(
    args: &Args,
    target: &Target,
    cluster: &ControlClient,
    run: &KnownRun,
) -> Result<CleanupReport, CliError> {
    let Some((m, written)) = &run.manifest else {
        return Err(CliError::usage(format!(
            "cannot read the manifest of run {:?}: a newer etcdmark wrote it (clean up with that version), or \
             etcdmark did not write it",
            run.run_id
        )));
    };
    let data = RunData {
        written: Some(*written),
        owned: target.owned,
        ..RunData::new(&m.prefix)
    };
    let holder = run.holder.clone();
    let report = clean_range(args, target, cluster, &run.run_id, holder, data).await?;
    let removed = remove(cluster, &run.run_id).await;
    match removed.map_err(|e| refuse(PreflightError::from_control(e, target)))? {
        true => Ok(report),
        false => Err(CliError::failure(format!(
            "run {:?} still writes keys: its manifest stays; stop the run, then run the same command again",
            run.run_id
        ))),
    }
}

/// Lists keys without a manifest, or deletes them.
async fn clean_orphan(
    args: &Args,
    target: &Target,
    cluster: &ControlClient,
    orphan: OrphanRange,
) -> Result<OrphanResult, CliError> {
    let mut result = OrphanResult {
        prefix: format!("{HOME}/{}", orphan.run_id),
        found: orphan.keys,
        keys: 0,
        leases: 0,
        delete_with: None,
    };
    if !args.orphans {
        let (named, access) = (target.named(), target.access());
        result.delete_with = Some(format!("etcdmark cleanup {named} --orphans{access}"));
        return Ok(result);
    }
    let data = RunData::new(&result.prefix);
    let report = clean_range(args, target, cluster, &orphan.run_id, orphan.holder, data).await?;
    (result.keys, result.leases) = (report.keys, report.leases);
    Ok(result)
}

/// Deletes the keys of a run or an orphan under its lock.
async fn clean_range(
    args: &Args,
    target: &Target,
    cluster: &ControlClient,
    run_id: &str,
    holder: Option<String>,
    data: RunData<'_>,
) -> Result<CleanupReport, CliError> {
    let lock = lock(args, cluster, run_id, holder).await?;
    let outcome = cleanup_run(cluster, &data, &mut |_, _| {}).await;
    if let Some(lock) = lock {
        // The lease ends by itself when this fails.
        let _ = lock.release().await;
    }
    outcome.map_err(|e| match e {
        CleanupError::Control(e) => {
            let e = refuse(PreflightError::from_control(e, target));
            let message = format!(
                "run {run_id:?} is only partly deleted; run the same command again to continue: {}",
                e.message
            );
            CliError { message, ..e }
        }
        // Refused: to repeat the command would not help.
        other => CliError::usage(format!("run {run_id:?}: {other}")),
    })
}

/// Which of the runs that some store knows are meant.
fn choose(
    args: &Args,
    known: BTreeSet<String>,
    orphans: &BTreeSet<&str>,
) -> Result<BTreeSet<String>, CliError> {
    let listed = if known.is_empty() {
        "none".to_owned()
    } else {
        known.iter().cloned().collect::<Vec<_>>().join(", ")
    };
    if let Some(missing) = args.run_id.iter().find(|id| !known.contains(id.as_str())) {
        let orphan = match orphans.contains(missing.as_str()) {
            true => "; it has keys of that run: delete them with --orphans",
            false => "",
        };
        return Err(CliError::usage(format!(
            "--run-id {missing:?}: the store has no manifest of that run (runs in the store: {listed}){orphan}"
        )));
    }
    if args.orphans && args.run_id.is_empty() && !args.all {
        return Ok(BTreeSet::new());
    }
    if args.run_id.is_empty() && !args.all && known.len() > 1 {
        return Err(CliError::usage(format!(
            "the store holds several runs ({listed}): pass --run-id ID or --all"
        )));
    }
    Ok(known
        .into_iter()
        .filter(|id| args.run_id.is_empty() || args.run_id.contains(id))
        .collect())
}

/// Takes the run's lock, so that nobody resumes it meanwhile. A full etcd grants no lease: there, looking must do.
async fn lock(
    args: &Args,
    cluster: &ControlClient,
    run_id: &str,
    holder: Option<String>,
) -> Result<Option<Lock>, CliError> {
    let locked = |who: &str| {
        CliError::usage(format!(
            "run {run_id:?} is still active: {who} holds its lock; stop it first, or pass --force to delete its \
             keys anyway"
        ))
    };
    match (holder, args.force) {
        (Some(_), true) => return Ok(None),
        (Some(who), false) => return Err(locked(&who)),
        (None, _) => {}
    }
    match Lock::take(cluster, run_id).await {
        Ok(lock) => Ok(Some(lock)),
        Err(ManifestError::Locked { holder, .. }) if !args.force => Err(locked(&holder)),
        Err(ManifestError::Control(e)) if !e.message().contains("database space exceeded") => {
            Err(CliError::failure(e.to_string()))
        }
        Err(_) => Ok(None),
    }
}

async fn sizes(summary: &mut Summary, target: &Target, cluster: &ControlClient) {
    let mut revision = 0;
    // (it leads, endpoint): the leader is defragmented last.
    let mut members = Vec::new();
    for m in cluster.each() {
        if let Ok(s) = m.status().await {
            summary.db_size = summary.db_size.max(s.db_size);
            summary.db_size_in_use = summary.db_size_in_use.max(s.db_size_in_use);
            revision = revision.max(s.revision);
            members.push((s.leader == s.member_id, s.endpoint));
        }
    }
    members.sort();
    // Where that cannot be seen, it may be: no advice may harm it.
    let found = others(cluster, false).await.ok().flatten();
    summary.live_cluster = found.is_none_or(|o| o.count > 0);
    let endpoints = target.endpoints.join(",");
    let access = match &target.named_by {
        Some(_) => " (with the certificates in the node's /etc/kubernetes/pki/etcd)",
        None => target.access(),
    };
    let alarms = cluster.alarms().await.unwrap_or_default();
    let full = alarms.iter().any(|a| a.kind == "NOSPACE");
    // Compacting a live cluster's newest revision would end its watches that lag; its own compactor does it, but
    // cannot write to a full store.
    if !summary.live_cluster || full {
        let line = format!("etcdctl --endpoints={endpoints} compact {revision}{access}");
        summary.shrink_with.push(line);
    }
    for (_, endpoint) in members {
        let line = format!("etcdctl --endpoints={endpoint} defrag{access}");
        summary.shrink_with.push(line);
    }
    if full {
        let line = format!("etcdctl --endpoints={endpoints} alarm disarm{access}");
        summary.shrink_with.push(line);
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.overrides.is_empty() {
            return self.one(f);
        }
        for store in std::iter::once(self).chain(&self.overrides) {
            writeln!(f, "store {}:", store.store)?;
            store.one(f)?;
        }
        Ok(())
    }
}

impl Summary {
    /// Of one store.
    fn one(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.runs.is_empty() && self.orphans.is_empty() {
            return writeln!(f, "nothing to delete: this store holds no keys of any run");
        }
        for r in &self.runs {
            writeln!(
                f,
                "run {}: {} deleted, {} revoked",
                r.run_id,
                things(r.keys, "key"),
                things(r.leases, "lease")
            )?;
        }
        for o in &self.orphans {
            let (prefix, found) = (&o.prefix, things(o.found, "key"));
            match &o.delete_with {
                Some(line) => writeln!(
                    f,
                    "{prefix}/: {found} without a manifest, not deleted; to delete them, run: {line}"
                )?,
                None => writeln!(
                    f,
                    "{prefix}/: {} without a manifest deleted, {} revoked",
                    things(o.keys, "key"),
                    things(o.leases, "lease")
                )?,
            }
        }
        if self.runs.is_empty() && self.orphans.iter().all(|o| o.keys == 0) {
            return Ok(());
        }
        let compacts = self
            .shrink_with
            .iter()
            .any(|line| line.contains(" compact "));
        let when = match self.live_cluster && !compacts {
            true => {
                "wait for the next compaction by those who use this etcd, 10 minutes for kube-apiserver; then defragment \
                 one member at a time"
            }
            false => "one member at a time",
        };
        writeln!(
            f,
            "deleting does not shrink the db file: {} ({} in use); etcd reuses the free pages after its next \
             compaction.\nto shrink the file, run ({when}; defrag blocks a member for seconds per GB):",
            bytes(self.db_size as f64),
            bytes(self.db_size_in_use as f64)
        )?;
        self.shrink_with
            .iter()
            .try_for_each(|line| writeln!(f, "  {line}"))
    }
}
