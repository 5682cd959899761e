//! Endpoints that are no voting members, or speak no HTTP.

use crate::common::Testbed;
use crate::common::bare_etcd::BareEtcd;
use crate::common::command::etcdmark;
use crate::common::etcd::etcd_path;
use crate::common::{Running, ports};
use crate::play::{QUICK, Run};
use std::process::Command;

#[test]
fn a_learner_among_the_endpoints_is_left_out_with_a_note() {
    let testbed = Testbed::new();
    let learner = testbed.runtime.block_on(BareEtcd::learner(&testbed.etcd));
    let endpoints = format!("{},{}", learner.url, testbed.endpoints());
    let run = Run::start(&[&QUICK, &["--endpoints", &endpoints, "--duration", "2s"]]);
    let ended = run.finish();
    ended.assert_went_well();
    let note = format!(
        "{} is not used; the run continues with the other endpoints: it is a learner",
        learner.url
    );
    assert!(ended.said.words().contains(&note), "{:?}", ended.said);
    // Nor does it count as a member that was forgotten.
    assert!(
        !ended.said.words().contains("--endpoints names"),
        "{:?}",
        ended.said
    );
    let alone = Run::start(&[&QUICK, &["--endpoints", &learner.url]]).finish();
    assert_eq!(alone.said.code, 2, "{:?}", alone.said);
    assert!(
        alone
            .said
            .stderr
            .contains(" is a learner, which serves no load")
    );
    testbed.assert_empty();
}

#[test]
fn a_grpc_proxy_is_named_and_its_lists_are_not_streamed() {
    let testbed = Testbed::new();
    let port = ports::free();
    let home = tempfile::tempdir().unwrap();
    let mut proxy = Running::spawn(Command::new(etcd_path()).args([
        "grpc-proxy",
        "start",
        &format!("--endpoints={}", testbed.endpoints()),
        &format!("--listen-addr=127.0.0.1:{port}"),
        &format!("--data-dir={}", home.path().display()),
    ]));
    let listens = proxy.until("the proxy listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    assert!(listens);
    let endpoint = format!("http://127.0.0.1:{port}");
    let load = [
        "cluster",
        "--nodes",
        "10",
        "--quiet",
        "--warmup",
        "0s",
        "--set",
        "phases.settle=0s",
    ];
    let ended = Run::start(&[&load, &["--endpoints", &endpoint, "--duration", "11s"]]).finish();
    ended.assert_went_well();
    let words = ended.said.words();
    assert!(
        words.contains(&format!("{endpoint} is a gRPC proxy")),
        "{words}"
    );
    // Every apiserver lists the masterleases every 10 s.
    let classes = ended.result["classes"].as_array().unwrap();
    let lists = classes
        .iter()
        .find(|c| c["class"]["name"] == "master-lease/list");
    let counts = &lists.unwrap()["figures"]["counts"];
    assert!(counts["ok"].as_u64() > Some(0), "{counts}");
    assert_eq!(counts["failed"], 0, "{counts}");
    let seen = etcdmark(&["inspect", "--endpoints", &endpoint]);
    assert!(seen.stdout.contains(" is a gRPC proxy"), "{seen:?}");
    assert!(!seen.stdout.contains("was not asked"), "{seen:?}");
}

#[test]
fn http_on_a_port_of_its_own_is_told_once() {
    let http = format!("http://127.0.0.1:{}", ports::free());
    let etcd = BareEtcd::start("http", &[format!("--listen-client-http-urls={http}")]);
    let access = ["--endpoints", &etcd.url, "--duration", "2s"];
    let ended = Run::start(&[&QUICK, &access]).finish();
    ended.assert_went_well();
    let words = ended.said.words();
    assert_eq!(
        words.matches("cannot read metrics of ").count(),
        1,
        "{words}"
    );
    assert!(
        words.contains(
            "as on kubeadm nodes and with --listen-client-http-urls, pass --metrics-endpoints"
        ),
        "{words}"
    );
    let apart = ["--metrics-endpoints", &http];
    let ended = Run::start(&[&QUICK, &access, &apart]).finish();
    ended.assert_went_well();
    assert!(
        !ended.said.words().contains("cannot read metrics"),
        "{:?}",
        ended.said
    );
}
