//! Requests by etcd's own count, keys and values as the Go tool leaves them.

use std::collections::{BTreeMap, BTreeSet};

use etcd_client::GetOptions;
use serde_json::Value;

use crate::common::{Testbed, etcdmark, store};

/// `grpc_server_handled_total` of etcd, by method, with the code OK.
fn handled(testbed: &Testbed) -> BTreeMap<String, u64> {
    let page = testbed
        .runtime
        .block_on(store::metrics(&testbed.endpoints()));
    let lines = page
        .lines()
        .filter(|l| l.starts_with("grpc_server_handled_total{"));
    let mut found = BTreeMap::new();
    for line in lines.filter(|l| l.contains("grpc_code=\"OK\"")) {
        let (_, method) = line.split_once("grpc_method=\"").unwrap();
        let (method, rest) = method.split_once('"').unwrap();
        let (_, n) = rest.rsplit_once(' ').unwrap();
        *found.entry(method.to_owned()).or_default() += n.parse::<f64>().unwrap() as u64;
    }
    found
}

/// How many more of them there are since.
fn since(testbed: &Testbed, before: &BTreeMap<String, u64>, method: &str) -> u64 {
    let now = handled(testbed).get(method).copied().unwrap_or(0);
    now - before.get(method).copied().unwrap_or(0)
}

/// Every key with its value.
fn stored(testbed: &Testbed) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let client = testbed.client();
    let all = GetOptions::new().with_all_keys();
    let found = testbed
        .runtime
        .block_on(client.kv_client().get("", Some(all)));
    let found = found.unwrap();
    let pair = |kv: &etcd_client::KeyValue| (kv.key().to_vec(), kv.value().to_vec());
    found.kvs().iter().map(pair).collect()
}

/// Plays a load with raw keys, and gives its result.
fn play(testbed: &Testbed, flags: &str) -> Value {
    let endpoints = testbed.endpoints();
    let mut args = vec!["compat", "go-benchmark"];
    args.extend(flags.split(' '));
    args.extend(["--endpoints", &endpoints, "-q", "-o", "json"]);
    let out = etcdmark(&args);
    assert_eq!((out.code, out.stderr.as_str()), (0, ""), "{out:?}");
    serde_json::from_str(&out.stdout).unwrap()
}

const RAW: &str = "--raw-keys --yes-this-etcd-is-mine --keep-data";

/// `binary.PutVarint` into a buffer that is never cleared, written once more, from Go's source.
fn put_varint(buffer: &mut [u8], n: u64) {
    let (mut ux, mut i) = (n << 1, 0);
    while ux >= 0x80 {
        buffer[i] = ux as u8 | 0x80;
        ux >>= 7;
        i += 1;
    }
    buffer[i] = ux as u8;
}

fn simulated(size: usize, numbers: impl Iterator<Item = u64>) -> BTreeSet<Vec<u8>> {
    let mut buffer = vec![0; size];
    let key = |n| {
        put_varint(&mut buffer, n);
        buffer.clone()
    };
    numbers.map(key).collect()
}

fn keys(stored: BTreeMap<Vec<u8>, Vec<u8>>) -> BTreeSet<Vec<u8>> {
    stored.into_keys().collect()
}

#[test]
fn a_sequential_pass_puts_each_key_once_with_one_value() {
    let testbed = Testbed::new();
    let before = handled(&testbed);
    let result = play(
        &testbed,
        &format!(
            "put --sequential-keys --key-space-size=3000 --total=3000 --key-size=48 --val-size=100 --clients=16 --conns=4 {RAW}"
        ),
    );
    assert_eq!(since(&testbed, &before, "Put"), 3000);
    let stored = stored(&testbed);
    let values: BTreeSet<&Vec<u8>> = stored.values().collect();
    assert_eq!((stored.len(), values.len()), (3000, 1));
    assert_eq!(values.first().unwrap().len(), 100);
    assert_eq!(keys(stored), simulated(48, 0..3000));
    assert_eq!(result["keys"]["stored"], 3000);
    let group = &result["groups"][0];
    assert_eq!(
        (&group["succeeded"], &group["failed"]),
        (&3000.into(), &0.into())
    );
    let seconds = result["totalSeconds"].as_f64().unwrap();
    let rate = group["requestsPerSecond"].as_f64().unwrap();
    assert!((rate * seconds - 3000.0).abs() < 1e-6, "{rate} {seconds}");
}

#[test]
fn small_key_spaces_have_the_keys_that_they_promise() {
    for (flags, range) in [
        ("--key-space-size=64 --total=2000", 40..65),
        ("--total=200", 1..2),
    ] {
        let testbed = Testbed::new();
        play(&testbed, &format!("put {flags} --clients=8 {RAW}"));
        let keys = keys(stored(&testbed));
        assert!(range.contains(&keys.len()), "{flags}: {}", keys.len());
        assert!(keys.is_subset(&simulated(8, 0..64)));
    }
}

#[test]
fn the_shared_buffer_makes_more_keys_than_the_key_space_has_numbers() {
    let testbed = Testbed::new();
    let flags = "put --key-space-size=1000 --total=20000 --clients=32 --conns=4";
    play(&testbed, &format!("{flags} {RAW}"));
    let first = keys(stored(&testbed));
    // 1,630 with the Go tool, and other random numbers.
    assert!((1400..1900).contains(&first.len()), "{}", first.len());
    // In order, nothing is random: 164 keys of 100 numbers, as with the Go tool.
    let testbed = Testbed::new();
    play(
        &testbed,
        &format!("put --sequential-keys --key-space-size=100 --total=10000 --clients=32 {RAW}"),
    );
    let numbers = (0..10_000).map(|i| i % 100);
    assert_eq!(keys(stored(&testbed)), simulated(8, numbers));
    assert_eq!(stored(&testbed).len(), 164);
    // The same seed, the same keys, whoever sends them.
    let testbed = Testbed::new();
    play(
        &testbed,
        &format!("put --key-space-size=1000 --total=20000 --clients=64 --conns=7 {RAW}"),
    );
    assert_eq!(keys(stored(&testbed)), first);
}

#[test]
fn transactions_are_counted_as_transactions_and_their_keys_are_the_buffers() {
    let testbed = Testbed::new();
    let before = handled(&testbed);
    let flags = "txn-put --txn-ops=4 --key-space-size=100 --total=500 --clients=8 --conns=2";
    play(&testbed, &format!("{flags} {RAW}"));
    assert_eq!(since(&testbed, &before, "Txn"), 500);
    assert_eq!(since(&testbed, &before, "Put"), 0);
    assert_eq!(
        keys(stored(&testbed)),
        simulated(8, (0..2000).map(|i| i % 100))
    );

    let testbed = Testbed::new();
    let before = handled(&testbed);
    let result = play(
        &testbed,
        &format!("txn-mixed --rw-ratio=4 --key-space-size=10 --total=1000 --clients=8 {RAW}"),
    );
    assert_eq!(since(&testbed, &before, "Txn"), 1000);
    let count = |group: usize| result["groups"][group]["succeeded"].as_u64().unwrap();
    let names = [&result["groups"][0]["name"], &result["groups"][1]["name"]];
    assert_eq!(names, ["reads", "writes"]);
    assert_eq!(count(0) + count(1), 1000);
    assert!((750..850).contains(&count(0)), "{}", count(0));
}

#[test]
fn ranges_read_one_key_and_leave_nothing() {
    let testbed = Testbed::new();
    let before = handled(&testbed);
    let result = play(
        &testbed,
        "range foo --preload 100 --raw-keys --yes-this-etcd-is-mine --total 700 --clients 4 --consistency s",
    );
    // Preflight reads as well; no more than some.
    let ranges = since(&testbed, &before, "Range");
    assert!((700..740).contains(&ranges), "{ranges}");
    assert_eq!(result["groups"][0]["succeeded"], 700);
    assert_eq!(result["keys"]["deleted"], 1);
    testbed.assert_empty();
}

#[test]
fn each_client_renews_its_own_lease_and_gives_it_back() {
    let testbed = Testbed::new();
    let before = handled(&testbed);
    let result = play(
        &testbed,
        "lease-keepalive --total 300 --clients 5 --conns 2",
    );
    assert_eq!(result["groups"][0]["succeeded"], 300);
    assert_eq!(since(&testbed, &before, "LeaseGrant"), 5);
    assert_eq!(since(&testbed, &before, "LeaseKeepAlive"), 300);
    testbed.assert_empty();
}

#[test]
fn keys_go_unless_they_are_to_stay_and_a_prefix_keeps_them_apart() {
    let testbed = Testbed::new();
    let load = "put --key-space-size 1000 --total 3000 --clients 8";
    let result = play(
        &testbed,
        &format!("{load} --raw-keys --yes-this-etcd-is-mine"),
    );
    assert_eq!(result["prefixBytes"], 0);
    assert_eq!(result["keys"]["stored"], result["keys"]["deleted"]);
    testbed.assert_empty();

    let result = play(&testbed, &format!("{load} --run-id a"));
    assert_eq!(result["prefixBytes"], "/registry-etcdmark/a/go/".len());
    assert_eq!(result["keys"]["stored"], result["keys"]["deleted"]);
    testbed.assert_empty();

    play(&testbed, &format!("{load} --run-id b --keep-data"));
    let left = stored(&testbed);
    assert!(left.len() > 1000, "{}", left.len());
    let under = |k: &&Vec<u8>| k.starts_with(b"/registry-etcdmark/b/");
    assert_eq!(left.keys().filter(under).count(), left.len());
    let out = etcdmark(&[
        "cleanup",
        "--endpoints",
        &testbed.endpoints(),
        "--run-id",
        "b",
    ]);
    assert_eq!(out.code, 0, "{out:?}");
    testbed.assert_empty();
}

#[test]
fn the_limiter_bounds_the_rate() {
    let testbed = Testbed::new();
    let result = play(&testbed, "put --rate 200 --total 300 --clients 10");
    let seconds = result["totalSeconds"].as_f64().unwrap();
    assert!(seconds > 1.49, "{seconds}");
}
