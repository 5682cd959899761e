//! An emulated medium under each version of etcd: it delays what it says, and only that, and etcd survives it. What
//! is asserted of times is only what must hold on any machine: nothing takes less than it was delayed.

use crate::common::{self, eventually, store};
use etcd_client::Client;
use etcdmark::local::{LocalCluster, LocalOptions, Medium};
use etcdmark::measure::Delays;
use std::collections::BTreeMap;
use std::time::Duration;

const PUTS: u64 = 40;

fn medium(spec: &str) -> Medium {
    let head = "apiVersion: etcdmark/v1alpha2\nkind: Medium\nmetadata: {name: test}\nspec: ";
    Medium::parse("test.yaml", &format!("{head}{spec}")).unwrap()
}

/// An etcd, its medium's ledger and etcd's own counters.
struct EmulatedEtcd(LocalCluster);

impl EmulatedEtcd {
    async fn start(spec: &str) -> Self {
        let options = LocalOptions {
            medium: Some(medium(spec)),
            ..common::options()
        };
        EmulatedEtcd(common::start(options).await)
    }

    fn delays(&self) -> Delays {
        self.0.members()[0].medium().unwrap().delays.total()
    }

    /// etcd's own counters, from its page alone: etcd 3.4 answers `/health` by a proposal, which is a sync more.
    async fn metrics(&self) -> BTreeMap<String, f64> {
        let page = store::metrics(&self.0.endpoints()[0]).await;
        let value = |name: &str| {
            let line = page
                .lines()
                .find(|l| l.split(' ').next() == Some(name))
                .unwrap();
            line.split(' ').nth(1).unwrap().parse().unwrap()
        };
        [
            ("wal_fsync", "etcd_disk_wal_fsync_duration_seconds"),
            ("commit", "etcd_disk_backend_commit_duration_seconds"),
        ]
        .into_iter()
        .flat_map(|(short, name)| {
            [
                (format!("{short}.seconds"), value(&format!("{name}_sum"))),
                (format!("{short}.count"), value(&format!("{name}_count"))),
            ]
        })
        .collect()
    }

    async fn put(&self, n: u64) {
        let mut client = Client::connect(self.0.endpoints(), None).await.unwrap();
        for i in 0..n {
            client.put(format!("k{i}"), "v", None).await.unwrap();
        }
    }

    /// Both at one moment: etcd, which sometimes writes of its own accord, synced nothing in between.
    async fn both(&self) -> (BTreeMap<String, f64>, Delays) {
        let mut both = None;
        eventually("etcd syncs nothing for 50 ms", async || {
            let before = self.metrics().await;
            // A sync is written down just after etcd was let go.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let delays = self.delays();
            let quiet = self.metrics().await["wal_fsync.count"] == before["wal_fsync.count"];
            both = Some((before, delays));
            quiet
        })
        .await;
        both.unwrap()
    }

    /// The ledger once it holds `syncs` of the log.
    async fn delays_of(&self, syncs: u64) -> Delays {
        eventually("a sync of the log is in the ledger", async || {
            self.delays().wal.syncs() >= syncs
        })
        .await;
        self.delays()
    }
}

#[tokio::test]
async fn it_delays_what_it_says_and_etcd_survives_it() {
    let etcd = EmulatedEtcd::start("{files: wal, sync: {constant: 5ms}}").await;
    let (before, ledger) = etcd.both().await;
    etcd.put(PUTS).await;
    let (after, delays) = etcd.both().await;
    let grown = |name: &str| after[name] - before[name];
    let (seconds, syncs) = (grown("wal_fsync.seconds"), grown("wal_fsync.count"));
    let delayed = (delays.wal.delayed - ledger.wal.delayed) as f64 / 1e9;
    let cost = etcd.0.members()[0].medium().unwrap().info.wal;
    println!(
        "etcd {}: {syncs} syncs, mean {:.3} ms by etcd, {:.3} ms imposed, 5 asked; base {} ns, overhead {} ns",
        etcd.0.binary().version,
        seconds / syncs * 1e3,
        delayed / syncs * 1e3,
        cost.base_ns,
        cost.overhead_ns
    );
    assert!(syncs >= PUTS as f64, "one put waits for one sync at least");
    assert_eq!(
        (delays.wal.syncs() - ledger.wal.syncs()) as f64,
        syncs,
        "each sync of the log is one of ours"
    );
    assert_eq!((delays.db.syncs(), delays.unknown), (0, 0));
    let least = syncs * (5e6 - (cost.base_ns + cost.overhead_ns) as f64) / 1e9;
    assert!(delayed >= least * 0.999, "{delayed} s, {least} s at least");
    assert!(
        seconds >= delayed,
        "{seconds} s by etcd, {delayed} s imposed"
    );

    // Its end is an orderly one, and it comes back on what it had written.
    let log = etcd.0.members()[0].log().to_owned();
    etcd.0.restart_member(0).await.unwrap();
    let said = std::fs::read_to_string(log).unwrap();
    for word in ["panic", "fatal", "function not implemented"] {
        assert!(!said.contains(word), "{word}: {said}");
    }
    let mut client = Client::connect(etcd.0.endpoints(), None).await.unwrap();
    let last = client.get(format!("k{}", PUTS - 1), None).await.unwrap();
    assert_eq!(last.count(), 1);
    let again = etcd.delays().wal.syncs();
    client.put("again", "v", None).await.unwrap();
    let delays = etcd.delays_of(again + 1).await;
    assert!(delays.wal.syncs() > again, "and is still on its medium");
    drop(client);
    etcd.0.stop().await;
}

#[tokio::test]
async fn a_medium_of_the_database_leaves_the_log_alone() {
    let etcd = EmulatedEtcd::start("{files: db, sync: {constant: 300ms}}").await;
    let before = etcd.metrics().await;
    etcd.put(PUTS).await;
    // A backend commit is due each 100 ms.
    let mut after = etcd.metrics().await;
    eventually("two commits of the backend", async || {
        etcd.put(1).await;
        after = etcd.metrics().await;
        after["commit.count"] - before["commit.count"] >= 2.0
    })
    .await;
    let mean = |name: &str| {
        let grown = |field: &str| {
            let name = format!("{name}.{field}");
            after[&name] - before[&name]
        };
        grown("seconds") / grown("count")
    };
    let (log, commit) = (mean("wal_fsync"), mean("commit"));
    println!("log {:.3} ms, commit {:.1} ms", log * 1e3, commit * 1e3);
    let delays = etcd.delays();
    assert_eq!((delays.wal.syncs(), delays.unknown), (0, 0));
    assert!(delays.db.syncs() >= 2);
    assert!(log < commit, "{log} s, {commit} s");
    etcd.0.stop().await;
}
