//! The member that an arm wants to lead: made the leader before a trial.

use crate::etcd::control::{ControlError, Member};
use crate::target::Target;
use std::time::Duration;

/// Asks, at most, and the time between two: an election takes a second or two.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// Returns once member `index` leads.
pub(crate) async fn lead(target: &Target, index: usize) -> Result<(), String> {
    let mut members = Vec::new();
    for endpoint in &target.endpoints {
        let member = Member::connect(target, endpoint).await;
        members.push(member.map_err(|e| e.to_string())?);
    }
    let mut reason = "nobody leads".to_owned();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        match turn(&members, index).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(e) => reason = e.to_string(),
        }
    }
    Err(format!(
        "member {index} did not become the leader: {reason}"
    ))
}

/// Whether the member leads; if another one does, that one is asked to hand over.
async fn turn(members: &[Member], index: usize) -> Result<bool, ControlError> {
    let mut ids = Vec::new();
    for member in members {
        ids.push(member.status().await?);
    }
    let Some(wanted) = ids.get(index).map(|s| s.member_id) else {
        return Ok(false);
    };
    if ids.iter().all(|s| s.leader == wanted) {
        return Ok(true);
    }
    let leads = ids.iter().position(|s| s.leader == s.member_id);
    if let Some(leader) = leads.filter(|l| *l != index) {
        members[leader].move_leader(wanted).await?;
    }
    Ok(false)
}
