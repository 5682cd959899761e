//! The metrics pages of an etcd's members, and whose each is. A page says so itself (`etcd_server_id`, etcd 3.4 to 3.7): the
//! order of `--metrics-endpoints` counts only where it does not.

use super::control::{MemberEntry, MemberStatus};
use super::http::{self, HttpError};
use super::prometheus;
use crate::target::Target;
use futures_util::future::join_all;
use std::time::Duration;

/// One page.
#[derive(Debug)]
pub struct MetricsPage {
    /// Its address.
    pub url: String,
    /// What it holds.
    pub body: Result<String, HttpError>,
    /// Whose it is.
    pub owner: Owner,
}

/// Whose a page is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The member that answers at this endpoint.
    Endpoint(String),
    /// A member of this etcd that is not among the endpoints, or is down: its name, or its id.
    Other(String),
    /// The member with this id, which is not of this etcd.
    Stranger(u64),
    /// Not to be told: it names nobody, and there are fewer or more pages than endpoints.
    Unknown,
}

/// The id of the member whose page it is.
pub fn server_id(page: &str) -> Option<u64> {
    let sample = prometheus::samples(page).find(|s| s.name == "etcd_server_id")?;
    u64::from_str_radix(&sample.labels.get("server_id")?, 16).ok()
}

/// What is said of the page of a member that is not of this etcd.
pub fn stranger(url: &str, id: u64) -> String {
    format!(
        "{url} is the page of member {id:x}, which is not of this etcd, so it is left out; pass the pages of the endpoints' \
         members to --metrics-endpoints"
    )
}

/// Reads all pages at the same time. `members` are those that answered, `entries` the member list, empty where it is not
/// known.
pub async fn read(
    target: &Target,
    members: &[MemberStatus],
    entries: &[MemberEntry],
    timeout: Duration,
) -> Vec<MetricsPage> {
    let urls = urls(target);
    let bodies = urls
        .iter()
        .map(|url| http::get(url, target.tls.as_ref(), timeout));
    let bodies = join_all(bodies).await;
    let at = |i: usize| match urls.len() == target.endpoints.len() {
        true => Owner::Endpoint(target.endpoints[i].clone()),
        false => Owner::Unknown,
    };
    let apart = !target.metrics_endpoints.is_empty();
    let of = |(i, body): (usize, &Result<String, HttpError>)| {
        let id = body.as_ref().ok().and_then(|page| server_id(page));
        match id.filter(|_| apart) {
            Some(id) => owner(id, members, entries),
            None => at(i),
        }
    };
    let owners: Vec<Owner> = bodies.iter().enumerate().map(of).collect();
    let all = urls.clone().into_iter().zip(bodies).zip(owners);
    all.map(|((url, body), owner)| MetricsPage { url, body, owner })
        .collect()
}

fn owner(id: u64, members: &[MemberStatus], entries: &[MemberEntry]) -> Owner {
    if let Some(m) = members.iter().find(|m| m.member_id == id) {
        return Owner::Endpoint(m.endpoint.clone());
    }
    match entries.iter().find(|e| e.id == id) {
        Some(e) if e.name.is_empty() => Owner::Other(format!("{id:x}")),
        Some(e) => Owner::Other(e.name.clone()),
        // A gRPC proxy lists itself, with the id 0, and no member.
        None if entries.iter().all(|e| e.id == 0) => Owner::Unknown,
        None => Owner::Stranger(id),
    }
}

/// Pages that are of another etcd.
pub fn strangers(pages: &[MetricsPage]) -> impl Iterator<Item = String> {
    pages.iter().filter_map(|page| match page.owner {
        Owner::Stranger(id) => Some(stranger(&page.url, id)),
        _ => None,
    })
}

/// Where the metrics of each member are: the metrics endpoints, else the endpoints themselves.
pub fn urls(target: &Target) -> Vec<String> {
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
    fn a_page_says_whose_it_is() {
        let page = |id: &str| format!("# x\netcd_server_id{{server_id=\"{id}\"}} 1\n");
        // Leading zeros are not printed: 3.4 to 3.7 use types.ID.String.
        assert_eq!(
            server_id(&page("ce43ac72f18eefe")),
            Some(0x0ce4_3ac7_2f18_eefe)
        );
        assert_eq!(server_id(&page("x")), None);
        assert_eq!(server_id("etcd_server_has_leader 1\n"), None);
    }

    #[test]
    fn an_id_is_of_an_endpoint_of_another_member_or_of_another_etcd() {
        let members = [MemberStatus {
            endpoint: "http://a:2379".into(),
            member_id: 1,
            ..MemberStatus::default()
        }];
        let entry = |id, name: &str| MemberEntry {
            id,
            name: name.into(),
            ..MemberEntry::default()
        };
        let entries = [entry(1, "a"), entry(2, "b")];
        assert_eq!(
            owner(1, &members, &entries),
            Owner::Endpoint("http://a:2379".into())
        );
        assert_eq!(owner(2, &members, &entries), Owner::Other("b".into()));
        assert_eq!(owner(3, &members, &entries), Owner::Stranger(3));
        // A proxy's list, and one that could not be read, say nothing of who is a member.
        assert_eq!(owner(3, &members, &[entry(0, "proxy")]), Owner::Unknown);
        assert_eq!(owner(3, &members, &[]), Owner::Unknown);
    }
}
