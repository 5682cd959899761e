//! Times in which a member could not be reached, from the members' events.

use super::event::{Header, MemberEvent};

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Downtime {
    pub(crate) store: String,
    /// Name, or the endpoint where the name is not known.
    pub(crate) member: String,
    pub(crate) endpoint: String,
    /// Seconds since t0.
    pub(crate) from: f64,
    /// None = it was not reached again.
    pub(crate) until: Option<f64>,
    pub(crate) reason: String,
    /// How its process ended, where etcdmark started it.
    pub(crate) process: Option<String>,
}

/// In the order in which they began. A member is down when any worker says so, and up again when any has reached it.
pub(crate) fn downtimes(header: &Header, members: &[MemberEvent]) -> Vec<Downtime> {
    let mut all: Vec<Downtime> = Vec::new();
    for event in members {
        let same = |d: &&mut Downtime| {
            d.until.is_none() && d.store == event.store && d.endpoint == event.endpoint
        };
        let from = event.t - event.silent;
        match (all.iter_mut().find(same), event.up) {
            (Some(open), true) => open.until = Some(event.t),
            (Some(open), false) => {
                open.from = open.from.min(from);
                open.process = open.process.take().or_else(|| event.process.clone());
            }
            (None, true) => {}
            (None, false) => all.push(Downtime {
                store: event.store.clone(),
                member: name(header, event),
                endpoint: event.endpoint.clone(),
                from,
                until: None,
                reason: event.reason.clone(),
                process: event.process.clone(),
            }),
        }
    }
    all.sort_by(|a, b| a.from.total_cmp(&b.from));
    all
}

fn name(header: &Header, event: &MemberEvent) -> String {
    let stores = header.stores.iter().filter(|s| s.name == event.store);
    let mut members = stores.flat_map(|s| &s.members);
    let known = members.find(|m| m.endpoint == event.endpoint && !m.name.is_empty());
    known.map_or_else(|| event.endpoint.clone(), |m| m.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_workers_and_the_process_tell_of_one_downtime() {
        let event = |t, up, process: Option<&str>| MemberEvent {
            t,
            store: "main".into(),
            endpoint: "http://a".into(),
            up,
            reason: "reset".into(),
            silent: 0.0,
            process: process.map(Into::into),
        };
        let killed = Some("killed by signal 9");
        let all = [
            event(0.1, true, None),
            event(5.2, false, None),
            event(5.3, false, None),
            event(5.1, false, killed),
            event(9.0, true, None),
            event(9.1, true, None),
            event(12.0, false, None),
        ];
        let found = downtimes(&Header::default(), &all);
        let spans: Vec<_> = found.iter().map(|d| (d.from, d.until)).collect();
        assert_eq!(spans, [(5.1, Some(9.0)), (12.0, None)]);
        assert_eq!(found[0].process.as_deref(), killed);
        let hangs = MemberEvent {
            silent: 5.0,
            ..event(9.0, false, None)
        };
        let found = downtimes(&Header::default(), &[hangs, event(12.0, true, None)]);
        assert_eq!((found[0].from, found[0].until), (4.0, Some(12.0)));
    }
}
