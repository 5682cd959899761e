//! An arm in one line.

use crate::experiment::plan::{ArmPlan, StorePlan};
use crate::target::MemberChoice;

/// What it is, and its etcds.
pub(super) fn line(arm: &ArmPlan) -> String {
    let several = arm.stores.len() > 1;
    let stores: Vec<String> = arm.stores.iter().map(|s| store(s, several)).collect();
    let what = if arm.description.is_empty() {
        String::new()
    } else {
        format!("{}; ", arm.description)
    };
    format!("arm     {}: {what}{}", arm.name, stores.join("; "))
}

/// An etcd; `several`: of several.
fn store(s: &StorePlan, several: bool) -> String {
    let members = if s.members == 1 || !s.endpoints.is_empty() {
        String::new()
    } else {
        format!(", {} members", s.members)
    };
    let running = s.endpoints.join(",");
    let data = match &s.data_dir {
        _ if !s.endpoints.is_empty() => format!("at {running} (external)"),
        Some(dir) => format!(", data in {dir} on {}", s.file_system),
        None => format!(", data on {}", s.file_system),
    };
    let log = s.wal_dir.as_ref();
    let log = log.map_or(String::new(), |dir| format!(", log in {dir}"));
    let medium = s.medium.as_ref();
    let medium = medium.map_or(String::new(), |m| format!(", emulating {}", m.name));
    let own = s.member_media.iter();
    let own: String = own
        .map(|(i, m)| format!(", etcd-{i} emulating {}", m.name))
        .collect();
    let leader = s
        .leader
        .map_or(String::new(), |i| format!(", etcd-{i} is the leader"));
    let loaded = match s.target {
        None | Some(MemberChoice::All) => "",
        Some(MemberChoice::Leader) => ", load on the leader",
        Some(MemberChoice::Followers) => ", load on the followers",
    };
    let pin = match s.pin {
        Some(false) => ", on the client's cores",
        Some(true) => ", on cores of its own",
        None => "",
    };
    let flags: String = s.flags.iter().map(|f| format!(" {f}")).collect();
    let name = if several {
        format!("{} on ", s.store)
    } else {
        String::new()
    };
    format!(
        "{name}etcd {}{members}{data}{log}{medium}{own}{leader}{loaded}{pin}{flags}",
        s.version
    )
}
