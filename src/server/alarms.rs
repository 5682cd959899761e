//! The alarm list, read again and again: etcd 3.4 to 3.6 say nothing of alarms in their metrics.

use crate::etcd::control::{Alarm, ControlClient};
use std::time::Duration;

/// How often the list is read.
const INTERVAL: Duration = Duration::from_secs(2);

/// Hands every alarm that is listed to `found`, until that says false. An etcd that does not answer is
/// not this task's business.
pub async fn watch(cluster: &ControlClient, mut found: impl FnMut(&Alarm) -> bool) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        for alarm in cluster.alarms().await.unwrap_or_default() {
            if !found(&alarm) {
                return;
            }
        }
    }
}
