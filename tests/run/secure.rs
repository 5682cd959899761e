//! Mutual TLS, and user and password.

use crate::common::command::shell;
use crate::common::{self, Testbed, etcdmark, output};
use crate::play::{QUICK, Run};
use etcd_client::{Client, ConnectOptions, Permission};
use etcdmark::control::Control;
use etcdmark::report::Collector;
use etcdmark::target::{Credentials, Target};
use etcdmark::workload::{Overrides, RunSettings, Source};
use etcdmark::{clock, engine};

#[test]
fn mutual_tls_carries_a_run_and_its_cleanup() {
    let tls = common::tls();
    let testbed = Testbed::of(common::etcd::with_tls(&tls));
    let endpoints = testbed.endpoints();
    assert!(endpoints.starts_with("https://"));
    let path = |file| tls.path(file).to_str().unwrap().to_owned();
    let (ca, cert, key) = (path("ca.crt"), path("client.crt"), path("client.key"));
    #[rustfmt::skip]
    let access = ["--endpoints", &endpoints, "--cacert", &ca, "--cert", &cert, "--key", &key];
    let ended = Run::start(&[&QUICK, &["--duration", "3s"], &access]).finish();
    ended.assert_went_well();
    assert!(ended.result["cleanup"]["keys"].as_u64() >= Some(180));
    assert!(ended.counts()["errors"].as_object().unwrap().is_empty());
    // etcd's metrics come over TLS too.
    let member = &ended.result["stores"][0]["members"][0];
    assert!(member["samples"].as_u64() > Some(0), "{member}");
    // Nothing is left, as seen by the next command with the same certificates.
    let said = etcdmark(&[&["inspect", "-o", "json"], &access[..]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.stdout.contains("etcdmark/20"), "{said:?}");
    let said = etcdmark(&[&["cleanup"], &access[..]].concat());
    assert_eq!(
        said.stdout,
        "nothing to delete: this store holds no keys of any run\n"
    );
}

#[test]
fn the_commands_that_are_told_run_as_they_are_printed() {
    let tls = common::tls();
    let testbed = Testbed::of(common::etcd::with_tls(&tls));
    let endpoints = testbed.endpoints();
    let path = |file| tls.path(file).to_str().unwrap().to_owned();
    let ca = path("the ca.crt");
    std::fs::copy(tls.path("ca.crt"), &ca).unwrap();
    let (cert, key) = (path("client.crt"), path("client.key"));
    #[rustfmt::skip]
    let access = ["--endpoints", &endpoints, "--cacert", &ca, "--cert", &cert, "--key", &key];
    let quick = ["node-heartbeats", "--nodes", "10", "--warmup", "0s", "-q"];
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("my results");
    let times = [
        "--set",
        "phases.settle=0s",
        "--duration",
        "2s",
        "--keep-data",
    ];
    let more = ["--out", out.to_str().unwrap()];
    let run = etcdmark(&[&["run"], &quick[..], &times, &access, &more].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let play = |command: &str| {
        let line = command.replacen("etcdmark ", "\"$ETCDMARK\" ", 1);
        let said = output(&mut shell("sh", &line));
        assert_eq!(said.code, 0, "{command}: {said:?}");
    };
    // Lines are broken between words.
    let told = run.words();
    let report = told.rsplit_once("to print again: ").unwrap().1;
    play(report.trim_end_matches(')'));
    let seen = etcdmark(&[&["inspect"], &access[..]].concat());
    let delete = seen.stdout.split_once("(delete: ").unwrap().1;
    play(delete.split_once(")\n").unwrap().0);
    let seen = etcdmark(&[&["inspect"], &access[..]].concat());
    assert!(!seen.stdout.contains("(delete: "), "{seen:?}");
}

#[test]
fn members_that_were_not_asked_are_named() {
    let testbed = Testbed::of(common::etcd::of_three());
    let all = testbed.endpoints();
    let first = all.split(',').next().unwrap();
    let seen = etcdmark(&["inspect", "--endpoints", first]);
    let named = seen.stdout.matches(" was not asked: ").count();
    assert_eq!(named, 2, "{seen:?}");
    let seen = etcdmark(&["inspect", "--endpoints", &all]);
    assert!(!seen.stdout.contains(" was not asked: "), "{seen:?}");
}

/// Turns authentication on: `root` (password `root`), and `bench` (password `secret`) whose role may only
/// write etcdmark's keys, and look whether Kubernetes has any.
fn enable_auth(testbed: &Testbed) {
    let mut client = testbed.client();
    testbed.runtime.block_on(async {
        client.user_add("root", "root", None).await.unwrap();
        client.user_grant_role("root", "root").await.unwrap();
        client.role_add("bench").await.unwrap();
        let ours = Permission::read_write("/registry-etcdmark/").with_prefix();
        client.role_grant_permission("bench", ours).await.unwrap();
        let look = Permission::read("").with_all_keys();
        client.role_grant_permission("bench", look).await.unwrap();
        client.user_add("bench", "secret", None).await.unwrap();
        client.user_grant_role("bench", "bench").await.unwrap();
        client.auth_enable().await.unwrap();
    });
}

fn root(testbed: &Testbed) -> Client {
    let options = ConnectOptions::new().with_user("root", "root");
    testbed
        .runtime
        .block_on(Client::connect(testbed.etcd.endpoints(), Some(options)))
        .unwrap()
}

#[test]
fn a_user_who_may_only_write_under_our_prefix_can_run() {
    let testbed = Testbed::new();
    enable_auth(&testbed);
    let endpoints = testbed.endpoints();
    let access = ["--endpoints", &endpoints, "--user", "bench:secret"];
    let ended = Run::start(&[&QUICK, &["--duration", "3s"], &access]).finish();
    ended.assert_went_well();
    assert!(ended.counts()["errors"].as_object().unwrap().is_empty());
    assert_eq!(testbed.keys_as(&root(&testbed)), Vec::<String>::new());
    // The events workload attaches etcd leases: they are granted and revoked by this user too.
    let load = ["events", "--nodes", "60", "--warmup", "0s", "--quiet"];
    let rate = ["--set", "actors.events.rate=50", "--duration", "2s"];
    let ended = Run::start(&[&load, &rate, &access]).finish();
    ended.assert_went_well();
    assert_eq!(testbed.keys_as(&root(&testbed)), Vec::<String>::new());
}

#[test]
fn a_token_that_expires_during_the_run_is_renewed() {
    // A simple token ends when it has not been used for its time to live: one renewal every 5 s, then.
    let testbed = Testbed::with_flags(&["--auth-token-ttl=2"]);
    enable_auth(&testbed);
    let endpoints = testbed.endpoints();
    #[rustfmt::skip]
    let load = [
        "node-heartbeats", "--nodes", "1", "--set", "actors.node-leases.period=5s", "--set", "phases.settle=0s",
        "--warmup", "0s", "--duration", "16s", "--quiet",
    ];
    let access = ["--endpoints", &endpoints, "--user", "bench:secret"];
    let ended = Run::start(&[&load, &access]).finish();
    ended.assert_went_well();
    let counts = ended.counts();
    // It did expire, each time was an attempt that was counted, and no operation failed by it.
    assert!(
        counts["errors"]["invalid-token"]["count"].as_u64() > Some(0),
        "{counts}"
    );
    assert_eq!(counts["failed"], 0, "{counts}");
    assert_eq!(counts["ok"], counts["offered"], "{counts}");
    assert_eq!(testbed.keys_as(&root(&testbed)), Vec::<String>::new());
}

#[test]
fn no_user_and_a_wrong_password_are_told_apart() {
    let testbed = Testbed::new();
    enable_auth(&testbed);
    let endpoints = testbed.endpoints();
    for (user, words) in [
        (None, "--user"),
        (Some("bench:wrong"), "--password"),
        (Some("nobody:secret"), "--user"),
    ] {
        let user: Vec<&str> = user.iter().flat_map(|u| ["--user", *u]).collect();
        let ended = Run::start(&[&QUICK, &["--endpoints", &endpoints], &user]).finish();
        let said = &ended.said;
        assert!(matches!(said.code, 1 | 2), "{said:?}");
        assert!(said.stderr.contains(words), "{said:?}");
        assert!(!ended.out().exists(), "nothing was measured");
    }
    assert_eq!(testbed.keys_as(&root(&testbed)), Vec::<String>::new());
}

/// Each store has its own compactor, which acts there as that store's user: the first store has no users at all.
#[test]
fn a_compactor_renews_the_token_of_its_own_store() {
    let (open, guarded) = (Testbed::new(), Testbed::with_flags(&["--auth-token-ttl=2"]));
    enable_auth(&guarded);
    let text = "
apiVersion: etcdmark/v1alpha2
kind: Workload
metadata: {name: tokens, description: compactors alone}
spec:
  cluster: {nodes: 1, apiservers: 1}
  stores:
    - {name: open}
    - {name: guarded, resources: [csinodes]}
  actors:
    - {name: compactor, kind: compactor, period: 5s}
  phases: {settle: 0s, warmup: 0s, duration: 16s}
";
    let source = Source::parse("tokens.yaml".to_owned(), text.to_owned()).unwrap();
    let mut targets = [&open, &guarded].map(|bed| Target::plain(bed.etcd.endpoints()));
    targets[1].credentials = Some(Credentials {
        user: "bench".to_owned(),
        password: "secret".to_owned(),
    });
    let settings = RunSettings {
        run_id: "tokens".to_owned(),
        epoch: clock::unix_now(),
        prefix: "/registry-etcdmark/tokens".to_owned(),
        keep_data: false,
        verify: true,
        guards: Vec::new(),
        allow_live_cluster: false,
    };
    let resolved = source.resolve(&Overrides::new()).unwrap();
    let plan = resolved.into_plan(targets.to_vec(), settings).unwrap();
    let result = engine::run(plan, &Control::default(), &mut Collector::default()).unwrap();
    assert_eq!(result.outcome.outcome, "completed", "{:?}", result.outcome);
    let counts = &result.class("compactor/txn").unwrap().figures.counts;
    // The token did expire, and no turn failed by it.
    assert!(counts.errors.contains_key("invalid-token"), "{counts:?}");
    assert_eq!(
        (counts.failed, counts.ok),
        (0, counts.offered),
        "{counts:?}"
    );
}
