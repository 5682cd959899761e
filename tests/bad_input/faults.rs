//! What is wrong with the etcd, its certificates, its users or its members before anything is begun.

use super::*;
use etcd_client::proto::PbStatusResponse;
use etcd_client::{
    AlarmAction, AlarmOptions, AlarmType, MemberAddOptions, Permission, PermissionType,
};
use etcdmark::local::{BinaryChoice, LocalCluster};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// Refused by a command that writes and by one that only reads.
fn both(endpoints: &str, flags: &str, code: i32, says: &[&str]) {
    let flags = format!("--endpoints {endpoints} {flags}");
    refused(&[
        case(
            &format!("run node-heartbeats --nodes 2 {flags}"),
            code,
            says,
        ),
        case(&format!("inspect {flags}"), code, says),
    ]);
}

fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// An etcd started by hand, as [`LocalCluster`] starts none that cannot answer.
struct Etcd {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(name: &str, scheme: &str, peer: &str, initial: &str, flags: &[String]) -> Etcd {
    let dir = tempfile::tempdir().unwrap();
    let port = port();
    let url = format!("{scheme}://127.0.0.1:{port}");
    let choice: BinaryChoice = common::etcd_binary();
    let binary = choice.find().expect("a real etcd is needed");
    let child = Command::new(&binary.path)
        .args([
            "--name",
            name,
            "--listen-client-urls",
            &url,
            "--advertise-client-urls",
            &url,
        ])
        .args([
            "--listen-peer-urls",
            peer,
            "--initial-advertise-peer-urls",
            peer,
        ])
        .args([
            "--initial-cluster",
            initial,
            "--logger",
            "zap",
            "--data-dir",
        ])
        .arg(dir.path())
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("an etcd listens", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    Etcd {
        child,
        url,
        _dir: dir,
    }
}

/// Answers every connection with the same bytes, whatever it says.
fn babble(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut socket in listener.incoming().take(20).flatten() {
            let _ = socket.read(&mut [0; 64]);
            let _ = socket.write_all(answer);
        }
    });
    url
}

#[test]
fn nobody_there_and_nobody_who_answers() {
    both(
        &format!("http://127.0.0.1:{}", port()),
        "",
        1,
        &["cannot reach", "refused", "--endpoints"],
    );
    both(
        "http://no-such-host.invalid:2379",
        "",
        1,
        &["cannot reach", "no-such-host.invalid", "--endpoints"],
    );
    // Listens, never accepts: the kernel shakes hands, nobody says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    both(
        &url,
        "--dial-timeout 300ms --command-timeout 300ms",
        1,
        &["did not answer within 300ms", "timeout"],
    );
}

#[test]
fn not_an_etcd() {
    for answer in [
        &b""[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
    ] {
        both(&babble(answer), "", 2, &["not an etcd"]);
    }
    // gRPC, but none of etcd's services.
    let url = scripted(None);
    both(&url, "", 2, &["not an etcd", "2379"]);
}

#[test]
fn older_than_3_4() {
    let url = scripted(Some("3.3.27"));
    both(&url, "", 2, &["is etcd 3.3.27", "3.4 or newer"]);
}

/// A gRPC server that answers Status with a version, or says of everything that it does not know it.
fn scripted(version: Option<&'static str>) -> String {
    use crate::scripted::{answer, fail, handler, serve};
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            let server = serve(
                h2::server::Builder::new(),
                handler(move |mut x| async move {
                    match (version, x.request.uri().path()) {
                        (Some(version), "/etcdserverpb.Maintenance/Status") => {
                            use prost::Message;
                            let status = PbStatusResponse {
                                version: version.to_owned(),
                                leader: 1,
                                ..PbStatusResponse::default()
                            };
                            answer(&mut x.respond, &status.encode_to_vec()).await;
                        }
                        _ => fail(&mut x.respond, 12, "unknown service"),
                    }
                }),
            )
            .await;
            tell.send(server.endpoint.clone()).unwrap();
            tokio::time::sleep(PATIENCE).await;
        });
    });
    told.recv().unwrap()
}

#[test]
fn certificates() {
    let runtime = runtime();
    let tls = common::tls();
    let path = |f: &str| tls.path(f).display().to_string();
    let etcd = runtime.block_on(common::tls_etcd(&tls));
    let https = etcd.endpoints().remove(0);
    let http = https.replace("https://", "http://");
    let client = format!("--cert {} --key {}", path("client.crt"), path("client.key"));
    let ca = format!("--cacert {}", path("ca.crt"));
    both(
        &http,
        "",
        2,
        &["closed the connection at once", "https://", "--cacert"],
    );
    both(&https, "", 2, &["--cacert"]);
    both(
        &https,
        &format!("--cacert {} {client}", path("other-ca.crt")),
        2,
        &["not signed by the CA in --cacert"],
    );
    both(
        &https,
        &ca,
        2,
        &["requires a client certificate", "--cert and --key"],
    );
    let expired = format!(
        "{ca} --cert {} --key {}",
        path("expired.crt"),
        path("expired.key")
    );
    both(
        &https,
        &expired,
        2,
        &["rejected the client certificate in --cert", "unexpired"],
    );
    both(
        &https,
        &format!("{ca} --cert {}", path("client.crt")),
        2,
        &["--cert also needs --key"],
    );
    let mixed = format!(
        "{ca} --cert {} --key {}",
        path("client.crt"),
        path("expired.key")
    );
    both(&https, &mixed, 2, &["--cert", "--key"]);
    both(
        &https,
        &format!("--cacert {} {client}", path("ca.key.not")),
        2,
        &["--cacert", "ca.key.not"],
    );
    both(
        &https,
        &format!("--cacert {} {client}", path("client.key")),
        2,
        &["--cacert", "PEM"],
    );
    let plain = runtime.block_on(common::etcd());
    let to_plain = plain.endpoints().remove(0).replace("http://", "https://");
    both(
        &to_plain,
        &format!("{ca} {client}"),
        2,
        &["does not speak TLS", "http://"],
    );
    assert!(runtime.block_on(keys(&plain.endpoints()[0])).is_empty());
    for (server, says) in [
        (
            "expired-server",
            &["the certificate of", "has expired", "renew it"][..],
        ),
        (
            "elsewhere",
            &[
                "not valid for that host name",
                "etcd.example",
                "--endpoints",
            ],
        ),
    ] {
        let peer = format!("http://127.0.0.1:{}", port());
        let flags = [
            "--cert-file",
            &path(&format!("{server}.crt")),
            "--key-file",
            &path(&format!("{server}.key")),
        ]
        .map(str::to_owned);
        let etcd = spawn("m", "https", &peer, &format!("m={peer}"), &flags);
        both(&etcd.url, &ca, 2, says);
    }
}

#[test]
fn users_and_permissions() {
    let runtime = runtime();
    let etcd = runtime.block_on(common::etcd());
    let url = etcd.endpoints().remove(0);
    runtime.block_on(async {
        let mut admin = client(&url).await;
        for (user, role) in [("root", "root"), ("half", "half"), ("guest", "guest")] {
            admin.role_add(role).await.unwrap();
            admin.user_add(user, "secret", None).await.unwrap();
            admin.user_grant_role(user, role).await.unwrap();
        }
        // May read what it may not write.
        let read = Permission::new(PermissionType::Read, "/registry-etcdmark/").with_prefix();
        admin.role_grant_permission("half", read).await.unwrap();
        admin.auth_enable().await.unwrap();
    });
    both(&url, "", 2, &["authentication", "--user", "--password"]);
    both(&url, "--user root:wrong", 2, &["\"root\"", "--password"]);
    both(&url, "--user nobody:secret", 2, &["\"nobody\"", "--user"]);
    for user in ["half", "guest"] {
        let line = format!("run node-heartbeats --nodes 2 --endpoints {url} --user {user}:secret");
        let may_not = format!("{user:?} may not write /registry-etcdmark/");
        refused(&[case(
            &line,
            2,
            &[
                &may_not,
                "grant-permission",
                "readwrite /registry-etcdmark/",
            ],
        )]);
    }
    let left = runtime.block_on(async {
        let as_root = etcd_client::ConnectOptions::new().with_user("root", "secret");
        let mut root = etcd_client::Client::connect([&url], Some(as_root))
            .await
            .unwrap();
        let all = etcd_client::GetOptions::new()
            .with_all_keys()
            .with_count_only();
        root.get("", Some(all)).await.unwrap().count()
    });
    assert_eq!(left, 0);
}

#[test]
fn members_and_clusters() {
    let runtime = runtime();
    let cluster = runtime.block_on(common::three_members());
    let other = runtime.block_on(common::etcd());
    let (mine, theirs) = (cluster.endpoints(), other.endpoints());
    both(
        &format!("{},{}", mine[0], theirs[0]),
        "",
        2,
        &["two clusters", &mine[0], &theirs[0]],
    );
    let twice = mine[0].replace("127.0.0.1", "localhost");
    both(
        &format!("{},{twice}", mine[0]),
        "",
        2,
        &["one member twice", &mine[0], &twice, "remove one"],
    );
    let learner = runtime.block_on(learner(&cluster));
    let with_learner = format!(
        "run node-heartbeats --endpoints {},{}",
        mine[0], learner.url
    );
    refused(&[case(
        &with_learner,
        2,
        &[&learner.url, "is a learner", "promote"],
    )]);
    drop(learner);
    for index in [1, 2] {
        cluster.kill_member(index).unwrap();
    }
    let alone = format!("inspect --endpoints {} --command-timeout 1s", mine[0]);
    let here = tempfile::tempdir().unwrap();
    until("the survivor knows that it has no leader", || {
        let out = run_in(here.path(), &alone);
        (text(&out.stdout) + &text(&out.stderr)).contains("no leader")
    });
    refused(&[case(
        &format!(
            "run node-heartbeats --nodes 2 --endpoints {} --command-timeout 2s",
            mine[0]
        ),
        1,
        &["no leader", &mine[0], "quorum"],
    )]);
    assert!(runtime.block_on(keys(&theirs[0])).is_empty());
}

/// A fourth member that only listens.
async fn learner(cluster: &LocalCluster) -> Etcd {
    let mut admin = client(&cluster.endpoints()[0]).await;
    let peer = format!("http://127.0.0.1:{}", port());
    // etcd takes no new member until the others have been connected for some seconds.
    for attempt in 0.. {
        let options = MemberAddOptions::new().with_is_learner();
        match admin.member_add([&peer], Some(options)).await {
            Ok(_) => break,
            Err(e) if attempt > 300 => panic!("{e}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    let members = admin.member_list().await.unwrap();
    let members = members.members().iter().map(|m| {
        let name = if m.name().is_empty() {
            "late"
        } else {
            m.name()
        };
        format!("{name}={}", m.peer_urls()[0])
    });
    let initial: Vec<String> = members.collect();
    let state = ["--initial-cluster-state", "existing"].map(str::to_owned);
    let learner = spawn("late", "http", &peer, &initial.join(","), &state);
    let here = tempfile::tempdir().unwrap();
    until("the learner answers", || {
        let out = run_in(here.path(), &format!("inspect --endpoints {}", learner.url));
        !text(&out.stderr).contains("cannot reach")
    });
    learner
}

#[test]
fn alarms_at_the_start() {
    let runtime = runtime();
    let etcd = runtime.block_on(common::etcd());
    let url = etcd.endpoints().remove(0);
    let run = format!("run node-heartbeats --nodes 2 --endpoints {url}");
    for (alarm, says) in [
        (
            AlarmType::Nospace,
            &["NOSPACE", "etcdctl defrag", "alarm disarm"][..],
        ),
        (AlarmType::Corrupt, &["CORRUPT", "restore"]),
    ] {
        runtime.block_on(raise(&url, AlarmAction::Activate, alarm));
        refused(&[case(&run, 1, says)]);
        assert!(runtime.block_on(keys(&url)).is_empty());
        runtime.block_on(raise(&url, AlarmAction::Deactivate, alarm));
    }
}

/// Raises or clears an alarm through etcd's own API.
pub(super) async fn raise(url: &str, action: AlarmAction, alarm: AlarmType) {
    let mut admin = client(url).await;
    let member = admin.status().await.unwrap().header().unwrap().member_id();
    let mut options = AlarmOptions::new();
    options.with_member(member);
    admin.alarm(action, alarm, Some(options)).await.unwrap();
}
