//! Arms on external etcds: only our own keys are touched there, and none is left.

use crate::common;
use crate::desk::{Desk, file};
use crate::killed::results;
use etcd_client::Client;
use etcdmark::local::LocalCluster;
use rustix::process::Signal;

/// Two etcds of somebody else.
struct Theirs {
    runtime: tokio::runtime::Runtime,
    old: LocalCluster,
    new: LocalCluster,
    tls: common::Tls,
}

impl Theirs {
    /// The second one demands client certificates.
    fn new() -> Theirs {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let tls = common::tls();
        let (old, new) =
            runtime.block_on(async { (common::etcd().await, common::tls_etcd(&tls).await) });
        Theirs {
            runtime,
            old,
            new,
            tls,
        }
    }

    fn access(&self) -> [String; 2] {
        let path = |file| self.tls.path(file).display().to_string();
        [
            format!("endpoints: [{:?}]", self.old.endpoints()[0]),
            format!(
                "endpoints: [{:?}], cacert: {:?}, cert: {:?}, key: {:?}",
                self.new.endpoints()[0],
                path("ca.crt"),
                path("client.crt"),
                path("client.key")
            ),
        ]
    }

    /// An experiment of both.
    fn file(&self, more: &str) -> String {
        let [old, new] = self.access();
        with(&old, &new, more)
    }

    /// Keys of the first one.
    fn keys(&self) -> usize {
        self.runtime.block_on(async {
            let client = Client::connect(self.old.endpoints(), None).await.unwrap();
            common::store::keys(&client).await.len()
        })
    }
}

/// The experiment of [`file`] with these etcds as its arms.
fn with(old: &str, new: &str, more: &str) -> String {
    let text = file(more)
        .replace(
            "    - name: plain\n",
            &format!("    - name: old\n      etcd: {{{old}}}\n"),
        )
        .replace("name: small-batch", "name: new")
        .replace(
            "etcd: {flags: [\"--backend-batch-limit=10\"]}",
            &format!("etcd: {{{new}}}"),
        );
    assert!(text.contains(old) && text.contains(new), "{text}");
    text
}

#[test]
fn etcds_that_run_already_are_compared_and_left_as_they_were() {
    let theirs = Theirs::new();
    let desk = Desk::new(&theirs.file("  smoke: {blocks: 2}\n"));
    let said = desk.play(&["--smoke"]);
    assert!(said.is_well(), "{said:?}");
    assert!(
        said.stdout.contains("etcd at http://127.0.0.1:"),
        "{said:?}"
    );
    let results = results(&desk);
    assert_eq!(results.len(), 4);
    for (trial, result) in &results {
        let etcd = if trial["arm"] == "old" {
            &theirs.old
        } else {
            &theirs.new
        };
        let store = &result["header"]["stores"][0];
        assert_eq!(store["local"], false, "{store}");
        assert_eq!(store["members"][0]["endpoint"], etcd.endpoints()[0]);
        // Every trial fills the store anew and leaves nothing.
        assert_eq!(result["populate"]["done"], 60, "{}", result["populate"]);
        assert_eq!(result["verify"]["lost"], 0);
        assert_eq!(result["cleanup"]["keys"], 60, "{}", result["cleanup"]);
        let member = &result["stores"][0]["members"][0];
        assert!(member["samples"].as_u64() > Some(0), "{member}");
    }
    assert_eq!(theirs.keys(), 0);
    let plan = &desk.result()["plan"];
    let endpoints = &plan["arms"][1]["stores"][0]["endpoints"];
    assert_eq!(endpoints[0], theirs.new.endpoints()[0]);
    assert!(!plan.to_string().contains("client.key"), "{plan}");
}

#[test]
fn what_an_interrupted_trial_wrote_is_deleted_at_once_and_a_killed_ones_by_the_next() {
    let theirs = Theirs::new();
    let desk = Desk::new(&theirs.file("  smoke: {phases: {duration: 5s}}\n"));
    let mut playing = desk.begin(&["--smoke"]);
    playing.until_measuring(1).unwrap();
    playing.signal(Signal::INT);
    let said = playing.finish();
    assert_eq!(said.code, 130, "{said:?}");
    assert_eq!(theirs.keys(), 0);

    let mut playing = desk.begin(&["--smoke"]);
    playing.until_measuring(2).unwrap();
    playing.signal(Signal::KILL);
    let _ = playing.finish();
    let shown = desk.etcdmark(&["report", "out"]);
    assert!(
        shown.code == 0 && shown.stdout.starts_with("incomplete, 1 of 2 trials done: "),
        "{shown:?}"
    );
    // The lock of the killed one ends by itself; then its keys go.
    let said = desk.play(&["--smoke"]);
    assert!(said.is_well(), "{said:?}");
    assert_eq!(desk.result()["complete"], true);
    assert_eq!(theirs.keys(), 0);
    for (_, result) in results(&desk) {
        assert_eq!(result["populate"]["done"], 60, "{}", result["populate"]);
    }
}

#[test]
fn a_live_cluster_and_acts_on_the_whole_etcd_need_a_word() {
    let theirs = Theirs::new();
    let defragmenter = "    spec:\n      cluster: {nodes: 20}\n      actors:\n        - {name: leases, kind: nodeLease, \
                        period: 1s}\n        - {name: cron, kind: defragmenter, period: 1s}\n";
    let text = theirs
        .file("")
        .replace("    name: node-heartbeats\n", defragmenter);
    let (head, tail) = text.split_once("    set:\n").unwrap();
    let tail = tail.split_once("  etcd:").unwrap().1;
    let desk = Desk::new(&format!("{head}  etcd:{tail}"));
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains("actor \"cron\" defragments")
            && said
                .stderr
                .contains("pass --yes-this-etcd-is-mine to allow it"),
        "{said:?}"
    );
    assert!(!desk.out().exists());

    theirs.runtime.block_on(async {
        let mut client = Client::connect(theirs.old.endpoints(), None).await.unwrap();
        client
            .put("/registry/pods/default/web", "x", None)
            .await
            .unwrap();
    });
    let desk = Desk::new(&theirs.file(""));
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains("arm old")
            && said
                .stderr
                .contains("pass --allow-live-cluster to allow it"),
        "{said:?}"
    );
    assert_eq!(theirs.keys(), 1);
}

#[test]
fn what_makes_no_sense_there_is_refused_by_name() {
    let (old, new) = ("endpoints: [\"a:1\"]", "endpoints: [\"b:1\"]");
    let starts = "applies only to an etcd that etcdmark starts, but endpoints names an external etcd; remove \
                  one of them";
    for (old, new, more, message) in [
        (
            old,
            "endpoints: [\"b:1\"], version: \"3.5\"",
            "",
            format!("arms.1.etcd.version: {starts}"),
        ),
        (
            old,
            "endpoints: [\"b:1\"], flags: [\"--a=1\"]",
            "",
            format!("arms.1.etcd.flags: {starts}"),
        ),
        (
            old,
            "endpoints: [\"b:1\"], members: 3",
            "",
            format!("arms.1.etcd.members: {starts}"),
        ),
        (
            old,
            "endpoints: [\"b:1\"], dataDir: /tmp",
            "",
            format!("arms.1.etcd.dataDir: {starts}"),
        ),
        (
            old,
            "endpoints: [\"b:1\"], walDir: /tmp",
            "",
            format!("arms.1.etcd.walDir: {starts}"),
        ),
        (
            old,
            "endpoints: [\"b:1\"], medium: hdd",
            "",
            format!("arms.1.etcd.medium: {starts}"),
        ),
        (
            old,
            "endpoints: [\"b:1\"], leader: 0",
            "",
            format!("arms.1.etcd.leader: {starts}"),
        ),
        (
            old,
            new,
            "  snapshot: true\n",
            "snapshot: needs etcds that etcdmark starts, but arms.0.etcd names an external one".to_owned(),
        ),
        (
            old,
            "endpoints: [\"c:1\", \"http://a:1\"]",
            "",
            "arms: arms old and new share http://a:1: each needs its own etcd".to_owned(),
        ),
        (
            old,
            "endpoints: [\"http://a:1\"]",
            "",
            "arms: arms old and new are the same: workload, etcd binary".to_owned(),
        ),
        (
            old,
            "kind: demo, cert: /x",
            "",
            "arms.1.etcd.cert: cannot be combined with kind, which finds it".to_owned(),
        ),
        (
            old,
            "cacert: /x",
            "",
            "arms.1.etcd.cacert: needs an external etcd; also give endpoints or kind"
                .to_owned(),
        ),
        (
            old,
            "endpoints: [\"b:1\"], user: \"root:secret\"",
            "",
            "arms.1.etcd.user: do not put a password into a file".to_owned(),
        ),
        (
            old,
            "endpoints: [\"b:1\"], user: root",
            "",
            "user \"root\" has no password: set ETCDCTL_PASSWORD in the environment".to_owned(),
        ),
        (
            old,
            "endpoints: [\"b\"]",
            "",
            "arms.1.etcd: endpoints \"b\" is not http://HOST:PORT".to_owned(),
        ),
        (
            old,
            "endpoints: [\"https://b:1\"], cacert: /none",
            "",
            "arms.1.etcd: cacert: cannot read /none".to_owned(),
        ),
        (
            old,
            new,
            "  sweep: {levels: [{name: a, etcd: {flags: [\"--a=1\"]}}]}\n",
            "level a: etcd.flags apply only to etcds that etcdmark starts, but arm old has endpoints"
                .to_owned(),
        ),
    ] {
        let desk = Desk::new(&with(old, new, more));
        let said = desk.play(&["--smoke"]);
        assert_eq!(said.code, 2, "{message}: {said:?}");
        assert!(said.stderr.contains(&message), "{message}: {}", said.stderr);
        assert!(!said.stderr.contains("secret"), "{}", said.stderr);
        assert!(!desk.out().exists(), "{message}");
    }
    for flag in ["--allow-live-cluster", "--yes-this-etcd-is-mine"] {
        let said = Desk::new(&file("")).play(&["--smoke", flag]);
        assert_eq!(said.code, 2, "{said:?}");
        let message = format!("{flag}: needs an external etcd");
        assert!(said.stderr.contains(&message), "{said:?}");
    }
}

#[test]
fn an_arm_that_cannot_be_reached_is_said_before_the_other_is_loaded() {
    let nobody = format!("endpoints: [{:?}]", common::ports::nobody());
    let theirs = Theirs::new();
    let desk = Desk::new(&with(&theirs.access()[0], &nobody, ""));
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("arm new, store main: "), "{said:?}");
    assert!(!said.stderr.contains("trial 1 of"), "{said:?}");
    assert!(!desk.out().exists());
}

#[test]
fn arms_that_are_one_etcd_are_refused_whatever_they_call_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let etcd = runtime.block_on(common::etcd());
    let by_number = etcd.endpoints()[0].clone();
    let by_name = by_number.replace("127.0.0.1", "localhost");
    let access = |url: &str| format!("endpoints: [{url:?}]");
    let desk = Desk::new(&with(&access(&by_number), &access(&by_name), ""));
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 2, "{said:?}");
    let message = "arms old and new are the same etcd (cluster ";
    assert!(said.stderr.contains(message), "{said:?}");
    assert!(!said.stderr.contains("trial 1 of"), "{said:?}");
    assert!(!desk.out().exists());
    let left = runtime.block_on(async {
        let client = Client::connect(etcd.endpoints(), None).await.unwrap();
        common::store::keys(&client).await.len()
    });
    assert_eq!(left, 0, "the lock that told them is given back");
}

#[test]
fn an_etcd_in_use_is_said_before_the_first_trial_of_any_arm() {
    let theirs = Theirs::new();
    theirs.runtime.block_on(async {
        let mut client = Client::connect(theirs.old.endpoints(), None).await.unwrap();
        client.put("/registry/pods/a/b", "x", None).await.unwrap();
    });
    let desk = Desk::new(&theirs.file(""));
    // Whichever arm would come first.
    for seed in ["1", "2", "3"] {
        let said = desk.play(&["--smoke", "--seed", seed]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains("arm old, store main: "), "{said:?}");
        assert!(said.stderr.contains("--allow-live-cluster"), "{said:?}");
        assert!(!said.stderr.contains("trial 1 of"), "{said:?}");
        assert!(!desk.out().exists());
    }
}
