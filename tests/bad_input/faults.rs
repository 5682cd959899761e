//! What is wrong with the etcd, its certificates, its users or its members before anything is begun.

use super::*;
use crate::common::bare_etcd::BareEtcd;
use crate::common::ports;
use etcd_client::proto::PbStatusResponse;
use etcd_client::{
    AlarmAction, AlarmOptions, AlarmType, Client, ConnectOptions, Permission, PermissionType,
};
use std::net::TcpListener;
use std::time::Duration;

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

#[test]
fn nobody_there_and_nobody_who_answers() {
    both(
        &ports::nobody(),
        "",
        2,
        &["cannot reach", "refused", "--endpoints"],
    );
    both(
        "http://no-such-host.invalid:2379",
        "",
        2,
        &["cannot reach", "no-such-host.invalid", "--endpoints"],
    );
    // Listens, never accepts: the kernel shakes hands, nobody says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    both(
        &url,
        "--dial-timeout 300ms --command-timeout 300ms",
        2,
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
        both(&ports::babbler(answer), "", 2, &["not an etcd"]);
    }
    // gRPC, but none of etcd's services.
    let url = scripted(Answer::Unknown);
    both(&url, "", 2, &["not an etcd", "2379"]);
    let url = scripted(Answer::Http(404));
    both(
        &url,
        "",
        2,
        &["not an etcd: it answers HTTP 404, as a web server"],
    );
}

#[test]
fn older_than_3_4() {
    let url = scripted(Answer::Version("3.3.27"));
    both(&url, "", 2, &["is etcd 3.3.27", "3.4 or newer"]);
}

/// What a server says that is no etcd.
#[derive(Clone, Copy)]
enum Answer {
    /// This version to Status, and of everything else that it is not known.
    Version(&'static str),
    /// That nothing is known.
    Unknown,
    /// HTTP/2 without gRPC.
    Http(u16),
}

fn scripted(says: Answer) -> String {
    use crate::common::scripted::{answer, fail, handler, serve};
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
                    match (says, x.request.uri().path()) {
                        (Answer::Http(status), _) => {
                            let answer = http::Response::builder().status(status);
                            let _ = x.respond.send_response(answer.body(()).unwrap(), true);
                        }
                        (Answer::Version(version), "/etcdserverpb.Maintenance/Status") => {
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
            tokio::time::sleep(common::PATIENCE).await;
        });
    });
    told.recv().unwrap()
}

#[test]
fn certificates() {
    let tls = common::tls();
    let path = |f: &str| tls.path(f).display().to_string();
    let testbed = Testbed::of(common::etcd::with_tls(&tls));
    let https = testbed.endpoints();
    let http = https.replace("https://", "http://");
    let client = format!("--cert {} --key {}", path("client.crt"), path("client.key"));
    let ca = format!("--cacert {}", path("ca.crt"));
    both(
        &http,
        "",
        2,
        &["closed the connection at once", "https://", "--cacert"],
    );
    // The system's CAs, which did not sign it.
    both(&https, "", 2, &["is not signed by", "--cacert"]);
    both(
        &https,
        &format!("--cacert {} {client}", path("other-ca.crt")),
        2,
        &["not signed by the CA in --cacert", "openssl s_client"],
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
        &[
            "rejected the client certificate in --cert",
            "it has expired on",
        ],
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
        &["--cacert", "holds a private key, not a certificate"],
    );
    let plain = Testbed::new();
    let to_plain = plain.endpoints().replace("http://", "https://");
    both(
        &to_plain,
        &format!("{ca} {client}"),
        2,
        &["does not speak TLS", "http://"],
    );
    assert_eq!(plain.keys(), Vec::<String>::new());
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
        let etcd = BareEtcd::start("https", &tls.server_flags(server));
        both(&etcd.url, &ca, 2, says);
    }
}

#[test]
fn users_and_permissions() {
    let testbed = Testbed::new();
    let url = testbed.endpoints();
    let mut admin = testbed.client();
    testbed.runtime.block_on(async {
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
    let as_root = ConnectOptions::new().with_user("root", "secret");
    let root = Client::connect([&url], Some(as_root));
    let root = testbed.runtime.block_on(root).unwrap();
    assert_eq!(testbed.keys_as(&root), Vec::<String>::new());
}

#[test]
fn members_and_clusters() {
    let testbed = Testbed::of(common::etcd::of_three());
    let other = Testbed::new();
    let (mine, theirs) = (testbed.etcd.endpoints(), other.endpoints());
    both(
        &format!("{},{theirs}", mine[0]),
        "",
        2,
        &["two clusters", &mine[0], &theirs],
    );
    let twice = mine[0].replace("127.0.0.1", "localhost");
    both(
        &format!("{},{twice}", mine[0]),
        "",
        2,
        &["one member twice", &mine[0], &twice, "remove one"],
    );
    let learner = BareEtcd::learner(&testbed.etcd);
    let learner = testbed.runtime.block_on(learner);
    let learners_only = format!("run node-heartbeats --endpoints {}", learner.url);
    refused(&[case(
        &learners_only,
        2,
        &[&learner.url, "is a learner", "promote"],
    )]);
    drop(learner);
    for index in [1, 2] {
        testbed.etcd.kill_member(index).unwrap();
    }
    let alone = format!("inspect --endpoints {} --command-timeout 1s", mine[0]);
    let here = tempfile::tempdir().unwrap();
    until("the survivor knows that it has no leader", || {
        let out = run_in(here.path(), &alone);
        (out.stdout + &out.stderr).contains("no leader")
    });
    refused(&[case(
        &format!(
            "run node-heartbeats --nodes 2 --endpoints {} --command-timeout 2s",
            mine[0]
        ),
        2,
        &["no leader", &mine[0], "quorum"],
    )]);
    assert_eq!(other.keys(), Vec::<String>::new());
}

#[test]
fn alarms_at_the_start() {
    let testbed = Testbed::new();
    let url = testbed.endpoints();
    let run = format!("run node-heartbeats --nodes 2 --endpoints {url}");
    for (alarm, says) in [
        (
            AlarmType::Nospace,
            &["NOSPACE", "etcdctl defrag", "alarm disarm"][..],
        ),
        (AlarmType::Corrupt, &["CORRUPT", "restore"]),
    ] {
        raise(&testbed, AlarmAction::Activate, alarm);
        refused(&[case(&run, 2, says)]);
        assert_eq!(testbed.keys(), Vec::<String>::new());
        raise(&testbed, AlarmAction::Deactivate, alarm);
    }
}

/// Raises or clears an alarm through etcd's own API.
pub(super) fn raise(testbed: &Testbed, action: AlarmAction, alarm: AlarmType) {
    let mut admin = testbed.client();
    testbed.runtime.block_on(async {
        let member = admin.status().await.unwrap().header().unwrap().member_id();
        let mut options = AlarmOptions::new();
        options.with_member(member);
        admin.alarm(action, alarm, Some(options)).await.unwrap();
    });
}

/// The port of an etcd that starts refuses connections, and may close them at once; neither is believed before the dial
/// timeout has passed.
#[test]
fn an_etcd_that_starts_is_waited_for() {
    for closes_at_once in [false, true] {
        let port = ports::free();
        let flags = [
            "--endpoints",
            &format!("http://127.0.0.1:{port}"),
            "--dial-timeout",
            "60s",
        ];
        let mut inspect = Running::spawn(&mut command(&[&["inspect"], &flags[..]].concat()));
        if closes_at_once {
            let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
            // One probe at least is answered so.
            drop(listener.accept().unwrap());
            drop(listener.accept().unwrap());
        } else {
            std::thread::sleep(Duration::from_millis(700));
        }
        assert!(!inspect.ended(), "{}", inspect.stderr());
        let _etcd = BareEtcd::start_at(port);
        let said = inspect.output();
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains("leader"), "{said:?}");
    }
}
