//! How much an etcd may hold: `Status` says it from 3.6 on, before that only its metrics do.

use super::control::{MemberEntry, MemberStatus};
use super::pages::{self, MetricsPage, Owner};
use super::prometheus;
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

/// What each member states that does, by endpoint: `Status` does from 3.6 on, else its metrics. The pages are read only where
/// one is needed.
pub async fn of_members(
    target: &Target,
    members: &[MemberStatus],
    entries: &[MemberEntry],
) -> Vec<(String, Quota)> {
    if members.iter().all(|m| m.quota.is_some()) {
        return stated(members, &[]);
    }
    let pages = pages::read(target, members, entries, target.dial_timeout).await;
    stated(members, &pages)
}

/// The same from pages that have been read.
pub fn stated(members: &[MemberStatus], pages: &[MetricsPage]) -> Vec<(String, Quota)> {
    let said = |m: &MemberStatus| Some((m.endpoint.clone(), Quota::Known(m.quota?)));
    let mut all: Vec<(String, Quota)> = members.iter().filter_map(said).collect();
    for page in pages {
        let whose = match &page.owner {
            Owner::Endpoint(endpoint) => endpoint,
            Owner::Other(name) => name,
            Owner::Unknown => &page.url,
            Owner::Stranger(_) => continue,
        };
        if all.iter().any(|(known, _)| known == whose) {
            continue;
        }
        let value = |p: &String| prometheus::value(p, "etcd_server_quota_backend_bytes");
        if let Some(value) = page.body.as_ref().ok().and_then(value) {
            let quota = match value > 0.0 {
                true => Quota::Known(value as i64),
                false => Quota::Off,
            };
            all.push((whose.clone(), quota));
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
