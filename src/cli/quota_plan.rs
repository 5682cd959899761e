//! `etcdmark quota-plan`: when is this etcd full, and which quota does it need? Writes nothing.

use super::CliError;
use super::cluster_flags::{Access, ClusterFlags};
use super::inspect::{block_on, refuse};
use super::output::{self, Format};
use super::progress::Line;
use super::signals;
use crate::control::Control;
use crate::etcd::{pages, quota};
use crate::exit::Exit;
use crate::human::Span;
use crate::quota_plan::{self, EtcdFacts, QUOTA_PLAN_VERSION, QuotaPlan, StorePlan};
use crate::store::preflight::{self, PreflightError};
use crate::store::survey::survey;
use crate::target::Target;
use futures_util::future::try_join_all;
use std::time::Duration;

/// Forecast when an etcd reaches its quota, and which quota it needs: watches the writes for a while and computes,
/// by resource, the growth, the time to full with and without kube-apiserver's compactor, and the critical write
/// rate. Writes nothing; the only cost for etcd is one watch and some counts.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  etcdmark quota-plan --endpoints http://10.0.0.1:2379
  etcdmark quota-plan --kind kind --window 5m
  etcdmark quota-plan -o json --endpoints http://10.0.0.1:2379 | jq .stores[0].timeToFullSeconds

Choose a busy hour: a window of one minute sees six renewals of each node's Lease, but misses a
rollout that happens twice a day.")]
pub struct Args {
    /// The etcd.
    #[command(flatten)]
    pub cluster: ClusterFlags,
    /// Length of the watch: 1s to 24h.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "60s",
        help_heading = "Plan"
    )]
    pub window: String,
    /// kube-apiserver's --etcd-compaction-interval.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5m",
        help_heading = "Plan"
    )]
    pub compaction_interval: String,
    /// Output format.
    #[arg(
        short,
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Output"
    )]
    pub output: Format,
    /// Print only the result, no progress.
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// What preflight says of an etcd that cannot be asked; a watch that is not allowed.
pub fn run(args: Args) -> Result<Exit, CliError> {
    let window = length("--window", &args.window)?;
    let interval = length("--compaction-interval", &args.compaction_interval)?;
    let found = args.cluster.targets(Access::Read)?;
    let Some(target) = found.target else {
        return Err(CliError::usage(
            "quota-plan needs an etcd: pass --endpoints http://HOST:2379 (or set ETCDCTL_ENDPOINTS), or --kind NAME",
        ));
    };
    for line in &found.notes {
        output::complain(&format!("note: {line}"));
    }
    let mut stores = vec![("main".to_owned(), target)];
    stores.extend(found.overrides.into_iter().map(|o| (o.name(), o.target)));
    let count = stores.len();
    let control = signals::watched("stopping; planning with what was seen")?;
    let plans = stores.into_iter().enumerate().map(|(i, (name, target))| {
        // One line for all: their windows are the same.
        let line = (i == 0 && !args.quiet).then(Line::new);
        one(name, target, (window, interval), count, &control, line)
    });
    let plan = QuotaPlan {
        version: QUOTA_PLAN_VERSION,
        stores: block_on(try_join_all(plans))?.map_err(refuse)?,
    };
    match args.output {
        Format::Text => output::print(&quota_plan::render(&plan))?,
        Format::Json => {
            let json = quota_plan::json(&plan);
            output::print(
                &json.map_err(|e| CliError::failure(format!("cannot write JSON: {e}")))?,
            )?;
        }
    }
    Ok(exit(&plan, control.interrupted()))
}

/// 130 after an interruption, 1 where an etcd was lost in the window, 2 where one is full: neither has a forecast.
fn exit(plan: &QuotaPlan, interrupted: bool) -> Exit {
    let mut exit = if interrupted {
        Exit::Interrupted
    } else {
        Exit::Ok
    };
    for store in &plan.stores {
        match &store.incomplete {
            Some(_) if !interrupted => exit = exit.and(Exit::Failure),
            None if quota_plan::is_full(store) => exit = exit.and(Exit::Usage),
            _ => {}
        }
    }
    exit
}

/// The plan of one etcd; `line` is where progress is told of all.
async fn one(
    store: String,
    target: Target,
    (window, interval): (Duration, Duration),
    count: usize,
    control: &Control,
    mut line: Option<Line>,
) -> Result<StorePlan, PreflightError> {
    let reached = preflight::reach(&target).await?;
    let entries = reached.cluster.members().await.unwrap_or_default();
    let pages = pages::read(&target, &reached.members, &entries, target.dial_timeout).await;
    let quotas = quota::stated(&reached.members, &pages);
    let quota = quota::smallest(&quotas);
    let mut notes: Vec<String> = reached
        .down
        .iter()
        .map(|(e, why)| format!("{e} is down: {why}"))
        .collect();
    notes.extend(preflight::without_status(&reached.members));
    notes.extend(quota::difference(&quotas));
    notes.extend(pages::strangers(&pages));
    let alarms = match reached.cluster.alarms().await {
        Ok(alarms) => {
            let named = alarms.iter();
            let named = named.map(|a| format!("{} on member {:x}", a.kind, a.member_id));
            Some(named.collect())
        }
        Err(e) => {
            notes.push(format!("cannot read alarms: {e}"));
            None
        }
    };
    let etcds = if count == 1 {
        String::new()
    } else {
        format!(" {count} etcds")
    };
    let tell = |t: f64| {
        if let Some(line) = &mut line {
            let window = window.as_secs_f64();
            line.show(t, &format!("watching{etcds}, {t:.0} of {window:.0} s"));
        }
    };
    let survey = survey(&reached.cluster, window, control.until_interrupted(), tell)
        .await
        .map_err(|e| preflight::unread(e, &target, "/registry/", "/registry/"))?;
    if let Some(line) = &mut line {
        line.close();
    }
    let first = reached.members.first();
    let known = EtcdFacts {
        store,
        cluster_id: first.map_or(String::new(), |m| format!("{:x}", m.cluster_id)),
        etcd: first.map_or(String::new(), |m| m.version.clone()),
        quota,
        alarms,
        notes,
    };
    Ok(quota_plan::plan(known, &survey, interval.as_secs_f64()))
}

fn length(flag: &str, text: &str) -> Result<Duration, CliError> {
    let wrong = || {
        CliError::usage(format!(
            "{flag} {text:?} is not a duration of 1s to 24h, such as 60s or 5m"
        ))
    };
    let span = Span::parse(text).map_err(|_| wrong())?;
    let fits = (1.0..=86_400.0).contains(&span.0.as_secs_f64());
    if fits { Ok(span.0) } else { Err(wrong()) }
}
