//! What members say of themselves through etcd's API, read again and again: guards must see the leader and the db
//! file where metrics cannot be had (behind a proxy, or kubeadm's port on another machine).

use crate::etcd::control::{ControlClient, MemberStatus};
use futures_util::future::join_all;
use std::time::Duration;

/// How often members are asked.
const INTERVAL: Duration = Duration::from_secs(2);
/// Turns that a member is left alone after it did not answer.
const PAUSE: u32 = 15;

/// Hands every member's status to `found`, until that says false. A member that does not answer is not this
/// task's business.
pub async fn watch(cluster: &ControlClient, mut found: impl FnMut(&MemberStatus) -> bool) {
    let mut pauses = vec![0; cluster.each().len()];
    loop {
        tokio::time::sleep(INTERVAL).await;
        let asked = pauses.iter().zip(cluster.each());
        let asked = asked.map(|(pause, member)| {
            let now = *pause == 0;
            async move {
                match now {
                    true => Some(member.status().await),
                    false => None,
                }
            }
        });
        let answers = join_all(asked).await;
        for (pause, answer) in pauses.iter_mut().zip(&answers) {
            match answer {
                None => *pause -= 1,
                Some(Err(_)) => *pause = PAUSE,
                // What metrics say comes with the metrics, and without the leader's name.
                Some(Ok(status)) if status.from_metrics => *pause = u32::MAX,
                Some(Ok(status)) if !found(status) => return,
                Some(Ok(_)) => {}
            }
        }
    }
}
