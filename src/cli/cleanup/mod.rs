//! `etcdmark cleanup`: deletes what runs left, by their manifests.

mod summary;

pub use summary::{CleanupResult, OrphanResult, Summary};

use super::CliError;
use super::cluster_flags::{Access, ClusterFlags};
use super::inspect::{block_on, refuse};
use super::output::{self, Format};
use crate::etcd::control::ControlClient;
use crate::exit::Exit;
use crate::report::CleanupReport;
use crate::store::cleanup::{CleanupError, RunData, cleanup_run};
use crate::store::manifest::{HOME, LOCK_TTL, Lock, ManifestError};
use crate::store::owner::Owner;
use crate::store::preflight::{self, PreflightError};
use crate::store::remove::remove;
use crate::store::runs::{self, KnownRun, KnownRuns, OrphanRange};
use crate::target::Target;
use std::collections::BTreeSet;
use std::time::Duration;

/// etcd ends a lease up to so many seconds late.
const LEASE_SLACK: i64 = 5;

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
    /// Also delete keys of runs under /registry, which kube-apiserver may use.
    #[arg(long, help_heading = "etcd")]
    pub yes_this_etcd_is_mine: bool,
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
    let found = found.owned(args.yes_this_etcd_is_mine);
    let Some(target) = found.target else {
        let ignored: String = found.ignored.iter().map(|i| format!(" ({i})")).collect();
        return Err(CliError::usage(format!(
            "cleanup needs an etcd: pass --endpoints http://HOST:2379 or --kind NAME{ignored}"
        )));
    };
    for line in &found.notes {
        output::complain(&format!("note: {line}"));
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
    summary.sizes(target, cluster).await;
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
    let writer = m.writer().filter(|_| !args.force && run.holder.is_none());
    if let Some(writer) = writer {
        return Err(CliError::usage(format!(
            "run {:?} may still write, although its lock has expired: {writer}; stop it first, or pass --force to delete \
             its keys anyway",
            run.run_id
        )));
    }
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
    holder: Option<Owner>,
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
    holder: Option<Owner>,
) -> Result<Option<Lock>, CliError> {
    let locked = |who: &Owner| {
        CliError::usage(format!(
            "run {run_id:?} is still active: {who} holds its lock; stop it first, or pass --force to delete its \
             keys anyway"
        ))
    };
    match holder {
        Some(_) if args.force => return Ok(None),
        Some(who) if who.ended() => output::complain(&format!(
            "run {run_id:?}: {who} has ended; its lock expires within {LOCK_TTL} s"
        )),
        Some(who) => return Err(locked(&who)),
        None => {}
    }
    for second in 0.. {
        match Lock::take(cluster, run_id).await {
            Ok(lock) => return Ok(Some(lock)),
            Err(ManifestError::Locked { holder, .. })
                if holder.ended() && !args.force && second < LOCK_TTL + LEASE_SLACK =>
            {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(ManifestError::Locked { holder, .. }) if !args.force => {
                return Err(locked(&holder));
            }
            Err(ManifestError::Control(e)) if !e.message().contains("database space exceeded") => {
                return Err(CliError::failure(e.to_string()));
            }
            Err(_) => break,
        }
    }
    Ok(None)
}
