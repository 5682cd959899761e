//! How much an etcd may hold: `Status` says it from 3.6 on, before that only its metrics do.

use super::control::MemberStatus;
use super::{http, prometheus};
use crate::human::numbers::bytes;
use crate::target::Target;

/// etcd's default (`server/storage/quota.go`).
pub const DEFAULT: i64 = 2 << 30;

/// The largest that etcd suggests (`maxQuotaBytes` there): it warns of more in its log, and takes it.
pub const SUGGESTED: i64 = 8 << 30;

/// etcd's own warning, where there is reason for one.
pub fn warning(quota: i64) -> Option<String> {
    (quota > SUGGESTED).then(|| {
        format!(
            "the quota of {} exceeds etcd's suggested maximum of {}: with a larger file, starts, snapshots and defragmentation take longer",
            bytes(quota as f64),
            bytes(SUGGESTED as f64)
        )
    })
}

/// The quota, and how it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// Said by etcd, bytes.
    Known(i64),
    /// Switched off.
    Off,
    /// Neither `Status` nor metrics say it: etcd's default is assumed.
    Assumed,
}

impl Quota {
    /// Bytes to stay under; None when there is no quota.
    pub fn limit(self) -> Option<u64> {
        match self {
            Quota::Known(b) => Some(b.unsigned_abs()),
            Quota::Off => None,
            Quota::Assumed => Some(DEFAULT.unsigned_abs()),
        }
    }

    /// Bytes, where etcd said so.
    pub fn known(self) -> Option<i64> {
        match self {
            Quota::Known(b) => Some(b),
            Quota::Off | Quota::Assumed => None,
        }
    }
}

impl std::fmt::Display for Quota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Quota::Known(b) => f.write_str(&bytes(*b as f64)),
            Quota::Off => f.write_str("none"),
            Quota::Assumed => write!(
                f,
                "{}: etcd's default, assumed because this etcd does not report its quota (its /metrics does: \
                 pass --metrics-endpoints)",
                bytes(DEFAULT as f64)
            ),
        }
    }
}

/// The smallest quota that any member states, by `Status` or by its metrics.
pub async fn find(target: &Target, members: &[MemberStatus]) -> Quota {
    if let Some(smallest) = members.iter().filter_map(|m| m.quota).min() {
        return Quota::Known(smallest);
    }
    for url in metrics_urls(target) {
        let page = http::get(&url, target.tls.as_ref(), target.dial_timeout).await;
        let value = |p: String| prometheus::value(&p, "etcd_server_quota_backend_bytes");
        if let Some(value) = page.ok().and_then(value) {
            return if value > 0.0 {
                Quota::Known(value as i64)
            } else {
                Quota::Off
            };
        }
    }
    Quota::Assumed
}

/// Where the metrics of each member are: the metrics endpoints, else the endpoints themselves.
pub fn metrics_urls(target: &Target) -> Vec<String> {
    let bases = if target.metrics_endpoints.is_empty() {
        &target.endpoints
    } else {
        &target.metrics_endpoints
    };
    bases
        .iter()
        .map(|b| format!("{}/metrics", b.trim_end_matches('/')))
        .collect()
}
