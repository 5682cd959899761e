//! Everything of this room as one task: members' metrics and the host's counters, once a second, and the end of a
//! process that etcdmark started.

use super::host::Host;
use super::media;
use super::scraper::{INTERVAL, Names, Scraper, seconds_since, sources};
use crate::clock::Nanos;
use crate::etcd::http::HttpError;
use crate::report::{Event, MemberEvent};
use crate::target::LocalMember;
use crate::target::Target;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// How often the processes of local members are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The server side of a run's timeline.
#[derive(Debug)]
pub struct Timeline {
    scraper: Scraper,
    host: Host,
    members: Vec<(String, LocalMember)>,
}

impl Timeline {
    /// `stores`: each store's name, how to reach it, and its members' names where they are known.
    pub fn new<'a>(
        stores: impl IntoIterator<Item = (&'a str, &'a Target, Names<'a>)>,
    ) -> Result<Self, HttpError> {
        let (mut all, mut members) = (Vec::new(), Vec::new());
        for (store, target, names) in stores {
            all.extend(sources(store, target, names));
            let local = target.local_members.iter();
            members.extend(local.map(|m| (store.to_owned(), m.clone())));
        }
        Ok(Timeline {
            scraper: Scraper::new(all)?,
            host: Host::new(members.iter().map(|(_, m)| m.clone()).collect()),
            members,
        })
    }

    /// Sends [`Event::Server`], [`Event::Host`], [`Event::Medium`] and notes until the receiver is dropped. Needs a tokio
    /// runtime with time and IO; may be dropped at any time. `t0`: the run's zero, monotonic ns.
    pub async fn run(&mut self, t0: Nanos, events: UnboundedSender<Event>) {
        let (host, members) = (&self.host, &self.members);
        let host_events = events.clone();
        let hosts = async move {
            let mut ticks = tokio::time::interval(INTERVAL);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                for event in media::sample(members, t0) {
                    let _ = host_events.send(event);
                }
                if host_events.send(Event::Host(host.sample(t0))).is_err() {
                    return;
                }
            }
        };
        let ends = watch_processes(members, t0, events.clone());
        tokio::join!(hosts, ends, self.scraper.run(t0, events));
    }

    /// One reading of everything, now: before the first and after the last operation.
    pub async fn once(&mut self, t0: Nanos) -> Vec<Event> {
        let mut events = self.scraper.once(t0).await;
        events.extend(media::sample(&self.members, t0));
        events.push(Event::Host(self.host.sample(t0)));
        events
    }
}

/// Tells when a local member's process has ended, and how.
async fn watch_processes(
    members: &[(String, LocalMember)],
    t0: Nanos,
    events: UnboundedSender<Event>,
) {
    let mut told = vec![false; members.len()];
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    while !events.is_closed() && !members.is_empty() {
        ticks.tick().await;
        for ((store, member), told) in members.iter().zip(&mut told) {
            let event = ended(store, member, seconds_since(t0));
            let before = std::mem::replace(told, event.is_some());
            if let Some(event) = event.filter(|_| !before) {
                let _ = events.send(Event::Member(event));
            }
        }
    }
}

/// What there is to tell at `t` of a process that has ended; None while it runs.
pub fn ended(store: &str, member: &LocalMember, t: f64) -> Option<MemberEvent> {
    let how = member.end.get()?;
    Some(MemberEvent {
        t,
        store: store.to_owned(),
        endpoint: member.endpoint.clone(),
        up: false,
        reason: format!("its process: {how}"),
        silent: 0.0,
        process: Some(how),
    })
}
