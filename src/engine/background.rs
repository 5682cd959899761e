//! What runs beside the load on the control runtime: the servers' timeline, the alarm poll, the locks'
//! watchers.

use super::context::RunContext;
use super::message::Message;
use crate::etcd::control::ControlClient;
use crate::etcd::http::HttpError;
use crate::report::{Event, Note};
use crate::server::{Timeline, alarms, statuses};
use crate::workload::GuardKind;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::task::JoinHandle;

/// Tasks that end with the run.
#[derive(Debug)]
pub(crate) struct Background {
    tasks: Vec<JoinHandle<()>>,
}

impl Background {
    pub(crate) fn start(
        runtime: &tokio::runtime::Runtime,
        run: &Arc<RunContext>,
        messages: &Sender<Message>,
    ) -> Self {
        let mut tasks = vec![runtime.spawn(timeline(Arc::clone(run), messages.clone()))];
        for (store, access) in run.plan.stores.iter().zip(&run.stores) {
            let client = &access.client;
            tasks.push(runtime.spawn(alarms(store.name.clone(), client.clone(), messages.clone())));
            let seen_by_status = [GuardKind::Quota, GuardKind::LeaderChange];
            if seen_by_status.iter().any(|g| run.plan.guards.contains(g)) {
                tasks.push(runtime.spawn(members(
                    store.name.clone(),
                    client.clone(),
                    messages.clone(),
                )));
            }
        }
        Background { tasks }
    }

    /// One reading of every server, now. What cannot be read is told by the timeline that runs beside the load.
    pub(crate) async fn once(run: &RunContext) -> Vec<Event> {
        let mut events = match new_timeline(run) {
            Ok(mut timeline) => timeline.once(run.t0).await,
            Err(_) => Vec::new(),
        };
        events.retain(|e| !matches!(e, Event::Note(_)));
        events
    }

    pub(crate) fn stop(&mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
    }
}

fn new_timeline(run: &RunContext) -> Result<Timeline, HttpError> {
    let stores = run.plan.stores.iter().zip(&run.stores);
    Timeline::new(stores.map(|(store, access)| {
        let names = (access.member_names.as_slice(), &access.names_by_id);
        (store.name.as_str(), &store.target, names)
    }))
}

async fn timeline(run: Arc<RunContext>, messages: Sender<Message>) {
    let mut timeline = match new_timeline(&run) {
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
    tokio::join!(timeline.run(run.t0, events), forward);
}

async fn members(store: String, client: ControlClient, messages: Sender<Message>) {
    statuses::watch(&client, |status| {
        let message = Message::Status {
            store: store.clone(),
            status: Box::new(status.clone()),
        };
        messages.send(message).is_ok()
    })
    .await;
}

async fn alarms(store: String, client: ControlClient, messages: Sender<Message>) {
    alarms::watch(&client, |alarm| {
        let message = Message::Alarm {
            store: store.clone(),
            member: format!("{:x}", alarm.member_id),
            alarm: alarm.kind.to_owned(),
        };
        messages.send(message).is_ok()
    })
    .await;
}
