//! `etcdmark capacity` on real etcds: what it answers, where it goes on, and what it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and speak"
)]

mod common;

use common::proxy::Proxy;
use common::results::json;
use common::{Output, Testbed, command, output};
use serde_json::Value;
use std::path::Path;

/// Short trials of Lease renewals once a second.
const SHORT: &[&str] = &[
    "capacity",
    "node-heartbeats",
    "--set",
    "actors.node-leases.period=1s",
    "--set",
    "phases.settle=0s",
    "--warmup",
    "1s",
];

fn search(home: &Path, args: &[&str]) -> Output {
    let mut all = SHORT.to_vec();
    all.extend(args);
    output(command(&all).current_dir(home))
}

fn etcd() -> Vec<String> {
    let path = common::etcd_binary().path;
    let of = |p: std::path::PathBuf| vec!["--etcd".to_owned(), p.display().to_string()];
    path.map_or_else(Vec::new, of)
}

#[test]
fn a_small_cluster_is_carried_at_least_and_an_interrupted_search_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let etcd = etcd();
    let mut args: Vec<&str> = etcd.iter().map(String::as_str).collect();
    args.extend([
        "--duration",
        "7s",
        "--from",
        "50",
        "--max",
        "100",
        "--confirmations",
        "2",
    ]);
    args.extend(["--out", "out", "--at-least", "100"]);
    let said = search(home.path(), &args);
    let first = said.stdout.lines().next().unwrap();
    // Beside other work, a machine may not carry even this.
    if said.code == 0 {
        assert_eq!(
            first,
            "this etcd carries at least 100 nodes, the most that was tried; confirmed by 2 of 2 trials on fresh seeds; \
             --at-least 100 met"
        );
    } else {
        assert!(matches!(said.code, 98 | 99), "{said:?}");
        assert!(first.contains("--at-least 100 not met"), "{said:?}");
    }
    let out = home.path().join("out");
    let result = json(&out.join("capacity.json"));
    common::schema::assert_fits(&etcdmark::capacity::schema(), &result, "capacity.json");
    let sizes: Vec<f64> = of(&result, "size").collect();
    let last = sizes.len();
    assert!(sizes[0] == 50.0 && last >= 4, "{sizes:?}");
    // A trial's seed and size are those of its run.
    let trial = |n: usize| out.join(format!("trials/{n:03}/result.json"));
    for (n, (size, seed)) in sizes.iter().zip(of(&result, "seed")).enumerate() {
        let header = &json(&trial(n + 1))["header"];
        let nodes = &header["plan"]["spec"]["cluster"]["nodes"];
        assert_eq!(
            (nodes.as_f64(), header["seed"].as_f64()),
            (Some(*size), Some(seed))
        );
    }

    // What was killed in its last trial is played again, and only that (and what follows from it).
    let before = json(&trial(last - 1));
    std::fs::remove_file(trial(last)).unwrap();
    let half = output(&mut command(&["report", out.to_str().unwrap()]));
    let begin = format!("incomplete after {} trials; ", last - 1);
    assert!(half.stdout.starts_with(&begin), "{half:?}");
    let again = search(home.path(), &args);
    assert!(matches!(again.code, 0 | 98 | 99), "{again:?}");
    let first = again.stdout.lines().next().unwrap();
    assert!(
        !again.stderr.contains(&format!("trial {}:", last - 1)),
        "{again:?}"
    );
    assert_eq!(json(&trial(last - 1)), before);
    // The same answer from the files alone.
    let report = output(&mut command(&["report", out.to_str().unwrap()]));
    assert_eq!(report.stdout.lines().next().unwrap(), first);

    let other = search(
        home.path(),
        &[&args[..], &["--threshold", "all p99 < 5s"]].concat(),
    );
    assert_eq!(other.code, 2, "{other:?}");
    let why = "error: --out out: it holds another search (thresholds: ";
    assert!(other.stderr.contains(why), "{other:?}");
}

fn of<'a>(result: &'a Value, field: &'a str) -> impl Iterator<Item = f64> + 'a {
    let trials = result["trials"].as_array().unwrap().iter();
    trials.map(move |t| t["attempt"][field].as_f64().unwrap())
}

#[test]
fn what_is_wrong_with_an_order_is_said_before_any_trial() {
    let home = tempfile::tempdir().unwrap();
    for (args, message) in [
        (
            &["--nodes", "5"][..],
            "--nodes 5: this is what the search varies; use --from for the first size, or another --of",
        ),
        (
            &["--of", "rate", "--rate-scale", "2"],
            "--rate-scale 2: this is what the search varies",
        ),
        (
            &["--from", "0"],
            "--from 0: use a whole number of 1 to 10000000",
        ),
        (
            &["--from", "2.5"],
            "--from 2.5: use a whole number of 1 to 10000000",
        ),
        (&["--from", "nan"], "--from NaN: use a whole number"),
        (
            &["--from", "20", "--max", "10"],
            "--from 20 is above --max 10: raise --max",
        ),
        (
            &["--at-least", "20", "--max", "10"],
            "--at-least 20 is above --max 10: raise --max",
        ),
        (
            &["--duration", "forever"],
            "--duration forever: a trial has to end",
        ),
        (&["--of", "events"], "--of, size 100: "),
        (
            &[
                "--set",
                "actors=[{name: a, kind: nodeLease, concurrency: 4}]",
                "--set",
                "primary=[]",
            ],
            "all actors are closed loops",
        ),
        (
            &[
                "--of",
                "rate",
                "--set",
                "actors=[{name: p, kind: probe, rate: 5}]",
                "--set",
                "primary=[]",
            ],
            "load.rateScale: has no effect, because every actor is closed-loop, a probe, a compactor or a defragmenter",
        ),
        (
            &[
                "--set",
                "actors=[{name: p, kind: probe, rate: 5}]",
                "--set",
                "primary=[]",
            ],
            "--of: node-heartbeats's requests do not follow cluster.nodes; use another --of, or another workload",
        ),
        (
            &["--endpoints", "http://127.0.0.1:1", "--medium", "hdd"],
            "--medium applies only to a local etcd",
        ),
    ] {
        let mut all = vec!["capacity", "node-heartbeats"];
        all.extend(args);
        let said = output(command(&all).current_dir(home.path()));
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        assert!(said.stderr.contains(message), "{args:?}: {said:?}");
        assert_eq!(said.stderr.lines().count(), 1, "{args:?}: {said:?}");
    }
    assert_eq!(
        std::fs::read_dir(home.path()).unwrap().count(),
        0,
        "nothing stays behind"
    );
}

/// A relay that passes on so many bytes per second is an etcd of known capacity: that number by the bytes of a request, which
/// a run without it tells. Minutes: `scripts/full/capacity.sh`.
#[test]
#[ignore = "takes minutes"]
fn a_known_capacity_is_found() {
    let (mut at_most, mut near, mut searches) = (0, 0, 0);
    for bytes_per_second in [120_000, 170_000, 240_000, 340_000, 480_000] {
        let testbed = Testbed::new();
        let proxy = Proxy::before(&testbed.endpoints());
        let home = tempfile::tempdir().unwrap();
        let common = [
            "--endpoints",
            &proxy.endpoint,
            "--set",
            "phases.settle=0s",
            "--warmup",
            "2s",
            "--duration",
            "8s",
        ];
        let calm = [
            "run",
            "events",
            "-o",
            "json",
            "--set",
            "actors.events.rate=100",
        ];
        let run = output(command(&[&calm[..], &common].concat()).current_dir(home.path()));
        let run: Value = serde_json::from_str(&run.stdout).unwrap();
        // Warm-up included; what the run sends besides makes the capacity smaller than it is.
        let requests = run["total"]["counts"]["offered"].as_f64().unwrap() * 10.0 / 8.0;
        let capacity = bytes_per_second as f64 * requests / proxy.sent() as f64;
        proxy.throttle(bytes_per_second);
        let order = [
            "capacity", "events", "--of", "events", "--from", "20", "--out", "out", "-o", "json",
        ];
        let said = command(&[&order[..], &common, &["--confirmations", "7"]].concat())
            .current_dir(home.path())
            .output()
            .unwrap();
        let found: Value =
            serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
        println!(
            "{bytes_per_second} bytes/s carry {capacity:.0} requests/s; {}",
            found["summary"]
        );
        let carried = found["carried"].as_f64().unwrap_or(0.0);
        searches += 1;
        at_most += usize::from(carried <= capacity);
        near += usize::from(carried >= 0.8 * capacity);
    }
    println!("{searches} searches: at most C in {at_most}, at least 0.8 C in {near}");
    assert_eq!(at_most, searches);
    assert!(near + 1 >= searches);
}
