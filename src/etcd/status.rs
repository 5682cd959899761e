//! A member's status, also where a user may not ask for it.

use super::control::{ControlError, Member, MemberStatus};
use super::{http, pages, prometheus};

/// gRPC's code.
const PERMISSION_DENIED: i32 = 7;
/// A leader that is another member; which one is not known.
const ANOTHER: u64 = u64::MAX;

impl Member {
    /// `Maintenance/Status`; etcd 3.6.5 refuses it to users without the role root: then what a read and `/metrics` say of
    /// the same ([`MemberStatus::from_metrics`]).
    ///
    /// # Errors
    /// etcd's; its refusal where the metrics cannot be read either.
    pub async fn status(&self) -> Result<MemberStatus, ControlError> {
        let mut m = self.client.maintenance_client();
        match self.call("Status", m.status()).await {
            Ok(s) => {
                let h = s.header();
                Ok(MemberStatus {
                    endpoint: self.endpoint().to_owned(),
                    cluster_id: h.map_or(0, |h| h.cluster_id()),
                    member_id: h.map_or(0, |h| h.member_id()),
                    leader: s.leader(),
                    version: s.version().to_owned(),
                    db_size: s.db_size(),
                    db_size_in_use: s.raft_used_db_size(),
                    quota: (s.db_size_quota() > 0).then(|| s.db_size_quota()),
                    revision: h.map_or(0, |h| h.revision()),
                    raft_term: s.raft_term(),
                    is_learner: s.is_learner(),
                    errors: s.errors().to_vec(),
                    from_metrics: false,
                })
            }
            Err(
                e @ ControlError::Status {
                    code: PERMISSION_DENIED,
                    ..
                },
            ) => self.status_from_metrics().await?.ok_or(e),
            Err(e) => Err(e),
        }
    }

    /// None where the metrics cannot be read, or lack something.
    async fn status_from_metrics(&self) -> Result<Option<MemberStatus>, ControlError> {
        // Who may call nothing else may list the members, whose header tells of this one.
        let mut c = self.client.cluster_client();
        let list = self.call("MemberList", c.member_list()).await?;
        let (cluster_id, member_id, raft_term) = list.header().map_or((0, 0, 0), |h| {
            (h.cluster_id(), h.member_id(), h.raft_term())
        });
        let Some(page) = self.own_page(member_id).await else {
            return Ok(None);
        };
        let mut kv = self.kv();
        let options = etcd_client::GetOptions::new()
            .with_serializable()
            .with_count_only();
        let revision = self
            .call("Range", kv.get("/registry-etcdmark/", Some(options)))
            .await;
        let value = |name: &str| prometheus::value(&page, name);
        let size = |name: &str| value(name).map(|v| v as i64);
        let version = prometheus::samples(&page)
            .find(|s| s.name == "etcd_server_version")
            .and_then(|s| Some(s.labels.get("server_version")?.into_owned()));
        let (Some(version), Some(db_size), Some(db_size_in_use), Some(has_leader)) = (
            version,
            size("etcd_mvcc_db_total_size_in_bytes"),
            size("etcd_mvcc_db_total_size_in_use_in_bytes"),
            value("etcd_server_has_leader"),
        ) else {
            return Ok(None);
        };
        let leads = value("etcd_server_is_leader") == Some(1.0);
        let leader = match (leads, has_leader == 1.0) {
            (true, _) => member_id,
            (false, true) => ANOTHER,
            (false, false) => 0,
        };
        let mine = list.members().iter().find(|m| m.id() == member_id);
        Ok(Some(MemberStatus {
            endpoint: self.endpoint().to_owned(),
            cluster_id,
            member_id,
            leader,
            version,
            db_size,
            db_size_in_use,
            quota: size("etcd_server_quota_backend_bytes").filter(|q| *q > 0),
            revision: revision?.header().map_or(0, |h| h.revision()),
            raft_term,
            is_learner: mine.is_some_and(|m| m.is_learner()),
            errors: Vec::new(),
            from_metrics: true,
        }))
    }

    /// The metrics page that names this member; its own by the order of the flags where that names nobody.
    async fn own_page(&self, id: u64) -> Option<String> {
        let (urls, own) = &self.metrics;
        let mut order: Vec<usize> = (0..urls.len()).collect();
        order.sort_by_key(|i| Some(*i) != *own);
        for i in order {
            let Ok(page) = http::get(&urls[i], self.tls.as_ref(), self.timeout).await else {
                continue;
            };
            let mine = pages::server_id(&page).map_or(Some(i) == *own, |of| of == id);
            if mine {
                return Some(page);
            }
        }
        None
    }
}
