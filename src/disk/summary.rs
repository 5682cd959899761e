//! What was seen, put together: figures, verdicts, comparisons, remarks.

use super::compare::compare;
use super::directory::Directory;
use super::error::DiskError;
use super::judge::{self, limits, sentence, standing};
use super::measure::Request;
use super::over_time;
use super::pattern::RECORD_BYTES;
use super::result::{
    API_VERSION, DirectoryResult, DiskResult, FileSystemInfo, KIND, Machine, OverLimit, PatternInfo,
};
use crate::clock::UnixNanos;
use crate::exit::Exit;
use crate::measure::encoded::encode;
use crate::report::reduce::percentiles;
use crate::report::result::ThresholdVerdict;

/// How a measurement ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended<'a> {
    Completed,
    Interrupted,
    /// By what; the figures of before stand.
    Failed(&'a DiskError),
}

/// The result of a measurement that began at `started`.
pub(super) fn summarize(
    request: &Request,
    started: UnixNanos,
    directories: &[Directory],
    ended: Ended<'_>,
) -> DiskResult {
    let results: Vec<DirectoryResult> = (0..directories.len())
        .map(|i| result(directories, i))
        .collect();
    let mut notes = judge::notes(&results);
    notes.extend(directories.iter().filter_map(unguarded));
    let started = jiff::Timestamp::from_nanosecond(i128::from(started)).unwrap_or_default();
    let outcome = match ended {
        Ended::Completed => "completed",
        Ended::Interrupted => "interrupted",
        Ended::Failed(_) => "failed",
    };
    if let Ended::Failed(e) = ended {
        notes.push(format!(
            "the measurement failed: {e}; the figures are of what was measured before"
        ));
    }
    DiskResult {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        outcome: outcome.to_owned(),
        exit_code: exit(&results, request, ended).code(),
        machine: machine(),
        pattern: PatternInfo {
            name: request.pattern.name().to_owned(),
            record_bytes: RECORD_BYTES,
            file_bytes: request.pattern.file_bytes(),
            appends_per_file: request.pattern.appends(),
        },
        limits: limits(),
        max_p99_ns: request.max_p99,
        comparisons: compare(&results),
        directories: results,
        notes,
    }
}

fn machine() -> Machine {
    let uname = rustix::system::uname();
    let text = |t: &std::ffi::CStr| t.to_string_lossy().into_owned();
    Machine {
        hostname: text(uname.nodename()),
        kernel: format!("{} {}", text(uname.sysname()), text(uname.release())),
    }
}

fn unguarded(d: &Directory) -> Option<String> {
    let place = d.appender.place();
    d.appender.scratch().unguarded().then(|| {
        format!(
            "{}: {} needs named files, but without /bin/sh nothing removes them if etcdmark is killed",
            place.given.display(),
            place.file_system.kind
        )
    })
}

fn result(all: &[Directory], i: usize) -> DirectoryResult {
    let d = &all[i];
    let (place, recorder) = (d.appender.place(), &d.recorder);
    let directory = place.given.display().to_string();
    let fdatasync = recorder.sync.histogram().and_then(percentiles);
    let over_time = recorder
        .sync
        .histogram()
        .and_then(|h| percentiles(over_time::by_length(h).histogram()?));
    let histogram = recorder.sync.histogram();
    let sample = histogram.and_then(|h| recorder.over_time.p99(h));
    let per_second = recorder.per_second();
    let in_memory = place.file_system.in_memory();
    let others = all.iter().enumerate().filter(|(j, _)| *j != i);
    DirectoryResult {
        verdict: sentence(&directory, over_time, sample, per_second, in_memory),
        standing: standing(over_time.map(|f| f.p99_ns), sample),
        file_system: FileSystemInfo {
            kind: place.file_system.kind.clone(),
            source: place.file_system.source.clone(),
            mount_point: place
                .file_system
                .mount_point
                .as_ref()
                .map(|p| p.display().to_string()),
            in_memory,
            size: place.space.total,
            free: place.space.free,
        },
        device: place.device.clone(),
        same_disk_as: others
            .map(|(_, o)| o.appender.place())
            .filter(|o| place.shares_disk(o))
            .map(|o| o.given.display().to_string())
            .collect(),
        busy_before: d.busy_before,
        files: if d.appender.scratch().named() {
            "named"
        } else {
            "unnamed"
        }
        .to_owned(),
        preallocated: d.appender.preallocated(),
        syncs: recorder.sync.len(),
        seconds: recorder.busy as f64 / 1e9,
        syncs_per_second: per_second,
        over_time,
        fdatasync,
        sample,
        write: recorder.write.histogram().and_then(percentiles),
        commit: d
            .appender
            .commits()
            .and_then(|c| percentiles(c.histogram()?)),
        over_limit: OverLimit {
            count: recorder.slow.0,
            seconds: recorder.slow.1 as f64 / 1e9,
        },
        turns: recorder.turns.clone(),
        histogram: recorder
            .sync
            .histogram()
            .map_or(String::new(), |h| encode(h).unwrap_or_default()),
        first: recorder.first.clone(),
        directory,
    }
}

/// Failed, interrupted, or over `--max-p99`; with `--strict` also where the measurement was too short to tell.
fn exit(results: &[DirectoryResult], request: &Request, ended: Ended<'_>) -> Exit {
    let held = |max| results.iter().map(move |d| judge::held(d, max));
    let missed = |verdict| match verdict {
        ThresholdVerdict::Passed => false,
        ThresholdVerdict::Missed => true,
        ThresholdVerdict::Undecided => request.strict,
    };
    let threshold = match request.max_p99 {
        Some(max) if held(max).any(missed) => Exit::Threshold,
        _ => Exit::Ok,
    };
    threshold.and(match ended {
        Ended::Completed => Exit::Ok,
        Ended::Interrupted => Exit::Interrupted,
        Ended::Failed(_) => Exit::Failure,
    })
}
