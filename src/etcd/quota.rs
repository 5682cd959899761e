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
    smallest(&of_members(target, members).await)
}

/// What each member states that does, by endpoint: `Status` does from 3.6 on, else its metrics.
pub async fn of_members(target: &Target, members: &[MemberStatus]) -> Vec<(String, Quota)> {
    let said = |m: &MemberStatus| Some((m.endpoint.clone(), Quota::Known(m.quota?)));
    let mut all: Vec<(String, Quota)> = members.iter().filter_map(said).collect();
    for (i, url) in metrics_urls(target).iter().enumerate() {
        // Of fewer or more pages than endpoints there is no telling whose they are.
        let whose = metrics_of(target).len();
        let endpoint = target.endpoints.get(i).filter(|_| whose > 0).unwrap_or(url);
        if all.iter().any(|(known, _)| known == endpoint) {
            continue;
        }
        let page = http::get(url, target.tls.as_ref(), target.dial_timeout).await;
        let value = |p: String| prometheus::value(&p, "etcd_server_quota_backend_bytes");
        if let Some(value) = page.ok().and_then(value) {
            let quota = match value > 0.0 {
                true => Quota::Known(value as i64),
                false => Quota::Off,
            };
            all.push((endpoint.clone(), quota));
        }
    }
    all
}

/// The one that counts: the member with it is full first.
pub fn smallest(all: &[(String, Quota)]) -> Quota {
    let known = all.iter().filter_map(|(_, q)| q.known()).min();
    match known {
        Some(bytes) => Quota::Known(bytes),
        None if all.is_empty() => Quota::Assumed,
        None => Quota::Off,
    }
}

/// That members have different quotas, which nobody means to: the first one that is full stops all writes.
pub fn difference(all: &[(String, Quota)]) -> Option<String> {
    let (_, first) = all.first()?;
    if all.iter().all(|(_, q)| q == first) {
        return None;
    }
    let each: Vec<String> = all.iter().map(|(e, q)| format!("{e} {q}")).collect();
    Some(format!(
        "the members have different quotas ({}): the smallest counts, because one full member stops all writes; set the same \
         --quota-backend-bytes on every member",
        each.join(", ")
    ))
}

/// The metrics pages of the endpoints, in their order; none where there are fewer or more.
pub fn metrics_of(target: &Target) -> Vec<String> {
    let urls = metrics_urls(target);
    match urls.len() == target.endpoints.len() {
        true => urls,
        false => Vec::new(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_quota_counts_and_a_difference_is_told() {
        let of = |all: &[(&str, Quota)]| -> Vec<(String, Quota)> {
            all.iter().map(|(e, q)| ((*e).to_owned(), *q)).collect()
        };
        let gib = |n: i64| Quota::Known(n << 30);
        let differ = of(&[("a", gib(8)), ("b", gib(2)), ("c", Quota::Off)]);
        assert_eq!(smallest(&differ), gib(2));
        let told = difference(&differ).unwrap();
        assert!(told.contains("a 8 GiB, b 2 GiB, c none"), "{told}");
        let same = of(&[("a", gib(8)), ("b", gib(8))]);
        assert_eq!((smallest(&same), difference(&same)), (gib(8), None));
        assert_eq!(smallest(&of(&[("a", Quota::Off)])), Quota::Off);
        assert_eq!((smallest(&[]), difference(&[])), (Quota::Assumed, None));
    }
}
