//! What acts on a whole member or cluster: compaction, defragmentation, alarms, snapshots. Owned etcds only, but for
//! the snapshot, which only reads.

use super::control::{Alarm, ControlClient, ControlError, Member, MemberStatus, bounded};
use etcd_client::{AlarmAction, AlarmType, CompactionOptions, Error as EtcdError};
use std::time::Duration;

impl Member {
    /// Compacts the store up to `revision`: answered at once, done in the background.
    pub async fn compact(&self, revision: i64) -> Result<(), ControlError> {
        self.own("Compact")?;
        let mut kv = self.kv();
        self.call("Compact", kv.compact(revision, None))
            .await
            .map(drop)
    }

    /// Compacts the store up to `revision` and waits until that is done (`etcdctl compact --physical`). No timeout but
    /// `within`.
    pub async fn compact_physically(
        &self,
        revision: i64,
        within: Duration,
    ) -> Result<(), ControlError> {
        self.own("Compact")?;
        let mut kv = self.kv();
        let physical = CompactionOptions::new().with_physical();
        let compacted = kv.compact(revision, Some(physical));
        bounded(self.endpoint(), "Compact", within, compacted)
            .await
            .map(drop)
    }

    /// Defragments this member, which answers nothing meanwhile. No timeout but `within`.
    pub async fn defragment(&self, within: Duration) -> Result<(), ControlError> {
        self.own("Defragment")?;
        let mut m = self.client.maintenance_client();
        bounded(self.endpoint(), "Defragment", within, m.defragment())
            .await
            .map(drop)
    }

    /// Clears an alarm.
    pub async fn disarm(&self, alarm: &Alarm) -> Result<(), ControlError> {
        self.own("Alarm")?;
        let kind = match alarm.kind {
            "CORRUPT" => AlarmType::Corrupt,
            _ => AlarmType::Nospace,
        };
        let mut m = self.client.maintenance_client();
        let mut options = etcd_client::AlarmOptions::new();
        options.with_member(alarm.member_id);
        let disarmed = m.alarm(AlarmAction::Deactivate, kind, Some(options));
        self.call("Alarm", disarmed).await.map(drop)
    }

    /// Reads a snapshot of the database to its end, keeps nothing, and gives its size in bytes. No timeout but `within`.
    pub async fn snapshot(&self, within: Duration) -> Result<u64, ControlError> {
        let mut m = self.client.maintenance_client();
        let read = async move {
            let mut stream = m.snapshot().await?;
            let mut bytes = 0;
            while let Some(part) = stream.message().await? {
                bytes += part.blob().len() as u64;
            }
            Ok::<u64, EtcdError>(bytes)
        };
        bounded(self.endpoint(), "Snapshot", within, read).await
    }

    /// Has this member, which leads, hand over to the one with this id.
    pub async fn move_leader(&self, to: u64) -> Result<(), ControlError> {
        self.own("MoveLeader")?;
        let mut m = self.client.maintenance_client();
        self.call("MoveLeader", m.move_leader(to)).await.map(drop)
    }

    fn own(&self, call: &'static str) -> Result<(), ControlError> {
        if self.owned {
            Ok(())
        } else {
            Err(ControlError::NotOwned { call })
        }
    }
}

impl ControlClient {
    /// The members, each with whether it leads, the one that does last: the order in which they are defragmented. It
    /// leads for as long as possible, and an election comes at the end if at all.
    pub async fn leader_last(&self) -> Vec<(&Member, bool)> {
        let mut members = Vec::new();
        for member in self.each() {
            let leads = |s: MemberStatus| s.leader != 0 && s.leader == s.member_id;
            members.push((member, member.status().await.is_ok_and(leads)));
        }
        members.sort_by_key(|(_, leads)| *leads);
        members
    }
}
