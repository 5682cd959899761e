//! etcd's `/metrics` page → the short, stable names of [`ServerSample::values`].
//!
//! [`TABLE`] is the whole list. Counters are kept as etcd gives them (cumulative since its start):
//! readers difference them. Histograms are kept as `.seconds` (`_sum`) and `.count` (`_count`), whose
//! differences give the exact mean; etcd's buckets begin at 1 ms and cannot tell fast disks apart
//! (`server/storage/wal/metrics.go`, `server/storage/backend/metrics.go`): only those of its log's syncs are kept.
//!
//! [`ServerSample::values`]: crate::report::ServerSample::values

use crate::etcd::prometheus;
use std::collections::BTreeMap;

/// How a family becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extraction {
    /// The value, summed over all label sets.
    Value,
    /// `_sum` as `NAME.seconds` and `_count` as `NAME.count`, summed over all label sets.
    SumCount,
    /// That, and each `_bucket` but the last as `NAME.le.BOUND`: how many were at most so long (cumulative, as Prometheus has it).
    Histogram,
    /// One value per `grpc_method` and `grpc_code`: `NAME.METHOD.CODE`; zeros are left out.
    Grpc,
}

/// One row: short name, etcd's family, how it is taken, unit, whether every supported etcd (3.4–3.7) has it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name in the samples.
    pub name: &'static str,
    /// Prometheus family.
    pub family: &'static str,
    /// How it becomes a value.
    pub take: Extraction,
    /// Unit of the value.
    pub unit: &'static str,
    /// In every version from 3.4 to 3.7; the rest may be absent (`etcd_debugging_*` always).
    pub always: bool,
}

macro_rules! rows {
    ($($name:literal $family:literal $take:ident $unit:literal $always:literal;)*) => {
        /// Every family that is kept.
        pub const TABLE: &[Row] = &[$(Row {
            name: $name, family: $family, take: Extraction::$take, unit: $unit, always: $always,
        }),*];
    };
}

// short name, family, how it is taken, unit, whether every version from 3.4 to 3.7 has it
rows! {
    "wal_fsync"             "etcd_disk_wal_fsync_duration_seconds"                       Histogram "s"    true;
    "wal.bytes"             "etcd_disk_wal_write_bytes_total"                            Value    "bytes" false;
    "commit"                "etcd_disk_backend_commit_duration_seconds"                  SumCount "s"     true;
    "commit_spill"          "etcd_debugging_disk_backend_commit_spill_duration_seconds"  SumCount "s"     false;
    "commit_rebalance"      "etcd_debugging_disk_backend_commit_rebalance_duration_seconds" SumCount "s"  false;
    "commit_write"          "etcd_debugging_disk_backend_commit_write_duration_seconds"  SumCount "s"     false;
    "snapshot"              "etcd_disk_backend_snapshot_duration_seconds"                SumCount "s"     false;
    "defrag"                "etcd_disk_backend_defrag_duration_seconds"                  SumCount "s"     false;
    "defrag.inflight"       "etcd_disk_defrag_inflight"                                  Value    "count" false;
    "apply"                 "etcd_server_apply_duration_seconds"                         SumCount "s"     false;
    "db.size"               "etcd_mvcc_db_total_size_in_bytes"                           Value    "bytes" true;
    "db.in_use"             "etcd_mvcc_db_total_size_in_use_in_bytes"                    Value    "bytes" true;
    "db.quota"              "etcd_server_quota_backend_bytes"                            Value    "bytes" true;
    "mvcc.keys"             "etcd_debugging_mvcc_keys_total"                             Value    "count" false;
    "mvcc.revision"         "etcd_debugging_mvcc_current_revision"                       Value    "count" false;
    "mvcc.compact_revision" "etcd_debugging_mvcc_compact_revision"                       Value    "count" false;
    "mvcc.put_bytes"        "etcd_debugging_mvcc_total_put_size_in_bytes"                Value    "bytes" false;
    "compaction.keys"       "etcd_debugging_mvcc_db_compaction_keys_total"               Value    "count" false;
    "raft.has_leader"       "etcd_server_has_leader"                                     Value    "0/1"   true;
    "raft.is_leader"        "etcd_server_is_leader"                                      Value    "0/1"   true;
    "raft.leader_changes"   "etcd_server_leader_changes_seen_total"                      Value    "count" true;
    "raft.heartbeat_failures" "etcd_server_heartbeat_send_failures_total"                Value    "count" true;
    "raft.slow_applies"     "etcd_server_slow_apply_total"                               Value    "count" true;
    "raft.slow_read_indexes" "etcd_server_slow_read_indexes_total"                       Value    "count" true;
    "raft.read_index_failures" "etcd_server_read_indexes_failed_total"                   Value    "count" true;
    "proposals.committed"   "etcd_server_proposals_committed_total"                      Value    "count" true;
    "proposals.applied"     "etcd_server_proposals_applied_total"                        Value    "count" true;
    "proposals.pending"     "etcd_server_proposals_pending"                              Value    "count" true;
    "proposals.failed"      "etcd_server_proposals_failed_total"                         Value    "count" true;
    "peer_rtt"              "etcd_network_peer_round_trip_time_seconds"                  SumCount "s"     false;
    "client.sent_bytes"     "etcd_network_client_grpc_sent_bytes_total"                  Value    "bytes" true;
    "client.received_bytes" "etcd_network_client_grpc_received_bytes_total"              Value    "bytes" true;
    "watch.watchers"        "etcd_debugging_mvcc_watcher_total"                          Value    "count" false;
    "watch.streams"         "etcd_debugging_mvcc_watch_stream_total"                     Value    "count" false;
    "watch.slow"            "etcd_debugging_mvcc_slow_watcher_total"                     Value    "count" false;
    "watch.pending_events"  "etcd_debugging_mvcc_pending_events_total"                   Value    "count" false;
    "watch.events"          "etcd_debugging_mvcc_events_total"                           Value    "count" false;
    "lease.granted"         "etcd_debugging_lease_granted_total"                         Value    "count" false;
    "lease.revoked"         "etcd_debugging_lease_revoked_total"                         Value    "count" false;
    "lease.renewed"         "etcd_debugging_lease_renewed_total"                         Value    "count" false;
    "lease.expired"         "etcd_debugging_server_lease_expired_total"                  Value    "count" false;
    "process.cpu_seconds"   "process_cpu_seconds_total"                                  Value    "s"     true;
    "process.rss"           "process_resident_memory_bytes"                              Value    "bytes" true;
    "process.fds"           "process_open_fds"                                           Value    "count" true;
    "process.max_fds"       "process_max_fds"                                            Value    "count" true;
    "process.start_time"    "process_start_time_seconds"                                 Value    "unix s" true;
    "go.gc"                 "go_gc_duration_seconds"                                     SumCount "s"     true;
    "go.heap_alloc"         "go_memstats_heap_alloc_bytes"                               Value    "bytes" true;
    "go.heap_inuse"         "go_memstats_heap_inuse_bytes"                               Value    "bytes" true;
    "go.goroutines"         "go_goroutines"                                              Value    "count" true;
    "grpc"                  "grpc_server_handled_total"                                  Grpc     "count" true;
}

/// A page's values of [`TABLE`]. Unknown families, what is no finite number and malformed lines are
/// skipped; a family that the page lacks is absent.
pub fn parse(page: &str) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::new();
    for sample in prometheus::samples(page).filter(|s| s.value.is_finite()) {
        let label = |name| sample.labels.get(name);
        for (row, suffix) in rows_of(sample.name) {
            let key = match row.take {
                Extraction::Value => row.name.to_owned(),
                Extraction::Histogram if suffix == "le" => match label("le") {
                    Some(bound) if bound != "+Inf" => format!("{}.le.{bound}", row.name),
                    _ => continue,
                },
                Extraction::SumCount | Extraction::Histogram => format!("{}.{suffix}", row.name),
                Extraction::Grpc => match (label("grpc_method"), label("grpc_code")) {
                    (Some(method), Some(code)) if sample.value != 0.0 => {
                        format!("{}.{method}.{code}", row.name)
                    }
                    _ => continue,
                },
            };
            *values.entry(key).or_insert(0.0) += sample.value;
        }
    }
    values
}

/// Whether the page is etcd's at all.
pub fn is_etcd(values: &BTreeMap<String, f64>) -> bool {
    values.contains_key("raft.has_leader")
}

fn rows_of(name: &str) -> impl Iterator<Item = (&'static Row, &'static str)> {
    let ends = [("_sum", "seconds"), ("_count", "count"), ("_bucket", "le")];
    let (base, suffix) = ends
        .iter()
        .find_map(|(end, suffix)| Some((name.strip_suffix(end)?, *suffix)))
        .unwrap_or((name, ""));
    let (name, base) = (name.to_owned(), base.to_owned());
    TABLE.iter().filter_map(move |row| match row.take {
        Extraction::SumCount if matches!(suffix, "seconds" | "count") && row.family == base => {
            Some((row, suffix))
        }
        Extraction::Histogram if !suffix.is_empty() && row.family == base => Some((row, suffix)),
        Extraction::Value | Extraction::Grpc if row.family == name => Some((row, "")),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const PAGE: &str = r#"# HELP etcd_disk_wal_fsync_duration_seconds The latency distributions of fsync called by WAL.
# TYPE etcd_disk_wal_fsync_duration_seconds histogram
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 100
etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 108
etcd_disk_wal_fsync_duration_seconds_sum 0.25
etcd_disk_wal_fsync_duration_seconds_count 108
etcd_server_has_leader 1
etcd_server_quota_backend_bytes 2.147483648e+09
etcd_server_apply_duration_seconds_sum{op="Put",success="true",version="v3"} 0.5
etcd_server_apply_duration_seconds_sum{op="Txn",success="true",version="v3"} 0.25
etcd_network_peer_round_trip_time_seconds_count{To="8e9e05c52164694d"} 3
go_gc_duration_seconds{quantile="0.5"} 1.5e-05
go_gc_duration_seconds_sum 0.01
go_gc_duration_seconds_count 12
grpc_server_handled_total{grpc_code="OK",grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"} 84
grpc_server_handled_total{grpc_code="ResourceExhausted",grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"} 2
grpc_server_handled_total{grpc_code="Aborted",grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"} 0
etcd_mvcc_db_total_size_in_bytes NaN
some_other_family_total 4
garbage
broken{le="1" 3
"#;

    #[test]
    fn the_families_of_the_table_are_taken_and_nothing_else() {
        let values = parse(PAGE);
        let want = [
            ("apply.seconds", 0.75),
            ("db.quota", 2_147_483_648.0),
            ("go.gc.count", 12.0),
            ("go.gc.seconds", 0.01),
            ("grpc.Txn.OK", 84.0),
            ("grpc.Txn.ResourceExhausted", 2.0),
            ("peer_rtt.count", 3.0),
            ("raft.has_leader", 1.0),
            ("wal_fsync.count", 108.0),
            ("wal_fsync.le.0.001", 100.0),
            ("wal_fsync.seconds", 0.25),
        ];
        let want: BTreeMap<String, f64> = want.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        assert_eq!(values, want);
        assert_eq!(crate::report::rpcs(&values, "Txn"), 86.0);
        assert_eq!(crate::report::rpcs(&values, "Range"), 0.0);
        assert!(is_etcd(&values));
        assert!(!is_etcd(&parse("go_goroutines 12\n")));
    }

    #[test]
    fn names_and_families_are_unique() {
        let names: BTreeSet<_> = TABLE.iter().map(|r| r.name).collect();
        let families: BTreeSet<_> = TABLE.iter().map(|r| r.family).collect();
        assert_eq!((names.len(), families.len()), (TABLE.len(), TABLE.len()));
        for row in TABLE {
            assert!(
                !(row.always && row.family.starts_with("etcd_debugging_")),
                "{} may be absent",
                row.family
            );
        }
    }
}
