//! What a measurement found: the document that `etcdmark disk -o json` prints.
//!
//! Times in figures are integer nanoseconds and say so in their name (`_ns`); lengths and instants are seconds.

use super::device::Device;
use super::judge::LimitVerdict;
use crate::report::Percentiles;
use serde::{Deserialize, Serialize};

/// `apiVersion` of [`DiskResult`].
pub const API_VERSION: &str = "etcdmark/v1alpha2";
/// `kind` of [`DiskResult`].
pub const KIND: &str = "DiskResult";

/// The result of one measurement.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DiskResult {
    /// `etcdmark/v1alpha2`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `DiskResult`.
    pub kind: String,
    /// etcdmark's version.
    pub version: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// `completed`, `interrupted` or `failed`.
    pub outcome: String,
    /// The exit code these findings call for.
    pub exit_code: u8,
    /// The machine.
    pub machine: Machine,
    /// What was written.
    pub pattern: PatternInfo,
    /// What etcd's documentation asks for.
    pub limits: DiskLimits,
    /// `--max-p99`, ns, of fdatasync over time.
    pub max_p99_ns: Option<u64>,
    /// In the order given.
    pub directories: Vec<DirectoryResult>,
    /// The fastest directory against each other one; empty for a single directory.
    pub comparisons: Vec<DirectoryComparison>,
    /// Remarks.
    pub notes: Vec<String>,
}

/// The machine that was measured on.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Machine {
    pub hostname: String,
    /// Name and release of its kernel.
    pub kernel: String,
}

/// What was written.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PatternInfo {
    /// `wal`, `etcd` or `fio`.
    pub name: String,
    /// Bytes of one append.
    pub record_bytes: u64,
    /// Size of a file, bytes.
    pub file_bytes: u64,
    /// Appends to a file.
    pub appends_per_file: u64,
}

/// The limits in etcd's documentation.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DiskLimits {
    /// The p99 of fdatasync should be below this, ns (FAQ).
    pub p99_ns: u64,
    /// The p99 of a backend commit should be below this, ns (FAQ).
    pub commit_p99_ns: u64,
    /// Sequential syncs per second that are required (hardware recommendations).
    pub syncs_required: f64,
    /// Sequential syncs per second that are recommended for heavily loaded clusters (the same page).
    pub syncs_recommended: f64,
    /// Where this is written.
    pub sources: Vec<String>,
}

/// One directory.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DirectoryResult {
    pub directory: String,
    /// The verdict in words.
    pub verdict: String,
    /// Where it stands against the p99 that etcd's documentation asks for.
    pub standing: LimitVerdict,
    /// What it lies on.
    pub file_system: FileSystemInfo,
    /// The block device; null for tmpfs, network file systems, overlays.
    pub device: Option<Device>,
    /// Other directories of this measurement on the same disk.
    pub same_disk_as: Vec<String>,
    /// Share of the device's time that others used in the half second before, 0–1; null where nothing tells.
    pub busy_before: Option<f64>,
    /// `unnamed` or `named` files; see docs/reference/disk.md.
    pub files: String,
    /// Whether the file system set the blocks of a file aside.
    pub preallocated: bool,
    /// Appends, each with one fdatasync.
    pub syncs: u64,
    /// Time spent in them, seconds.
    pub seconds: f64,
    /// Sequential syncs per second: `syncs / seconds`.
    pub syncs_per_second: f64,
    /// fdatasync over time: each counts with its length, as a write meets it that arrives at any instant. What is judged.
    /// Null when there was none.
    pub over_time: Option<Percentiles>,
    /// fdatasync over syncs: each counts once, so that a long stop hardly shows. Null when there was none.
    pub fdatasync: Option<Percentiles>,
    /// How much the p99 over time can be relied on.
    pub sample: Option<Sample>,
    /// write(2) before it.
    pub write: Option<Percentiles>,
    /// Backend commits beside the appends; null for a pattern without.
    pub commit: Option<Percentiles>,
    /// fdatasyncs that took longer than `limits.p99_ns`.
    pub over_limit: OverLimit,
    /// The course of time.
    pub turns: Vec<Turn>,
    /// All fdatasyncs, ns: an HdrHistogram in V2 deflate encoding, base64, as in a `.hlog`.
    pub histogram: String,
    /// The first fdatasyncs in their order, ns: for a medium's file, not in the result's.
    #[serde(skip)]
    pub first: Vec<u64>,
}

/// A file system.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FileSystemInfo {
    /// `ext4`, `xfs` …
    #[serde(rename = "type")]
    pub kind: String,
    /// What is mounted.
    pub source: Option<String>,
    pub mount_point: Option<String>,
    /// Whether it lies in memory, and so says nothing of a disk.
    pub in_memory: bool,
    /// Its size, bytes.
    pub size: u64,
    /// Free before the measurement, bytes.
    pub free: u64,
}

/// What the p99 over time is known to: 95 %, from the differences between blocks of this measurement
/// ([`crate::measure::blocks`]). None of it below six blocks.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Sample {
    /// Blocks of time.
    pub blocks: usize,
    /// Length of one, seconds spent in appends.
    pub block_seconds: f64,
    /// Lower end, ns.
    pub p99_low_ns: u64,
    /// Upper end, ns. Null where the blocks differ so much that they carry none.
    pub p99_high_ns: Option<u64>,
}

/// fdatasyncs over etcd's limit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OverLimit {
    pub count: u64,
    /// How long they took together, seconds.
    pub seconds: f64,
}

/// A stretch of time in which one directory was written to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Turn {
    /// Its begin, seconds since the measurement's.
    pub t: f64,
    /// Syncs in it.
    pub syncs: u64,
    /// Their mean, ns.
    pub mean_ns: f64,
    /// The longest, ns.
    pub max_ns: u64,
}

/// Two directories against each other.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DirectoryComparison {
    /// The faster one.
    pub faster: String,
    /// The other one.
    pub slower: String,
    /// Mean fdatasync of the slower one over that of the faster one: geometric mean of the ratios of turns
    /// next to each other.
    pub ratio: f64,
    /// Its 95 % interval (paired t of log ratios); null with fewer than 6 pairs.
    pub interval: Option<(f64, f64)>,
    /// Pairs of turns.
    pub pairs: u64,
}

/// The JSON Schema (draft 2020-12) of the document, pretty, with a final newline.
pub fn schema() -> String {
    format!("{:#}\n", schemars::schema_for!(DiskResult).to_value())
}
