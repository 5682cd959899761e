//! What is read of an etcd once a second costs it no proposal, which would be a sync of its log.

use crate::common;
use etcdmark::report::Event;
use etcdmark::server::Timeline;

#[tokio::test(flavor = "multi_thread")]
async fn reading_a_member_proposes_nothing() {
    let etcd = common::etcd().await;
    let target = etcd.target();
    let names = std::collections::BTreeMap::new();
    let mut timeline = Timeline::new([("main", &target, (&[][..], &names))]).unwrap();
    let mut proposals = Vec::new();
    for _ in 0..41 {
        let events = timeline.once(0).await;
        let server = events.iter().find_map(|e| match e {
            Event::Server(s) => Some(s.values["proposals.applied"]),
            _ => None,
        });
        proposals.push(server.unwrap());
    }
    etcd.stop().await;
    // It proposes a few things of its own when it has just begun.
    assert!(proposals[40] - proposals[0] < 20.0, "{proposals:?}");
}
