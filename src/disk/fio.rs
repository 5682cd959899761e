//! A result of fio, read as etcdmark judges its own: the syncs of each job, not its writes.

use super::judge::{self, LimitVerdict};
use super::over_time;
use crate::clock::Nanos;
use crate::human::numbers::{count, ns};
use crate::measure::Hist;
use crate::report::Percentiles;
use crate::report::reduce::percentiles;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What fio measured of one job's fdatasyncs.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct FioJob {
    pub name: String,
    /// The verdict in words.
    pub verdict: String,
    pub standing: LimitVerdict,
    /// fdatasyncs.
    pub syncs: u64,
    /// Their mean, ns.
    pub mean_ns: f64,
    /// Their p99, ns, as fio has it: over syncs, not over time. Null where `percentile_list` leaves it out.
    pub p99_ns: Option<u64>,
    /// Over time; null where the file has no bins (`--output-format=json+`).
    pub over_time: Option<Percentiles>,
}

impl FioJob {
    /// Whether the p99 over time exceeds `max`; none where that cannot be known. It is never below the p99 over syncs.
    pub fn exceeds(&self, max: Nanos) -> Option<bool> {
        match (self.over_time, self.p99_ns) {
            (Some(f), _) => Some(f.p99_ns > max),
            (None, Some(p99)) if p99 > max => Some(true),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct File {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    #[serde(default)]
    jobname: String,
    #[serde(default)]
    sync: Syncs,
}

#[derive(Default, Deserialize)]
struct Syncs {
    #[serde(default)]
    lat_ns: Latency,
}

#[derive(Default, Deserialize)]
struct Latency {
    #[serde(default)]
    mean: f64,
    #[serde(default, rename = "N")]
    n: u64,
    #[serde(default)]
    percentile: BTreeMap<String, u64>,
    #[serde(default)]
    bins: BTreeMap<String, u64>,
}

/// Reads fio's JSON.
///
/// # Errors
/// What is wrong with it, and how to make one that is not.
pub fn read(text: &str) -> Result<Vec<FioJob>, String> {
    // fio prints notes before its JSON where it has something to say.
    let json = text.find('{').map_or(text, |at| &text[at..]);
    let file: File = serde_json::from_str(json).map_err(|e| {
        format!(
            "not a JSON result of fio ({e}); make one with fio --output-format=json+ --output=FILE"
        )
    })?;
    let jobs: Vec<FioJob> = file.jobs.into_iter().filter_map(job).collect();
    if jobs.is_empty() {
        return Err(
            "no job in it has fdatasyncs (sync.lat_ns): run fio with --fdatasync=1".to_owned(),
        );
    }
    Ok(jobs)
}

fn job(job: Job) -> Option<FioJob> {
    let l = job.sync.lat_ns;
    if l.n == 0 {
        return None;
    }
    let mut syncs = Hist::new();
    for (ns, n) in &l.bins {
        syncs.record_n(ns.parse().unwrap_or(0), *n);
    }
    let over_time = syncs
        .histogram()
        .and_then(|h| percentiles(over_time::by_length(h).histogram()?));
    let p99_ns = l.percentile.get("99.000000").copied();
    // fio keeps no order, so nothing is known of how neighbours resemble each other: no interval.
    let standing = match (over_time, p99_ns) {
        (Some(f), _) if f.p99_ns < judge::LIMIT_P99 => LimitVerdict::Within,
        (Some(_), _) => LimitVerdict::Above,
        (None, Some(p99)) if p99 >= judge::LIMIT_P99 => LimitVerdict::Above,
        _ => LimitVerdict::Unclear,
    };
    let over_syncs = p99_ns.map_or(String::new(), |p| format!("; over syncs p99 {}", ns(p)));
    let limit = ns(judge::LIMIT_P99);
    let found = match (over_time, standing) {
        (Some(f), LimitVerdict::Within) => {
            format!(
                "fdatasync p99 over time {}, within etcd's {limit}",
                ns(f.p99_ns)
            )
        }
        (Some(f), _) => format!(
            "fdatasync p99 over time {}, above etcd's {limit}",
            ns(f.p99_ns)
        ),
        (None, LimitVerdict::Above) => format!("above etcd's {limit}"),
        (None, _) => {
            "the p99 over time is not in this file: run fio with --output-format=json+".to_owned()
        }
    };
    Some(FioJob {
        verdict: format!("{}: {found}{over_syncs}; {} syncs", job.jobname, count(l.n)),
        name: job.jobname,
        standing,
        syncs: l.n,
        mean_ns: l.mean,
        p99_ns,
        over_time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bins: &str) -> String {
        format!(
            r#"fio: a note
{{"jobs": [{{"jobname": "wal", "write": {{}}, "sync": {{"total_ios": 0, "lat_ns": {{"min": 1, "max": 2, "mean": 250000.5,
 "N": 1001, "percentile": {{"99.000000": 300000}}{bins}}}}}}}]}}"#
        )
    }

    #[test]
    fn bins_tell_the_time_and_percentiles_do_not() {
        // A thousand syncs of 200 µs and one of 400 ms: two thirds of the time.
        let with = read(&file(r#", "bins": {"200000": 1000, "400000000": 1}"#)).unwrap();
        assert_eq!(with[0].standing, LimitVerdict::Above);
        assert_eq!(with[0].exceeds(10_000_000), Some(true));
        let without = read(&file("")).unwrap();
        assert_eq!(without[0].standing, LimitVerdict::Unclear);
        assert_eq!(without[0].exceeds(10_000_000), None);
        assert_eq!(without[0].exceeds(200_000), Some(true));
        assert!(
            without[0].verdict.contains("json+"),
            "{}",
            without[0].verdict
        );
    }

    #[test]
    fn what_is_no_result_with_syncs_is_refused() {
        for (text, says) in [
            ("", "not a JSON result of fio"),
            ("{}", "not a JSON result of fio"),
            (r#"{"jobs": []}"#, "--fdatasync=1"),
            (
                r#"{"jobs": [{"jobname": "x", "sync": {"lat_ns": {"N": 0}}}]}"#,
                "--fdatasync=1",
            ),
        ] {
            let e = read(text).unwrap_err();
            assert!(e.contains(says), "{text}: {e}");
        }
    }
}
