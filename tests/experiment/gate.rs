//! The regression gate on real etcds: what fails a build, and what is wrong with an order.

use crate::common;
use crate::desk::Desk;

/// A gate whose trials last a second.
fn gate() -> String {
    let etcd = match common::etcd_binary().path {
        Some(path) => format!("{{path: {:?}}}", path.display().to_string()),
        None => "{}".to_owned(),
    };
    format!(
        "apiVersion: etcdmark/v1alpha2
kind: Experiment
metadata:
  name: tiny-gate
spec:
  question: Is it worse?
  workload:
    name: node-heartbeats
    set:
      - cluster.nodes=10
      - actors.node-leases.period=100ms
  etcd: {etcd}
  arms:
    - name: one
    - name: other
      etcd: {{flags: [\"--snapshot-count=5000\"]}}
  analysis: gate
  gate:
    metrics:
      - {{metric: \"etcd:commits-per-op\", delta: 10%}}
      - {{metric: \"all:errors\", delta: 50%}}
  metrics:
    - node-lease/update:p99
  phases: {{settle: 0s, warmup: 0s, duration: 1s}}
"
    )
}

#[test]
fn a_planted_regression_is_confirmed_and_ends_with_97() {
    let desk = Desk::new(&gate());
    let flag = "--head-flag=--backend-batch-limit=2";
    let said = desk.etcdmark(&[
        "compare", flag, "--gate", "x.yaml", "--out", "out", "--seed", "1",
    ]);
    assert_eq!(said.code, 97, "{said:?}");
    let first = said.stdout.lines().next().unwrap();
    assert!(
        first.starts_with("head is worse than base: etcd's backend commits per operation +"),
        "{first}"
    );
    let basis = "(8 blocks screened, 12 fresh ones to confirm)";
    assert!(first.contains(basis), "{first}");
    let result = desk.result();
    assert_eq!(
        (&result["regression"], &result["complete"]),
        (&true.into(), &true.into())
    );
    let commits = &result["data"][0];
    assert_eq!(commits["verdict"], "worse", "{commits}");
    assert_eq!(
        commits["differences"].as_array().unwrap().len(),
        20,
        "one of 21 blocks is not used"
    );
    assert_eq!(result["data"][1]["verdict"], "equivalent");
    // Spare blocks were planned and not played, and each arm was first as often as last.
    let played = |t: &&serde_json::Value| t["state"] == "done";
    let trials = result["trials"].as_array().unwrap();
    assert_eq!(
        (trials.len(), trials.iter().filter(played).count()),
        (48, 42)
    );
    // From the files alone, and the same again.
    let again = desk.etcdmark(&["report", "out"]);
    assert_eq!(again.stdout.lines().next().unwrap(), first);
    exported(&desk, first);
}

/// The same answer in the formats of other programs.
fn exported(desk: &Desk, first: &str) {
    let report = |format: &str| {
        let said = desk.etcdmark(&["report", "out", "-o", format]);
        assert_eq!(said.code, 0, "{format}: {said:?}");
        said
    };
    let junit = report("junit").stdout;
    let failed = "<testcase name=\"etcd:commits-per-op\" classname=\"etcdmark.gate\" time=\"0\">\n      <failure ";
    assert!(junit.contains(failed), "{junit}");
    assert!(
        junit.contains(" failures=\"1\" errors=\"0\" skipped=\"0\" "),
        "{junit}"
    );
    let github = report("github").stdout;
    let error = "::error title=etcdmark%3A gate etcd%3Acommits-per-op worse::";
    assert!(github.starts_with(error), "{github}");
    let markdown = report("markdown").stdout;
    assert!(
        markdown.contains(&format!("**{}", &first[..30])),
        "{markdown}"
    );
    assert!(markdown.contains("| ❌ **worse** |"), "{markdown}");
    let benchstat = report("benchstat").stdout;
    let of_arm = |arm: &str| {
        let (_, lines) = benchstat.split_once(&format!("arm: {arm}\n")).unwrap();
        let own = lines.split("arm: ").next().unwrap();
        own.lines()
            .filter(|l| l.starts_with("BenchmarkEtcd "))
            .count()
    };
    // The first block is not used.
    assert_eq!((of_arm("base"), of_arm("head")), (20, 20), "{benchstat}");
    let csv = report("csv");
    assert!(
        csv.stdout
            .contains(",head,done,etcd:commits-per-op,count,0."),
        "{csv:?}"
    );
    assert!(
        csv.stderr.starts_with("note: head is worse than base"),
        "{csv:?}"
    );
    let refused = desk.etcdmark(&["report", "out", "-o", "bmf"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let history = desk.etcdmark(&["report", "out", "--history", "h.jsonl"]);
    assert_eq!(history.code, 2, "{history:?}");
    assert!(
        history.stderr.contains("--history takes single runs"),
        "{history:?}"
    );
    let message = "-o bmf needs a single run, but out holds an experiment: name the directory of a trial, out/trials/…";
    assert!(refused.stderr.contains(message), "{refused:?}");
}

#[test]
fn a_gate_that_cannot_be_is_refused_before_it_begins() {
    let desk = Desk::new(&gate());
    let wrong = |from: &str, to: &str| {
        let text = gate().replace(from, to);
        assert_ne!(text, gate(), "{from}");
        std::fs::write(desk.home.path().join("y.yaml"), text).unwrap();
        let said = desk.etcdmark(&["experiment", "y.yaml", "--out", "no"]);
        assert_eq!(said.code, 2, "{said:?}");
        said.stderr
    };
    for (from, to, message) in [
        (
            "delta: 50%",
            "delta: 0%",
            "gate.metrics.1.delta: \"0%\" is not a share above 0; write a percentage, such as 5%",
        ),
        (
            "all:errors",
            "all:rate",
            "gate.metrics.1.metric: \"all:rate\": more of it is better; gate \"all:missed\" instead",
        ),
        (
            "etcd:commits-per-op",
            "etcd:comits-per-op",
            "did you mean \"commits-per-op\"?",
        ),
        (
            "analysis: gate",
            "analysis: compare",
            "gate: has an effect with `analysis: gate` only",
        ),
        (
            "  metrics:\n    - node",
            "  primary: [\"all:p50\"]\n  metrics:\n    - node",
            "primary: a gate answers by gate.metrics",
        ),
        (
            "  phases:",
            "  blocks: 9\n  phases:",
            "blocks: a gate has its own number of blocks; remove it",
        ),
    ] {
        let said = wrong(from, to);
        assert!(said.contains(message), "{to}: {said}");
    }
    // etcd itself says what is wrong with its flags, once it is started.
    let flag = "--head-flag=--no-such-flag=1";
    let said = desk.etcdmark(&["compare", "--gate", "x.yaml", flag, "--out", "no"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.contains("arm head: etcd member etcd-0 ended"),
        "{said:?}"
    );
    for (args, message) in [
        (
            &["compare", "3.6"][..],
            "HEAD is missing: name a second etcd",
        ),
        (
            &["compare", "3.6", "3.6"],
            "BASE and HEAD are the same etcd",
        ),
        (
            &["compare", "3.6", "nope"],
            "HEAD \"nope\" is no etcd version",
        ),
        (&["compare"], "BASE and HEAD are the same etcd"),
        (
            &["compare", "--null", "--head-flag=--a=1"],
            "--head-flag has no effect with --null",
        ),
        (
            &["compare", "--head-flag=--a=1", "--gate", "versions"],
            "--gate versions: the experiment versions is no gate",
        ),
        (
            &["experiment", "x.yaml", "--blocks", "9"],
            "--blocks 9: a gate has its own number of blocks; remove it",
        ),
    ] {
        let said = desk.etcdmark(args);
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        assert!(said.stderr.contains(message), "{args:?}: {}", said.stderr);
    }
}
