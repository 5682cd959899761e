//! An etcd process that [`etcdmark::local::LocalCluster`] starts none of: one that no client of ours can use, or that
//! joins the members of another.

use std::net::TcpStream;
use std::process::Command;

use etcd_client::{Client, MemberAddOptions};
use etcdmark::local::LocalCluster;

use super::patience::{eventually, until};
use super::running::Running;
use super::{etcd, ports};

/// Killed when dropped.
pub struct BareEtcd {
    /// Its client URL.
    pub url: String,
    _process: Running,
    _data: tempfile::TempDir,
}

impl BareEtcd {
    /// A member of its own, as soon as it listens; `scheme` is that of its client URL.
    pub fn start(scheme: &str, flags: &[String]) -> BareEtcd {
        let peer = ports::nobody();
        BareEtcd::spawn(
            ports::free(),
            "m",
            scheme,
            &peer,
            &format!("m={peer}"),
            flags,
        )
    }

    /// The same, at this port.
    pub fn start_at(port: u16) -> BareEtcd {
        let peer = ports::nobody();
        BareEtcd::spawn(port, "m", "http", &peer, &format!("m={peer}"), &[])
    }

    fn spawn(
        port: u16,
        name: &str,
        scheme: &str,
        peer: &str,
        initial: &str,
        flags: &[String],
    ) -> BareEtcd {
        let data = tempfile::tempdir().unwrap();
        let url = format!("{scheme}://127.0.0.1:{port}");
        let mut command = Command::new(etcd::etcd_path());
        command
            .arg(format!("--data-dir={}", data.path().display()))
            .args(["--name", name, "--logger", "zap"])
            .args(["--listen-client-urls", &url])
            .args(["--advertise-client-urls", &url])
            .args(["--listen-peer-urls", peer])
            .args(["--initial-advertise-peer-urls", peer])
            .args(["--initial-cluster", initial])
            .args(flags);
        let mut process = Running::spawn(&mut command);
        until("an etcd listens", || {
            assert!(!process.ended(), "etcd ended: {}", process.stderr());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        BareEtcd {
            url,
            _process: process,
            _data: data,
        }
    }

    /// A further member of `cluster`, which listens only, as soon as it answers.
    pub async fn learner(cluster: &LocalCluster) -> BareEtcd {
        let mut admin = Client::connect(cluster.endpoints(), None).await.unwrap();
        let peer = ports::nobody();
        // etcd takes no new member until the others have been connected for some seconds.
        eventually("a learner is added", async || {
            let learner = MemberAddOptions::new().with_is_learner();
            admin.member_add([&peer], Some(learner)).await.is_ok()
        })
        .await;
        let members = admin.member_list().await.unwrap();
        let members = members.members().iter().map(|m| {
            let name = Some(m.name()).filter(|n| !n.is_empty()).unwrap_or("late");
            format!("{name}={}", m.peer_urls()[0])
        });
        let initial: Vec<String> = members.collect();
        let state = ["--initial-cluster-state".to_owned(), "existing".to_owned()];
        let learner = BareEtcd::spawn(
            ports::free(),
            "late",
            "http",
            &peer,
            &initial.join(","),
            &state,
        );
        eventually("the learner answers", async || {
            match Client::connect([&learner.url], None).await {
                Ok(mut client) => client.status().await.is_ok(),
                Err(_) => false,
            }
        })
        .await;
        learner
    }
}
