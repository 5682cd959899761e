//! The server side of the timeline, against a real etcd.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::etcd::with_flags;
use common::patience::PATIENCE;
use etcd_client::Client;
use etcdmark::clock;
use etcdmark::engine::guards::{ALL, Guards};
use etcdmark::etcd::http::{self, HttpError};
use etcdmark::etcd::prometheus;
use etcdmark::local::LocalCluster;
use etcdmark::report::{Event, ServerSample};

use etcdmark::server::{Timeline, metrics};
use etcdmark::target::Target;
use etcdmark::target::TlsMaterial;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

fn server(events: &[Event]) -> &ServerSample {
    let sample = events.iter().find_map(|e| match e {
        Event::Server(sample) => Some(sample),
        _ => None,
    });
    sample.unwrap_or_else(|| panic!("no server sample in {events:?}"))
}

async fn client(etcd: &LocalCluster) -> Client {
    Client::connect(etcd.endpoints(), None).await.unwrap()
}

async fn once(target: &Target) -> Vec<Event> {
    Timeline::new([("main", target, (&[][..], &BTreeMap::new()))])
        .expect("timeline")
        .once(clock::now())
        .await
}

#[tokio::test]
async fn every_promised_family_is_there_and_rpcs_are_counted_exactly() {
    let etcd = common::etcd().await;
    let mut client = client(&etcd).await;
    let target = etcd.target();
    let before = once(&target).await;
    for i in 0..37 {
        client.put(format!("k{i}"), "v", None).await.expect("put");
    }
    let after = once(&target).await;
    let (before, host, after) = (server(&before), before.last(), server(&after));
    for row in metrics::TABLE.iter().filter(|row| row.always) {
        let found = after
            .values
            .keys()
            .any(|k| k == row.name || k.starts_with(&format!("{}.", row.name)));
        assert!(found, "{} ({}) is missing", row.name, row.family);
    }
    assert_eq!(
        (after.store.as_str(), after.member.as_str()),
        ("main", "etcd-0")
    );
    assert_eq!(
        etcdmark::report::rpcs(&after.values, "Put")
            - etcdmark::report::rpcs(&before.values, "Put"),
        37.0
    );
    assert_eq!(
        etcdmark::report::rpcs(&after.values, "Range"),
        etcdmark::report::rpcs(&before.values, "Range"),
        "scraping reads nothing"
    );
    let grew = |name: &str| after.values[name] - before.values[name];
    assert!(
        grew("proposals.applied") >= 37.0
            && grew("wal_fsync.count") > 0.0
            && grew("wal_fsync.seconds") > 0.0
    );
    assert_eq!(after.values["raft.is_leader"], 1.0);
    let Some(Event::Host(host)) = host else {
        panic!("no host sample")
    };
    assert!(
        host.values["etcd.etcd-0.rss"] > 1e6 && host.values["etcd.etcd-0.threads"] > 1.0,
        "{host:?}"
    );
}

/// The next event that `pick` takes, within the bound.
async fn next<T>(
    events: &mut UnboundedReceiver<Event>,
    pick: impl Fn(&Event) -> Option<T>,
) -> (T, Vec<Event>) {
    let mut passed = Vec::new();
    let search = async {
        loop {
            let event = events.recv().await.expect("the timeline runs");
            if let Some(found) = pick(&event) {
                return found;
            }
            passed.push(event);
        }
    };
    let found = tokio::time::timeout(PATIENCE, search)
        .await
        .expect("in time");
    (found, passed)
}

#[tokio::test]
async fn a_lost_member_is_said_once_and_once_when_it_is_back() {
    let etcd = common::etcd().await;
    let target = etcd.target();
    let names = BTreeMap::new();
    let mut timeline = Timeline::new([("main", &target, (&[][..], &names))]).expect("timeline");
    let (tx, mut rx) = unbounded_channel();
    let t0 = clock::now();
    let script = async {
        let sample = |e: &Event| {
            if let Event::Server(s) = e {
                Some(s.t)
            } else {
                None
            }
        };
        let note = |e: &Event| {
            if let Event::Note(n) = e {
                Some(n.text.clone())
            } else {
                None
            }
        };
        let hosts = |events: &[Event]| {
            events
                .iter()
                .filter(|e| matches!(e, Event::Host(_)))
                .count()
        };
        let (first, _) = next(&mut rx, sample).await;
        let (second, _) = next(&mut rx, sample).await;
        assert!(second > first, "{first} {second}");
        etcd.kill_member(0).unwrap();
        let (lost, _) = next(&mut rx, note).await;
        assert!(
            lost.starts_with("cannot read metrics of etcd-0: cannot read http://127.0.0.1:"),
            "{lost}"
        );
        // Three more host samples pass, three scrapes fail, and nothing is said.
        for _ in 0..3 {
            let (_, passed) = next(&mut rx, |e| matches!(e, Event::Host(_)).then_some(())).await;
            assert!(passed.is_empty(), "{passed:?}");
        }
        etcd.restart_member(0).await.unwrap();
        let (back, passed) = next(&mut rx, note).await;
        assert!(
            back.starts_with("metrics of etcd-0 (http://127.0.0.1:")
                && back.ends_with(") are available again"),
            "{back}"
        );
        assert_eq!(hosts(&passed), passed.len(), "{passed:?}");
        next(&mut rx, sample).await;
        drop(rx);
    };
    tokio::join!(timeline.run(t0, tx), script);
}

/// Written anew from what was read of it, a page of etcd's is the same.
#[tokio::test]
async fn every_line_of_a_real_page_is_read() {
    let etcd = common::start(with_flags(&[])).await;
    let url = format!("{}/metrics", etcd.endpoints()[0]);
    let page = http::get(&url, None, PATIENCE).await.expect("page");
    let lines: Vec<_> = page.lines().filter(|l| !l.starts_with('#')).collect();
    let samples: Vec<_> = prometheus::samples(&page).collect();
    assert!(lines.len() > 500, "{} lines", lines.len());
    assert_eq!(samples.len(), lines.len());
    for (sample, line) in samples.iter().zip(lines) {
        let (series, value) = line.rsplit_once(' ').expect("name and value");
        let labels: Vec<_> = sample.labels.map(|(k, v)| format!("{k}={v:?}")).collect();
        let braces = match labels.join(",") {
            none if none.is_empty() => none,
            some => format!("{{{some}}}"),
        };
        assert_eq!(format!("{}{braces}", sample.name), series);
        assert_eq!(
            sample.value,
            value.parse::<f64>().expect("number"),
            "{line}"
        );
    }
    let values = metrics::parse(&page);
    for row in metrics::TABLE.iter().filter(|row| row.always) {
        let mut keys = values.keys().filter_map(|k| k.strip_prefix(row.name));
        let taken = keys.any(|rest| rest.is_empty() || rest.starts_with('.'));
        assert!(taken, "{} ({})", row.name, row.family);
    }
    let quota = prometheus::value(&page, "etcd_server_quota_backend_bytes");
    assert_eq!(quota, Some(2_147_483_648.0));
}

#[tokio::test]
async fn a_full_etcd_fires_the_guards() {
    let etcd = common::start(with_flags(&["--quota-backend-bytes=16777216"])).await;
    let mut client = client(&etcd).await;
    let value = vec![b'x'; 1 << 20];
    let mut refused = false;
    for i in 0..64 {
        refused |= client
            .put(format!("k{i}"), value.clone(), None)
            .await
            .is_err();
        if refused {
            break;
        }
    }
    assert!(refused, "16 MiB hold no 64 MiB");
    let events = once(&etcd.target()).await;
    let sample = server(&events);
    assert_eq!(sample.values["db.quota"], 16_777_216.0);
    let version = etcd.binary().version.clone();
    let fired = events
        .iter()
        .find_map(|e| Guards::new(&ALL).observe(e))
        .expect("a guard");
    assert_eq!(
        (fired.guard.as_str(), fired.store.as_str()),
        ("quota", "main")
    );
    // Versions from 3.5 on give the reason in /health; before that the alarm shows in answers and polls only.
    match sample.values.get("alarm.nospace") {
        Some(raised) => {
            assert_eq!(*raised, 1.0);
            let fired =
                Guards::new(&[etcdmark::workload::plan::GuardKind::Alarm]).observe(&events[0]);
            assert_eq!(
                fired.expect("alarm").cause,
                "member etcd-0 has alarm NOSPACE"
            );
        }
        None => assert_eq!(
            (version.major, version.minor),
            (3, 4),
            "no alarm in /health"
        ),
    }
}

#[tokio::test]
async fn mutual_tls() {
    let certificates = common::tls();
    let etcd = common::tls_etcd(&certificates).await;
    let url = format!("{}/metrics", etcd.endpoints()[0]);
    let tls = certificates.material(Some("client"));
    let page = http::get(&url, Some(&tls), Duration::from_secs(5)).await;
    let page = page.expect("the page of metrics");
    assert!(metrics::is_etcd(&metrics::parse(&page)));
    assert!(
        metrics::is_etcd(&server(&once(&etcd.target()).await).values),
        "the timeline, over TLS"
    );

    let with = |change: fn(&mut TlsMaterial)| {
        let mut tls = tls.clone();
        change(&mut tls);
        tls
    };
    let get = async |tls: TlsMaterial| {
        http::get(&url, Some(&tls), Duration::from_secs(5))
            .await
            .map(|page| page.len())
    };
    // The node's name instead of its address, and no verification at all.
    get(with(|t| t.server_name = Some("localhost".into())))
        .await
        .expect("another name of the certificate");
    get(with(|t| (t.ca, t.insecure_skip_verify) = (None, true)))
        .await
        .expect("any certificate");
    let no_client = get(with(|t| (t.cert, t.key) = (None, None)))
        .await
        .expect_err("no client certificate");
    assert!(matches!(no_client, HttpError::Io { .. }), "{no_client}");
    let wrong_name = get(with(|t| t.server_name = Some("elsewhere".into())))
        .await
        .expect_err("wrong name");
    assert!(matches!(wrong_name, HttpError::Io { .. }), "{wrong_name}");
    let wrong_ca = get(TlsMaterial {
        ca: common::tls().material(None).ca,
        ..tls.clone()
    })
    .await
    .expect_err("another CA");
    assert!(wrong_ca.to_string().contains("certificate"), "{wrong_ca}");
}
