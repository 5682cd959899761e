//! What is checked before anything is written: that these are members of one healthy etcd, that we may
//! write there, that nobody else's cluster is harmed and that the data fits. One message per fault, with
//! the remedy.

use super::manifest::HOME;
use super::may_write::{may_write, whose};
use super::others::OthersKeys;
pub use super::preflight_error::PreflightError;
use super::roles;
use crate::etcd::control::{Alarm, ControlClient, ControlError, MemberEntry, MemberStatus};
use crate::etcd::quota::{self, Quota};
use crate::etcd::tls::DialError;
use crate::rpc::prefix_end;
use crate::target::{MemberChoice, Target};
use std::collections::BTreeMap;

/// The oldest etcd whose answers etcdmark understands.
pub const OLDEST: (u64, u64) = (3, 4);

/// What a command is going to write.
#[derive(Clone, Debug)]
pub struct WriteIntent {
    /// Run id.
    pub run_id: String,
    /// Key prefix, without a trailing slash.
    pub prefix: String,
    /// `--allow-live-cluster`.
    pub allow_live_cluster: bool,
    /// Keys that will be in the store.
    pub keys: u64,
    /// Writes of populate and load: each stays as a revision until a compaction.
    pub writes: u64,
    /// Their bytes, keys and values.
    pub bytes: u64,
    /// A closed loop writes more than that, as fast as etcd answers.
    pub closed_loop: bool,
    /// The etcd may run full: that is what it was started for.
    pub may_fill: bool,
}

/// What preflight found out about a cluster.
#[derive(Clone, Debug)]
pub struct ClusterFacts {
    /// Cluster id.
    pub cluster_id: u64,
    /// Status of each endpoint that answered, in the order given.
    pub members: Vec<MemberStatus>,
    /// The member list.
    pub entries: Vec<MemberEntry>,
    /// Endpoints that get load, by `--target`.
    pub chosen: Vec<String>,
    /// A gRPC proxy answers: it has no RangeStream.
    pub proxied: bool,
    /// The quota.
    pub quota: Quota,
    /// Largest db file of the members, bytes.
    pub db_size: i64,
    /// Largest in-use size, bytes.
    pub db_size_in_use: i64,
    /// Keys that are neither etcdmark's nor, for a run on `/registry`, there: somebody uses the store. None = not looked
    /// for, or not allowed to look.
    pub others: Option<OthersKeys>,
    /// What should be said once: endpoints that are down, a quota that had to be assumed, what is going to
    /// be written.
    pub notes: Vec<String>,
}

/// A connection to one etcd: which members answered, and which did not.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The members that answered.
    pub cluster: ControlClient,
    /// Their status, in the order given.
    pub members: Vec<MemberStatus>,
    /// Endpoints that are down, with the reason.
    pub down: Vec<(String, String)>,
}

/// Connects and makes sure that the endpoints are different members of one etcd that is new enough; says
/// nothing of its health. Some endpoints may be down.
pub async fn reach(target: &Target) -> Result<Connection, PreflightError> {
    let refused = |e| PreflightError::from_control(e, target);
    let cluster = ControlClient::connect(target).await.map_err(refused)?;
    // A wrong flag is wrong for all endpoints; only one that does not answer may be down.
    let mut down: Vec<(String, String)> = Vec::new();
    for (endpoint, e) in cluster.down() {
        match refused(e.clone()) {
            e @ (PreflightError::Dial(
                DialError::Unreachable { .. } | DialError::Timeout { .. },
            )
            | PreflightError::Control(_)) => down.push((endpoint.clone(), e.to_string())),
            other => return Err(other),
        }
    }
    let (mut members, mut usable) = (Vec::new(), Vec::new());
    let mut last = None;
    for m in cluster.each() {
        match m.status().await {
            Ok(s) => {
                members.push(s);
                usable.push(m.clone());
            }
            Err(e @ (ControlError::Timeout { .. } | ControlError::NotConnected { .. })) => {
                down.push((m.endpoint().to_owned(), e.to_string()));
                last = Some(e);
            }
            Err(e) => return Err(refused(e)),
        }
    }
    if let (true, Some(e)) = (members.is_empty(), last) {
        return Err(match refused(e) {
            PreflightError::Control(e) => PreflightError::Silent(e),
            other => other,
        });
    }
    identities(&members)?;
    Ok(Connection {
        cluster: ControlClient::of(usable),
        members,
        down,
    })
}

/// Checks a cluster, read-only when `write` is None. Leaves nothing behind in the store.
pub async fn check(
    target: &Target,
    write: Option<&WriteIntent>,
) -> Result<(ControlClient, ClusterFacts), PreflightError> {
    let refused = |e| PreflightError::from_control(e, target);
    let Connection {
        cluster,
        members,
        down,
    } = roles::without_learners(reach(target).await?);
    healthy(&members)?;
    let entries = cluster.members().await.map_err(refused)?;
    let proxies = roles::proxies(&members, &entries);
    alarms(&cluster.alarms().await.map_err(refused)?)?;
    let chosen = choose(target.members, &members)?;
    let quotas = quota::of_members(target, &members, &entries).await;
    let quota = quota::smallest(&quotas);
    let most = |f: fn(&MemberStatus) -> i64| members.iter().map(f).max().unwrap_or(0);
    let mut facts = ClusterFacts {
        cluster_id: members.first().map_or(0, |m| m.cluster_id),
        db_size: most(|m| m.db_size),
        db_size_in_use: most(|m| m.db_size_in_use),
        notes: notes(&down, &members, &entries, &proxies),
        proxied: !proxies.is_empty(),
        others: None,
        members,
        entries,
        chosen,
        quota,
    };
    facts.notes.extend(quota::difference(&quotas));
    facts
        .notes
        .extend(facts.quota.known().and_then(quota::warning));
    match write {
        Some(intent) => may_write(target, &cluster, intent, &mut facts).await?,
        // Shows a missing user or permission, and a quorum that is lost, before the command's own reads do.
        None => match cluster
            .count(HOME.as_bytes(), &prefix_end(HOME.as_bytes()))
            .await
        {
            Ok(_) => {}
            Err(e) => return Err(permission(e, target, &format!("read {HOME}/"), HOME)),
        },
    }
    Ok((cluster, facts))
}

/// Checks a cluster, read-only, and whose it is, as before a run outside `/registry`.
///
/// # Errors
/// As [`check`]; keys of others where `allow_live_cluster` is not set.
pub async fn check_owner(
    target: &Target,
    allow_live_cluster: bool,
) -> Result<(ControlClient, ClusterFacts), PreflightError> {
    let (cluster, mut facts) = check(target, None).await?;
    whose(target, &cluster, allow_live_cluster, &mut facts, 0).await?;
    Ok((cluster, facts))
}

pub(super) fn permission(e: ControlError, target: &Target, what: &str, at: &str) -> PreflightError {
    match PreflightError::from_control(e, target) {
        PreflightError::NoPermission { user, .. } => PreflightError::NoPermission {
            user,
            what: what.to_owned(),
            prefix: at.to_owned(),
        },
        other => other,
    }
}

/// A refused read of a command that writes nothing.
pub fn unread(e: ControlError, target: &Target, what: &str, prefix: &str) -> PreflightError {
    match PreflightError::from_control(e, target) {
        PreflightError::NoPermission { user, .. } => PreflightError::NotReadable {
            user,
            what: what.to_owned(),
            prefix: prefix.to_owned(),
        },
        other => other,
    }
}

fn identities(members: &[MemberStatus]) -> Result<(), PreflightError> {
    for (i, b) in members.iter().enumerate() {
        if version(&b.version).is_none_or(|v| v < OLDEST) {
            let (endpoint, version) = (b.endpoint.clone(), b.version.clone());
            return Err(PreflightError::TooOld { endpoint, version });
        }
        // Every etcd has these ids.
        if b.cluster_id == 0 && b.member_id == 0 {
            let endpoint = b.endpoint.clone();
            return Err(PreflightError::Kine { endpoint });
        }
        for a in &members[..i] {
            if a.cluster_id != b.cluster_id {
                return Err(PreflightError::TwoClusters {
                    a: a.endpoint.clone(),
                    a_id: a.cluster_id,
                    b: b.endpoint.clone(),
                    b_id: b.cluster_id,
                });
            }
            if a.member_id == b.member_id {
                let (a, b, id) = (a.endpoint.clone(), b.endpoint.clone(), a.member_id);
                return Err(PreflightError::SameMember { a, b, id });
            }
        }
    }
    Ok(())
}

fn healthy(members: &[MemberStatus]) -> Result<(), PreflightError> {
    for m in members {
        if m.is_learner {
            return Err(PreflightError::Learner {
                endpoint: m.endpoint.clone(),
            });
        }
        if m.leader == 0 {
            return Err(PreflightError::NoLeader {
                endpoint: m.endpoint.clone(),
            });
        }
    }
    Ok(())
}

fn alarms(alarms: &[Alarm]) -> Result<(), PreflightError> {
    if let Some(a) = alarms.iter().find(|a| a.kind == "CORRUPT") {
        return Err(PreflightError::Corrupt {
            member: a.member_id,
        });
    }
    if alarms.is_empty() {
        Ok(())
    } else {
        Err(PreflightError::NoSpace)
    }
}

/// `3.5.16`, `3.6.0-rc.1` → (major, minor).
pub fn version(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Which endpoints get load. Without the leader among the endpoints, `leader` cannot be had.
pub fn choose(
    choice: MemberChoice,
    members: &[MemberStatus],
) -> Result<Vec<String>, PreflightError> {
    let name = match choice {
        MemberChoice::All => "all",
        MemberChoice::Leader => "leader",
        MemberChoice::Followers => "followers",
    };
    let chosen: Vec<String> = members
        .iter()
        .filter(|m| match choice {
            MemberChoice::All => true,
            MemberChoice::Leader => m.member_id == m.leader,
            MemberChoice::Followers => m.member_id != m.leader,
        })
        .map(|m| m.endpoint.clone())
        .collect();
    if chosen.is_empty() {
        let reason = match choice {
            MemberChoice::Leader => {
                let leader = members.first().map_or(0, |m| m.leader);
                match members.iter().any(|m| m.from_metrics) {
                    true => "the leader is another member: name it in --endpoints".to_owned(),
                    false => {
                        format!("the leader is member {leader:x}, which --endpoints does not name")
                    }
                }
            }
            _ => "--endpoints names only the leader; add the followers".to_owned(),
        };
        return Err(PreflightError::NoTarget {
            choice: name,
            reason,
        });
    }
    Ok(chosen)
}

/// What a user who may not call `Status` is told, once.
pub fn without_status(members: &[MemberStatus]) -> Option<String> {
    let one = members.iter().find(|m| m.from_metrics)?;
    Some(format!(
        "this user may not call Status: etcd {} refuses it to users without the role root. Version, leader \
         and sizes come from /metrics; etcd's own complaints are not seen",
        one.version
    ))
}

fn notes(
    down: &[(String, String)],
    members: &[MemberStatus],
    entries: &[MemberEntry],
    proxies: &[String],
) -> Vec<String> {
    let mut notes: Vec<String> = down
        .iter()
        .map(|(e, why)| {
            format!("{e} is not used; the run continues with the other endpoints: {why}")
        })
        .collect();
    notes.extend(without_status(members));
    notes.extend(roles::proxy_note(proxies));
    let voters = entries.iter().filter(|e| !e.is_learner).count();
    let named = members.len() + down.iter().filter(|(_, why)| why != roles::LEARNER).count();
    if voters > named {
        notes.push(format!(
            "--endpoints names {named} of {voters} members; etcdmark does not observe the others: neither their load nor \
             their outages"
        ));
    }
    notes
}

impl ClusterFacts {
    /// The members' names in the order of the target's endpoints; empty when any is not known.
    pub fn names(&self, target: &Target) -> Vec<String> {
        let by_id = self.names_by_id();
        let name = |endpoint: &String| {
            let status = self.members.iter().find(|m| m.endpoint == *endpoint)?;
            by_id.get(&status.member_id).cloned()
        };
        let names: Option<Vec<String>> = target.endpoints.iter().map(name).collect();
        names.unwrap_or_default()
    }

    /// The members' names by their ids, for pages of metrics that name theirs. A name that two members have is told with the
    /// id; a gRPC proxy's list has no members.
    pub fn names_by_id(&self) -> BTreeMap<u64, String> {
        let twice = |name: &str| self.entries.iter().filter(|e| e.name == name).count() > 1;
        let name = |e: &MemberEntry| match e.name.as_str() {
            "" => format!("{:x}", e.id),
            name if twice(name) => format!("{name} ({:x})", e.id),
            name => name.to_owned(),
        };
        let members = self.entries.iter().filter(|e| e.id != 0);
        members.map(|e| (e.id, name(e))).collect()
    }

    /// Whether a run has to treat the store as a live cluster's: it holds keys of others, or this user may not see
    /// whether it does.
    pub fn may_be_live(&self) -> bool {
        self.others.as_ref().is_none_or(|o| o.count > 0)
    }

    /// Whether every member that answered is of this version or newer.
    pub fn all_are(&self, oldest: (u64, u64)) -> bool {
        let new = |m: &MemberStatus| version(&m.version).is_some_and(|v| v >= oldest);
        self.members.iter().all(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    /// etcd has members of one name (`member add` does not ask): they are not one.
    #[test]
    fn members_of_one_name_are_told_apart() {
        let status = |id: u64| MemberStatus {
            endpoint: format!("http://m{id}:2379"),
            member_id: id,
            ..MemberStatus::default()
        };
        let entry = |id: u64, name: &str| MemberEntry {
            id,
            name: name.to_owned(),
            ..MemberEntry::default()
        };
        let facts = ClusterFacts {
            members: vec![status(1), status(0xa), status(3)],
            entries: vec![entry(1, "default"), entry(0xa, "default"), entry(3, "c")],
            cluster_id: 1,
            chosen: Vec::new(),
            proxied: false,
            quota: Quota::Assumed,
            db_size: 0,
            db_size_in_use: 0,
            others: None,
            notes: Vec::new(),
        };
        let endpoints = facts.members.iter().map(|m| m.endpoint.clone());
        let target = Target::plain(endpoints.collect());
        assert_eq!(facts.names(&target), ["default (1)", "default (a)", "c"]);
    }

    #[test]
    fn etcd_before_3_4_is_refused() {
        let member = |version: &str| MemberStatus {
            version: version.to_owned(),
            cluster_id: 1,
            ..Default::default()
        };
        let kine = MemberStatus {
            cluster_id: 0,
            ..member("3.6.11")
        };
        let said = identities(&[kine]).unwrap_err().to_string();
        assert!(said.contains("is not an etcd but kine"), "{said}");
        for old in ["3.3.27", "2.3.8", "", "x"] {
            let e = identities(&[member(old)]).unwrap_err();
            assert!(e.to_string().contains("needs etcd 3.4 or newer"), "{e}");
            assert_eq!(e.exit(), Exit::Usage);
        }
        for new in ["3.4.0", "3.7.0-rc.1", "4.0.0"] {
            identities(&[member(new)]).unwrap();
        }
    }

    #[test]
    fn corrupt_outweighs_full() {
        let alarm = |kind| Alarm { member_id: 1, kind };
        assert!(matches!(
            alarms(&[alarm("NOSPACE"), alarm("CORRUPT")]),
            Err(PreflightError::Corrupt { .. })
        ));
        assert!(matches!(
            alarms(&[alarm("NOSPACE")]),
            Err(PreflightError::NoSpace)
        ));
        assert!(alarms(&[]).is_ok());
    }
}
