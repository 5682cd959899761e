//! What runs beside the load on the control runtime: the servers' timeline, the alarm poll, the locks'
//! watchers.

use super::worker::Message;
use crate::clock::Nanos;
use crate::etcd::control::Cluster;
use crate::report::{Event, Note};
use crate::server::{Timeline, alarms, statuses};
use crate::workload::GuardKind;
use crate::workload::Plan;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::task::JoinHandle;

/// Tasks that end with the run.
#[derive(Debug)]
pub(crate) struct Background {
    tasks: Vec<JoinHandle<()>>,
}

impl Background {
    pub(crate) fn start<'a>(
        runtime: &tokio::runtime::Runtime,
        plan: &Arc<Plan>,
        t0: Nanos,
        messages: Sender<Message>,
        clusters: impl Iterator<Item = &'a Cluster>,
    ) -> Self {
        let mut tasks = vec![runtime.spawn(timeline(Arc::clone(plan), t0, messages.clone()))];
        for (store, cluster) in plan.stores.iter().zip(clusters) {
            tasks.push(runtime.spawn(alarms(
                store.name.clone(),
                cluster.clone(),
                messages.clone(),
            )));
            let seen_by_status = [GuardKind::Quota, GuardKind::LeaderChange];
            if seen_by_status.iter().any(|g| plan.guards.contains(g)) {
                tasks.push(runtime.spawn(members(
                    store.name.clone(),
                    cluster.clone(),
                    messages.clone(),
                )));
            }
        }
        Background { tasks }
    }

    /// One reading of every server, now.
    pub(crate) async fn once(plan: &Plan, t0: Nanos) -> Vec<Event> {
        let targets = plan.stores.iter().map(|s| (s.name.as_str(), &s.target));
        match Timeline::new(targets) {
            Ok(mut timeline) => timeline.once(t0).await,
            Err(_) => Vec::new(),
        }
    }

    pub(crate) fn stop(&mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
    }
}

async fn timeline(plan: Arc<Plan>, t0: Nanos, messages: Sender<Message>) {
    let targets = plan.stores.iter().map(|s| (s.name.as_str(), &s.target));
    let mut timeline = match Timeline::new(targets) {
        Ok(timeline) => timeline,
        Err(e) => {
            let text = format!("cannot read etcd's metrics: {e}");
            let note = Note {
                t: 0.0,
                level: "warning".to_owned(),
                text,
            };
            let _ = messages.send(Message::Event(Event::Note(note)));
            return;
        }
    };
    let (events, mut incoming) = tokio::sync::mpsc::unbounded_channel();
    let forward = async {
        while let Some(event) = incoming.recv().await {
            if messages.send(Message::Event(event)).is_err() {
                return;
            }
        }
    };
    tokio::join!(timeline.run(t0, events), forward);
}

async fn members(store: String, cluster: Cluster, messages: Sender<Message>) {
    statuses::watch(&cluster, |status| {
        let message = Message::Status {
            store: store.clone(),
            status: Box::new(status.clone()),
        };
        messages.send(message).is_ok()
    })
    .await;
}

async fn alarms(store: String, cluster: Cluster, messages: Sender<Message>) {
    alarms::watch(&cluster, |alarm| {
        let message = Message::Alarm {
            store: store.clone(),
            member: format!("{:x}", alarm.member_id),
            alarm: alarm.kind.to_owned(),
        };
        messages.send(message).is_ok()
    })
    .await;
}
