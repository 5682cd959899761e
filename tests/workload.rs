//! The workload file from the outside: every built-in is right, every mistake gets one clear message,
//! schema and reference page follow the code.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "workload/cells.rs"]
mod cells;
mod common;
#[path = "workload/rates.rs"]
mod rates;

use common::schema::{assert_fits, validator};
use etcdmark::kube::KubernetesVersion;
use etcdmark::kube::{OpClass, Resource};
use etcdmark::schedule::{Process, Schedule, Segment};
use etcdmark::target::Target;
use etcdmark::workload::schema::json_schema_text;
use etcdmark::workload::{BUILTINS, Overrides, ResolvedWorkload, RunSettings, Source};
use std::time::Duration;

const HEAD: &str = "apiVersion: etcdmark/v1alpha2\nkind: Workload\nmetadata:\n  name: t\nspec:\n";
const ACTOR: &str = "  actors:\n    - name: node-leases\n      kind: nodeLease\n";

fn load(name: &str) -> Source {
    Source::load(name).unwrap()
}

fn resolve(spec: &str) -> Result<ResolvedWorkload, String> {
    let source =
        Source::parse("w.yaml".to_owned(), format!("{HEAD}{spec}")).map_err(|e| e.to_string())?;
    source.resolve(&Overrides::new()).map_err(|e| e.to_string())
}

fn error(spec: &str) -> String {
    resolve(spec).unwrap_err()
}

/// Collects what differs, so that one run shows every message that changed.
fn check(wrong: &mut Vec<String>, got: String, expected: &str) {
    if got != expected {
        wrong.push(format!("expected {expected}\n     got {got}"));
    }
}

fn set(workload: &str, assignments: &[&str]) -> Result<ResolvedWorkload, String> {
    let mut overrides = Overrides::new();
    for a in assignments {
        overrides.push_set(a).map_err(|e| e.to_string())?;
    }
    load(workload)
        .resolve(&overrides)
        .map_err(|e| e.to_string())
}

#[test]
fn every_builtin_is_valid_and_survives_a_round_trip() {
    let schema = json_schema_text();
    for b in BUILTINS {
        let source = load(b.name);
        assert_eq!(source.file.metadata.name, b.name);
        assert!(source.file.metadata.description.is_some(), "{}", b.name);
        assert!(
            b.text
                .starts_with("# yaml-language-server: $schema=workload.schema.json\n"),
            "{}",
            b.name
        );
        let raw: serde_json::Value = serde_saphyr::from_str(b.text).unwrap();
        assert_fits(&schema, &raw, b.name);

        let resolved = source.resolve(&Overrides::new()).unwrap();
        let again = Source::parse("again".to_owned(), resolved.yaml()).unwrap();
        assert_eq!(again.file, resolved.file, "{}", b.name);
        let again = again.resolve(&Overrides::new()).unwrap();
        assert_eq!(again.file, resolved.file, "{}", b.name);
        assert_eq!(again.hash, resolved.hash, "{}", b.name);
        let resolved = serde_json::to_value(&resolved.file).unwrap();
        assert_fits(&schema, &resolved, b.name);
    }
}

#[test]
fn the_schema_refuses_what_the_code_refuses() {
    let validator = validator(&json_schema_text());
    let good: serde_json::Value = serde_saphyr::from_str(&format!("{HEAD}{ACTOR}")).unwrap();
    assert!(validator.is_valid(&good));
    for (pointer, key, value) in [
        ("/spec", "clustr", serde_json::json!({})),
        ("/spec", "kubernetesVersion", serde_json::json!("1.12")),
        (
            "/spec",
            "limits",
            serde_json::json!({"node-lease/updat": "1s"}),
        ),
        ("/spec", "limits", serde_json::json!({"default": 1})),
        ("/spec/actors/0", "kind", serde_json::json!("nodeLeese")),
        ("/spec/actors/0", "period", serde_json::json!("10")),
    ] {
        let mut bad = good.clone();
        bad.pointer_mut(pointer).unwrap()[key] = value;
        assert!(!validator.is_valid(&bad), "{pointer} {key}");
    }
}

#[test]
fn defaults_follow_from_the_nodes() {
    let r = set("cluster", &["cluster.nodes=5000"]).unwrap();
    assert_eq!(
        (
            r.cluster.namespaces,
            r.cluster.services,
            r.cluster.endpoints_per_service
        ),
        (50, 500, 150)
    );
    assert_eq!(
        (
            r.cluster.pods_per_node,
            r.cluster.apiservers,
            r.cluster.leader_locks
        ),
        (30, 3, 10)
    );
    let small = set("cluster", &["cluster.nodes=1"]).unwrap();
    assert_eq!(
        (
            small.cluster.namespaces,
            small.cluster.services,
            small.cluster.endpoints_per_service
        ),
        (1, 1, 15)
    );

    let rate = |r: &ResolvedWorkload, class: OpClass| {
        r.rates()
            .iter()
            .find(|c| c.class == class)
            .and_then(|c| c.per_second)
            .unwrap()
    };
    assert!((rate(&r, OpClass::NodeLeaseUpdate) - 5000.0 / 10.2).abs() < 1e-6);
    assert!((rate(&r, OpClass::NodeStatusUpdate) - 5000.0 / 306.0).abs() < 1e-6);
    assert!((rate(&r, OpClass::EventCreate) - 225.0).abs() < 1e-6);
    assert!((rate(&r, OpClass::EventGrant) - 0.25).abs() < 1e-6);
    // Leases, Node and CSINode each, 500 Endpoints, 2 slices each, 10 locks, 3 apiservers.
    assert_eq!(r.populated_keys(), 3 * 5000 + 500 + 1000 + 10 + 3);
    assert_eq!(r.phases.duration.unwrap().as_secs(), 30);
    assert_eq!(set("probe", &[]).unwrap().phases.duration, None);
}

#[test]
fn what_is_in_flight_follows_littles_law() {
    let r = set(
        "events",
        &["cluster.nodes=10000", "actors.events.seriesShare=0"],
    )
    .unwrap();
    // 500 creates and 0.5 grants per second, 1 s limit, ten times that.
    assert_eq!(r.load.max_in_flight, 5005);
    assert_eq!(r.load.connections, 21.max(r.load.workers));
    assert_eq!(
        set("events", &["cluster.nodes=1"])
            .unwrap()
            .load
            .max_in_flight,
        64
    );
    assert_eq!(
        set("events", &["cluster.nodes=1000000"])
            .unwrap()
            .load
            .max_in_flight,
        10_000
    );
    assert_eq!(
        set("events", &["limits.default=100ms"])
            .unwrap()
            .load
            .max_in_flight,
        64
    );
}

#[test]
fn stages_scale_and_ramp_make_one_profile() {
    let spec = "  load: {rateScale: 2, rateRamp: 10s}\n  actors:\n    - name: e\n      kind: event\n      rate: \
                100\n      stages:\n        - {duration: 5s, multiplier: 1}\n        - {duration: 20s, rate: \
                300, ramp: true}\n        - {duration: 1s, multiplier: 10}\n        - {duration: 1s, \
                multiplier: 1}\n";
    let r = resolve(spec).unwrap();
    let Schedule::Arrivals {
        process: Process::Poisson,
        rate,
    } = &r.actors[0].schedule
    else {
        panic!()
    };
    let segment = |s: u64, from: f64, to: f64| Segment {
        duration: s * 1_000_000_000,
        from,
        to,
    };
    assert_eq!(
        rate.segments,
        [
            segment(10, 0.0, 200.0),
            segment(5, 200.0, 200.0),
            segment(20, 200.0, 600.0),
            segment(1, 2000.0, 2000.0),
            segment(1, 200.0, 200.0)
        ]
    );
    assert_eq!(rate.then, 200.0);

    let r = set("cluster", &["load.rateScale=3"]).unwrap();
    for a in &r.actors {
        let Schedule::Periodic { intensity, .. } = &a.schedule else {
            continue;
        };
        let scaled = if a.kind.name == "compactor" { 1.0 } else { 3.0 };
        assert_eq!(intensity.then, scaled, "{}", a.name);
    }
}

#[test]
fn closed_loops_are_a_schedule_too() {
    let r = resolve("  actors:\n    - {name: n, kind: nodeLease, concurrency: 200}\n").unwrap();
    assert_eq!(r.actors[0].schedule, Schedule::Closed { concurrency: 200 });
    assert_eq!(r.rates()[0].per_second, None);
    assert_eq!(r.load.max_in_flight, 200);
}

#[test]
fn the_hash_covers_keys_values_and_instants_and_nothing_else() {
    let hash = |assignments: &[&str]| set("cluster", assignments).unwrap().hash;
    let base = hash(&[]);
    assert_eq!(base.len(), 64);
    assert_eq!(base, hash(&["cluster.nodes=1000"]));
    for same in [
        "load.workers=2",
        "limits.default=2s",
        "phases.duration=1m",
        "load.maxInFlight=99",
        "primary=[]",
    ] {
        assert_eq!(base, hash(&[same]), "{same}");
    }
    for other in [
        "seed=2",
        "cluster.nodes=1001",
        "actors.events.ttl=2h",
        "load.rateScale=2",
        "load.rateRamp=1s",
        "kubernetesVersion=1.30",
    ] {
        assert_ne!(base, hash(&[other]), "{other}");
    }
}

#[test]
fn stores_route_every_resource_to_one_place() {
    let stores = "  stores:\n    - name: main\n    - {name: events, resources: [events]}\n";
    let r = resolve(&format!("{stores}{ACTOR}")).unwrap();
    assert_eq!(r.stores[1].resources, [Resource::Events]);
    assert_eq!(r.stores[0].resources.len(), Resource::ALL.len() - 1);
    assert!(r.stores[0].resources.contains(&Resource::Internal));

    let settings = RunSettings {
        run_id: "r".to_owned(),
        epoch: 1,
        prefix: "/registry-etcdmark/r".to_owned(),
        keep_data: false,
        verify: true,
        guards: Vec::new(),
        allow_live_cluster: false,
    };
    let target = || Target::plain(vec!["http://127.0.0.1:1".to_owned()]);
    let one = r
        .clone()
        .into_plan(vec![target()], settings.clone())
        .unwrap_err();
    assert_eq!(
        one.to_string(),
        "the workload has 2 stores (main, events), but 1 etcd clusters are given; name one for each store"
    );
    let plan = r
        .clone()
        .into_plan(vec![target(), target()], settings)
        .unwrap();
    assert_eq!(
        (plan.stores.len(), plan.hash.as_str(), plan.name.as_str()),
        (2, r.hash.as_str(), "t")
    );
}

#[test]
fn unknown_repeated_and_mistyped_keys_say_where_and_what_is_right() {
    let mut wrong = Vec::new();
    for (spec, message) in [
        (
            "  clustr: {}\n",
            "w.yaml:6:3: unknown key \"clustr\"; did you mean \"cluster\"?",
        ),
        (
            "  cluster:\n    nods: 5\n",
            "w.yaml:7:5: unknown key \"nods\"; did you mean \"nodes\"?",
        ),
        (
            "  cluster:\n    nodes: 5\n    nodes: 6\n",
            "w.yaml:8:5: key \"nodes\" is given twice; remove one",
        ),
        (
            "  cluster:\n    nodes: -5\n",
            "w.yaml:7:12: nodes: -5 is not a whole number, 0 or more, of at most 19 digits",
        ),
        (
            "  cluster:\n    nodes: 99999999999999999999999 # many\n",
            "w.yaml:7:12: nodes: 99999999999999999999999 is not a whole number, 0 or more, of at most 19 digits",
        ),
        (
            "  cluster:\n    nodes: many\n",
            "w.yaml:7:12: nodes: many is not a whole number, 0 or more, of at most 19 digits",
        ),
        (
            "  phases:\n    warmup: 10\n",
            "w.yaml:7:13: warmup: \"10\" is not a duration: write a number with a unit (ns, us, ms, s, m, h), such as 10s, 5m or 100ms",
        ),
        (
            "  phases:\n    duration: -3s\n",
            "w.yaml:7:15: duration: \"-3s\" is negative: write a number with a unit (ns, us, ms, s, m, h), such as 10s, 5m or 100ms, or forever",
        ),
        (
            "  kubernetesVersion: 1.12\n",
            "w.yaml:6:22: kubernetesVersion: unknown Kubernetes version \"1.12\" (known: 1.30 to 1.37)",
        ),
        (
            "  actors:\n    - name: a\n      kind: nodeLeese\n",
            "w.yaml:8:13: kind: \"nodeLeese\" is not known; did you mean \"nodeLease\"?",
        ),
        (
            "  actors:\n    - kind: nodeLease\n",
            "w.yaml:7:7: required key \"name\" is missing",
        ),
        (
            "  cluster: 5\n",
            "w.yaml:6:12: cluster: 5 is not a mapping (`key: value` lines)",
        ),
        (
            "  actors: 5\n",
            "w.yaml:6:11: actors: 5 is not a list (`- item` lines)",
        ),
        (
            "\tactors: []\n",
            "w.yaml:6:2: a tab indents this line; YAML wants spaces",
        ),
        (
            "  actors: []\n---\nkind: Workload\n",
            "w.yaml:8:1: a second document begins here, but a file holds one workload",
        ),
        (
            "  load: {spin: maybe}\n",
            "w.yaml:6:16: spin: maybe is not true or false",
        ),
    ] {
        check(&mut wrong, error(spec), message);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let nameless = Source::parse(
        "w.yaml".to_owned(),
        format!("{HEAD}{ACTOR}").replace("name: t", "name: T T"),
    );
    assert_eq!(
        nameless
            .unwrap()
            .resolve(&Overrides::new())
            .unwrap_err()
            .to_string(),
        "w.yaml:4:9: metadata.name: \"T T\" is not a valid name; use up to 63 lowercase letters, digits and dashes, starting with a letter"
    );
    let wrong = Source::parse("w.yaml".to_owned(), HEAD.replace("v1alpha2", "v2")).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "w.yaml:1:13: apiVersion: \"etcdmark/v2\" is not known; did you mean \"etcdmark/v1alpha2\"?"
    );
    let earlier = "apiVersion: etcdmark/v1alpha1\nkind: Workload\nmetadata: {name: w}\nspec: {load: {shards: 1}}";
    let refused = Source::parse("w.yaml".to_owned(), earlier.to_owned()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "w.yaml:1:13: apiVersion: \"etcdmark/v1alpha1\" is an earlier format; write etcdmark/v1alpha2 and rename \
         load.shards to load.workers, ladder.rungs to sweep.levels, pairs to blocks"
    );
}

#[test]
fn values_without_sense_say_where_and_what_is_right() {
    let mut wrong = Vec::new();
    let actor = |fields: &str| {
        format!(
            "  actors:\n    - name: a\n{}",
            fields
                .lines()
                .map(|l| format!("      {l}\n"))
                .collect::<String>()
        )
    };
    let with = |spec: &str| format!("{spec}{ACTOR}");
    for (spec, message) in [
        (
            with("  cluster:\n    nodes: 0\n"),
            "w.yaml:7:12: cluster.nodes: 0 is out of range; use 1 to 10,000,000",
        ),
        (
            with("  cluster:\n    nodes: 20000000\n"),
            "w.yaml:7:12: cluster.nodes: 20,000,000 is out of range; use 1 to 10,000,000",
        ),
        (
            with("  cluster: {endpointsPerService: 0}\n"),
            "w.yaml:6:34: cluster.endpointsPerService: 0 is out of range; use 1 to 100,000",
        ),
        (
            with("  phases: {duration: 0s}\n"),
            "w.yaml:6:22: phases.duration: 0s is out of range; use 1s to 720h",
        ),
        (
            with("  load: {rateScale: 0}\n"),
            "w.yaml:6:21: load.rateScale: 0 is out of range; use a number above 0 and at most 1,000,000",
        ),
        (
            with("  load: {workers: 4, connections: 2}\n"),
            "w.yaml:6:35: load.connections: 2 is fewer than the 4 workers; use at least 4, or fewer workers",
        ),
        (
            with("  limits: {node-lease/updat: 1s}\n"),
            "w.yaml:6:30: limits.node-lease/updat: \"node-lease/updat\" is not an op class; did you mean \
             \"node-lease/update\"?",
        ),
        (
            "  load: {rateRamp: 5s}\n  actors:\n    - {name: p, kind: probe}\n".to_owned(),
            "w.yaml:6:20: load.rateRamp: has no effect, because every actor is closed-loop, a probe, a \
             compactor or a defragmenter; remove it",
        ),
        (
            "  actors:\n    - {name: d, kind: defragmenter}\n".to_owned(),
            "w.yaml:7:7: actors.d.period: is missing; choose a period shorter than warm-up plus duration, \
             because the first defragmentation comes after one period",
        ),
        (
            with("  limits: {default: 0s}\n"),
            "w.yaml:6:21: limits.default: 0s is out of range; use 1us to 720h",
        ),
        (
            with("  thresholds: [\"node-lease/update: p99 < 5\"]\n"),
            "w.yaml:6:16: thresholds.0: \"node-lease/update: p99 < 5\": \"5\" is not a duration: write a number \
             with a unit (ns, us, ms, s, m, h), such as 10s, 5m or 100ms",
        ),
        (
            with("  thresholds: [\"all: missed <= 101%\"]\n"),
            "w.yaml:6:16: thresholds.0: \"all: missed <= 101%\": \"101%\" is not a share; use 0% to 100%, or 0 to 1",
        ),
        (
            with("  primary: [\"all:p50\", \"all:p90\", \"all:p99\", \"all:max\", \"all:mean\"]\n"),
            "w.yaml:6:12: primary: 5 metrics are given; use at most 4",
        ),
        (
            with(
                "  stores:\n    - {name: a, resources: [events]}\n    - {name: b, resources: [leases, events]}\n",
            ),
            "w.yaml:8:28: stores.b.resources: \"events\" is already in store \"a\"; a resource belongs to exactly one store",
        ),
        (
            with("  stores:\n    - {name: a, resources: [events]}\n"),
            "w.yaml:7:5: stores: no store has \"leases\"; add it to a store, or omit resources in one store",
        ),
        (
            with("  stores:\n    - {name: a}\n    - {name: b}\n"),
            "w.yaml:8:7: stores.b.resources: is missing here and in store \"a\"; only one store may take all other resources",
        ),
        (
            with("  stores:\n    - {name: a, resources: [event]}\n"),
            "w.yaml:7:28: stores.a.resources: \"event\" is not a resource; did you mean \"events\"?",
        ),
        (
            "  actors: []\n".to_owned(),
            "w.yaml:6:11: actors: is empty; name at least one actor, such as {name: node-leases, kind: nodeLease}",
        ),
        (
            "  actors:\n    - {name: a, kind: event}\n    - {name: a, kind: probe}\n".to_owned(),
            "w.yaml:8:14: actors.1.name: \"a\" is given twice",
        ),
        (
            "  actors:\n    - {name: a, kind: event}\n    - {name: b, kind: event}\n".to_owned(),
            "w.yaml:8:23: actors.b.kind: event is also the kind of actor \"a\"; a workload has one actor of a kind",
        ),
        (
            "  actors:\n    - {name: A b, kind: event}\n".to_owned(),
            "w.yaml:7:14: actors.0.name: \"A b\" is not a valid name; use up to 63 lowercase letters, digits and dashes, starting with a letter",
        ),
        (
            actor("kind: nodeLease\nperiod: 5s\nrate: 100"),
            "w.yaml:10:13: actors.a.rate: cannot be combined with period; an actor needs exactly one of period, a rate and concurrency",
        ),
        (
            actor("kind: event\nperiod: 5s"),
            "w.yaml:9:15: actors.a.period: kind event does not support it; use rate or concurrency",
        ),
        (
            actor("kind: event\nrate: 0"),
            "w.yaml:9:13: actors.a.rate: 0 is out of range; use a number above 0 and at most 10,000,000 per second",
        ),
        (
            actor("kind: event\nrate: -1"),
            "w.yaml:9:13: actors.a.rate: -1 is out of range; use a number above 0 and at most 10,000,000 per second",
        ),
        (
            actor("kind: event\nrate: .nan"),
            "w.yaml:9:13: actors.a.rate: NaN is out of range; use a number above 0 and at most 10,000,000 per second",
        ),
        (
            actor("kind: event\nratePerNode: 20000"),
            "w.yaml:9:20: actors.a.ratePerNode: actor \"a\" would send 20000000 requests/s; the maximum is 10,000,000/s",
        ),
        (
            actor("kind: event\nseriesShare: 1.5"),
            "w.yaml:9:20: actors.a.seriesShare: 1.5 is out of range; use a number from 0 to below 1",
        ),
        (
            actor("kind: probe\nttl: 1h"),
            "w.yaml:9:12: actors.a.ttl: only kind event supports it; this actor has kind probe",
        ),
        (
            actor("kind: nodeLease\nperiod: 0s"),
            "w.yaml:9:15: actors.a.period: 0s is out of range; use 1ms to 720h",
        ),
        (
            actor("kind: nodeLease\njitter: {low: 2, high: 1}"),
            "w.yaml:9:30: actors.a.jitter.high: 1 is out of range; use a number from jitter.low to 100",
        ),
        (
            actor("kind: nodeLease\nconcurrency: 0"),
            "w.yaml:9:20: actors.a.concurrency: 0 is out of range; use 1 to 100,000",
        ),
        (
            actor("kind: nodeLease\nstages: [{duration: 1s, rate: 5}]"),
            "w.yaml:9:37: actors.a.stages.0.rate: the rate of a periodic actor follows from its period; use multiplier",
        ),
        (
            actor("kind: nodeLease\nstages: [{duration: 1s}]"),
            "w.yaml:9:16: actors.a.stages.0.multiplier: is missing; give a stage a rate or a multiplier",
        ),
        (
            format!(
                "  cluster: {{services: 0}}\n{}",
                actor("kind: endpoints\nrate: 1")
            ),
            "w.yaml:6:23: cluster.services: 0 leaves actor \"a\" (endpoints) without work; use at least 1",
        ),
        (
            format!(
                "  cluster: {{endpointsPerService: 5000}}\n{}",
                actor("kind: endpoints")
            ),
            "w.yaml:6:34: cluster.endpointsPerService: 5,000 is too many: Kubernetes truncates Endpoints at 1,000; use at most 1,000, or remove the endpoints actor",
        ),
    ] {
        check(&mut wrong, error(&spec), message);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn overrides_name_the_flag_and_the_nearest_path() {
    for (assignment, message) in [
        (
            "cluster.nods=5",
            "--set cluster.nods=5: unknown field \"cluster.nods\"; did you mean \"cluster.nodes\"?",
        ),
        (
            "clustr.nodes=5",
            "--set clustr.nodes=5: unknown field \"clustr\"; did you mean \"cluster\"?",
        ),
        (
            "cluster.nodes=-5",
            "--set cluster.nodes=-5: nodes: -5 is not a whole number, 0 or more, of at most 19 digits",
        ),
        (
            "cluster.nodes=0",
            "--set cluster.nodes=0: cluster.nodes: 0 is out of range; use 1 to 10,000,000",
        ),
        (
            "cluster.nodes",
            "--set cluster.nodes: must be PATH=VALUE, for example --set cluster.podsPerNode=50",
        ),
        (
            "cluster.nodes.x=1",
            "--set cluster.nodes.x=1: cluster.nodes is a value and has no fields",
        ),
        (
            "actors.event.rate=1",
            "--set actors.event.rate=1: actors has no \"event\"; did you mean \"events\"?",
        ),
        (
            "actors.events.rat=1",
            "--set actors.events.rat=1: unknown field \"actors.events.rat\"; did you mean \"actors.events.rate\"?",
        ),
        (
            "limits.event/creat=1s",
            "--set limits.event/creat=1s: limits.event/creat: \"event/creat\" is not an op class; did you mean \
             \"event/create\"?",
        ),
        (
            "actors.events.ttl=5",
            "--set actors.events.ttl=5: ttl: \"5\" is not a duration: write a number with a unit (ns, us, ms, s, m, h), such as 10s, \
             5m or 100ms",
        ),
        (
            "actors.events.rate=.nan",
            "--set actors.events.rate=.nan: actors.events.rate: NaN is out of range; use a number above 0 and \
             at most 10,000,000 per second",
        ),
        ("cluster.nodes=[1", "--set cluster.nodes=[1: "),
    ] {
        let got = set("events", &["actors.events.ratePerNode=null", assignment]).unwrap_err();
        if message.ends_with(": ") {
            assert!(got.starts_with(message), "{got}")
        } else {
            assert_eq!(got, message)
        }
    }
    let r = set(
        "cluster",
        &[
            "spec.limits.node-lease/update=500ms",
            "kubernetesVersion=1.30",
            "actors.node-leases.period=5s",
        ],
    )
    .unwrap();
    assert_eq!(r.limits.of(OpClass::NodeLeaseUpdate), 500_000_000);
    assert_eq!(r.cluster.kubernetes_version.name(), "1.30");
    assert!(matches!(
        r.actors[0].schedule,
        Schedule::Periodic {
            period: 5_000_000_000,
            ..
        }
    ));
}

#[test]
fn a_workload_that_is_not_there_names_the_builtins() {
    let e = Source::load("node-hartbeats").unwrap_err().to_string();
    assert_eq!(
        e,
        "workload \"node-hartbeats\": no such built-in and no such file; did you mean \"node-heartbeats\"?; \
         built-in: cluster, node-heartbeats, events, endpoints, endpointslices, leader-leases, probe"
    );
    let e = Source::load(env!("CARGO_MANIFEST_DIR"))
        .unwrap_err()
        .to_string();
    assert!(
        e.starts_with("workload /") && e.ends_with("(os error 21)"),
        "{e}"
    );
}

#[test]
fn a_live_clusters_load_comes_up_slowly_whatever_the_file_says() {
    let spec = "  actors:\n    - {name: a, kind: event, rate: 100}\n    - {name: b, kind: endpoints, rate: 100, \
                stages: [{duration: 1s, rate: 500, ramp: true}]}\n    - {name: c, kind: nodeLease, stages: \
                [{duration: 1s, multiplier: 3}]}\n    - {name: d, kind: nodeStatus, concurrency: 4}\n  phases: \
                {warmup: 5s, duration: 10s}\n";
    let settings = RunSettings {
        run_id: "r".to_owned(),
        epoch: 0,
        prefix: "/registry-etcdmark/r".to_owned(),
        keep_data: false,
        verify: true,
        guards: Vec::new(),
        allow_live_cluster: true,
    };
    let plan = |ramp: &str| {
        let resolved = resolve(&format!("  load: {{rateRamp: {ramp}}}\n{spec}")).unwrap();
        let target = Target::plain(vec!["http://127.0.0.1:1".to_owned()]);
        let mut plan = resolved.into_plan(vec![target], settings.clone()).unwrap();
        plan.ramp_up(Duration::from_secs(30));
        plan
    };
    for (ramp, seconds) in [("0s", 30), ("1s", 30), ("60s", 60)] {
        let plan = plan(ramp);
        assert_eq!(plan.phases.warmup, Duration::from_secs(30));
        let first: Vec<_> = plan
            .actors
            .iter()
            .filter_map(|a| match &a.schedule {
                Schedule::Arrivals { rate, .. } => Some(rate.segments[0]),
                Schedule::Periodic { intensity, .. } => Some(intensity.segments[0]),
                Schedule::Closed { .. } => None,
            })
            .collect();
        let up = |to: f64| Segment {
            duration: seconds * 1_000_000_000,
            from: 0.0,
            to,
        };
        assert_eq!(first, [up(100.0), up(100.0), up(3.0)], "{ramp}");
        let begins: Vec<u64> = (0..4).map(|i| plan.begins(7, i, 4)).collect();
        let step = 7_500_000_000;
        assert_eq!(begins, [7, 7 + step, 7 + 2 * step, 7 + 3 * step]);
    }
}

#[test]
fn each_kubernetes_has_its_own_requests() {
    use KubernetesVersion as V;
    let of = |v: V| {
        (
            v.get_has_limit(),
            v.client_api_version(),
            v.has_peer_leases(),
            v.streams_lists(),
        )
    };
    let recorded = [
        (V::V1_30, (false, None, false, false)),
        (V::V1_31, (false, None, false, false)),
        (V::V1_32, (true, None, false, false)),
        (V::V1_33, (true, None, false, false)),
        (V::V1_34, (true, Some("3.6"), false, false)),
        (V::V1_35, (true, Some("3.6"), false, false)),
        (V::V1_36, (true, Some("3.6"), true, false)),
        (V::V1_37, (true, Some("3.7"), true, true)),
    ];
    for (version, requests) in recorded {
        assert_eq!(of(version), requests, "{}", version.name());
    }
    assert_eq!(recorded.map(|(v, _)| v), V::ALL.map(|(v, _)| v));
}
