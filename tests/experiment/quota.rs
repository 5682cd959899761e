//! `experiment quota`: filled to NOSPACE on every etcd that is here, led back, and asked operation by operation.

use crate::common::{self, Output, events, json, processes};
use crate::desk::Desk;
use etcd_client::{Txn, TxnOp};
use etcdmark::etcd::control::ControlClient;
use rustix::process::{Signal, kill_process};
use serde_json::Value;

/// Names of a record's map whose op classes write.
const WRITES: [&str; 5] = [
    "node-lease/update",
    "node-status/update",
    "event/create",
    "event/lease-grant",
    "event/patch",
];

fn number(value: &Value, what: &str) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{what}: {value}"))
}

#[test]
fn an_etcd_is_filled_and_led_back_as_was_said_before() {
    let desk = Desk::new("");
    // All of those that are here; the smoke form's own choice is the newest.
    let arms = ["3.4", "3.5", "3.6", "3.7"].map(|v| format!("--arm={v}"));
    let mut args = vec!["experiment", "quota", "--smoke", "--out", "out"];
    args.extend(arms.iter().map(String::as_str));
    let said = desk.etcdmark(&args);
    assert!(said.is_well(), "{said:?}");
    let result = desk.result();
    let trials = result["trials"].as_array().unwrap();
    assert!(!trials.is_empty(), "{said:?}");
    for trial in trials {
        let dir = desk.out().join(trial["directory"].as_str().unwrap());
        filled(&said, &json(&dir.join("after.json")));
        said_before(&events(&dir));
        let run = json(&dir.join("result.json"));
        assert_eq!(run["verify"]["lost"], 0, "{said:?}");
        assert!(
            run["verify"]["indeterminate"].as_u64() > Some(0),
            "{said:?}"
        );
    }
    let again = desk.etcdmark(&["report", "out", "-o", "json"]);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again, result);
}

/// What was seen of a filling.
fn filled(said: &Output, record: &Value) {
    let full_at = number(&record["fullAt"], "fullAt");
    let forecasts = record["forecasts"].as_array().unwrap();
    let when: Vec<&str> = forecasts
        .iter()
        .map(|f| f["when"].as_str().unwrap())
        .collect();
    assert_eq!(
        when[..2],
        ["before anything", "before the load"],
        "{said:?}"
    );
    for forecast in forecasts {
        // Nothing is held to a time here: on a busy machine etcd, and with it the load, may be late.
        let off = full_at / number(&forecast["fullAt"], "forecast");
        assert!(
            (0.5..5.0).contains(&off),
            "{forecast}: {full_at}\n{}",
            said.stdout
        );
    }
    let over = number(&record["atOnce"], "atOnce") / number(&record["quota"], "quota");
    // As of the last commit it was full; the sample is as old at most.
    assert!(over >= 0.9, "{record}");
    let answered = record["whileFull"].as_object().unwrap();
    for (class, counts) in answered {
        let (ok, no_space) = (&counts["ok"], counts["noSpace"].as_u64().unwrap());
        assert_eq!(counts["other"], serde_json::json!({}), "{class}: {counts}");
        if WRITES.contains(&class.as_str()) {
            assert_eq!(*ok, 0, "{class}: {counts}");
        } else if class != "compactor/txn" {
            assert!(no_space == 0, "{class}: {counts}");
        }
    }
    assert!(answered["node-lease/update"]["noSpace"].as_u64() > Some(0));
    assert!(answered["list/leases"]["ok"].as_u64() > Some(0));
    assert_eq!(record["notRecovered"], Value::Null, "{said:?}");
    assert!(record["writableAt"].is_number(), "{said:?}");
    let steps = record["recovery"].as_array().unwrap();
    let names = steps.iter().map(|s| s["name"].as_str().unwrap());
    let names: Vec<&str> = names.map(|n| n.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["compact", "defragment", "disarm"]);
    // Compaction frees pages in the file, defragmentation the file.
    let size = |i: usize| number(&steps[i]["size"], "size");
    assert!(size(0) > size(1), "{steps:?}");
    let matrix = record["matrix"].as_array().unwrap();
    assert_eq!(matrix.len(), 22);
    let wrong: Vec<&Value> = matrix
        .iter()
        .filter(|c| c["expected"] != c["found"])
        .collect();
    assert!(wrong.is_empty(), "etcd {}: {wrong:?}", record["etcd"]);
}

/// The first forecast stands in the stream before anything was written, the second before the load.
fn said_before(events: &[Value]) {
    let place = |what: &dyn Fn(&Value) -> bool| events.iter().position(what).unwrap();
    let note = |text: &'static str| {
        place(&|e: &Value| e["type"] == "note" && e["text"].as_str().unwrap().contains(text))
    };
    let populate = place(&|e: &Value| e["phase"] == "populate");
    let loaded = place(&|e: &Value| e["type"] == "interval" && e["phase"] == "measure");
    assert!(note("forecast before anything") < populate);
    let before = note("forecast before the load");
    assert!(populate < before && before < loaded);
    assert!(loaded < note("full after"));
}

/// A file whose one arm has an analysis of `quota`, and this besides.
fn file(workload: &str, flags: &str, more: &str) -> String {
    let etcd = match common::etcd_binary().path {
        Some(path) => format!("path: {:?}, ", path.display().to_string()),
        None => String::new(),
    };
    format!(
        "apiVersion: etcdmark/v1alpha2
kind: Experiment
metadata: {{name: tiny}}
spec:
  question: When is it full?
  analysis: quota
  workload:
    spec:
      cluster: {{nodes: 10}}
      actors:
{workload}
  etcd: {{{etcd}flags: [\"--quota-backend-bytes={flags}\"]}}
  arms:
    - name: one
  primary: [\"client:rss\"]
  phases: {{settle: 0s, warmup: 0s, duration: 3s}}
{more}"
    )
}

const LEASES: &str = "        - {name: leases, kind: nodeLease}";

#[test]
fn what_cannot_be_filled_or_foretold_is_refused_before_any_load() {
    let closed = "        - {name: probe, kind: probe, writes: true, concurrency: 2}";
    let two = "        - {name: leases, kind: nodeLease}\n      stores: [{name: main}, {name: events, resources: [events]}]";
    for (text, message) in [
        (file(LEASES, "-1", ""), "this etcd has no quota"),
        (
            file(closed, "8388608", ""),
            "the workload writes in a closed loop",
        ),
        (file(two, "8388608", ""), "the workload has 2 stores"),
        (
            file(LEASES, "8388608", "  fill: {hold: 5 minutes}"),
            "x.yaml:17:16: hold: \"5 minutes\" is not a duration",
        ),
        (
            file(LEASES, "8388608", "  fill: {hold: 5s}")
                .replace("analysis: quota", "analysis: compare"),
            "arms: has 1; the analysis compare needs 2",
        ),
    ] {
        let desk = Desk::new(&text);
        let said = desk.play(&["--smoke"]);
        assert!(
            said.code != 0 && said.stderr.contains(message),
            "{message}: {said:?}"
        );
        assert!(desk.trials().is_empty(), "{said:?}");
    }
    let wrong = crate::desk::file("  fill: {hold: 5s}\n");
    let said = Desk::new(&wrong).play(&["--smoke"]);
    assert!(
        said.code == 2
            && said
                .stderr
                .contains("fill: the analysis compare does not fill an etcd"),
        "{said:?}"
    );
}

#[test]
fn an_etcd_that_is_never_full_is_said_to_be_so() {
    let desk = Desk::new(&file(LEASES, "1073741824", ""));
    let said = desk.play(&["--smoke"]);
    assert!(said.is_well(), "{said:?}");
    assert!(
        said.stdout
            .starts_with("smoke test, no conclusion: did not become full during the load"),
        "{said:?}"
    );
}

/// Events at a rate that fills 4 MiB in some seconds.
const FLOOD: &str = "        - {name: leases, kind: nodeLease}
        - {name: events, kind: event, rate: 800, ttl: 4s}";

fn noted(text: &'static str) -> impl Fn(&[Value]) -> bool {
    move |all| {
        let mut notes = all.iter().filter(|e| e["type"] == "note");
        notes.any(|e| e["text"].as_str().unwrap().contains(text))
    }
}

#[test]
fn an_etcd_that_stays_is_led_back_when_the_trial_is_interrupted_and_never_filled_unasked() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = common::etcd::with_flags(&["--quota-backend-bytes=4194304"]);
    let etcd = runtime.block_on(common::start(options));
    let endpoint = etcd.endpoints()[0].clone();
    let theirs = file(FLOOD, "0", "  fill: {hold: 60s}").replace("duration: 3s", "duration: 2m");
    let theirs: String = theirs
        .lines()
        .map(|line| match line.starts_with("  etcd: ") {
            true => format!("  etcd: {{endpoints: [{endpoint:?}]}}\n"),
            false => format!("{line}\n"),
        })
        .collect();
    let desk = Desk::new(&theirs);
    let said = desk.play(&["--smoke"]);
    assert!(
        said.code != 0 && said.stderr.contains("--yes-this-etcd-is-mine"),
        "{said:?}"
    );
    assert!(desk.trials().is_empty(), "{said:?}");

    let mut playing = desk.start(&[
        "experiment",
        "x.yaml",
        "--out",
        "out",
        "--smoke",
        "--yes-this-etcd-is-mine",
    ]);
    let full = playing.until(1, noted("full after"));
    if full.is_ok() {
        playing.signal(Signal::INT);
    }
    let said = playing.finish();
    assert!(full.is_ok() && said.code == 130, "{said:?}");
    assert!(said.stderr.contains("was recovered"), "{said:?}");
    runtime.block_on(async {
        let cluster = ControlClient::connect(&etcd.target()).await.unwrap();
        assert_eq!(cluster.alarms().await.unwrap(), []);
        let put = Txn::new().and_then(vec![TxnOp::put("x", "y", None)]);
        cluster.txn(put).await.unwrap();
        etcd.stop().await;
    });
}

#[test]
fn an_etcd_that_dies_is_said_to_be_dead() {
    let desk = Desk::new(&file(FLOOD, "1073741824", "").replace("duration: 3s", "duration: 2m"));
    let mut playing = desk.start(&["experiment", "x.yaml", "--out", "out", "--smoke"]);
    let trial = playing.until_measuring(1).unwrap();
    let members = &events(&trial)[0]["stores"][0]["members"];
    let dir = members[0]["data_dir"].as_str().unwrap();
    for pid in processes::with_argument(dir) {
        kill_process(pid, Signal::KILL).unwrap();
    }
    let said = playing.finish();
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("etcd-0"), "{said:?}");
}

#[test]
fn a_load_that_ends_before_the_way_back_says_just_that() {
    let desk = Desk::new(&file(FLOOD, "4194304", "").replace("duration: 3s", "duration: 12s"));
    let said = desk.play(&["--smoke"]);
    assert!(said.is_well(), "{said:?}");
    assert!(
        said.stdout.contains("ended before recovery began"),
        "{said:?}"
    );
    let populated = file(LEASES, "4194304", "").replace("nodes: 10}", "nodes: 20000}");
    let said = Desk::new(&populated).play(&["--smoke"]);
    assert!(
        said.code == 1 && said.stderr.contains("populate alone writes about"),
        "{said:?}"
    );
}
