//! Real etcds, ready to use.

use std::path::PathBuf;

use etcdmark::local::{BinaryChoice, LocalCluster, LocalOptions};

use super::tls::Tls;

/// Which etcd tests run against: `ETCDMARK_TEST_ETCD` (a path; `scripts/test.sh` sets it for each version), else
/// the newest that is here.
pub fn etcd_binary() -> BinaryChoice {
    let path = std::env::var_os("ETCDMARK_TEST_ETCD")
        .filter(|p| !p.is_empty())
        .map(PathBuf::from);
    BinaryChoice {
        path,
        ..BinaryChoice::default()
    }
}

/// The path of that etcd.
pub fn etcd_path() -> PathBuf {
    match etcd_binary().find() {
        Ok(binary) => binary.path,
        Err(error) => panic!("this test needs a real etcd: {error}"),
    }
}

/// `--etcd PATH` for a command that starts an etcd itself; nothing where the newest will do.
pub fn etcd_flags() -> Vec<String> {
    let path = etcd_binary().path;
    path.iter()
        .flat_map(|p| ["--etcd".to_owned(), p.to_str().unwrap().to_owned()])
        .collect()
}

/// Default options on the binary of [`etcd_binary`].
pub fn options() -> LocalOptions {
    LocalOptions {
        binary: etcd_binary(),
        ..LocalOptions::default()
    }
}

/// Options with further flags for etcd.
pub fn with_flags(flags: &[&str]) -> LocalOptions {
    LocalOptions {
        flags: flags.iter().map(|f| (*f).to_owned()).collect(),
        ..options()
    }
}

/// Options of three members.
pub fn of_three() -> LocalOptions {
    LocalOptions {
        members: 3,
        ..options()
    }
}

/// Options of a member that talks TLS and demands client certificates, as kubeadm's does.
pub fn with_tls(tls: &Tls) -> LocalOptions {
    LocalOptions {
        tls: Some(tls.local()),
        ..options()
    }
}

/// Starts an etcd as `options` say, which ends when the value is dropped; panics with the remedy when there is none.
pub async fn start(options: LocalOptions) -> LocalCluster {
    match LocalCluster::start(options).await {
        Ok(cluster) => cluster,
        Err(error) => panic!("this test needs a real etcd: {error}"),
    }
}

/// A single member.
pub async fn etcd() -> LocalCluster {
    start(options()).await
}

/// Three members.
pub async fn three_members() -> LocalCluster {
    start(of_three()).await
}

/// A single member of [`with_tls`].
pub async fn tls_etcd(tls: &Tls) -> LocalCluster {
    start(with_tls(tls)).await
}
