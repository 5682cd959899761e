//! TLS: what works, and what each fault is called.

use super::{local, put};
use crate::common::bare_etcd::BareEtcd;
use crate::common::{self, ports};
use etcdmark::etcd::channel::channel;
use etcdmark::etcd::tls::{CertificateFault, DialError};
use etcdmark::etcd::wire::{Pool, PoolError, Settings, probe};
use etcdmark::target::Target;
use etcdmark::target::TlsMaterial;
use std::time::Duration;

fn target(endpoint: &str, tls: TlsMaterial) -> Target {
    let mut target = Target::plain(vec![endpoint.to_owned()]);
    target.tls = Some(tls);
    target.dial_timeout = Duration::from_secs(5);
    target
}

async fn fault(endpoint: &str, tls: TlsMaterial) -> DialError {
    let target = target(endpoint, tls);
    let by_probe = probe(&target, endpoint).await.expect_err("a fault");
    let by_channel = channel(&target, endpoint).await.expect_err("a fault");
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

async fn works(endpoint: &str, tls: TlsMaterial) {
    let target = target(endpoint, tls);
    let pool = Pool::connect(&target, &target.endpoints, 2, Settings::default())
        .await
        .expect("pool");
    let range = etcdmark::rpc::messages::RangeRequest {
        key: "k".into(),
        ..Default::default()
    };
    let frame = crate::common::scripted::frame(&prost::Message::encode_to_vec(&range));
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
    let channel = channel(&target, endpoint).await.expect("channel");
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
        let (ours, theirs) = (common::tls(), common::tls());
        let etcd = common::tls_etcd(&ours).await;
        let endpoint = etcd.endpoints().remove(0);
        let good = || ours.material(Some("client"));
        works(&endpoint, good()).await;
        let skip = TlsMaterial {
            ca: None,
            insecure_skip_verify: true,
            ..good()
        };
        works(&endpoint, skip).await;
        let other_ca = TlsMaterial {
            ca: theirs.material(None).ca,
            ..good()
        };
        let e = fault(&endpoint, other_ca).await;
        assert!(
            matches!(
                e,
                DialError::Certificate {
                    // Both test CAs have one name.
                    fault: CertificateFault::OtherKey { .. },
                    ..
                }
            ),
            "{e:?}"
        );
        assert_eq!(
            fault(&endpoint, ours.material(None)).await,
            DialError::NoClientCertificate {
                endpoint: endpoint.clone()
            }
        );
        let stranger = TlsMaterial {
            ca: good().ca,
            ..theirs.material(Some("client"))
        };
        let e = fault(&endpoint, stranger).await;
        assert!(
            matches!(e, DialError::ClientCertificateRejected { .. }),
            "{e:?}"
        );
        let other_name = TlsMaterial {
            server_name: Some("elsewhere".into()),
            ..good()
        };
        let e = fault(&endpoint, other_name).await;
        assert!(
            matches!(
                e,
                DialError::Certificate {
                    fault: CertificateFault::WrongName { .. },
                    ..
                }
            ),
            "{e:?}"
        );
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
        let tls = common::tls();
        let expired = BareEtcd::start("https", &tls.server_flags("expired-server"));
        let e = fault(&expired.url, tls.material(None)).await;
        assert!(
            matches!(
                e,
                DialError::Certificate {
                    fault: CertificateFault::Expired { .. },
                    ..
                }
            ),
            "{e:?}"
        );
        let plain = common::etcd().await;
        let mut t = Target::plain(vec![plain.endpoints()[0].replace("http", "https")]);
        t.tls = Some(tls.material(None));
        let e = probe(&t, &t.endpoints[0]).await.expect_err("TLS to plain");
        assert!(matches!(e, DialError::TlsToPlain { .. }), "{e:?}");
    });
}

#[test]
fn what_is_no_etcd_at_all_is_said() {
    local(async {
        let endpoint = ports::babbler(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
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
