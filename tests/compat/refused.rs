//! What is refused, and with which words.

use etcd_client::Client;

use crate::common::command::Output;
use crate::common::{Testbed, etcdmark};

fn go(testbed: &Testbed, flags: &str) -> Output {
    let endpoints = testbed.endpoints();
    let mut args = vec!["compat", "go-benchmark"];
    args.extend(flags.split(' '));
    args.extend(["--endpoints", &endpoints, "-q", "--total", "50"]);
    etcdmark(&args)
}

fn put(testbed: &Testbed, key: &str) {
    let client: Client = testbed.client();
    let mut kv = client.kv_client();
    testbed.runtime.block_on(kv.put(key, "v", None)).unwrap();
}

#[test]
fn a_store_with_keys_of_others_is_left_alone_unless_allowed() {
    let testbed = Testbed::new();
    put(&testbed, "theirs");
    for load in ["put", "txn-mixed", "range foo", "lease-keepalive"] {
        let out = go(&testbed, load);
        assert_eq!(out.code, 2, "{load}: {out:?}");
        for part in [
            "holds 1 key of others",
            "--allow-live-cluster",
            "no ramp and no guards",
        ] {
            assert!(out.stderr.contains(part), "{load}: {}", out.stderr);
        }
        let out = go(&testbed, &format!("{load} --allow-live-cluster"));
        assert_eq!((out.code, out.stderr.as_str()), (0, ""), "{load}: {out:?}");
        assert_eq!(testbed.keys(), ["theirs"], "{load}");
    }
    // Raw keys could not be told from theirs.
    let out = go(
        &testbed,
        "put --raw-keys --yes-this-etcd-is-mine --allow-live-cluster",
    );
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("omit --raw-keys"), "{}", out.stderr);
    assert_eq!(testbed.keys(), ["theirs"]);
}

#[test]
fn raw_keys_need_leave() {
    let testbed = Testbed::new();
    let out = go(&testbed, "put --raw-keys");
    assert_eq!(
        (out.code, out.stderr.as_str()),
        (
            2,
            "error: --raw-keys writes binary keys outside /registry-etcdmark/; to allow it, pass --yes-this-etcd-is-mine\n"
        )
    );
    let out = go(&testbed, "range foo --preload 5");
    assert_eq!(out.code, 2, "{out:?}");
    assert!(
        out.stderr.contains("--preload 5 writes a key outside"),
        "{}",
        out.stderr
    );
    testbed.assert_empty();
}

#[test]
fn a_load_that_does_not_fit_is_refused_in_its_own_words() {
    let testbed = Testbed::new();
    let out = go(&testbed, "put --val-size 100000000");
    assert_eq!(out.code, 2, "{out:?}");
    assert_eq!(
        out.stderr,
        "error: --val-size 100000000: use at most 67108864\n"
    );
    let out = go(&testbed, "put --val-size 60000000");
    assert_eq!(out.code, 2, "{out:?}");
    let remedy = "use a smaller --total or --val-size, or raise --quota-backend-bytes\n";
    assert!(out.stderr.ends_with(remedy), "{}", out.stderr);
    testbed.assert_empty();
}

#[test]
fn wrong_flags_are_one_error() {
    for (flags, message) in [
        ("put --clients 0", "--clients 0: use 1 to 100000"),
        (
            "put --key-size 1 --key-space-size 1000",
            "--key-size 1: keys of --key-space-size 1000 need 2 bytes; use 2 or more",
        ),
        (
            "txn-put --txn-ops 2",
            "--txn-ops 2: a transaction cannot put more keys than --key-space-size 1",
        ),
        (
            "put --consistency s",
            "--consistency applies to range and txn-mixed, but the command is put; omit it",
        ),
        ("range", "range needs a KEY, such as: range foo"),
        ("put --timeout 0s", "--timeout 0s: must be above 0"),
        (
            "put --overrides /events#http://127.0.0.1:1",
            "--overrides \"/events#http://127.0.0.1:1\": the Go tool's load has one etcd; omit --overrides",
        ),
        (
            "put --split events",
            "--split events: the Go tool's load has one etcd; omit --split",
        ),
        (
            "put --raw-keys",
            "--raw-keys: a local etcd gets raw keys anyway; omit --raw-keys, or also pass --endpoints URL",
        ),
        (
            "put --run-id A",
            "--run-id \"A\" is not valid: use 1 to 63 lowercase letters, digits and hyphens, and do not start with a hyphen",
        ),
    ] {
        let mut args = vec!["compat", "go-benchmark"];
        args.extend(flags.split(' '));
        let out = etcdmark(&args);
        let expected = (2, String::new(), format!("error: {message}\n"));
        assert_eq!((out.code, out.stdout, out.stderr), expected, "{flags}");
    }
}

#[test]
fn failed_requests_are_counted_and_the_exit_code_says_so() {
    let testbed = Testbed::new();
    // Larger than etcd takes.
    let out = go(&testbed, "put --val-size 1700000 --clients 4");
    assert_eq!(out.code, 1, "{out:?}");
    assert_eq!(
        out.stderr,
        "error: 50 of 50 requests failed (etcdserver: request is too large (gRPC code 3)); the Go tool exits with 0 here\n"
    );
    for line in [
        "  Succeeded:    0",
        "  Failed:       50",
        "  [50] etcdserver: request is too large (gRPC code 3)",
    ] {
        assert!(
            out.stdout.lines().any(|l| l == line),
            "{line}\n{}",
            out.stdout
        );
    }
    testbed.assert_empty();
}
