//! What emulated media did to the syncs of local members, as events.

use super::scraper::seconds_since;
use crate::clock::Nanos;
use crate::measure::FileDelays;
use crate::report::{Event, MediumSample};
use crate::target::LocalMember;

/// What was delayed since this was asked last: an event per member and kind of file that had syncs.
/// `t0`: the run's zero, monotonic ns.
pub(super) fn sample(members: &[(String, LocalMember)], t0: Nanos) -> Vec<Event> {
    let mut events = Vec::new();
    for (store, member) in members {
        let Some(medium) = &member.medium else {
            continue;
        };
        let delays = medium.delays.take();
        let unknown = MediumSample {
            syncs: delays.unknown,
            ..MediumSample::default()
        };
        for (file, sample) in [
            ("wal", of(delays.wal)),
            ("db", of(delays.db)),
            ("unknown", unknown),
        ] {
            if sample.syncs > 0 {
                events.push(Event::Medium(MediumSample {
                    t: seconds_since(t0),
                    store: store.clone(),
                    member: member.name.clone(),
                    file: file.to_owned(),
                    ..sample
                }));
            }
        }
    }
    events
}

fn of(delays: FileDelays) -> MediumSample {
    MediumSample {
        syncs: delays.syncs(),
        asked_ns: delays.asked,
        delayed_ns: delays.delayed,
        short: delays.short,
        max: delays.delays.max(),
        histogram: delays.delays.into_buckets(),
        ..MediumSample::default()
    }
}
