//! `etcdmark inspect`: what an etcd is and holds. Writes nothing.

use super::CliError;
use super::cluster_flags::{Access, ClusterFlags};
use super::output::{self, Format};
use super::overrides::OverrideEtcd;
use crate::etcd::control::{ControlClient, ControlError};
use crate::etcd::pages::{self, Owner};
use crate::etcd::{prometheus, quota};
use crate::exit::Exit;
use crate::human::numbers::{bytes, things};
use crate::store::manifest;
use crate::store::prefixes::kubernetes_prefixes;
use crate::store::preflight::{self, Connection, PreflightError};
use crate::store::roles;
use crate::store::runs;
use crate::store::segments::{by_segment, is_events, resource};
use crate::target::Target;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Show the state of an etcd: members, leader, versions, database size and quota, alarms, mean fsync and
/// commit times, and keys by resource. Writes nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  etcdmark inspect --endpoints https://10.0.0.1:2379 --cacert ca.crt \\\n      --cert \
                  client.crt --key client.key --metrics-endpoints http://10.0.0.1:2381"
)]
pub struct Args {
    /// The etcd.
    #[command(flatten)]
    pub cluster: ClusterFlags,
    /// Output format.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// What `inspect` found, as its JSON.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// `main`, or the resources that --overrides routes there.
    pub store: String,
    /// Cluster id, hex.
    pub cluster_id: String,
    /// Members that were asked.
    pub members: Vec<InspectedMember>,
    /// Smallest quota, bytes; None = unknown or none.
    pub quota_bytes: Option<i64>,
    /// The quota in words.
    pub quota: String,
    /// Raised alarms, `NOSPACE on member 8e9e05c52164694d`; null when they could not be read.
    pub alarms: Option<Vec<String>>,
    /// Keys in all; None when the user may not count them.
    pub keys: Option<i64>,
    /// Keys by resource, as they are after `/registry/`; whole where Kubernetes has another prefix
    /// (`/kubernetes.io/pods`).
    pub resources: BTreeMap<String, i64>,
    /// Events' share of these keys, 0–1.
    pub events_share: Option<f64>,
    /// Keys that are neither of a Kubernetes resource nor etcdmark's; None when the user may not count them.
    pub other_keys: Option<i64>,
    /// Runs that etcdmark left: run id → keys.
    pub runs: BTreeMap<String, i64>,
    /// What `cleanup` deletes of them: by a run's id, or as keys without a manifest.
    #[serde(skip)]
    pub known: Vec<(String, &'static str)>,
    /// What could not be seen, and why.
    pub notes: Vec<String>,
    /// What a command needs to reach this etcd: its name in flags, and files.
    #[serde(skip)]
    pub reached_by: (String, String),
    /// The same of each etcd of --overrides.
    pub overrides: Vec<Inspection>,
}

/// One member.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedMember {
    /// Name.
    pub name: String,
    /// Id, hex.
    pub id: String,
    /// Endpoint that was asked.
    pub endpoint: String,
    /// etcd version.
    pub version: String,
    /// It leads.
    pub leader: bool,
    /// It does not vote.
    pub learner: bool,
    /// db file, bytes.
    pub db_size: i64,
    /// Of these in use.
    pub db_size_in_use: i64,
    /// db file as a share of the quota, 0–1.
    pub quota_used: Option<f64>,
    /// Mean WAL fsync since etcd's start, seconds.
    pub fsync_mean: Option<f64>,
    /// Mean backend commit since etcd's start, seconds.
    pub commit_mean: Option<f64>,
    /// etcd's own complaints.
    pub errors: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// What preflight says of an etcd that cannot be asked.
pub fn run(args: Args) -> Result<Exit, CliError> {
    let found = args.cluster.targets(Access::Read)?;
    let Some(target) = found.target else {
        return Err(CliError::usage(
            "inspect needs an etcd: pass --endpoints http://HOST:2379 (or set ETCDCTL_ENDPOINTS), or --kind NAME",
        ));
    };
    for line in &found.notes {
        output::complain(&format!("note: {line}"));
    }
    let seen = block_on(inspect_all(&target, &found.overrides))?.map_err(refuse)?;
    match args.output {
        Format::Text => output::print(&text(&seen))?,
        Format::Json => output::print_json(&seen)?,
    }
    Ok(Exit::Ok)
}

/// A preflight error as a command's.
pub fn refuse(e: PreflightError) -> CliError {
    CliError {
        exit: e.exit(),
        message: e.to_string(),
    }
}

/// Runs a future on a runtime of its own.
///
/// # Errors
/// When the operating system refuses one.
pub fn block_on<T>(f: impl Future<Output = T>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|e| CliError::failure(format!("cannot start a runtime: {e}")))?;
    Ok(runtime.block_on(f))
}

async fn inspect_all(
    main: &Target,
    overrides: &[OverrideEtcd],
) -> Result<Inspection, PreflightError> {
    let mut seen = inspect(main).await?;
    for o in overrides {
        let mut other = inspect(&o.target).await?;
        other.store = o.name();
        // What lies in the main etcd under an override's resource is invisible to kube-apiserver.
        for prefix in o.resources.iter().map(|r| r.key_prefix()) {
            if let Some(n) = seen.resources.get(prefix) {
                seen.notes.push(format!(
                    "the main etcd holds {} under /registry/{prefix}, but --overrides routes that \
                     resource to store {}: kube-apiserver does not see these keys",
                    things(n.unsigned_abs(), "key"),
                    other.store
                ));
            }
        }
        seen.overrides.push(other);
    }
    Ok(seen)
}

/// Looks at a cluster. Sick ones are looked at too: only one that does not answer is an error.
///
/// # Errors
/// When no endpoint answers, or they are not members of one etcd.
pub async fn inspect(target: &Target) -> Result<Inspection, PreflightError> {
    let Connection {
        cluster,
        members,
        down,
    } = preflight::reach(target).await?;
    let mut seen = Inspection {
        store: "main".to_owned(),
        reached_by: (target.named(), target.access()),
        ..Inspection::default()
    };
    let told = down.iter().map(|(e, why)| format!("{e} is down: {why}"));
    seen.notes.extend(told);
    let entries = match cluster.members().await {
        Ok(entries) => entries,
        Err(e) => {
            seen.notes.push(format!("cannot list the members: {e}"));
            Vec::new()
        }
    };
    let proxies = roles::proxies(&members, &entries);
    seen.notes.extend(roles::proxy_note(&proxies));
    let asked = |id: u64| !proxies.is_empty() || members.iter().any(|m| m.member_id == id);
    // Which of the others is one that is down, its URLs may not tell.
    let others = entries.iter().filter(|e| !asked(e.id));
    for other in others.filter(|_| down.is_empty()) {
        let urls = match other.client_urls.as_slice() {
            [] => "not started".to_owned(),
            urls => urls.join(", "),
        };
        let (name, id) = (&other.name, other.id);
        seen.notes.push(format!(
            "member {name} ({id:x}, {urls}) was not asked: name it in --endpoints to see it"
        ));
    }
    seen.notes.extend(preflight::without_status(&members));
    let pages = pages::read(target, &members, &entries, target.command_timeout).await;
    seen.notes.extend(pages::strangers(&pages));
    let quotas = quota::stated(&members, &pages);
    let quota = quota::smallest(&quotas);
    seen.notes.extend(quota::difference(&quotas));
    (seen.quota_bytes, seen.quota) = (quota.known(), quota.to_string());
    let remedy = target.metrics_remedy(
        "if it has another address, as on kubeadm nodes and with --listen-client-http-urls, pass --metrics-endpoints",
    );
    for page in &pages {
        if let Err(e) = &page.body {
            let whose = match &page.owner {
                Owner::Endpoint(endpoint) if target.metrics_endpoints.is_empty() => endpoint,
                _ => "--metrics-endpoints",
            };
            if down.iter().any(|(endpoint, _)| endpoint == whose) {
                continue;
            }
            seen.notes
                .push(format!("cannot read metrics of {whose}: {e}{remedy}"));
        }
    }
    if members.iter().all(|m| m.leader == 0) {
        seen.notes
            .push("the cluster has no leader, so etcdmark cannot count keys".to_owned());
    }
    for m in &members {
        seen.cluster_id = format!("{:x}", m.cluster_id);
        let name = entries
            .iter()
            .find(|e| e.id == m.member_id)
            .map(|e| e.name.clone());
        let mut row = InspectedMember {
            name: name.unwrap_or_default(),
            id: format!("{:x}", m.member_id),
            endpoint: m.endpoint.clone(),
            version: m.version.clone(),
            leader: m.leader == m.member_id,
            learner: m.is_learner,
            db_size: m.db_size,
            db_size_in_use: m.db_size_in_use,
            quota_used: quota
                .limit()
                .filter(|q| *q > 0)
                .map(|q| m.db_size as f64 / q as f64),
            errors: m.errors.clone(),
            ..Default::default()
        };
        let mine = pages
            .iter()
            .find(|p| p.owner == Owner::Endpoint(m.endpoint.clone()));
        match mine.map(|p| &p.body) {
            Some(Ok(page)) => {
                row.fsync_mean = mean(page, "etcd_disk_wal_fsync_duration_seconds");
                row.commit_mean = mean(page, "etcd_disk_backend_commit_duration_seconds");
            }
            Some(Err(_)) => {}
            None => seen.notes.push(format!(
                "no page of --metrics-endpoints is that of {}, so its fsync and commit times are unknown",
                m.endpoint
            )),
        }
        seen.members.push(row);
    }
    match cluster.alarms().await {
        Ok(alarms) => {
            let say =
                |a: &crate::etcd::control::Alarm| format!("{} on member {:x}", a.kind, a.member_id);
            seen.alarms = Some(alarms.iter().map(say).collect());
            // Each member complains of the same alarms, with the id in decimal.
            for m in &mut seen.members {
                m.errors.retain(|e| !e.starts_with("memberID:"));
            }
        }
        Err(e) => seen.notes.push(format!("cannot read alarms: {e}")),
    }
    if let Err(e) = keys(&cluster, &mut seen).await {
        let e = preflight::unread(e, target, "all keys, so not all are counted", "");
        seen.notes.push(e.to_string());
    }
    Ok(seen)
}

/// Counts what may be counted. The first refusal is told at the end.
async fn keys(cluster: &ControlClient, seen: &mut Inspection) -> Result<(), ControlError> {
    let mut refused = None;
    match cluster.count(b"\0", b"\0").await {
        Ok(n) => seen.keys = Some(n),
        Err(e) => refused = Some(e),
    }
    for prefix in kubernetes_prefixes(cluster).await? {
        match by_segment(cluster, &format!("{prefix}/")).await {
            Ok(segments) => {
                for (name, keys) in segments {
                    *seen.resources.entry(resource(&prefix, &name)).or_insert(0) += keys;
                }
            }
            Err(e) => refused = refused.or(Some(e)),
        }
    }
    let all: i64 = seen.resources.values().sum();
    let events = seen.resources.iter().filter(|(name, _)| is_events(name));
    let events: i64 = events.map(|(_, n)| n).sum();
    seen.events_share = (all > 0).then(|| events as f64 / all as f64);
    match by_segment(cluster, &format!("{}/", manifest::HOME)).await {
        Ok(runs) => seen.runs = runs,
        Err(e) => refused = refused.or(Some(e)),
    }
    if let Ok(known) = runs::list(cluster).await {
        let runs = known.runs.into_iter().map(|run| (run.run_id, "--run-id"));
        let orphans = known
            .orphans
            .into_iter()
            .map(|run| (run.run_id, "--orphans"));
        seen.known = runs.chain(orphans).collect();
    }
    let ours: i64 = seen.runs.values().sum();
    // Counted one after the other: keys may come meanwhile.
    seen.other_keys = seen.keys.map(|keys| (keys - all - ours).max(0));
    refused.map_or(Ok(()), Err)
}

fn mean(page: &str, histogram: &str) -> Option<f64> {
    let sum = prometheus::value(page, &format!("{histogram}_sum"))?;
    let count = prometheus::value(page, &format!("{histogram}_count"))?;
    (count > 0.0).then(|| sum / count)
}

fn text(seen: &Inspection) -> String {
    if seen.overrides.is_empty() {
        return text_of_one(seen);
    }
    let all = std::iter::once(seen).chain(&seen.overrides);
    all.map(|s| format!("store {}: {}", s.store, text_of_one(s)))
        .collect()
}

fn text_of_one(seen: &Inspection) -> String {
    let mut t = String::new();
    let ms = |s: Option<f64>| s.map_or("-".to_owned(), |s| format!("{:.2} ms", s * 1e3));
    let _ = writeln!(t, "cluster {}, quota {}", seen.cluster_id, seen.quota);
    for m in &seen.members {
        let role = match (m.leader, m.learner) {
            (true, _) => "leader",
            (_, true) => "learner",
            _ => "follower",
        };
        let used = m.quota_used.map_or(String::new(), |u| {
            format!(", {:.1} % of the quota", u * 100.0)
        });
        let _ = writeln!(
            t,
            "  {} {}: etcd {}, {role}, db {} ({} in use{used}), fsync {}, commit {} (means since it started)",
            match m.name.as_str() {
                "" => m.id.clone(),
                name => format!("{name} ({})", m.id),
            },
            m.endpoint,
            m.version,
            bytes(m.db_size as f64),
            bytes(m.db_size_in_use as f64),
            ms(m.fsync_mean),
            ms(m.commit_mean)
        );
        for e in &m.errors {
            let _ = writeln!(t, "    {e}");
        }
    }
    let alarms = match seen.alarms.as_deref() {
        None => "unknown".to_owned(),
        Some([]) => "none".to_owned(),
        Some(some) => some.join(", "),
    };
    let _ = writeln!(t, "alarms: {alarms}");
    let _ = writeln!(
        t,
        "keys: {}",
        seen.keys.map_or("unknown".to_owned(), |k| k.to_string())
    );
    let mut rows: Vec<_> = seen.resources.iter().collect();
    rows.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), name.as_str()));
    for (name, n) in rows {
        let at = if name.starts_with('/') {
            ""
        } else {
            "/registry/"
        };
        let _ = writeln!(t, "  {n:>10}  {at}{name}");
    }
    if let Some(n) = seen.other_keys.filter(|n| *n > 0) {
        let _ = writeln!(t, "  {n:>10}  others (neither Kubernetes' nor etcdmark's)");
    }
    if let Some(share) = seen.events_share {
        let _ = writeln!(
            t,
            "Events are {:.1} % of the keys of Kubernetes",
            share * 100.0
        );
    }
    for (run, n) in &seen.runs {
        let (to, files) = &seen.reached_by;
        let known = seen.known.iter().find(|(known, _)| known == run);
        let how = match known {
            Some((_, "--run-id")) if !run.is_empty() => {
                format!("delete: etcdmark cleanup {to} --run-id {run}{files}")
            }
            Some((_, "--orphans")) if !run.is_empty() => {
                format!("without a manifest; delete: etcdmark cleanup {to} --orphans{files}")
            }
            _ => "not a run's: cleanup leaves it".to_owned(),
        };
        let _ = writeln!(t, "  {n:>10}  {}/{run} ({how})", manifest::HOME);
    }
    for note in &seen.notes {
        let _ = writeln!(t, "note: {note}");
    }
    t
}
