//! What every integration test needs: a real etcd, certificates, the built binary.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part of this module"
)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and speak"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use etcdmark::local::{BinaryChoice, LocalCluster, LocalOptions, LocalTls};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// Which etcd tests run against: `ETCDMARK_TEST_ETCD` (a path; `scripts/test.sh` sets it for each version), else
/// the newest that is here.
pub fn etcd_binary() -> BinaryChoice {
    let path = std::env::var_os("ETCDMARK_TEST_ETCD")
        .filter(|p| !p.is_empty())
        .map(PathBuf::from);
    BinaryChoice {
        path,
        version: None,
    }
}

/// Default options on the binary of [`etcd_binary`].
pub fn options() -> LocalOptions {
    LocalOptions {
        binary: etcd_binary(),
        ..LocalOptions::default()
    }
}

/// Starts an etcd as `options` say; panics with the remedy when there is none.
pub async fn start(options: LocalOptions) -> LocalCluster {
    match LocalCluster::start(options).await {
        Ok(cluster) => cluster,
        Err(error) => panic!("this test needs a real etcd: {error}"),
    }
}

/// A single member; it ends when the value is dropped.
pub async fn etcd() -> LocalCluster {
    start(options()).await
}

/// Three members.
pub async fn three_members() -> LocalCluster {
    start(LocalOptions {
        members: 3,
        ..options()
    })
    .await
}

/// A single member that talks TLS and demands client certificates, as kubeadm's does.
pub async fn tls_etcd(tls: &Tls) -> LocalCluster {
    start(LocalOptions {
        tls: Some(tls.local()),
        ..options()
    })
    .await
}

/// The built `etcdmark`, with nothing of the machine's etcd settings in its environment.
pub fn etcdmark() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("etcdmark"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("ETCDCTL_") || text.starts_with("ETCD_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Writes an executable shell script. Another process writes it: a file that this one had open for writing while
/// another test forks could not be run ("text file busy").
pub fn script(path: &Path, body: &str) -> PathBuf {
    let status = std::process::Command::new("sh")
        .args([
            "-c",
            r#"printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod 755 "$1""#,
            "sh",
        ])
        .arg(path)
        .arg(body)
        .status()
        .unwrap();
    assert!(status.success());
    path.to_owned()
}

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

/// Runs a script with a small tmpfs at `$DIR` that only it sees; None where that is not allowed.
pub fn with_small_disk(size: &str, script: &str) -> Option<Output> {
    let dir = tempfile::tempdir().unwrap();
    let mount =
        format!("mount -t tmpfs -o size={size} etcdmark-test \"$DIR\" || exit 77\n{script}");
    let out = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount])
        .env("DIR", dir.path())
        .env("ETCDMARK", assert_cmd::cargo::cargo_bin!("etcdmark"))
        .output();
    match out {
        Ok(out)
            if out.status.code() == Some(77)
                || String::from_utf8_lossy(&out.stderr).starts_with("unshare:") =>
        {
            eprintln!(
                "not tested: no mounts here: {}",
                String::from_utf8_lossy(&out.stderr)
            );
            None
        }
        Ok(out) => Some(out),
        Err(e) => {
            eprintln!("not tested: unshare: {e}");
            None
        }
    }
}
