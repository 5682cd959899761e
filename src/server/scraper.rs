//! Scrapes every member of every store once a second, without disturbing it: one kept connection per
//! member, members staggered over the second, a page that is late is given up.

use super::metrics;
use crate::clock::{self, Nanos, SECOND};
use crate::etcd::http::{Client, HttpError};
use crate::etcd::pages;
use crate::report::{Event, Note, ServerSample};
use crate::target::Target;
use crate::target::TlsMaterial;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// Time between two scrapes of a member.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// Time for one scrape, both pages; below the interval, so that scrapes never pile up.
pub const TIMEOUT: Duration = Duration::from_millis(800);

/// Where one member's `/metrics` and `/health` are.
#[derive(Clone, Debug)]
pub struct ScrapeSource {
    /// Store name.
    pub store: String,
    /// Member name, or its endpoint where the name is not known.
    pub member: String,
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// Used for https.
    pub tls: Option<TlsMaterial>,
    /// What to do where they cannot be read, in brackets; or nothing.
    pub remedy: String,
    /// Of pages that are apart from the endpoints: who may be behind them, by the id that a page gives. Empty where that is
    /// not known.
    pub members: Arc<BTreeMap<u64, String>>,
}

/// Names of a store's members: in the order of the endpoints, and by id. Either may be empty.
pub type Names<'a> = (&'a [String], &'a BTreeMap<u64, String>);

/// The sources of one store: its metrics endpoints if they are apart, else its endpoints. Members that
/// etcdmark started itself go by their names.
pub fn sources(store: &str, target: &Target, (in_order, by_id): Names) -> Vec<ScrapeSource> {
    let apart = !target.metrics_endpoints.is_empty();
    let urls = if apart {
        &target.metrics_endpoints
    } else {
        &target.endpoints
    };
    // What a page that does not say whose it is goes by: one metrics endpoint per member, in the same order.
    let locals = target.local_members.iter().map(|m| &m.name);
    let names: Vec<&String> = match in_order.len() {
        0 => locals.collect(),
        _ => in_order.iter().collect(),
    };
    let members = Arc::new(match apart {
        true => by_id.clone(),
        false => BTreeMap::new(),
    });
    let named = urls.len() == names.len();
    let name = |i: usize, url: &str| match names.get(i) {
        Some(name) if named => (*name).clone(),
        _ => url
            .split_once("://")
            .map_or(url, |(_, authority)| authority)
            .trim_end_matches('/')
            .to_owned(),
    };
    let source = |(i, url): (usize, &String)| {
        ScrapeSource {
        store: store.to_owned(),
        member: name(i, url),
        url: url.clone(),
        tls: target.tls.clone(),
        remedy: target.metrics_remedy("if it has another address, as on kubeadm nodes and with --listen-client-http-urls, pass --metrics-endpoints"),
        members: members.clone(),
    }
    };
    urls.iter().enumerate().map(source).collect()
}

/// Scrapes all sources.
#[derive(Debug)]
pub struct Scraper {
    members: Vec<ScrapedMember>,
}

#[derive(Debug)]
struct ScrapedMember {
    source: ScrapeSource,
    client: Client,
    /// What was last said about it: reachable until the first failure.
    said_down: bool,
    /// Which members have a page, by store and id: the first of two pages of one member counts.
    taken: Taken,
}

type Taken = Arc<Mutex<BTreeMap<(String, u64), String>>>;

impl Scraper {
    /// Fails on a URL or on TLS material that cannot be used; connects to nothing yet.
    pub fn new(sources: Vec<ScrapeSource>) -> Result<Self, HttpError> {
        let taken = Taken::default();
        let member = |source: ScrapeSource| {
            Ok(ScrapedMember {
                client: Client::new(&source.url, source.tls.as_ref())?,
                source,
                said_down: false,
                taken: taken.clone(),
            })
        };
        Ok(Scraper {
            members: sources.into_iter().map(member).collect::<Result<_, _>>()?,
        })
    }

    /// Scrapes each member once a second and sends [`Event::Server`] (and a [`Note`] when a member's
    /// page is lost or back) until the receiver is dropped. `t0`: the run's zero, monotonic ns.
    /// May be dropped at any time.
    pub async fn run(&mut self, t0: Nanos, events: UnboundedSender<Event>) {
        let members = self.members.len().max(1);
        let step = INTERVAL / u32::try_from(members).unwrap_or(u32::MAX);
        let mut offset = Duration::ZERO;
        let loops = self.members.iter_mut().map(|member| {
            let (events, wait) = (events.clone(), offset);
            offset += step;
            async move {
                tokio::time::sleep(wait).await;
                let mut ticks = tokio::time::interval(INTERVAL);
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
                loop {
                    ticks.tick().await;
                    for event in member.scrape(t0).await {
                        if events.send(event).is_err() {
                            return;
                        }
                    }
                }
            }
        });
        let loops = loops.collect::<Vec<_>>();
        tokio::select! {
            _ = join_all(loops) => {}
            () = events.closed() => {}
        }
    }

    /// Scrapes every member once, now, all at the same time: the readings between which attempts are
    /// compared with etcd's own counts.
    pub async fn once(&mut self, t0: Nanos) -> Vec<Event> {
        let all = join_all(self.members.iter_mut().map(|member| member.scrape(t0))).await;
        all.into_iter().flatten().collect()
    }
}

impl ScrapedMember {
    async fn scrape(&mut self, t0: Nanos) -> Vec<Event> {
        let outcome = tokio::time::timeout(TIMEOUT, self.values()).await;
        let t = seconds_since(t0);
        let lost = match outcome {
            Ok(Ok((values, id))) if metrics::is_etcd(&values) => {
                if let Err(text) = self.identify(id) {
                    return self.lost(t, text);
                }
                let sample = Event::Server(ServerSample {
                    t,
                    store: self.source.store.clone(),
                    member: self.source.member.clone(),
                    values,
                });
                if std::mem::take(&mut self.said_down) {
                    let text = format!(
                        "metrics of {} ({}) are available again",
                        self.source.member, self.source.url
                    );
                    return vec![
                        Event::Note(Note {
                            t,
                            level: "info".to_owned(),
                            text,
                        }),
                        sample,
                    ];
                }
                return vec![sample];
            }
            Ok(Ok(_)) => format!(
                "{}/metrics is not etcd's (no etcd_server_has_leader in it)",
                self.client.base()
            ),
            Ok(Err(e)) => e.to_string(),
            Err(_) => format!(
                "{}/metrics did not answer within {TIMEOUT:?}",
                self.client.base()
            ),
        };
        let text = format!(
            "cannot read metrics of {}: {lost}; its server figures are missing until they return{}",
            self.source.member, self.source.remedy
        );
        self.lost(t, text)
    }

    /// Says once, until the page is back, why there is no sample of it.
    fn lost(&mut self, t: f64, text: String) -> Vec<Event> {
        if std::mem::replace(&mut self.said_down, true) {
            return Vec::new();
        }
        vec![Event::Note(Note {
            t,
            level: "warning".to_owned(),
            text,
        })]
    }

    /// Takes the name of the member whose page it is. What is wrong with it where its figures are not to be used.
    fn identify(&mut self, id: Option<u64>) -> Result<(), String> {
        let source = &mut self.source;
        let Some(id) = id.filter(|_| !source.members.is_empty()) else {
            return Ok(());
        };
        let url = format!("{}/metrics", self.client.base());
        let Some(name) = source.members.get(&id) else {
            return Err(pages::stranger(&url, id));
        };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let first = taken.entry((source.store.clone(), id));
        let first = first.or_insert_with(|| source.url.clone());
        if *first != source.url {
            return Err(format!(
                "{url} is the page of {name}, as {first}/metrics is, so it is left out; name each member once in \
                 --metrics-endpoints"
            ));
        }
        source.member.clone_from(name);
        Ok(())
    }

    /// The page's values, and the id of its member.
    async fn values(&mut self) -> Result<(BTreeMap<String, f64>, Option<u64>), HttpError> {
        let page = self.client.get("/metrics", TIMEOUT).await?;
        let mut values = metrics::parse(&page);
        // Alarms are in no metric. Serializable: no read index.
        if !proposes_health(&page)
            && let Ok(health) = self
                .client
                .request("/health?serializable=true", TIMEOUT / 2)
                .await
        {
            values.extend(health_values(&health.body));
        }
        Ok((values, pages::server_id(&page)))
    }
}

/// etcd 3.4 answers `/health` by a raft proposal, which costs a sync of the log, and gives no reason: not worth it
/// (`server/etcdserver/api/etcdhttp/metrics.go` of that release).
fn proposes_health(page: &str) -> bool {
    page.contains("etcd_server_version{server_version=\"3.4.")
}

/// etcd's `/health` body → `alarm.nospace`, `alarm.corrupt` (0 or 1). Empty where the version gives no
/// reason (3.4: `{"health":"false"}`), since that may be any cause.
fn health_values(body: &str) -> BTreeMap<String, f64> {
    let Ok(health) = serde_json::from_str::<serde_json::Value>(body) else {
        return BTreeMap::new();
    };
    let healthy = match health.get("health") {
        Some(serde_json::Value::String(s)) => s == "true",
        Some(serde_json::Value::Bool(b)) => *b,
        _ => return BTreeMap::new(),
    };
    let reason = health.get("reason").and_then(|r| r.as_str());
    let (nospace, corrupt) = match (healthy, reason) {
        (true, _) => (false, false),
        (false, Some(reason)) => (reason.contains("NOSPACE"), reason.contains("CORRUPT")),
        (false, None) => return BTreeMap::new(),
    };
    [("alarm.nospace", nospace), ("alarm.corrupt", corrupt)]
        .map(|(name, raised)| (name.to_owned(), f64::from(u8::from(raised))))
        .into()
}

/// Seconds since the run's zero, 0 before it.
pub(crate) fn seconds_since(t0: Nanos) -> f64 {
    clock::now().saturating_sub(t0) as f64 / SECOND as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_endpoints_win_and_local_members_have_names() {
        let mut target = Target::plain(vec![
            "http://127.0.0.1:1".into(),
            "http://127.0.0.1:2/".into(),
        ]);
        let names = |t: &Target| {
            sources("main", t, (&[], &BTreeMap::new()))
                .into_iter()
                .map(|s| s.member)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&target), ["127.0.0.1:1", "127.0.0.1:2"]);
        for (name, pid) in [("m1", 1), ("m2", 2)] {
            let local = crate::target::LocalMember {
                name: name.into(),
                pid,
                data_dir: "/".into(),
                file_system: String::new(),
                in_memory: None,
                medium: None,
                binary: crate::measure::BinaryInfo::default(),
                endpoint: String::new(),
                end: crate::target::ProcessEnd::default(),
            };
            target.local_members.push(local);
        }
        assert_eq!(names(&target), ["m1", "m2"]);
        target.metrics_endpoints = vec!["http://127.0.0.1:2381".into()];
        assert_eq!(names(&target), ["127.0.0.1:2381"]);
    }

    #[test]
    fn etcd_3_4_is_not_asked_for_its_health() {
        let page = |v: &str| format!("# x\netcd_server_version{{server_version=\"{v}\"}} 1\n");
        assert!(proposes_health(&page("3.4.30")));
        assert!(!proposes_health(&page("3.5.4")) && !proposes_health(&page("3.40.1")));
    }

    #[test]
    fn health_tells_alarms_only_where_it_gives_a_reason() {
        let values = |body| health_values(body).into_values().collect::<Vec<_>>();
        assert_eq!(values(r#"{"health":"true","reason":""}"#), [0.0, 0.0]);
        assert_eq!(
            health_values(r#"{"health":"false","reason":"ALARM NOSPACE"}"#)["alarm.nospace"],
            1.0
        );
        assert_eq!(
            health_values(r#"{"health":"false","reason":"ALARM CORRUPT"}"#)["alarm.corrupt"],
            1.0
        );
        assert_eq!(
            values(r#"{"health":"false","reason":"RAFT NO LEADER"}"#),
            [0.0, 0.0]
        );
        assert!(values(r#"{"health":"false"}"#).is_empty());
        assert!(values("404 page not found").is_empty());
    }
}
