//! A result in the formats of other programs: what they read, and that nothing unknown becomes 0.
//! scripts/full/exporters.sh gives the same files to the programs themselves.

use super::{EVENT, LEASE, MS, Script};
use etcdmark::kube::OpClass;
use etcdmark::report::export::{
    benchstat, bmf, checks, csv, github, junit, markdown, openmetrics, perfdash,
};
use etcdmark::report::{
    ClassInfo, ClassResult, Counts, Event, Figures, GuardEvent, Note, RunResult, VerifyReport, text,
};
use expect_test::expect;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Every tenth Event is late; Leases are fast. Thresholds that hold, fail and are undecided.
fn mixed() -> RunResult {
    let mut script = Script::new();
    script.header.thresholds = [
        "node-lease/update: p99 < 1s",
        "event/create: missed <= 1%",
        "node-lease/update: p99.9 < 1s",
    ]
    .map(str::to_owned)
    .to_vec();
    script.response = |class, second| match class {
        EVENT => (0..20)
            .map(|i| if i % 10 == 0 { 1500 * MS } else { 3 * MS })
            .collect(),
        _ => super::steady(class, second),
    };
    let verify = VerifyReport {
        keys: 2000,
        acknowledged: 3200,
        ..VerifyReport::default()
    };
    script.extra = vec![Event::Verify(verify)];
    let mut result = script.result();
    // One that was sent and never offered: nothing is known of it.
    let info = ClassInfo::of(OpClass::EndpointsUpdate, "main", 1_000_000_000, false);
    result.classes.push(ClassResult {
        class: info,
        figures: Figures::default(),
    });
    result
}

/// A closed loop that a guard ended, with text in it that XML, Markdown and workflow commands could misread.
fn hostile() -> RunResult {
    let mut script = Script::new();
    script
        .header
        .classes
        .iter_mut()
        .for_each(|c| c.closed_loop = true);
    script.header.workload = "a<b>&\"c\"|d_e".to_owned();
    script.header.strict = true;
    script.header.thresholds = vec!["etcd: fsync < 1s".to_owned()];
    script.extra = vec![
        Event::Guard(GuardEvent {
            t: 3.0,
            store: "main".to_owned(),
            guard: "quota".to_owned(),
            cause: "db is \u{1b}[31m90 % full\n::error::not a command".to_owned(),
        }),
        Event::Note(Note {
            t: 3.0,
            level: "warning".to_owned(),
            text: "| a *cell*, <script>".to_owned(),
        }),
    ];
    script.end = super::end("guard", None);
    script.result()
}

fn suite(r: &RunResult) -> checks::Suite {
    checks::of_run(r, &text::render(r, None))
}

#[test]
fn csv_has_a_row_per_class_and_nothing_for_what_is_unknown() {
    let text = csv::render(&mixed()).unwrap();
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3, "{text}");
    let of = |class: &str, column: &str| {
        let row = rows.iter().find(|row| row["class"] == class).unwrap();
        row[column].clone()
    };
    let number = |class, column: &str| of(class, column).parse::<f64>().unwrap();
    assert_eq!(number(LEASE, "response_p99_seconds"), 0.003_981_311);
    assert_eq!(number(LEASE, "offered"), 1000.0);
    assert_eq!(number(EVENT, "response_p50_seconds"), 0.003_000_319);
    assert_eq!(number(EVENT, "response_p99_seconds"), f64::INFINITY);
    assert_eq!(number(EVENT, "late"), 20.0);
    // 1 of 1,000 is above p99.9.
    assert_eq!(of(LEASE, "response_p99.9_seconds"), "");
    for column in rows[0]
        .keys()
        .filter(|c| c.contains("_p") && c.ends_with("_seconds"))
    {
        assert_eq!(of("endpoints/update", column), "", "{column}");
    }
    assert_eq!(of("endpoints/update", "missed_share"), "");
    let closed = csv::render(&hostile()).unwrap();
    let mut reader = ::csv::Reader::from_reader(closed.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows[0]["offered_per_second"], "");
    assert_eq!(rows[0]["response_p50_seconds"], "");
    assert_eq!(
        rows[0]["service_p50_seconds"].parse::<f64>().unwrap(),
        0.002_400_255
    );
}

#[test]
fn junit_has_a_case_per_threshold() {
    let xml = junit::render(&suite(&mixed())).unwrap();
    let (cases, output) = xml.split_once("<system-out>").unwrap();
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
          <testsuite name="etcdmark run cluster" package="etcdmark" id="0" tests="6" failures="1" errors="0" skipped="1" time="12.500" timestamp="1970-01-01T00:00:00" hostname="localhost">
            <properties>
              <property name="etcdmark" value="0.1.0"/>
              <property name="run" value="r1"/>
              <property name="workload" value="cluster"/>
              <property name="plan" value=""/>
              <property name="seed" value="7"/>
              <property name="etcd" value="3.6.15"/>
              <property name="exit code" value="99"/>
            </properties>
            <testcase name="completed" classname="etcdmark.run" time="0"/>
            <testcase name="valid" classname="etcdmark.run" time="0"/>
            <testcase name="acknowledged writes" classname="etcdmark.run" time="0"/>
            <testcase name="node-lease/update: p99 &lt; 1s" classname="etcdmark.threshold" time="0"/>
            <testcase name="event/create: missed &lt;= 1%" classname="etcdmark.threshold" time="0">
              <failure message="found 10 %; 20 of 200 missed: at least 10 % at 95 %, the bound is 1.0 %" type="threshold"/>
            </testcase>
            <testcase name="node-lease/update: p99.9 &lt; 1s" classname="etcdmark.threshold" time="0">
              <skipped message="undecided; found 4 ms; 0 of 1,000 missed or were slower: 0 % to 0.3 % at 95 %, the bound is 0.100 %"/>
            </testcase>
    "#]]
    .assert_eq(&format!("{}\n", cases.trim_end()));
    assert!(output.contains("Event creates p99 missed"), "{output}");
    assert!(output.contains(" &lt; 1s"), "{output}");
}

/// Attributes of every element, by a reader that fails where XML is not well-formed.
fn elements(xml: &str) -> Vec<(String, BTreeMap<String, String>)> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut all = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(e) | Event::Empty(e) => {
                let name = e.name().0.to_owned();
                let attributes = e.attributes().map(|a| {
                    let a = a.unwrap();
                    let value = a
                        .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                        .unwrap();
                    (a.key.0.to_owned(), value.into_owned())
                });
                all.push((name, attributes.collect()));
            }
            Event::Eof => return all,
            _ => {}
        }
    }
}

#[test]
fn junit_is_well_formed_whatever_etcd_says() {
    let r = hostile();
    let xml = junit::render(&suite(&r)).unwrap();
    let illegal = |c: char| c.is_control() && c != '\n';
    assert!(!xml.contains(illegal), "{xml}");
    let all = elements(&xml);
    let (_, suite) = all.iter().find(|(name, _)| name == "testsuite").unwrap();
    assert_eq!(suite["name"], "etcdmark run a<b>&\"c\"|d_e");
    assert_eq!((&*suite["errors"], &*suite["skipped"]), ("1", "1"));
    let (_, error) = all.iter().find(|(name, _)| name == "error").unwrap();
    assert!(
        error["message"].contains("db is \u{fffd}[31m90 % full"),
        "{error:?}"
    );
}

#[test]
fn github_gets_errors_first_and_no_command_from_a_message() {
    expect![[r#"
        ::error title=etcdmark%3A threshold event/create%3A missed <= 1%25 missed::found 10 %25; 20 of 200 missed: at least 10 %25 at 95 %25, the bound is 1.0 %25
        ::warning title=etcdmark%3A threshold node-lease/update%3A p99.9 < 1s undecided::undecided; found 4 ms; 0 of 1,000 missed or were slower: 0 %25 to 0.3 %25 at 95 %25, the bound is 0.100 %25
        ::notice title=etcdmark run cluster::1,000 nodes' traffic not carried; Event creates p99 missed (10 %25), limit 1 s; 1 of 3 thresholds missed; 1 of 3 thresholds undecided
    "#]]
    .assert_eq(&github::render(&suite(&mixed())));
    let said = github::render(&suite(&hostile()));
    assert!(
        said.starts_with("::error title=etcdmark%3A run completed failed::"),
        "{said}"
    );
    assert!(said.contains("%0A::error::not a command"), "{said}");
    assert!(said.lines().all(|l| !l.starts_with("::error::")), "{said}");
}

#[test]
fn strict_makes_an_undecided_threshold_an_error() {
    let mut r = mixed();
    r.header.strict = true;
    let said = github::render(&suite(&r));
    let undecided =
        "::error title=etcdmark%3A threshold node-lease/update%3A p99.9 < 1s missed::undecided; ";
    assert!(said.contains(undecided), "{said}");
    assert!(
        junit::render(&suite(&r))
            .unwrap()
            .contains("failures=\"2\" errors=\"0\" skipped=\"0\"")
    );
}

#[test]
fn markdown_says_the_answer_first() {
    expect![[r#"
        ### etcdmark run: cluster

        **1,000 nodes' traffic not carried; Event creates p99 missed (10 %), limit 1 s; 1 of 3 thresholds missed; 1 of 3 thresholds undecided**

        workload cluster, run r1, seed 7; warmup 1.5 s, measure 10 s; limit 1 s

        |  | threshold | found | rests on |
        | --- | --- | --- | --- |
        | ✅ passed | node-lease/update: p99 &lt; 1s | 3.98 ms | 0 of 1,000 missed or were slower: at most 0.3 % at 95 %, the bound is 1.0 % |
        | ❌ **missed** | event/create: missed &lt;= 1% | 10 % | 20 of 200 missed: at least 10 % at 95 %, the bound is 1.0 % |
        | ❔ undecided | node-lease/update: p99.9 &lt; 1s | 4 ms | 0 of 1,000 missed or were slower: 0 % to 0.3 % at 95 %, the bound is 0.100 % |

        | op class | offered/s | done/s | p50 | p99 | p99.9 | max | missed | svc p99 |
        | --- | --: | --: | --: | --: | --: | --: | --: | --: |
        | node-lease/update | 100 | 100 | 3 ms | 3.98 ms | - | 4 ms | 0 | 3.18 ms |
        | event/create | 20 | 20 | 3 ms | missed | missed | 1.5 s | 10 % | - |
        | endpoints/update | - | 0 | - | - | - | - | - | - |
        | all | 120 | 120 | 3 ms | missed | missed | 1.5 s | 1.7 % | 1.2 s |

        Percentiles cover all offered operations; a miss counts as infinite. `-`: too few for an estimate.

        <details><summary>Environment</summary>

        |  |  |
        | --- | --- |
        | etcd | 3.6.15 |
        | etcdmark | 0.1.0 |
        | run | r1 |
        | cores | 2 |

        </details>
    "#]]
    .assert_eq(&markdown::render(&mixed()));
    let said = markdown::render(&hostile());
    assert!(
        said.starts_with("### etcdmark run: a&lt;b>&amp;\"c\"\\|d\\_e\n"),
        "{said}"
    );
    assert!(said.contains("- \\| a \\*cell\\*, &lt;script>"), "{said}");
    assert!(said.lines().all(|l| !l.starts_with("::")), "{said}");
}

#[test]
fn benchstat_reads_a_line_per_class() {
    expect![[r#"
        workload: cluster
        nodes: 1000
        Unit p50-sec better=lower
        Unit p90-sec better=lower
        Unit p99-sec better=lower
        Unit missed-share better=lower
        Unit achieved-ops/s better=higher
        Unit p99.9-sec better=lower
        Unit fsync-mean-sec better=lower
        Unit commit-mean-sec better=lower
        Unit cpu-cores better=lower
        Unit rss-B better=lower
        Unit db-size-B better=lower
        BenchmarkResponse/actor=node-lease/step=update 1000 0.003000319 p50-sec 0.003801087 p90-sec 0.003981311 p99-sec 0 missed-share 100 achieved-ops/s
        BenchmarkResponse/actor=event/step=create 200 0.003000319 p50-sec 0.003000319 p90-sec +Inf p99-sec +Inf p99.9-sec 0.1 missed-share 20 achieved-ops/s
        BenchmarkEtcd/store=main/member=m1 1 0.0012 fsync-mean-sec 0.0030000000000000005 commit-mean-sec 0.25252525252525254 cpu-cores 104857600 rss-B 31457280 db-size-B
    "#]]
    .assert_eq(&benchstat::render(&mixed()));
    let closed = benchstat::render(&hostile());
    assert!(
        closed.contains("\nBenchmarkService/actor=node-lease/step=update 1000 "),
        "{closed}"
    );
}

#[test]
fn bmf_has_the_published_shape() {
    let text = bmf::render(&mixed()).unwrap();
    let all: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_str(&text).unwrap();
    for (benchmark, measures) in &all {
        assert!(!benchmark.is_empty() && benchmark.len() <= 1024);
        for (name, measure) in measures {
            assert!(!name.is_empty() && name.len() <= 64, "{name}");
            let fields = measure.as_object().unwrap();
            assert!(
                fields.contains_key("value"),
                "{benchmark} {name}: {measure}"
            );
            for (field, value) in fields {
                assert!(["value", "lower_value", "upper_value"].contains(&field.as_str()));
                assert!(value.is_number(), "{benchmark} {name}: {measure}");
            }
        }
    }
    let lease = &all[LEASE];
    assert_eq!(lease["response-p99"]["value"], 3_981_311.0);
    assert!(lease["response-p99"]["upper_value"].is_number());
    // A miss and too few operations have no number; the misses have.
    let event = &all[EVENT];
    let has = |name: &str| event.contains_key(name);
    assert!(has("response-p50") && !has("response-p99") && !has("response-p99.9"));
    assert_eq!(event["missed"]["value"], 0.1);
    assert!(!all.contains_key("endpoints/update"));
    assert_eq!(all["etcd/main/m1"]["fsync-mean"]["value"], 1.2e6);
}

/// As k8s.io/kubernetes/test/e2e/perftype has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PerfData {
    version: String,
    data_items: Vec<DataItem>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DataItem {
    data: BTreeMap<String, f64>,
    unit: String,
    labels: BTreeMap<String, String>,
}

#[test]
fn perfdash_has_its_types_and_no_bucket_for_a_miss() {
    let data: PerfData = serde_json::from_str(&perfdash::render(&mixed()).unwrap()).unwrap();
    assert_eq!(data.version, "v1");
    let mut seen = Vec::new();
    for item in &data.data_items {
        assert!(!item.data.is_empty() && item.labels["Count"].parse::<u64>().unwrap() > 0);
        assert!(!seen.contains(&&item.labels), "{item:?}");
        seen.push(&item.labels);
    }
    let of = |class: &str, metric: &str| {
        let is = |i: &&DataItem| i.labels["Class"] == class && i.labels["Metric"] == metric;
        data.data_items.iter().find(is)
    };
    let lease = of(LEASE, "ResponseTime").unwrap();
    assert_eq!(
        (lease.data["Perc99"], lease.unit.as_str()),
        (3.981_311, "ms")
    );
    assert_eq!(
        (&*lease.labels["Verb"], &*lease.labels["Resource"]),
        ("UPDATE", "leases")
    );
    let event = of(EVENT, "ResponseTime").unwrap();
    assert_eq!(event.data.keys().collect::<Vec<_>>(), ["Perc50", "Perc90"]);
    assert_eq!(of(EVENT, "Missed").unwrap().data["Share"], 10.0);
    assert!(of("endpoints/update", "Missed").is_none());
}

#[test]
fn openmetrics_declares_each_family_once_and_has_no_series_twice() {
    let text = openmetrics::render(&mixed());
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    let (mut families, mut series) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|l| *l != "# EOF") {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap();
            assert!(!families.contains(&name), "{name}");
            families.push(name);
        }
        if line.starts_with('#') {
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let family = families.last().unwrap();
        assert!(name.starts_with(family), "{line} is not of {family}");
        assert!(!series.contains(&name), "{name}");
        series.push(name);
    }
    for expected in [
        "etcdmark_response_time_seconds{class=\"node-lease/update\",quantile=\"0.99\"} 0.003981311",
        "etcdmark_response_time_seconds{class=\"event/create\",quantile=\"0.99\"} +Inf",
        "etcdmark_operations{class=\"event/create\",outcome=\"late\"} 20",
        "etcdmark_missed_ratio{class=\"event/create\"} 0.1",
        "etcdmark_threshold{threshold=\"node-lease/update: p99.9 < 1s\",verdict=\"undecided\"} 1",
        "etcdmark_etcd_wal_fsync_mean_seconds{store=\"main\",member=\"m1\"} 0.0012",
    ] {
        assert!(text.lines().any(|l| l == expected), "{expected}\n{text}");
    }
    assert!(!text.contains("endpoints/update"), "{text}");
    let hostile = openmetrics::render(&hostile());
    assert!(
        hostile.contains("workload=\"a<b>&\\\"c\\\"|d_e\""),
        "{hostile}"
    );
    // Not verified: that no write is known to be lost is no 0.
    assert!(!hostile.contains("etcdmark_lost_writes"), "{hostile}");
}

#[test]
fn of_a_run_that_measured_nothing_no_format_says_0() {
    let mut script = Script::new();
    script.response = |_, _| Vec::new();
    script.counts = |_, _, _| Counts::default();
    let r = script.result();
    for text in [
        bmf::render(&r).unwrap(),
        perfdash::render(&r).unwrap(),
        openmetrics::render(&r),
        benchstat::render(&r),
        csv::render(&r).unwrap(),
    ] {
        assert!(
            !text.contains(LEASE) && !text.contains("node-lease"),
            "{text}"
        );
    }
    let said = github::render(&suite(&r));
    assert!(
        said.starts_with("::error title=etcdmark%3A run completed failed::"),
        "{said}"
    );
    assert!(markdown::render(&r).contains("**nothing was measured"));
}

#[test]
fn what_a_cut_file_lacks_is_absent_in_every_format() {
    let mut r = mixed();
    // As the reducer leaves an open class whose histograms are not whole.
    r.missing.push(etcdmark::report::MissingData {
        class: LEASE.to_owned(),
        metric: etcdmark::report::Metric::Response,
        counted: 1000,
        found: 570,
    });
    let lease = &mut r.classes[0].figures;
    (lease.headline, lease.service, lease.precision) = (None, None, None);
    let line = |text: &str| {
        text.lines()
            .find(|l| l.contains("step=update"))
            .map(str::to_owned)
    };
    assert_eq!(
        line(&benchstat::render(&r)).unwrap(),
        "BenchmarkResponse/actor=node-lease/step=update 1000 0 missed-share 100 achieved-ops/s"
    );
    let measures: Value = serde_json::from_str(&bmf::render(&r).unwrap()).unwrap();
    let names: Vec<&String> = measures[LEASE].as_object().unwrap().keys().collect();
    assert_eq!(names, ["missed", "throughput"]);
    let metrics = openmetrics::render(&r);
    assert!(
        !metrics.contains("time_seconds{class=\"node-lease/update\""),
        "{metrics}"
    );
    let xml = junit::render(&suite(&r)).unwrap();
    assert!(
        xml.contains("<error message=\"incomplete: latency.hlog holds 570 of"),
        "{xml}"
    );
}
