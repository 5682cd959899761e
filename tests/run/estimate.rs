//! What preflight says of the db file, and what becomes of it.

use crate::common::{etcd::etcd_flags, events};
use crate::play::Run;

/// "25.1 MiB" as bytes.
fn bytes(text: &str) -> f64 {
    let mut words = text.split_whitespace();
    let number: f64 = words.next().unwrap().parse().unwrap();
    let unit = words.next().unwrap().trim_end_matches([',', ';']);
    let power = ["B", "KiB", "MiB", "GiB"].iter().position(|u| *u == unit);
    number * 1024f64.powi(power.unwrap() as i32)
}

#[test]
fn the_db_file_stays_below_what_preflight_projects_and_comes_near_it() {
    let etcd = etcd_flags();
    let etcd: Vec<&str> = etcd.iter().map(String::as_str).collect();
    for (workload, nodes) in [
        ("events", "10"),
        ("leader-leases", "10"),
        ("cluster", "200"),
    ] {
        let short = [
            "--warmup",
            "0s",
            "--duration",
            "4s",
            "--quiet",
            "--set",
            "phases.settle=0s",
        ];
        let ended = Run::start(&[&[workload, "--nodes", nodes], &short, &etcd]).finish();
        assert!(ended.said.is_well(), "{:?}", ended.said);
        let all = events(&ended.out());
        let note = all
            .iter()
            .filter_map(|e| e["text"].as_str())
            .find_map(|text| text.split_once(" to at most about "));
        let projected = bytes(note.unwrap().1);
        let sizes = all.iter().filter_map(|e| e["values"]["db.size"].as_f64());
        let grown = sizes.fold(0.0, f64::max);
        assert!(
            grown <= projected,
            "{workload}: {projected} projected, {grown}"
        );
        let most = 2.0 * grown + f64::from(160 << 10);
        assert!(
            projected <= most,
            "{workload}: {projected} projected, {grown}"
        );
    }
}
