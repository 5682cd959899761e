//! Certificates: good ones, and one of each kind of bad ones.

use std::path::{Path, PathBuf};

use etcdmark::local::LocalTls;
use etcdmark::target::{Pem, TlsMaterial};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// A fresh CA with a server certificate for 127.0.0.1 and localhost (both key usages, as etcd calls itself with
/// it), a client certificate (CN `etcdmark`), an expired one of each, a server certificate for etcd.example, and a CA
/// that signed none of these; as PEM files.
pub struct Tls {
    dir: tempfile::TempDir,
}

impl Tls {
    /// Path of `ca.crt`, `other-ca.crt`, or `.crt` and `.key` of `server`, `client`, `expired`, `expired-server`, `elsewhere`.
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// For [`LocalOptions::tls`], client certificates demanded.
    pub fn local(&self) -> LocalTls {
        LocalTls {
            ca: self.path("ca.crt"),
            server_cert: self.path("server.crt"),
            server_key: self.path("server.key"),
            client: Some((self.path("client.crt"), self.path("client.key"))),
            client_cert_auth: true,
        }
    }

    /// What a client presents to trust this CA; with no certificate of its own where `client` is none.
    pub fn material(&self, client: Option<&str>) -> TlsMaterial {
        let read = |flag: &str, file: String| Pem {
            bytes: std::fs::read(self.path(&file)).unwrap(),
            named_by: flag.to_owned(),
            path: self.path(&file).display().to_string(),
        };
        TlsMaterial {
            ca: Some(read("--cacert", "ca.crt".to_owned())),
            cert: client.map(|name| read("--cert", format!("{name}.crt"))),
            key: client.map(|name| read("--key", format!("{name}.key"))),
            ..TlsMaterial::default()
        }
    }

    /// etcd's flags to serve with one of the server certificates, no client certificate demanded.
    pub fn server_flags(&self, server: &str) -> [String; 2] {
        let path = |ending: &str| {
            self.path(&format!("{server}.{ending}"))
                .display()
                .to_string()
        };
        [
            format!("--cert-file={}", path("crt")),
            format!("--key-file={}", path("key")),
        ]
    }
}

/// Makes new certificates in a temporary directory.
pub fn tls() -> Tls {
    let dir = tempfile::tempdir().unwrap();
    let both = [
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let ca = ca("etcdmark test CA");
    std::fs::write(dir.path().join("ca.crt"), ca.pem()).unwrap();
    std::fs::write(
        dir.path().join("other-ca.crt"),
        self::ca("another CA").pem(),
    )
    .unwrap();
    issue(
        dir.path(),
        "server",
        leaf(&["127.0.0.1", "localhost"], "etcd", &both),
        &ca,
    );
    issue(dir.path(), "client", leaf(&[], "etcdmark", &both[1..]), &ca);
    let mut expired = leaf(&[], "etcdmark", &both[1..]);
    expired.not_before = rcgen::date_time_ymd(2020, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2020, 1, 2);
    issue(dir.path(), "expired", expired, &ca);
    let mut expired = leaf(&["127.0.0.1", "localhost"], "etcd", &both);
    expired.not_before = rcgen::date_time_ymd(2020, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2020, 1, 2);
    issue(dir.path(), "expired-server", expired, &ca);
    issue(
        dir.path(),
        "elsewhere",
        leaf(&["etcd.example"], "etcd", &both),
        &ca,
    );
    Tls { dir }
}

fn ca(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn leaf(hosts: &[&str], name: &str, usages: &[ExtendedKeyUsagePurpose]) -> CertificateParams {
    let hosts: Vec<_> = hosts.iter().map(|h| (*h).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = usages.to_vec();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

fn issue(
    dir: &Path,
    file: &str,
    params: CertificateParams,
    ca: &CertifiedIssuer<'static, KeyPair>,
) {
    let key = KeyPair::generate().unwrap();
    let cert = params.signed_by(&key, ca).unwrap();
    std::fs::write(dir.join(format!("{file}.crt")), cert.pem()).unwrap();
    std::fs::write(dir.join(format!("{file}.key")), key.serialize_pem()).unwrap();
}
