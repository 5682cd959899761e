//! TLS: what works, and what each fault is called.

use super::real::{Etcd, start};
use super::{local, put};
use etcdmark::etcd::tls::{self, DialError};
use etcdmark::etcd::wire::{Pool, PoolError, Settings, probe};
use etcdmark::target::Target;
use etcdmark::target::TlsMaterial;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::time::Duration;

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca() -> Ca {
    let mut params = CertificateParams::new(vec![]).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "test-ca");
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("key")).expect("ca")
}

/// (certificate, key) for some names; `expired` ended in 2020.
fn signed(ca: &Ca, names: &[&str], expired: bool) -> (String, String) {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("params");
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "someone");
    params.extended_key_usages = vec![
        rcgen::ExtendedKeyUsagePurpose::ServerAuth,
        rcgen::ExtendedKeyUsagePurpose::ClientAuth,
    ];
    if expired {
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }
    let key = KeyPair::generate().expect("key");
    let cert = params.signed_by(&key, ca).expect("certificate");
    (cert.pem(), key.serialize_pem())
}

/// A real etcd with this server certificate; wants client certificates if `mutual`.
fn etcd(ca: &Ca, server: &(String, String), mutual: bool) -> (Etcd, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("directory");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("write");
        path.display().to_string()
    };
    let mut flags = vec![
        format!("--cert-file={}", file("server.crt", &server.0)),
        format!("--key-file={}", file("server.key", &server.1)),
    ];
    if mutual {
        flags.push(format!("--trusted-ca-file={}", file("ca.crt", &ca.pem())));
        flags.push("--client-cert-auth".into());
    }
    (start("https", &flags), dir)
}

fn target(etcd: &Etcd, tls: TlsMaterial) -> Target {
    let mut target = Target::plain(vec![etcd.endpoint.clone()]);
    target.tls = Some(tls);
    target.dial_timeout = Duration::from_secs(5);
    target
}

async fn fault(etcd: &Etcd, tls: TlsMaterial) -> DialError {
    let target = target(etcd, tls);
    let by_probe = probe(&target, &etcd.endpoint).await.expect_err("a fault");
    let by_channel = tls::channel(&target, &etcd.endpoint)
        .await
        .expect_err("a fault");
    // The alert can be overtaken by the reset, so only the kind is certain.
    let kind = std::mem::discriminant::<DialError>;
    assert_eq!(
        kind(&by_probe),
        kind(&by_channel),
        "{by_probe} and {by_channel}"
    );
    match Pool::connect(&target, &target.endpoints, 1, Settings::default()).await {
        Err(PoolError::Dial(e)) => assert_eq!(kind(&e), kind(&by_probe), "{e} and {by_probe}"),
        Err(e) => panic!("{e}"),
        Ok(pool) => {
            // TLS 1.3: a missing client certificate may show only at the first request.
            let reply = pool.call(0, put(1, 500)).await;
            assert!(reply.result.is_err());
        }
    }
    by_probe
}

fn pem(ca: &Ca, pair: Option<&(String, String)>) -> TlsMaterial {
    TlsMaterial {
        ca: Some(ca.pem().into_bytes()),
        cert: pair.map(|p| p.0.clone().into_bytes()),
        key: pair.map(|p| p.1.clone().into_bytes()),
        ..TlsMaterial::default()
    }
}

async fn works(etcd: &Etcd, tls: TlsMaterial) {
    let target = target(etcd, tls);
    let pool = Pool::connect(&target, &target.endpoints, 2, Settings::default())
        .await
        .expect("pool");
    let range = etcdmark::rpc::messages::RangeRequest {
        key: "k".into(),
        ..Default::default()
    };
    let frame = super::scripted::frame(&prost::Message::encode_to_vec(&range));
    let call = etcdmark::etcd::wire::Call {
        rpc: etcdmark::rpc::Rpc::Range,
        frame,
        timeout: Some(Duration::from_secs(10)),
    };
    let reply = pool.call(0, call).await;
    assert!(
        reply.result.is_ok() && reply.sent.expect("sent") <= reply.done,
        "{reply:?}"
    );
    let channel = tls::channel(&target, &etcd.endpoint)
        .await
        .expect("channel");
    let mut client = etcd_client::Client::from_channel(etcd_client::Channel::Tonic(channel), None)
        .await
        .expect("client");
    client
        .get("k", None)
        .await
        .expect("get through etcd-client");
}

#[test]
fn mutual_tls_works_and_each_fault_has_a_name() {
    local(async {
        let (ours, theirs) = (ca(), ca());
        let server = signed(&ours, &["127.0.0.1", "localhost"], false);
        let client = signed(&ours, &["client"], false);
        let (etcd, _files) = etcd(&ours, &server, true);
        works(&etcd, pem(&ours, Some(&client))).await;
        let skip = TlsMaterial {
            ca: None,
            insecure_skip_verify: true,
            ..pem(&ours, Some(&client))
        };
        works(&etcd, skip).await;
        let endpoint = etcd.endpoint.clone();
        assert_eq!(
            fault(&etcd, pem(&theirs, Some(&client))).await,
            DialError::UnknownCa {
                endpoint: endpoint.clone()
            }
        );
        assert_eq!(
            fault(&etcd, pem(&ours, None)).await,
            DialError::NoClientCertificate {
                endpoint: endpoint.clone()
            }
        );
        let stranger = signed(&theirs, &["client"], false);
        let e = fault(&etcd, pem(&ours, Some(&stranger))).await;
        assert!(
            matches!(e, DialError::ClientCertificateRejected { .. }),
            "{e:?}"
        );
        let other_name = TlsMaterial {
            server_name: Some("elsewhere".into()),
            ..pem(&ours, Some(&client))
        };
        let e = fault(&etcd, other_name).await;
        assert!(matches!(e, DialError::WrongName { .. }), "{e:?}");
        let e = fault(&etcd, TlsMaterial::default()).await;
        assert!(e.to_string().contains("--cacert"), "{e}");
        let plain = Target::plain(vec![endpoint.replace("https", "http")]);
        let e = probe(&plain, &plain.endpoints[0])
            .await
            .expect_err("plain to TLS");
        assert!(matches!(e, DialError::PlainToTls { .. }), "{e:?}");
    });
}

#[test]
fn an_expired_server_certificate_and_plain_text_have_names() {
    local(async {
        let ca = ca();
        let server = signed(&ca, &["127.0.0.1"], true);
        let (expired, _files) = etcd(&ca, &server, false);
        let e = fault(&expired, pem(&ca, None)).await;
        assert!(
            matches!(
                e,
                DialError::Expired {
                    what: "has expired",
                    ..
                }
            ),
            "{e:?}"
        );
        let plain = start("http", &[]);
        let mut t = Target::plain(vec![plain.endpoint.replace("http", "https")]);
        t.tls = Some(pem(&ca, None));
        let e = probe(&t, &t.endpoints[0]).await.expect_err("TLS to plain");
        assert!(matches!(e, DialError::TlsToPlain { .. }), "{e:?}");
    });
}

#[test]
fn what_is_no_etcd_at_all_is_said() {
    local(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("bind");
        let endpoint = format!("http://{}", listener.local_addr().expect("address"));
        tokio::task::spawn_local(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            while let Ok((mut s, _)) = listener.accept().await {
                let _ = s.read(&mut [0; 1024]).await;
                let _ = s
                    .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                    .await;
            }
        });
        let e = probe(&Target::plain(vec![]), &endpoint)
            .await
            .expect_err("not etcd");
        assert!(matches!(e, DialError::NotEtcd { .. }), "{e:?}");
        let closed = "http://127.0.0.1:1";
        let e = probe(&Target::plain(vec![]), closed)
            .await
            .expect_err("nobody there");
        assert!(matches!(e, DialError::Unreachable { .. }), "{e:?}");
        for bad in [
            "127.0.0.1:2379",
            "ftp://h:1",
            "http://",
            "http://h:1/path",
            "http://h:99999",
        ] {
            let e = probe(&Target::plain(vec![]), bad)
                .await
                .expect_err("bad endpoint");
            assert!(matches!(e, DialError::BadEndpoint { .. }), "{bad}: {e:?}");
        }
    });
}
