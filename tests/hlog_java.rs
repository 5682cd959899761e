//! `latency.hlog` read by HdrHistogram's own Java tool says what our reader says.

use etcdmark::measure::percentile::value_at_rank;
use etcdmark::measure::{Hist, HlogReader, HlogWriter};
use etcdmark::report::{HistogramTag, Metric, Phase};
use etcdmark::rng::{exponential, mix};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const SKIPPED: i32 = 77;

/// 20 seconds of two op classes; the untagged line is their sum.
fn write_log(path: &Path) {
    let file = std::fs::File::create(path).expect("temporary file");
    let mut log = HlogWriter::new(file, 1_795_320_483_075_000_000, "test").expect("header");
    for second in 0..20 {
        let mut all = Hist::new();
        for (class, scale) in [("node-lease/update", 2e6), ("event/create", 9e6)] {
            let mut h = Hist::new();
            for i in 0..3000 {
                h.record((exponential(mix(second, i, scale as u64)) * scale) as u64 + 90_000);
            }
            // A stall, and a value beyond the range.
            h.record(if second == 10 {
                u64::MAX
            } else {
                1_000_000_000
            });
            all.add(&h);
            let tag = HistogramTag {
                phase: Phase::Measure,
                store: "main".into(),
                class: class.into(),
                metric: Metric::Response,
            };
            write(&mut log, second, Some(tag), &h);
        }
        write(&mut log, second, None, &all);
        log.flush().expect("flush");
    }
}

fn write(log: &mut HlogWriter<std::fs::File>, second: u64, tag: Option<HistogramTag>, h: &Hist) {
    let histogram = h.histogram().expect("recorded");
    let tag = tag.map(|t| t.to_string());
    log.write(second as f64, 1.0, tag.as_deref(), histogram)
        .expect("line");
}

/// Our reader: everything under a tag added up.
fn read_log(path: &Path) -> BTreeMap<String, Hist> {
    let file = std::fs::File::open(path).expect("written");
    let mut sums: BTreeMap<String, Hist> = BTreeMap::new();
    for entry in HlogReader::new(std::io::BufReader::new(file)) {
        let entry = entry.expect("our own line");
        let name = entry.tag.clone().unwrap_or_else(|| "untagged".into());
        sums.entry(name)
            .or_default()
            .add_histogram(&entry.histogram);
    }
    sums
}

#[test]
#[ignore = "needs java, and mvn the first time; scripts/test.sh runs it where they are"]
fn java_reads_the_same_percentiles() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("latency.hlog");
    write_log(&path);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check-hlog-java.sh");
    let output = Command::new(script).arg(&path).output().expect("sh");
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(SKIPPED) {
        println!("skipped: {errors}");
        return;
    }
    assert!(output.status.success(), "{errors}");

    let ours = read_log(&path);
    assert_eq!(ours.len(), 3);
    let (mut name, mut compared) = (String::new(), BTreeMap::<String, usize>::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some(section) = line.strip_prefix("== ") {
            name = section.to_owned();
            continue;
        }
        // "Value Percentile TotalCount 1/(1-Percentile)", in ms; the last one is without the fourth.
        let fields: Vec<f64> = line
            .split_whitespace()
            .map_while(|f| f.parse().ok())
            .collect();
        let (&[ms, _, count] | &[ms, _, count, _]) = fields.as_slice() else {
            continue;
        };
        let h = ours
            .get(&name)
            .and_then(Hist::histogram)
            .expect("a tag that we wrote");
        // Java prints the value at which `count` values are reached.
        let value = value_at_rank(h, count as u64).expect("within the count");
        let value_ms = value as f64 / 1e6;
        assert!(
            (value_ms - ms).abs() <= 0.000_51,
            "{name}: count {count} is at {value_ms} ms, Java says {ms}"
        );
        *compared.entry(name.clone()).or_default() += 1;
    }
    assert_eq!(compared.len(), 3);
    assert!(compared.values().all(|&n| n > 30), "{compared:?}");
    for (name, h) in &ours {
        println!(
            "{name}: {} values, {} rows compared",
            h.len(),
            compared[name]
        );
    }
}
