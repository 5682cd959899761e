//! What was seen of one filling: `after.json` of a trial of `quota`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One filling. Instants are seconds since the load began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Record {
    /// etcd's version.
    pub(super) etcd: String,
    /// The hollow cluster's version and nodes.
    pub(super) kubernetes: String,
    pub(super) nodes: u64,
    /// The quota, bytes.
    pub(super) quota: i64,
    /// What was said of the time to full, in order.
    pub(super) forecasts: Vec<ForecastPoint>,
    /// The compactor's interval that the critical rate is for, seconds, and that rate, puts per second.
    pub(super) interval: f64,
    pub(super) critical_rate: Option<f64>,
    /// Puts per second, as planned until full.
    pub(super) rate: f64,
    /// The first write that etcd refused for want of space; none if it never came.
    pub(super) full_at: Option<f64>,
    /// The file when the load began, when it was first seen full, and at its largest while full, bytes.
    pub(super) used: f64,
    pub(super) at_once: Option<f64>,
    pub(super) largest: f64,
    /// Memory of the etcd when it was full, bytes.
    pub(super) rss: f64,
    /// Quarters of the way to full.
    pub(super) quarters: Vec<Quarter>,
    /// What was answered while full: whole seconds only, per op class.
    pub(super) while_full: BTreeMap<String, ResponseCounts>,
    /// What it means for the cluster; none where no node renews a Lease.
    pub(super) lease_impact: Option<LeaseImpact>,
    /// The way back, step by step.
    pub(super) recovery: Vec<RecoveryStep>,
    /// Why it came to no end, if so.
    pub(super) not_recovered: Option<String>,
    /// The first second in which all writes were answered again.
    pub(super) writable_at: Option<f64>,
    /// Why the etcd was not filled once more, if so.
    pub(super) not_checked: Option<String>,
    /// The operation matrix.
    pub(super) matrix: Vec<OperationCheck>,
    /// What the full file costs.
    pub(super) at_full: AtFull,
}

/// A forecast.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ForecastPoint {
    /// `before anything`, `before the load`, `at 25 %`.
    pub(super) when: String,
    /// Bytes in the file that it counts from.
    pub(super) used: f64,
    /// Bytes per second by which the file is to grow.
    pub(super) growth: f64,
    /// When it is to be full; none = never.
    pub(super) full_at: Option<f64>,
}

/// Lease renewals in a quarter of the way to full.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Quarter {
    pub(super) offered: u64,
    pub(super) missed: u64,
    /// Response times, seconds.
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
}

/// What became of an op class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResponseCounts {
    pub(super) ok: u64,
    /// `database space exceeded`.
    pub(super) no_space: u64,
    /// Other errors, by name.
    pub(super) other: BTreeMap<String, u64>,
}

/// The hollow cluster's view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LeaseImpact {
    /// The node-monitor grace period of that version, seconds.
    pub(super) grace: f64,
    /// The longest time without any renewal, seconds.
    pub(super) silence: f64,
    /// Nodes that were without a renewal for the grace period, at least, at the worst moment.
    pub(super) not_ready: u64,
    /// The first moment in which there was one.
    pub(super) first_at: Option<f64>,
}

/// A step of the recovery.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecoveryStep {
    pub(super) name: String,
    /// When it began, and how long it took, seconds.
    pub(super) at: f64,
    pub(super) took: f64,
    /// The longest that a small read beside it took, seconds: the outage that it adds.
    pub(super) reads_stood: f64,
    /// The file afterwards, bytes.
    pub(super) size: i64,
}

/// One operation against a full etcd.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OperationCheck {
    pub(super) operation: String,
    /// `ok` or `no space`, as etcd's source has it.
    pub(super) expected: String,
    /// The same, or another error in etcd's words.
    pub(super) found: String,
}

impl OperationCheck {
    /// Whether etcd did as expected.
    pub(super) fn holds(&self) -> bool {
        self.expected == self.found
    }
}

/// What a full file costs, whoever filled it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AtFull {
    /// The file, bytes.
    pub(super) size: i64,
    /// From the request to end to a linearizable read, seconds.
    pub(super) restart: Option<f64>,
    /// To read a snapshot, seconds, and its bytes.
    pub(super) snapshot: f64,
    pub(super) snapshot_bytes: u64,
    /// To compact all of its history, and to defragment it, seconds.
    pub(super) compact: f64,
    pub(super) defragment: f64,
}
