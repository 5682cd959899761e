//! The way back from NOSPACE beside the load, as an operator goes it: compact, defragment every member, disarm.

use super::record::RecoveryStep;
use crate::clock::{self, Nanos, SECOND};
use crate::etcd::control::{Alarm, ControlClient, ControlError, Member, RangeSpec};
use crate::target::Target;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// No step may take longer.
const WITHIN: Duration = Duration::from_secs(300);
/// Between two reads of the one that looks how long etcd stands still.
const LOOK: Duration = Duration::from_millis(5);

/// How far it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Recovery {
    pub(super) steps: Vec<RecoveryStep>,
    /// It has come to its end, well or not.
    pub(super) ended: bool,
    pub(super) error: Option<String>,
}

/// Instants of steps count from `start`.
pub(super) async fn recover(target: Target, start: Nanos, told: Arc<Mutex<Recovery>>) {
    let reads = Arc::new(Mutex::new(Vec::new()));
    let looking = tokio::spawn(look(target.clone(), Arc::clone(&reads)));
    let done = steps(&target, start, &told, &reads).await;
    looking.abort();
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    told.error = done.err().map(|e| e.to_string());
    told.ended = true;
}

async fn steps(
    target: &Target,
    start: Nanos,
    told: &Mutex<Recovery>,
    reads: &Mutex<Vec<(Nanos, Nanos)>>,
) -> Result<(), ControlError> {
    let cluster = ControlClient::connect(target).await?;
    let first = &cluster.each()[0];
    let end = |name: String, begun: Nanos, size: i64| {
        let now = clock::now();
        let step = RecoveryStep {
            name,
            at: seconds(begun.saturating_sub(start)),
            took: seconds(now.saturating_sub(begun)),
            reads_stood: longest(reads, begun, now),
            size,
        };
        told.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .steps
            .push(step);
    };
    let begun = clock::now();
    let revision = first.status().await?.revision;
    first.compact_physically(revision, WITHIN).await?;
    end(
        format!("compact to revision {revision}"),
        begun,
        first.status().await?.db_size,
    );
    let several = cluster.each().len() > 1;
    for (member, _) in cluster.leader_last().await {
        let begun = clock::now();
        member.defragment(WITHIN).await?;
        let name = match several {
            true => format!("defragment {}", member.endpoint()),
            false => "defragment".to_owned(),
        };
        end(name, begun, member.status().await?.db_size);
    }
    let begun = clock::now();
    for alarm in full_alarms(first).await? {
        first.disarm(&alarm).await?;
    }
    end("disarm".to_owned(), begun, first.status().await?.db_size);
    Ok(())
}

/// The alarms that a full file raised; none other is ours to clear.
pub(super) async fn full_alarms(member: &Member) -> Result<Vec<Alarm>, ControlError> {
    let mut alarms = member.alarms().await?;
    alarms.retain(|a| a.kind == "NOSPACE");
    Ok(alarms)
}

/// Reads one key that is not there, again and again, and notes from when to when each took.
async fn look(mut target: Target, reads: Arc<Mutex<Vec<(Nanos, Nanos)>>>) {
    // A read that is given up says less than how long etcd stood still.
    target.command_timeout = WITHIN;
    let Ok(cluster) = ControlClient::connect(&target).await else {
        return;
    };
    loop {
        let begun = clock::now();
        let place = {
            let mut reads = reads.lock().unwrap_or_else(PoisonError::into_inner);
            // Open until it is answered: a step may end before that.
            reads.push((begun, Nanos::MAX));
            reads.len() - 1
        };
        let one = RangeSpec {
            count_only: true,
            ..RangeSpec::new(b"/etcdmark-look", b"")
        };
        let _ = cluster.range(one).await;
        reads.lock().unwrap_or_else(PoisonError::into_inner)[place].1 = clock::now();
        tokio::time::sleep(LOOK).await;
    }
}

/// The longest read that was under way in `[from, to)`, seconds; one without an answer counts until `to`.
fn longest(reads: &Mutex<Vec<(Nanos, Nanos)>>, from: Nanos, to: Nanos) -> f64 {
    let reads = reads.lock().unwrap_or_else(PoisonError::into_inner);
    let beside = reads
        .iter()
        .filter(|(begun, done)| *begun < to && *done >= from);
    let longest = beside
        .map(|(begun, done)| (*done).min(to).saturating_sub(*begun))
        .max();
    seconds(longest.unwrap_or(0))
}

fn seconds(ns: Nanos) -> f64 {
    ns as f64 / SECOND as f64
}
