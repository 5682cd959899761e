//! The server side of the timeline, against a real etcd: `ETCDMARK_TEST_ETCD`, else the newest that
//! `scripts/install-etcd.sh` has provided, else `etcd` on PATH.

use etcd_client::{Client, ConnectOptions};
use etcdmark::clock;
use etcdmark::engine::guards::{ALL, Guards};
use etcdmark::etcd::http::{self, HttpError};
use etcdmark::etcd::target::{LocalMember, TlsMaterial};
use etcdmark::etcd::{Target, prometheus};
use etcdmark::report::{Event, ServerSample};

use etcdmark::server::{Timeline, metrics};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Far beyond what anything here takes: a bound, not an expectation.
const BOUND: Duration = Duration::from_secs(60);

fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("ETCDMARK_TEST_ETCD") {
        return path.into();
    }
    let var = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = var("ETCDMARK_CACHE")
        .or_else(|| var("XDG_CACHE_HOME").map(|d| d.join("etcdmark")))
        .or_else(|| var("HOME").map(|d| d.join(".cache/etcdmark")));
    let versions = cache.and_then(|c| std::fs::read_dir(c.join("etcd")).ok());
    let paths = versions
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("etcd"));
    let number = |path: &PathBuf| -> Vec<u32> {
        let version = path
            .parent()
            .and_then(Path::file_name)
            .map(|v| v.to_string_lossy().into_owned());
        version
            .unwrap_or_default()
            .split('.')
            .filter_map(|n| n.parse().ok())
            .collect()
    };
    paths
        .filter(|p| p.is_file())
        .max_by_key(number)
        .unwrap_or_else(|| "etcd".into())
}

/// One etcd process on loopback, killed at the end.
struct Etcd {
    child: Child,
    port: u16,
    scheme: &'static str,
    dir: TempDir,
    flags: Vec<String>,
}

impl Etcd {
    fn start(scheme: &'static str, flags: &[String]) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let free = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
            listener.local_addr().expect("address").port()
        };
        let (port, peer) = (free(), free());
        let mut all = vec![
            "--name=m1".to_owned(),
            format!("--data-dir={}", dir.path().join("data").display()),
            format!("--listen-client-urls={scheme}://127.0.0.1:{port}"),
            format!("--advertise-client-urls={scheme}://127.0.0.1:{port}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
            format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
            format!("--initial-cluster=m1=http://127.0.0.1:{peer}"),
            "--log-level=error".to_owned(),
        ];
        all.extend_from_slice(flags);
        Etcd {
            child: spawn(&all),
            port,
            scheme,
            dir,
            flags: all,
        }
    }

    fn restart(&mut self) {
        self.child = spawn(&self.flags);
    }

    fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    fn target(&self) -> Target {
        let mut target = Target::plain(vec![format!("{}://127.0.0.1:{}", self.scheme, self.port)]);
        let data_dir = self.dir.path().join("data");
        target.local_members = vec![LocalMember {
            name: "m1".into(),
            pid: self.child.id(),
            data_dir,
            medium: None,
        }];
        target
    }

    /// Once it answers; gives a client.
    async fn ready(&self) -> Client {
        let endpoint = format!("127.0.0.1:{}", self.port);
        let start = clock::now();
        loop {
            let options = ConnectOptions::new().with_timeout(Duration::from_secs(5));
            if let Ok(mut client) = Client::connect([endpoint.as_str()], Some(options)).await
                && client.get("ready", None).await.is_ok()
            {
                return client;
            }
            assert!(
                u128::from(clock::now() - start) < BOUND.as_nanos(),
                "etcd did not come up"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn spawn(flags: &[String]) -> Child {
    let binary = binary();
    let spawned = Command::new(&binary)
        .args(flags)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    spawned.unwrap_or_else(|e| {
        panic!(
            "no etcd to test with ({}: {e}): run scripts/install-etcd.sh newest",
            binary.display()
        )
    })
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn server(events: &[Event]) -> &ServerSample {
    let sample = events.iter().find_map(|e| match e {
        Event::Server(sample) => Some(sample),
        _ => None,
    });
    sample.unwrap_or_else(|| panic!("no server sample in {events:?}"))
}

async fn once(target: &Target) -> Vec<Event> {
    Timeline::new([("main", target)])
        .expect("timeline")
        .once(clock::now())
        .await
}

#[tokio::test]
async fn every_promised_family_is_there_and_rpcs_are_counted_exactly() {
    let etcd = Etcd::start("http", &[]);
    let mut client = etcd.ready().await;
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
        ("main", "m1")
    );
    assert_eq!(
        metrics::rpcs(&after.values, "Put") - metrics::rpcs(&before.values, "Put"),
        37.0
    );
    assert_eq!(
        metrics::rpcs(&after.values, "Range"),
        metrics::rpcs(&before.values, "Range"),
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
        host.values["etcd.m1.rss"] > 1e6 && host.values["etcd.m1.threads"] > 1.0,
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
    let found = tokio::time::timeout(BOUND, search).await.expect("in time");
    (found, passed)
}

#[tokio::test]
async fn a_lost_member_is_said_once_and_once_when_it_is_back() {
    let mut etcd = Etcd::start("http", &[]);
    etcd.ready().await;
    let target = etcd.target();
    let mut timeline = Timeline::new([("main", &target)]).expect("timeline");
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
        etcd.kill();
        let (lost, _) = next(&mut rx, note).await;
        assert!(
            lost.starts_with("no metrics of m1: cannot read http://127.0.0.1:"),
            "{lost}"
        );
        // Three more host samples pass, three scrapes fail, and nothing is said.
        for _ in 0..3 {
            let (_, passed) = next(&mut rx, |e| matches!(e, Event::Host(_)).then_some(())).await;
            assert!(passed.is_empty(), "{passed:?}");
        }
        etcd.restart();
        let (back, passed) = next(&mut rx, note).await;
        assert!(
            back.starts_with("metrics of m1 (http://127.0.0.1:") && back.ends_with(") are back"),
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
    let etcd = Etcd::start("http", &[]);
    etcd.ready().await;
    let url = format!("http://127.0.0.1:{}/metrics", etcd.port);
    let page = http::get(&url, None, BOUND).await.expect("page");
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
    let etcd = Etcd::start("http", &["--quota-backend-bytes=16777216".to_owned()]);
    let mut client = etcd.ready().await;
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
            assert_eq!(fired.expect("alarm").cause, "member m1 has alarm NOSPACE");
        }
        None => assert!(
            version().starts_with("etcd Version: 3.4."),
            "no alarm in /health of {}",
            version()
        ),
    }
}

fn version() -> String {
    let out = Command::new(binary())
        .arg("--version")
        .output()
        .expect("etcd --version");
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// A CA, a server certificate for 127.0.0.1 and a client certificate, as PEM.
fn certificates(dir: &Path) -> (TlsMaterial, Vec<String>) {
    let key = || rcgen::KeyPair::generate().expect("key");
    let mut ca = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.distinguished_name
        .push(rcgen::DnType::CommonName, "etcd-ca");
    let issuer = rcgen::CertifiedIssuer::self_signed(ca, key()).expect("CA");
    let leaf = |names: &[&str], usage: &[rcgen::ExtendedKeyUsagePurpose]| {
        let names = names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let mut params = rcgen::CertificateParams::new(names).expect("parameters");
        params.extended_key_usages = usage.to_vec();
        let key = key();
        let cert = params.signed_by(&key, &issuer).expect("signed");
        (cert.pem().into_bytes(), key.serialize_pem().into_bytes())
    };
    use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let (server, server_key) = leaf(&["localhost", "127.0.0.1"], &[ServerAuth, ClientAuth]);
    let (cert, key) = leaf(&["client"], &[ClientAuth]);
    let ca = issuer.pem().into_bytes();
    let write = |name: &str, pem: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, pem).expect("write");
        path.display().to_string()
    };
    let flags = vec![
        format!("--cert-file={}", write("server.crt", &server)),
        format!("--key-file={}", write("server.key", &server_key)),
        format!("--trusted-ca-file={}", write("ca.crt", &ca)),
        "--client-cert-auth=true".to_owned(),
    ];
    (
        TlsMaterial {
            ca: Some(ca),
            cert: Some(cert),
            key: Some(key),
            ..TlsMaterial::default()
        },
        flags,
    )
}

#[tokio::test]
async fn mutual_tls() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (tls, flags) = certificates(dir.path());
    let etcd = Etcd::start("https", &flags);
    let url = format!("https://127.0.0.1:{}/metrics", etcd.port);
    let start = clock::now();
    let page = loop {
        match http::get(&url, Some(&tls), Duration::from_secs(5)).await {
            Ok(page) => break page,
            Err(e) => assert!(u128::from(clock::now() - start) < BOUND.as_nanos(), "{e}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(metrics::is_etcd(&metrics::parse(&page)));
    let mut target = etcd.target();
    target.tls = Some(tls.clone());
    assert!(
        metrics::is_etcd(&server(&once(&target).await).values),
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
    // In a folder of its own: etcd reads its certificate anew for each connection.
    let elsewhere = tempfile::tempdir().expect("temporary folder");
    let (other, _) = certificates(elsewhere.path());
    let wrong_ca = get(TlsMaterial {
        ca: other.ca,
        ..tls.clone()
    })
    .await
    .expect_err("another CA");
    assert!(wrong_ca.to_string().contains("certificate"), "{wrong_ca}");
}
