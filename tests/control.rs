//! Preflight, manifest, cleanup and inspect against real etcds; only what a real etcd cannot be (a server
//! that is no etcd) is played.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use common::bare_etcd::BareEtcd;
use common::etcd::with_flags;
use common::{command, eventually, json, output, ports};
use etcd_client::{Client, LeaseGrantOptions, PermissionType, PutOptions};
use etcdmark::cli::inspect::inspect;
use etcdmark::clock;
use etcdmark::etcd::control::ControlClient;
use etcdmark::exit::Exit;
use etcdmark::local::LocalCluster;
use etcdmark::report::Phase;
use etcdmark::rpc::prefix_end;
use etcdmark::store::cleanup::{RunData, cleanup_run};
use etcdmark::store::manifest::{self, HOME, Manifest, ManifestError};
use etcdmark::store::others::OthersKeys;
use etcdmark::store::preflight::{self, PreflightError, WriteIntent};
use etcdmark::target::{Credentials, MemberChoice, Target, TlsMaterial};
use std::time::Duration;

/// An etcd of somebody else, as a target sees it.
async fn etcd(flags: &[&str]) -> (LocalCluster, Target) {
    let etcd = common::start(with_flags(flags)).await;
    let target = Target::plain(etcd.endpoints());
    (etcd, target)
}

fn intent(run: &str) -> WriteIntent {
    WriteIntent {
        run_id: run.to_owned(),
        prefix: format!("{HOME}/{run}"),
        allow_live_cluster: false,
        keys: 1000,
        writes: 1000,
        bytes: 1_000_000,
        closed_loop: false,
        may_fill: false,
    }
}

async fn refused(target: &Target, write: Option<&WriteIntent>) -> PreflightError {
    match preflight::check(target, write).await {
        Ok((_, facts)) => panic!("not refused: {facts:?}"),
        Err(e) => e,
    }
}

async fn assert_refused(target: &Target, write: Option<&WriteIntent>, exit: Exit, parts: &[&str]) {
    let e = refused(target, write).await;
    let text = e.to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
    assert!(!text.contains('\n'), "{text:?}");
    assert_eq!(e.exit(), exit, "{text}");
}

/// All keys of a store.
async fn keys(target: &Target) -> i64 {
    ControlClient::connect(target)
        .await
        .unwrap()
        .count(b"\0", b"\0")
        .await
        .unwrap()
}

#[tokio::test]
async fn each_tls_fault_has_its_own_message() {
    let (ours, theirs) = (common::tls(), common::tls());
    let etcd = common::tls_etcd(&ours).await;
    let mut good = Target::plain(etcd.endpoints());
    good.tls = Some(ours.material(Some("client")));
    preflight::check(&good, Some(&intent("r"))).await.unwrap();

    let tls = || good.tls.clone().unwrap();
    let with = |tls: TlsMaterial| Target {
        tls: Some(tls),
        ..good.clone()
    };
    let wrong = with(TlsMaterial {
        ca: theirs.material(None).ca,
        ..tls()
    });
    assert_refused(
        &wrong,
        None,
        Exit::Usage,
        &["not signed by the CA", "--cacert"],
    )
    .await;
    let unknown = with(TlsMaterial {
        cert: None,
        key: None,
        ..tls()
    });
    assert_refused(
        &unknown,
        None,
        Exit::Usage,
        &["client certificate", "--cert and --key"],
    )
    .await;
    let foreign = with(TlsMaterial {
        ca: tls().ca,
        ..theirs.material(Some("client"))
    });
    assert_refused(
        &foreign,
        None,
        Exit::Usage,
        &["client certificate", "--cert"],
    )
    .await;
    let skip = with(TlsMaterial {
        ca: None,
        insecure_skip_verify: true,
        ..tls()
    });
    preflight::check(&skip, None).await.unwrap();
    let plain = Target::plain(vec![good.endpoints[0].replace("https", "http")]);
    assert_refused(&plain, None, Exit::Usage, &["https://"]).await;
    let nowhere = Target {
        endpoints: vec![ports::nobody().replace("http", "https")],
        ..good.clone()
    };
    assert_refused(
        &nowhere,
        None,
        Exit::Usage,
        &["cannot reach", "--endpoints"],
    )
    .await;
}

#[tokio::test]
async fn an_expired_certificate_and_tls_to_a_plain_etcd_are_told_apart() {
    let tls = common::tls();
    let expired = BareEtcd::start("https", &tls.server_flags("expired-server"));
    let mut target = Target::plain(vec![expired.url.clone()]);
    target.tls = Some(TlsMaterial {
        insecure_skip_verify: true,
        ..tls.material(Some("client"))
    });
    eventually("etcd is ready", async || {
        preflight::reach(&target).await.is_ok()
    })
    .await;
    target.tls.as_mut().unwrap().insecure_skip_verify = false;
    assert_refused(&target, None, Exit::Usage, &["has expired"]).await;

    let plain = common::etcd().await;
    target.endpoints = vec![plain.endpoints()[0].replace("http", "https")];
    assert_refused(
        &target,
        None,
        Exit::Usage,
        &["does not speak TLS", "http://"],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_an_etcd_is_said_so() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
    ] {
        let url = ports::babbler(answer);
        assert_refused(
            &Target::plain(vec![url]),
            None,
            Exit::Usage,
            &["not an etcd"],
        )
        .await;
    }
}

#[tokio::test]
async fn users_passwords_and_permissions() {
    let (_e, target) = etcd(&[]).await;
    let as_user = |user: &str, password: &str| Target {
        credentials: Some(Credentials {
            user: user.into(),
            password: password.into(),
        }),
        ..target.clone()
    };
    // Credentials do no harm where authentication is off.
    preflight::check(&as_user("root", "secret"), Some(&intent("r")))
        .await
        .unwrap();

    let mut admin = Client::connect(&target.endpoints, None).await.unwrap();
    for (user, role) in [("root", "root"), ("bench", "bench"), ("guest", "guest")] {
        admin.role_add(role).await.unwrap();
        admin.user_add(user, "secret", None).await.unwrap();
        admin.user_grant_role(user, role).await.unwrap();
    }
    let home = format!("{HOME}/");
    let all = etcd_client::Permission::new(PermissionType::Readwrite, home.as_str()).with_prefix();
    admin.role_grant_permission("bench", all).await.unwrap();
    admin.auth_enable().await.unwrap();

    assert_refused(
        &target,
        Some(&intent("r")),
        Exit::Usage,
        &["authentication", "--user"],
    )
    .await;
    assert_refused(&target, None, Exit::Usage, &["authentication", "--user"]).await;
    assert_refused(
        &as_user("root", "wrong"),
        None,
        Exit::Usage,
        &["\"root\"", "--password"],
    )
    .await;
    let guest = as_user("guest", "secret");
    assert_refused(
        &guest,
        Some(&intent("r")),
        Exit::Usage,
        &["\"guest\" may not write", "grant-permission"],
    )
    .await;
    // bench may not look at other keys: whether this is a live cluster's etcd cannot be seen.
    let bench = as_user("bench", "secret");
    assert_refused(
        &bench,
        Some(&intent("r")),
        Exit::Usage,
        &["may not read all keys", "--allow-live-cluster"],
    )
    .await;
    let allowed = WriteIntent {
        allow_live_cluster: true,
        ..intent("r")
    };
    let (_, facts) = preflight::check(&bench, Some(&allowed)).await.unwrap();
    assert_eq!((&facts.others, facts.may_be_live()), (&None, true));
    let root = as_user("root", "secret");
    let look = etcd_client::Permission::new(PermissionType::Read, "").with_all_keys();
    let options = etcd_client::ConnectOptions::new().with_user("root", "secret");
    let mut admin = Client::connect(&target.endpoints, Some(options))
        .await
        .unwrap();
    admin.role_grant_permission("bench", look).await.unwrap();
    let (cluster, facts) = preflight::check(&bench, Some(&intent("r"))).await.unwrap();
    assert_eq!(facts.others, Some(OthersKeys::default()));
    assert!(!facts.may_be_live());
    let manifest = Manifest::new("r", &intent("r").prefix, "h", 1, 2);
    manifest::acquire(&cluster, manifest)
        .await
        .unwrap()
        .release()
        .await
        .unwrap();
    assert_eq!(keys(&root).await, 0);
}

#[tokio::test]
async fn two_clusters_and_one_member_twice_are_refused() {
    let (first, second) = tokio::join!(common::etcd(), common::etcd());
    let (a, b) = (first.endpoints().remove(0), second.endpoints().remove(0));
    let both = Target::plain(vec![a.clone(), b.clone()]);
    assert_refused(&both, None, Exit::Usage, &["two clusters", &a, &b]).await;
    let twice = Target::plain(vec![a.clone(), a.replace("127.0.0.1", "localhost")]);
    assert_refused(
        &twice,
        None,
        Exit::Usage,
        &["one member twice", "localhost"],
    )
    .await;
    // A dead endpoint beside a good one is said, and left out.
    let dead = ports::nobody();
    let (_, facts) = preflight::check(&Target::plain(vec![dead.clone(), a.clone()]), None)
        .await
        .unwrap();
    assert_eq!(facts.chosen, std::slice::from_ref(&a));
    assert!(
        facts.notes.iter().any(|n| n.contains(&dead)),
        "{:?}",
        facts.notes
    );
    assert_refused(
        &Target::plain(vec![dead]),
        None,
        Exit::Usage,
        &["cannot reach", "--endpoints"],
    )
    .await;
}

#[tokio::test]
async fn leader_followers_learner_and_lost_quorum() {
    let etcd = common::three_members().await;
    let mut target = Target::plain(etcd.endpoints());
    let (_, facts) = preflight::check(&target, None).await.unwrap();
    assert_eq!(facts.chosen.len(), 3);
    target.members = MemberChoice::Leader;
    let leader = preflight::check(&target, None).await.unwrap().1.chosen;
    target.members = MemberChoice::Followers;
    let followers = preflight::check(&target, None).await.unwrap().1.chosen;
    assert_eq!((leader.len(), followers.len()), (1, 2));
    assert!(!followers.contains(&leader[0]));
    let lone = Target {
        endpoints: leader.clone(),
        ..target.clone()
    };
    assert_refused(&lone, None, Exit::Usage, &["--target followers", "leader"]).await;
    target.members = MemberChoice::All;

    let one = target.endpoints[0].clone();
    let learner = BareEtcd::learner(&etcd).await;
    let beside = Target::plain(vec![one.clone(), learner.url.clone()]);
    let facts = preflight::check(&beside, None).await.unwrap().1;
    assert_eq!(facts.chosen, [one.as_str()]);
    assert!(facts.notes[0].contains("it is a learner"), "{facts:?}");
    let at_learner = Target::plain(vec![learner.url.clone()]);
    assert_refused(
        &at_learner,
        None,
        Exit::Usage,
        &["is a learner", &learner.url],
    )
    .await;

    etcd.kill_member(1).unwrap();
    etcd.kill_member(2).unwrap();
    let survivor = Target::plain(vec![one]);
    eventually("the survivor knows that it has no leader", async || {
        let checked = preflight::check(&survivor, None).await;
        matches!(checked, Err(PreflightError::NoLeader { .. }))
    })
    .await;
    assert_refused(&survivor, None, Exit::Usage, &["no leader", "quorum"]).await;
    let seen = inspect(&survivor).await.unwrap();
    assert!(
        seen.notes.iter().any(|n| n.contains("no leader")),
        "{:?}",
        seen.notes
    );
}

#[tokio::test]
async fn a_full_etcd_is_refused_and_can_be_cleaned() {
    let (_e, target) = etcd(&["--quota-backend-bytes=16777216"]).await;
    let too_big = WriteIntent {
        bytes: 20 << 20,
        ..intent("r")
    };
    assert_refused(
        &target,
        Some(&too_big),
        Exit::Usage,
        &["more than half", "--nodes", "16 MiB"],
    )
    .await;
    let (cluster, facts) = preflight::check(&target, Some(&intent("r"))).await.unwrap();
    assert_eq!(facts.quota.known(), Some(16 << 20));
    let manifest = Manifest::new("r", &intent("r").prefix, "h", 1, 2);
    let held = manifest::acquire(&cluster, manifest).await.unwrap();
    held.leave().await.unwrap();
    let mut raw = Client::connect(&target.endpoints, None).await.unwrap();
    let value = vec![7u8; 1 << 20];
    let full = async {
        for i in 0..64 {
            raw.put(format!("{HOME}/r/events/default/e{i}"), value.clone(), None)
                .await?;
        }
        Ok::<_, etcd_client::Error>(())
    };
    assert!(
        full.await
            .unwrap_err()
            .to_string()
            .contains("database space exceeded")
    );
    eventually("the alarm is raised", async || {
        !cluster.alarms().await.unwrap().is_empty()
    })
    .await;
    assert_refused(
        &target,
        Some(&intent("s")),
        Exit::Usage,
        &["NOSPACE", "alarm disarm"],
    )
    .await;
    assert_eq!(inspect(&target).await.unwrap().alarms.unwrap().len(), 1);
    let out = etcdmark_cleanup(&target, &["--all"]);
    assert!(
        out.contains("does not shrink") && out.contains("etcdctl"),
        "{out}"
    );
    assert_eq!(keys(&target).await, 0);
}

/// Through the command's own code.
fn etcdmark_cleanup(target: &Target, args: &[&str]) -> String {
    let out = std::thread::scope(|s| s.spawn(|| cleanup_outcome(target, args)).join().unwrap());
    out.unwrap()
}

fn cleanup_outcome(target: &Target, args: &[&str]) -> Result<String, etcdmark::cli::CliError> {
    use clap::Parser;
    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: etcdmark::cli::cleanup::Args,
    }
    let endpoints = target.endpoints.join(",");
    let all = ["etcdmark", "--endpoints", &endpoints]
        .into_iter()
        .chain(args.iter().copied());
    let cli = Cli::try_parse_from(all).unwrap();
    etcdmark::cli::cleanup::clean(&cli.args).map(|summary| summary.to_string())
}

#[tokio::test]
async fn the_manifest_is_created_resumed_and_refused() {
    let (_e, target) = etcd(&[]).await;
    let (cluster, _) = preflight::check(&target, Some(&intent("r"))).await.unwrap();
    assert_eq!(keys(&target).await, 0, "preflight leaves nothing behind");
    let wanted = |hash: &str| Manifest::new("r", &intent("r").prefix, hash, 7, 42);

    let mut held = manifest::acquire(&cluster, wanted("h1")).await.unwrap();
    assert!(!held.resumed);
    assert_eq!(held.lock.lost(), None);
    held.update_phase(Phase::Populate, 500).await.unwrap();
    let other = manifest::acquire(&cluster, wanted("h1")).await.unwrap_err();
    let text = other.to_string();
    assert!(
        text.contains("is in use") && text.contains(&std::process::id().to_string()),
        "{text}"
    );
    assert_eq!(other.exit(), Exit::Usage);
    assert!(
        cleanup_outcome_in_thread(&target, &[])
            .unwrap_err()
            .message
            .contains("is still active")
    );
    held.leave().await.unwrap();

    let other = manifest::acquire(&cluster, wanted("h2")).await.unwrap_err();
    assert!(matches!(other, ManifestError::OtherPlan { .. }), "{other}");
    let later = Manifest {
        epoch_unix_ns: clock::unix_now(),
        ..wanted("h1")
    };
    let mut held = manifest::acquire(&cluster, later).await.unwrap();
    assert!(held.resumed);
    assert_eq!(
        (held.manifest.populated, held.manifest.epoch_unix_ns),
        (500, 42)
    );
    held.update_phase(Phase::Measure, 1000).await.unwrap();
    held.leave().await.unwrap();
    let other = manifest::acquire(&cluster, wanted("h1")).await.unwrap_err();
    assert!(matches!(other, ManifestError::Finished { .. }), "{other}");

    // Refusals give their lock back.
    assert_eq!(manifest::lock_owner(&cluster, "r").await.unwrap(), None);
    etcdmark_cleanup(&target, &["--run-id", "r"]);
    assert_eq!(keys(&target).await, 0);
    assert!(
        cleanup_outcome_in_thread(&target, &["--run-id", "r"])
            .unwrap_err()
            .message
            .contains("no manifest")
    );
}

fn cleanup_outcome_in_thread(
    target: &Target,
    args: &[&str],
) -> Result<String, etcdmark::cli::CliError> {
    std::thread::scope(|s| s.spawn(|| cleanup_outcome(target, args)).join().unwrap())
}

/// The lease of a run's lock.
async fn lock_lease(cluster: &ControlClient, key: &str) -> Option<i64> {
    let lock = cluster.get(key.as_bytes()).await.unwrap();
    lock.map(|kv| kv.lease())
}

#[tokio::test]
async fn a_lock_is_taken_again_while_nobody_has_had_it_and_lost_otherwise() {
    let (_e, target) = etcd(&[]).await;
    let cluster = ControlClient::connect(&target).await.unwrap();
    let mut held = manifest::acquire(&cluster, Manifest::new("r", &intent("r").prefix, "h", 1, 2))
        .await
        .unwrap();
    let key = held.keys().lock.clone();
    let before = lock_lease(&cluster, &key).await.unwrap();
    cluster.lease_revoke(before).await.unwrap();
    eventually("the lock is taken again", async || {
        lock_lease(&cluster, &key).await.is_some()
    })
    .await;
    let again = lock_lease(&cluster, &key).await.unwrap();
    assert_ne!(again, before);
    assert_eq!(held.lock.lost(), None);
    assert_eq!(held.lock.disturbed().await.unwrap(), None);
    held.update_phase(Phase::Measure, 0).await.unwrap();
    let key_now = cluster.get(key.as_bytes()).await.unwrap().unwrap();
    let revision = key_now.mod_revision();
    // Its expiry, and its second write.
    assert_eq!(held.lock.revisions(revision).await, 2);
    assert_eq!(held.lock.revisions(revision - 1).await, 1);
    assert_eq!(held.lock.revisions(revision - 2).await, 0);

    // Whoever cleans up a run takes its manifest.
    cluster
        .delete(held.keys().manifest.clone().as_bytes(), b"")
        .await
        .unwrap();
    cluster.lease_revoke(again).await.unwrap();
    eventually("the lock is lost", async || held.lock.lost().is_some()).await;
    let lost = held.lock.lost().unwrap();
    assert!(lost.contains("cleaned up"), "{lost}");
    assert!(held.lock.disturbed().await.unwrap().is_some());
    let late = held.update_phase(Phase::Drain, 0).await.unwrap_err();
    assert!(matches!(late, ManifestError::Lost { .. }), "{late}");
}

#[tokio::test]
async fn cleanup_deletes_what_is_ours_and_nothing_else() {
    let (_e, target) = etcd(&[]).await;
    let cluster = ControlClient::connect(&target).await.unwrap();
    let prefix = intent("r").prefix;
    let held = manifest::acquire(&cluster, Manifest::new("r", &prefix, "h", 1, 2))
        .await
        .unwrap();
    let mut raw = Client::connect(&target.endpoints, None).await.unwrap();
    let grant = |mut raw: Client, id: i64| async move {
        raw.lease_grant(3600, Some(LeaseGrantOptions::new().with_id(id)))
            .await
            .unwrap();
    };
    for id in [11, 12, 13] {
        grant(raw.clone(), id).await;
    }
    for i in 0..2100 {
        let lease = PutOptions::new().with_lease(if i % 2 == 0 { 11 } else { 12 });
        raw.put(format!("{prefix}/events/ns/e{i}"), "x", Some(lease))
            .await
            .unwrap();
    }
    // A neighbour whose name begins alike, someone's keys, and a lease that is not only ours.
    let foreign = [
        "/a",
        "/registry-etcdmark/r2/leases/a",
        "/registry-etcdmark/rr",
        "/registryx",
        "/z",
    ];
    for key in foreign {
        raw.put(key, "x", None).await.unwrap();
    }
    raw.put(
        format!("{prefix}/leases/a"),
        "x",
        Some(PutOptions::new().with_lease(13)),
    )
    .await
    .unwrap();
    raw.put("/other", "x", Some(PutOptions::new().with_lease(13)))
        .await
        .unwrap();
    raw.put(format!("{prefix}x"), "x", None).await.unwrap();

    let mut told = Vec::new();
    let report = cleanup_run(&cluster, &RunData::new(&prefix), &mut |done, total| {
        told.push((done, total))
    })
    .await
    .unwrap();
    assert_eq!((report.keys, report.leases), (2101, 2));
    assert_eq!(told.first(), Some(&(0, 2101)));
    assert_eq!(told.last(), Some(&(2101, 2101)));
    assert!(told.len() > 2, "in batches: {told:?}");
    let again = cleanup_run(&cluster, &RunData::new(&prefix), &mut |_, _| {})
        .await
        .unwrap();
    assert_eq!((again.keys, again.leases), (0, 0));
    held.release().await.unwrap();
    let base = format!("{prefix}/");
    assert_eq!(
        cluster
            .count(base.as_bytes(), &prefix_end(base.as_bytes()))
            .await
            .unwrap(),
        0
    );
    assert_eq!(keys(&target).await, foreign.len() as i64 + 2);
    let left: Vec<i64> = raw
        .leases()
        .await
        .unwrap()
        .leases()
        .iter()
        .map(|l| l.id())
        .collect();
    assert_eq!(left, [13]);
    for bad in [
        "/",
        "",
        "/registry/",
        "/registry-etcdmark",
        "/registry-etcdmark/",
        "/registry-etcdmark/a/b",
    ] {
        assert!(
            cleanup_run(&cluster, &RunData::new(bad), &mut |_, _| {})
                .await
                .is_err(),
            "{bad:?}"
        );
    }
    assert_eq!(keys(&target).await, foreign.len() as i64 + 2);
}

#[tokio::test]
async fn a_live_cluster_is_left_alone_unless_allowed() {
    let (_e, target) = etcd(&[]).await;
    let mine = WriteIntent {
        prefix: "/registry".into(),
        ..intent("r")
    };
    assert_refused(
        &target,
        Some(&mine),
        Exit::Usage,
        &["--yes-this-etcd-is-mine"],
    )
    .await;
    let owned = Target {
        owned: true,
        ..target.clone()
    };
    let (cluster, _) = preflight::check(&owned, Some(&mine)).await.unwrap();
    let odd = WriteIntent {
        prefix: "/registry/pods".into(),
        ..intent("r")
    };
    assert_refused(
        &owned,
        Some(&odd),
        Exit::Usage,
        &["--prefix \"/registry/pods\""],
    )
    .await;

    // A run on /registry: its manifest stands outside, its keys are its own, and are cleaned.
    let mut held = manifest::acquire(&cluster, Manifest::new("r", "/registry", "h", 1, 2))
        .await
        .unwrap();
    let mut raw = Client::connect(&target.endpoints, None).await.unwrap();
    raw.put("/registry/leases/kube-node-lease/n1", "x", None)
        .await
        .unwrap();
    raw.put("/registry/events/default/e1", "x", None)
        .await
        .unwrap();
    raw.put("/registry/peerserverleases/apiserver-a", "x", None)
        .await
        .unwrap();
    let written = held.seal(revision(&target).await).await.unwrap();
    preflight::check(&owned, Some(&mine)).await.unwrap();
    let other = WriteIntent {
        run_id: "s".into(),
        ..mine.clone()
    };
    assert_refused(
        &owned,
        Some(&other),
        Exit::Usage,
        &["--prefix /registry is refused", "3 keys"],
    )
    .await;

    raw.put("/registry/pods/default/p", "x", None)
        .await
        .unwrap();
    let data = RunData {
        written,
        owned: true,
        ..RunData::new("/registry")
    };
    let e = cleanup_run(&cluster, &data, &mut |_, _| {})
        .await
        .unwrap_err();
    assert!(e.to_string().contains("1 key under /registry"), "{e}");
    // Nor is the run resumed beside them.
    assert_refused(
        &owned,
        Some(&mine),
        Exit::Usage,
        &["--prefix /registry is refused", "1 key"],
    )
    .await;
    raw.delete("/registry/pods/default/p", None).await.unwrap();
    assert_eq!(
        cleanup_run(&cluster, &data, &mut |_, _| {})
            .await
            .unwrap()
            .keys,
        3
    );
    held.release().await.unwrap();
    assert_eq!(keys(&target).await, 0);

    for key in [
        "/registry/pods/default/p",
        "/registry/events/a/b",
        "/registry/events/a/c",
        "/registry/services/specs/a/s",
        "/registry/x.io/things/t",
        "plain",
    ] {
        raw.put(key, "x", None).await.unwrap();
    }
    let before = revision(&target).await;
    assert_refused(
        &target,
        Some(&intent("r")),
        Exit::Usage,
        &["live Kubernetes cluster", "--allow-live-cluster"],
    )
    .await;
    assert_refused(&owned, Some(&mine), Exit::Usage, &["5 keys"]).await;
    let too_big = WriteIntent {
        allow_live_cluster: true,
        bytes: 2 << 30,
        ..intent("r")
    };
    assert_refused(&target, Some(&too_big), Exit::Usage, &["more than half"]).await;
    assert_eq!(
        before,
        revision(&target).await,
        "who is refused has written nothing"
    );
    let allowed = WriteIntent {
        allow_live_cluster: true,
        ..intent("r")
    };
    let (_, facts) = preflight::check(&target, Some(&allowed)).await.unwrap();
    assert_eq!(facts.others.unwrap().count, 6);

    let before = revision(&target).await;
    let seen = inspect(&target).await.unwrap();
    assert_eq!(seen.keys, Some(6));
    let rows: Vec<_> = seen
        .resources
        .iter()
        .map(|(k, n)| (k.as_str(), *n))
        .collect();
    assert_eq!(
        rows,
        [
            ("events", 2),
            ("pods", 1),
            ("services/specs", 1),
            ("x.io/things", 1)
        ]
    );
    assert_eq!(seen.events_share, Some(0.4));
    assert!(
        seen.members[0].fsync_mean.is_some() && seen.members[0].commit_mean.is_some(),
        "{seen:?}"
    );
    assert_eq!(seen.notes, Vec::<String>::new());
    assert_eq!(before, revision(&target).await, "inspect writes nothing");

    // What shrinks the file of a live cluster is not a compaction by hand.
    let advice = etcdmark_cleanup(&target, &["--all"]);
    assert!(!advice.contains("compact "), "{advice}");
}

async fn revision(target: &Target) -> i64 {
    let cluster = ControlClient::connect(target).await.unwrap();
    cluster.each()[0].status().await.unwrap().revision
}

#[tokio::test]
async fn a_run_on_registry_itself_leaves_nothing_there() {
    let (_e, target) = etcd(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let out = output(
        command(&["run", "leader-leases", "--warmup", "0s", "--duration", "2s"])
            .args(["--set", "actors.apiserver-leases.period=1s", "-q"])
            .args(["--prefix", "/registry", "--yes-this-etcd-is-mine"])
            .args(["--endpoints", &target.endpoints[0], "--out"])
            .arg(dir.path().join("out")),
    );
    assert!(out.is_well(), "{out:?}");
    // Peer leases, of another prefix than masterleases, are among them.
    assert_eq!(keys(&target).await, 0, "{out:?}");
}

#[tokio::test]
async fn acts_on_the_whole_cluster_need_an_owned_etcd() {
    let (_e, target) = etcd(&[]).await;
    let cluster = ControlClient::connect(&target).await.unwrap();
    let e = cluster.compact(1).await.unwrap_err();
    assert!(e.to_string().contains("--yes-this-etcd-is-mine"), "{e}");
    assert!(
        cluster.each()[0]
            .defragment(Duration::from_secs(30))
            .await
            .is_err()
    );
    let owned = ControlClient::connect(&Target {
        owned: true,
        ..target
    })
    .await
    .unwrap();
    owned.compact(1).await.unwrap();
    owned.each()[0]
        .defragment(Duration::from_secs(30))
        .await
        .unwrap();
}

/// Runs `cluster` with a compactor that is due every half second; whether etcd was compacted afterwards.
async fn compacted_by_a_run(flags: &[&str]) -> bool {
    let (_e, target) = etcd(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let out = output(
        command(&["run", "cluster", "--nodes", "1", "--warmup", "0s", "-q"])
            .args(["--duration", "4s", "--set", "actors.compactor.period=500ms"])
            .args(["--endpoints", &target.endpoints[0], "--out"])
            .arg(dir.path().join("out"))
            .args(flags),
    );
    // A busy machine may make the generator late (98): compaction is looked at all the same.
    assert!(out.is_well(), "{out:?}");
    let result = json(&dir.path().join("out/result.json"));
    let rounds = |name: &str| {
        let classes = result["classes"].as_array().unwrap();
        let class = classes.iter().find(|c| c["class"]["name"] == name);
        class.map_or(0, |c| c["figures"]["counts"]["ok"].as_u64().unwrap())
    };
    assert!(rounds("compactor/txn") >= 2);
    let mut client = Client::connect(&target.endpoints, None).await.unwrap();
    let old = etcd_client::GetOptions::new().with_revision(1);
    let compacted = client.get("a", Some(old)).await.is_err();
    assert_eq!(rounds("compactor/compact") > 0, compacted);
    compacted
}

#[tokio::test]
async fn a_run_compacts_only_an_etcd_that_is_ours() {
    assert!(!compacted_by_a_run(&[]).await);
    assert!(compacted_by_a_run(&["--yes-this-etcd-is-mine"]).await);
}

#[tokio::test]
async fn a_run_defragments_only_an_etcd_that_is_ours() {
    let (_e, target) = etcd(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("w.yaml");
    let text = "apiVersion: etcdmark/v1alpha2\nkind: Workload\nmetadata: {name: w}\nspec:\n  cluster: {nodes: 10}\n  \
                actors:\n    - {name: leases, kind: nodeLease, period: 1s}\n    - {name: cron, kind: defragmenter, \
                period: 1s}\n  phases: {settle: 0s, warmup: 0s, duration: 3s}\n";
    std::fs::write(&file, text).unwrap();
    let run = |flags: &[&str]| {
        output(
            command(&["run"])
                .arg(&file)
                .args(flags)
                .args(["-q", "--endpoints", &target.endpoints[0], "--out"])
                .arg(dir.path().join("out")),
        )
    };
    let out = run(&[]);
    let said = out.stderr;
    assert_eq!(out.code, 2, "{said}");
    assert!(
        said.contains("actor \"cron\" defragments") && said.contains("--yes-this-etcd-is-mine"),
        "{said}"
    );
    // Nothing was begun.
    assert!(!dir.path().join("out/events.jsonl").exists());
    let out = run(&["--yes-this-etcd-is-mine"]);
    assert!(out.is_well(), "{out:?}");
    assert!(out.stdout.contains("\ndefrag  main/"), "{out:?}");
}
