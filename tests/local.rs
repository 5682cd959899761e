//! Local etcds: they start, stop, come back, and never outlive the process that started them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and speak"
)]

mod common;

use common::etcd::with_flags;
use common::patience::within;
use common::processes::runs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use etcd_client::Client;
use etcdmark::local::{BinaryChoice, LocalCluster, LocalError, LocalOptions};

const ORPHAN_HELPER: &str = "ETCDMARK_TEST_ORPHAN_HELPER";

async fn put(endpoint: &str, key: &str) -> Result<(), etcd_client::Error> {
    let options = etcd_client::ConnectOptions::new().with_timeout(Duration::from_secs(10));
    Client::connect([endpoint], Some(options))
        .await?
        .put(key, "v", None)
        .await
        .map(|_| ())
}

#[tokio::test]
async fn one_member_starts_serves_and_leaves_nothing() {
    let cluster = common::etcd().await;
    let target = cluster.target();
    assert!(target.owned && target.endpoints.len() == 1 && target.local_members.len() == 1);
    put(&target.endpoints[0], "k").await.unwrap();
    let member = &target.local_members[0];
    assert!(runs(member.pid));
    assert!(member.data_dir.join("member/wal").is_dir());
    assert!(!cluster.file_system().kind.is_empty());
    let dir = cluster.data_dir().to_owned();
    cluster.stop().await;
    assert!(!runs(member.pid), "stop waits for the end");
    assert!(!dir.exists(), "a temporary directory is removed");
}

#[tokio::test]
async fn three_members_survive_the_loss_of_one() {
    let cluster = common::three_members().await;
    let endpoints = cluster.endpoints();
    let mut client = Client::connect([&endpoints[2]], None).await.unwrap();
    assert_eq!(client.member_list().await.unwrap().members().len(), 3);
    cluster.kill_member(0).unwrap();
    assert!(cluster.members()[0].pid().is_none());
    assert!(matches!(cluster.check(), Err(LocalError::Exited { .. })));
    // While the dead member was the leader, etcd drops what it had forwarded to it: such a put is repeated.
    let mut last = Ok(());
    for _ in 0..10 {
        last = put(&endpoints[1], "while-one-is-dead").await;
        if last.is_ok() {
            break;
        }
    }
    last.unwrap();
    cluster.restart_member(0).await.unwrap();
    cluster.check().unwrap();
    let mut back = Client::connect([&endpoints[0]], None).await.unwrap();
    assert_eq!(
        back.get("while-one-is-dead", None).await.unwrap().count(),
        1
    );
    let pids: Vec<_> = cluster
        .target()
        .local_members
        .iter()
        .map(|m| m.pid)
        .collect();
    assert_eq!(pids.len(), 3);
    drop(cluster);
    assert!(!pids.into_iter().any(runs), "dropping ends them too");
}

#[tokio::test]
async fn a_paused_member_answers_only_when_continued_and_stops_all_the_same() {
    let cluster = common::etcd().await;
    let endpoint = cluster.endpoints().remove(0);
    cluster.pause_member(0).unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(300), put(&endpoint, "k"))
            .await
            .is_err()
    );
    cluster.continue_member(0).unwrap();
    put(&endpoint, "k").await.unwrap();
    cluster.pause_member(0).unwrap();
    let pid = cluster.members()[0].pid().unwrap();
    cluster.stop().await;
    assert!(!runs(pid));
}

#[tokio::test]
async fn a_named_data_directory_is_kept_and_a_used_one_refused() {
    let tmp = tempfile::tempdir().unwrap();
    let named = tmp.path().join("disk");
    let options = || LocalOptions {
        data_dir: Some(named.clone()),
        ..common::options()
    };
    common::start(options()).await.stop().await;
    assert!(named.join("etcd-0/member").is_dir());
    let error = LocalCluster::start(options()).await.unwrap_err();
    assert!(
        matches!(error, LocalError::DataDirInUse { .. }) && error.is_usage(),
        "{error}"
    );
}

#[tokio::test]
async fn tls_with_client_certificates() {
    let tls = common::tls();
    let cluster = common::tls_etcd(&tls).await;
    let target = cluster.target();
    assert!(target.endpoints[0].starts_with("https://"));
    assert!(
        target
            .tls
            .is_some_and(|t| t.ca.is_some() && t.cert.is_some() && t.key.is_some())
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_flag_that_etcd_refuses_shows_what_etcd_said() {
    let options = with_flags(&["--no-such-flag=1"]);
    let error = LocalCluster::start(options).await.unwrap_err();
    assert!(matches!(error, LocalError::Exited { .. }), "{error}");
    assert!(error.to_string().contains("no-such-flag"), "{error}");
}

#[tokio::test]
async fn flags_reach_etcd() {
    let cluster = common::start(with_flags(&["--max-txn-ops=1"])).await;
    let mut client = Client::connect(cluster.endpoints(), None).await.unwrap();
    let put = |k: &str| etcd_client::TxnOp::put(k, "v", None);
    client
        .txn(etcd_client::Txn::new().and_then([put("a")]))
        .await
        .unwrap();
    let two = client
        .txn(etcd_client::Txn::new().and_then([put("a"), put("b")]))
        .await;
    assert!(two.unwrap_err().to_string().contains("too many operations"));
}

#[tokio::test]
async fn a_binary_that_fails_shows_its_last_log_lines() {
    let tmp = tempfile::tempdir().unwrap();
    let script = "[ \"$1\" = --version ] && echo 'etcd Version: 3.5.0' && exit\necho 'disk on fire' >&2\nexit 3";
    let path = common::script(&tmp.path().join("etcd"), script);
    let binary = BinaryChoice {
        path: Some(path),
        ..BinaryChoice::default()
    };
    let error = LocalCluster::start(LocalOptions {
        binary,
        ..LocalOptions::default()
    })
    .await
    .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("disk on fire") && text.contains("exit status: 3"),
        "{text}"
    );
}

/// Runs as a test of its own only when the next test starts this binary again.
#[tokio::test]
async fn orphan_helper() {
    if std::env::var_os(ORPHAN_HELPER).is_none() {
        return;
    }
    let cluster = common::etcd().await;
    cluster.pause_member(0).unwrap();
    eprintln!(
        "helper {} {}",
        cluster.members()[0].pid().unwrap(),
        cluster.data_dir().display()
    );
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn no_etcd_outlives_a_killed_parent() {
    let mut helper = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "orphan_helper", "--nocapture"])
        .env(ORPHAN_HELPER, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(helper.stderr.take().unwrap()).lines();
    let said = lines
        .map_while(Result::ok)
        .find_map(|l| l.strip_prefix("helper ").map(str::to_owned));
    let said = said.expect("the helper starts an etcd");
    let (pid, dir) = said.split_once(' ').unwrap();
    let (pid, dir): (u32, PathBuf) = (pid.parse().unwrap(), dir.into());
    assert!(runs(pid), "paused, so that only SIGKILL can end it");
    helper.kill().unwrap();
    assert_eq!(helper.wait().unwrap().signal(), Some(9));
    within(Duration::from_secs(30), "etcd ends with its parent", || {
        !runs(pid)
    });
    // The next start, here or in a test beside this one, removes what the killed process could not.
    common::etcd().await.stop().await;
    within(Duration::from_secs(30), "its data are removed", || {
        !dir.exists()
    });
}
